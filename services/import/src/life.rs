//! The facts that one device's rows amount to, a window of time at once. Pure: equal tables and mapping give equal facts.

use std::collections::BTreeMap;

use medfleet_domain::condition::{Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Fact, Sealed, Stretch};
use medfleet_domain::human::{ComponentReplaced, Retirement};
use medfleet_domain::id::{SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Span, Timestamp};

use crate::assume::{between, by_day};
use crate::devices::{Device, Voiced};
use crate::mapping::{AssumeRule, Mapping, Prevents, Shown};
use crate::reader::Place;
use crate::remarks::{Reason, Remarks};
use crate::says::{Change, Inventory, Point, Replaced, Voice};
use crate::unite::{Spoken, United, Whole, unite};

/// What bounds every life of an import.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Nothing is believed before.
    pub first: Timestamp,
    /// Nothing is assumed after.
    pub record_end: Timestamp,
    /// Nothing is believed after: the record's end, if it is stated, else the present.
    pub last: Timestamp,
}

/// A device's whole past, ready to be told.
pub struct Life<'a> {
    voice: Voice<'a>,
    assume: Option<&'a AssumeRule>,
    pub subject: Subject,
    inventory: Inventory,
    service: Option<Span>,
    frame: Frame,
    /// In the order of time; the first is the registration.
    points: Vec<Point>,
    spans: BTreeMap<Voiced, Vec<Whole>>,
    /// In service and not in any other condition, as far as the tables say.
    assumed: Vec<Span>,
}

impl<'a> Life<'a> {
    /// Unites what overlaps and fills what lies between; notes the rows for which that matters.
    pub fn new(mapping: &'a Mapping, device: Device, frame: Frame, remarks: &mut Remarks) -> Self {
        let mut device = device;
        end_at_the_next(&mut device, frame);
        let service = service(&device, frame);
        let subject = device.subject.name().to_owned();
        note_contradictions(&device, frame, &subject, remarks);
        let mut spans = BTreeMap::new();
        for ((kind, condition), mut spoken) in std::mem::take(&mut device.spans) {
            if device.assigned && condition.is_down() {
                note_outside(&spoken, service, frame, &subject, remarks);
            }
            let United { wholes, joined } = unite(&mut spoken, frame.record_end);
            joined.iter().for_each(|place| remarks.note(*place, Reason::United { subject: subject.clone() }));
            spans.insert((kind, condition), wholes);
        }
        let assume = mapping.assume.as_ref();
        let taken = taken(&spans);
        let assumed = service.filter(|_| assume.is_some()).map_or_else(Vec::new, |service| between(service, &taken));
        let voice = Voice { source: &mapping.source, kind: mapping.source.kind };
        let Device { subject, inventory, mut points, replaced, failed, .. } = device;
        points.extend(replaced.into_iter().filter_map(|one| {
            let failed = failed.contains(&(one.at, one.part.component.clone()));
            replacement(one, failed, voice)
        }));
        let mut life = Self { voice, assume, subject, inventory, service, frame, points, spans, assumed };
        let inventory = life.inventory_points();
        life.points.splice(0..0, inventory);
        // Stable, so that at one instant registering comes first.
        life.points.sort_by_key(|point| point.at);
        life
    }

    pub fn site(&self) -> &SiteId {
        &self.inventory.site
    }

    pub fn kind(&self) -> DeviceKind {
        self.inventory.registration.kind
    }

    /// From the first fact to the last: every fact lies in it.
    pub fn span(&self) -> Option<Span> {
        let wholes = || self.spans.values().flatten().map(|whole| whole.span);
        let points = || self.points.iter().map(|point| point.at);
        let starts = points().chain(wholes().map(|span| span.from)).chain(self.service.map(|service| service.from));
        let ends = points().chain(wholes().map(|span| span.until)).chain(self.service.map(|service| service.until));
        Some(Span { from: starts.min()?, until: ends.max()?.plus_micros(1) })
    }

    /// The facts that happened in a window of whole UTC days, in the order of time.
    pub fn facts(&self, window: Span) -> Vec<Sealed> {
        let first = self.points.partition_point(|point| point.at < window.from);
        let last = self.points.partition_point(|point| point.at < window.until);
        let read = |point: &Point| medfleet_wire::decode_fact(&point.bytes).ok();
        let mut facts: Vec<Sealed> = self.points[first..last].iter().filter_map(read).collect();
        for ((kind, condition), wholes) in &self.spans {
            for whole in wholes {
                let pieces = whole.span.clip(window).into_iter().flat_map(by_day);
                facts.extend(pieces.map(|piece| self.stretch(piece, *condition, *kind, whole.known)));
            }
        }
        if let Some(rule) = self.assume {
            let pieces = self.assumed.iter().filter_map(|span| span.clip(window)).flat_map(by_day);
            facts.extend(pieces.map(|piece| self.stretch(piece, rule.condition, SourceKind::Assumed, None)));
        }
        facts.sort_by_key(|sealed| sealed.fact.at);
        facts
    }

    fn stretch(&self, span: Span, condition: Condition, kind: SourceKind, known: Option<Timestamp>) -> Sealed {
        let body = Body::Stretch(Stretch { until: span.until, condition, degradation: Degradation::None });
        medfleet_wire::seal(Voice { kind, ..self.voice }.fact(span.from, span.until, known, body))
    }

