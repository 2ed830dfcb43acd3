//! The facts that one subject's rows amount to, a window of time at once. Pure: equal rows and mapping give equal facts.

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Fact, Source, Stretch};
use medfleet_domain::human::{OrderPhase, Phase, Retirement};
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Span, Timestamp};

use super::assume::{between, by_day, service};
use super::mapping::Mapping;
use super::nodes::Node;
use super::rejects::{Note, Rejects};
use super::rows::Repair;
use super::unite::{Told, United, unite};

/// A subject's whole past, ready to be told.
pub struct Life<'a> {
    mapping: &'a Mapping,
    pub node: Node,
    service: Option<Span>,
    outages: Vec<Span>,
    /// In service and not down, as far as the record says.
    assumed: Vec<Span>,
}

impl<'a> Life<'a> {
    /// Unites the repairs and fills what lies between; notes the rows for which that matters.
    pub fn new(mapping: &'a Mapping, node: Node, rejects: &mut Rejects) -> Self {
        let record_end = mapping.time.record_end;
        let told = |repair: &Repair| Told { row: repair.row, from: repair.from, until: end(repair, record_end) };
        let United { outages, joined } = unite(node.repairs.iter().map(told));
        let subject = node.inventory.subject.name().to_owned();
        joined.iter().for_each(|row| rejects.note(*row, &Note::United { subject: subject.clone() }));
        let service = service(&node, record_end);
        if node.inventory.assigned {
            let within = |repair: &Repair| {
                service.is_some_and(|service| service.from <= repair.from && end(repair, record_end) <= service.until)
            };
            let outside = node.repairs.iter().filter(|repair| !within(repair));
            outside.for_each(|repair| rejects.note(repair.row, &Note::OutsideService { subject: subject.clone() }));
        }
        let assumes = mapping.assume.is_some();
        let assumed = service.filter(|_| assumes).map_or_else(Vec::new, |service| between(service, &outages));
        Self { mapping, node, service, outages, assumed }
    }

    /// From the first fact to the last: every fact lies in it.
    pub fn span(&self) -> Option<Span> {
        let starts = self
            .node
            .repairs
            .first()
            .map(|repair| repair.from)
            .into_iter()
            .chain(self.service.map(|service| service.from));
        let ends = self.node.repairs.iter().map(|repair| end(repair, self.mapping.time.record_end));
        let last = ends.chain(self.service.map(|service| service.until)).chain(self.retired()).max()?;
        Some(Span { from: starts.min()?, until: last.plus_micros(1) })
    }

    /// The facts that happened in a window of whole UTC days, in the order of time.
    pub fn facts(&self, window: Span) -> Vec<Fact> {
        let mut facts: Vec<Fact> = self.stated().filter(|fact| window.contains(fact.at)).collect();
        facts.extend(
            self.node.repairs.iter().flat_map(|repair| self.phases(repair)).filter(|fact| window.contains(fact.at)),
        );
        let days_of =
            |spans: &[Span]| spans.iter().filter_map(|span| span.clip(window)).flat_map(by_day).collect::<Vec<_>>();
        let kind = self.mapping.source.kind;
        facts.extend(days_of(&self.outages).into_iter().map(|day| self.stretch(day, Condition::UnscheduledDown, kind)));
        if let Some(rule) = &self.mapping.assume {
            let up = |day| self.stretch(day, rule.condition, SourceKind::Assumed);
            facts.extend(days_of(&self.assumed).into_iter().map(up));
        }
        // Stable, so that at one instant registering comes first and a stretch last.
        facts.sort_by_key(|fact| fact.at);
        facts
    }

    /// What the inventory says, once.
    fn stated(&self) -> impl Iterator<Item = Fact> {
        let registered = Body::Registered(self.node.inventory.registration.clone());
        let at = self.span().map(|span| span.from);
        let registered = at.map(|at| self.fact(at, at, self.mapping.source.kind, registered));
        let retired = self.mapping.retired.as_ref().zip(self.retired()).map(|(rule, at)| {
            let body = Body::Retired(Retirement { reason: rule.reason.clone() });
            self.fact(at, at, self.mapping.source.kind, body)
        });
        registered.into_iter().chain(retired)
    }

    /// When it was retired, if the record goes so far.
    fn retired(&self) -> Option<Timestamp> {
        self.node.inventory.retired.map(Day::start).filter(|at| *at < self.mapping.time.record_end)
    }

    /// The order of one repair: opened, and returned to service if the record knows when.
    fn phases(&self, repair: &Repair) -> impl Iterator<Item = Fact> {
        let closed = end(repair, self.mapping.time.record_end);
        let opened = (repair.from, Phase::Opened);
        let returned = repair.until.map(|until| (until, Phase::ReturnedToService));
        [opened].into_iter().chain(returned).map(move |(at, phase)| {
            let body = Body::Order(OrderPhase {
                order: repair.order.clone(),
                class: self.mapping.repair.class,
                phase,
                waiting_for: None,
                planned: None,
                cause: repair.cause.clone(),
                text: repair.text.clone(),
            });
            self.fact(at, closed, self.mapping.source.kind, body)
        })
    }

    fn stretch(&self, span: Span, condition: Condition, kind: SourceKind) -> Fact {
        let body = Body::Stretch(Stretch { until: span.until, condition, degradation: Degradation::None });
        self.fact(span.from, span.until, kind, body)
    }

    /// A record was kept after the fact: it could first be known some time after `over`, and when is itself assumed.
    fn fact(&self, at: Timestamp, over: Timestamp, kind: SourceKind, body: Body) -> Fact {
        let delay_micros = i64::from(self.mapping.repair.known_after_minutes) * 60 * MICROS_PER_SECOND;
        Fact {
            at,
            known_at: over.plus_micros(delay_micros),
            known_assumed: true,
            clock: Clock::Holdover,
            source: Source { kind, name: self.mapping.source.name.clone() },
            body,
        }
    }
}

/// A repair without end lasts to the end of the record.
fn end(repair: &Repair, record_end: Timestamp) -> Timestamp {
    repair.until.unwrap_or(record_end).max(repair.from)
}