    /// What the inventory says, once: registered with the first fact, retired if the record goes so far.
    fn inventory_points(&self) -> Vec<Point> {
        let retired = self.inventory.retired.as_ref().map(|(day, reason)| (day.start().max(self.frame.first), reason));
        let retired = retired.filter(|(at, _)| *at < self.frame.record_end);
        let Some(from) = self.span().map(|span| span.from).or(retired.map(|(at, _)| at)) else { return Vec::new() };
        let never = "never in service".to_owned();
        let retired = if self.service.is_none() { Some((from, &never)) } else { retired };
        let registered = Body::Registered(Box::new(self.inventory.registration.clone()));
        let retired = retired.map(|(at, reason)| (at, Body::Retired(Retirement { reason: reason.clone() })));
        let facts = [(from, registered)].into_iter().chain(retired);
        facts.filter_map(|(at, body)| seal(self.voice.fact(at, at, None, body))).collect()
    }
}

/// When a device is taken to have been in service; None if never. Without a first day its first row shows it.
fn service(device: &Device, frame: Frame) -> Option<Span> {
    if !device.assigned {
        return None;
    }
    let Inventory { registration, retired, .. } = &device.inventory;
    let from = registration.in_service.or_else(|| device.first.map(Timestamp::day)).map(Day::start)?;
    let until = retired.as_ref().map_or(frame.record_end, |(day, _)| day.start());
    Span::new(from.max(frame.first), until.min(frame.record_end)).ok()
}

/// Gives every change its end: the device's next row of the same table, within the limit it states.
fn end_at_the_next(device: &mut Device, frame: Frame) {
    for ((_, witness), mut changes) in std::mem::take(&mut device.changes) {
        changes.sort_by_key(|change| (change.spoken.from, change.spoken.place));
        let nexts: Vec<Timestamp> = changes.iter().skip(1).map(|change| change.spoken.from).collect();
        for (nth, Change { spoken, shown, at_most_until }) in changes.into_iter().enumerate() {
            let next = nexts.get(nth).copied().unwrap_or(frame.last);
            let until = Some(next.min(at_most_until).max(spoken.from));
            if let Shown::In(condition) = shown {
                device.spans.entry((witness, condition)).or_default().push(Spoken { until, ..spoken });
            }
        }
    }
}

/// Notes the later of two rows that say different conditions of one second: both are told, and the fold judges them.
fn note_contradictions(device: &Device, frame: Frame, subject: &str, remarks: &mut Remarks) {
    let end = |spoken: &Spoken| spoken.until.unwrap_or(frame.record_end);
    let mut all: Vec<(Timestamp, Timestamp, Place, Voiced)> = device
        .spans
        .iter()
        .flat_map(|(voiced, all)| all.iter().map(|one| (one.from, end(one), one.place, *voiced)))
        .filter(|(from, until, ..)| from < until)
        .collect();
    all.sort();
    // The furthest end so far of each condition by each kind of witness: a stronger one simply wins.
    let mut reached: BTreeMap<Voiced, Timestamp> = BTreeMap::new();
    for (from, until, place, (kind, condition)) in all {
        let against = |(other, said): &Voiced| *other == kind && *said != condition;
        if reached.iter().any(|(voiced, until)| against(voiced) && from < *until) {
            remarks.note(place, Reason::Contradicts { subject: subject.to_owned() });
        }
        let far = reached.entry((kind, condition)).or_insert(until);
        *far = (*far).max(until);
    }
}

fn note_outside(spoken: &[Spoken], service: Option<Span>, frame: Frame, subject: &str, remarks: &mut Remarks) {
    let within = |one: &&Spoken| {
        let until = one.until.unwrap_or(frame.record_end).max(one.from);
        service.is_some_and(|service| service.from <= one.from && until <= service.until)
    };
    for one in spoken.iter().filter(|one| !within(one)) {
        remarks.note(one.place, Reason::OutsideService { subject: subject.to_owned() });
    }
}

/// All time about which some row says something, in its order and without overlap.
fn taken(spans: &BTreeMap<Voiced, Vec<Whole>>) -> Vec<Span> {
    let mut all: Vec<Span> = spans.values().flatten().map(|whole| whole.span).collect();
    all.sort_unstable();
    let mut taken: Vec<Span> = Vec::new();
    for span in all {
        match taken.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => taken.push(span),
        }
    }
    taken
}

/// A replacement as a fact, once it is known whether the part had failed.
fn replacement(one: Replaced, failed: bool, voice: Voice<'_>) -> Option<Point> {
    let preventive = match one.prevents {
        Prevents::Yes => true,
        Prevents::No => false,
        Prevents::UnlessFailed => !failed,
    };
    let body = Body::ComponentReplaced(ComponentReplaced { preventive, ..one.part });
    seal(voice.fact(one.at, one.at, one.known, body))
}

/// A fact whose parts were checked when its row was read.
fn seal(fact: Fact) -> Option<Point> {
    let at = fact.at;
    let sealed = medfleet_wire::accept(fact).ok()?;
    Some(Point { at, bytes: (&*sealed.bytes).into() })
}
