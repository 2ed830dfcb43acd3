//! Made-up histories of one device: who said what about which time, in which order and in which records.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{
    Amendment, Body, DeviceError, Fact, Replacement, Run, Sample, Sealed, Severity, Source, Stretch,
};
use medfleet_domain::human::{Asserted, Claimed, Move, OrderClass, OrderPhase, Phase};
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Span, Timestamp};

/// Times are multiples of this, so that edges meet often.
pub const TICK_SECONDS: i64 = 1_800;
pub const TICKS_PER_DAY: i64 = 86_400 / TICK_SECONDS;
pub const DAYS: i64 = 4;
pub const FIRST_DAY: Day = Day(20_000);
/// This writer repeats identities with other bytes; amendments leave its facts alone.
const MUDDLER: u64 = 3;
const WRITERS: u64 = 4;

pub fn tick(ticks: i64) -> Timestamp {
    FIRST_DAY.start().plus_seconds(ticks * TICK_SECONDS)
}

/// One fact and its identity, before anyone heard of it.
#[derive(Debug, Clone)]
pub struct Told {
    pub epoch: Epoch,
    pub seq: Seq,
    pub fact: Fact,
}

#[derive(Debug, Clone)]
pub struct History {
    pub facts: Vec<Told>,
}

/// A history as records in the order of the log.
#[derive(Debug, Clone)]
pub struct Story {
    pub records: Vec<Run>,
}

#[derive(Debug, Clone)]
enum Draft {
    Says(Body),
    Amends { target: Index, more: u64, replacement: Option<Replacement>, author: String },
    Steps { target: Index, more: u64 },
}

impl History {
    /// Facts in this order, cut into records where asked (and where a run cannot go on).
    pub fn told(&self, order: &[usize], joins: &[bool]) -> Story {
        let mut records: Vec<Run> = Vec::new();
        for (nth, &at) in order.iter().enumerate() {
            let told = &self.facts[at];
            let joins = joins.get(nth).copied().unwrap_or(false);
            match records.last_mut() {
                Some(run) if joins && goes_on(run, told) => {
                    run.facts.push(seal(&told.fact));
                }
                _ => records.push(run_of(told)),
            }
        }
        Story { records }
    }

    /// The same facts under other epochs.
    pub fn renamed(&self, salt: u64) -> History {
        let rename = |epoch: Epoch| Epoch::derived(&[&salt.to_le_bytes(), &epoch.0.to_le_bytes()]);
        let mut facts = self.facts.clone();
        for told in &mut facts {
            told.epoch = rename(told.epoch);
            match &mut told.fact.body {
                Body::Amended(amendment) => amendment.target.epoch = rename(amendment.target.epoch),
                Body::ClockStep { suspect: Some(range), .. } => range.epoch = rename(range.epoch),
                _ => {}
            }
        }
        History { facts }
    }
}

fn goes_on(run: &Run, told: &Told) -> bool {
    let next = Seq(run.first_seq.0 + run.facts.len() as u64);
    (run.epoch, next, run.site.as_str()) == (told.epoch, told.seq, site_of(told))
}

/// Where the device stood: it goes back and forth between two sites.
fn site_of(told: &Told) -> &'static str {
    if (told.seq.0 / 3).is_multiple_of(2) { "north" } else { "south" }
}

fn seal(fact: &Fact) -> Sealed {
    Sealed { bytes: format!("{fact:?}").into(), fact: fact.clone() }
}

fn run_of(told: &Told) -> Run {
    Run {
        subject: Subject::new(SubjectKind::Device, "ct-7").expect("a good name"),
        epoch: told.epoch,
        first_seq: told.seq,
        site: SiteId::new(site_of(told)).expect("a good name"),
        kind: DeviceKind::Ct,
        agent: None,
        facts: vec![seal(&told.fact)],
    }
}

/// A history told in some order, with repeats, in some records.
pub fn histories() -> impl Strategy<Value = Story> {
    any_history()
        .prop_flat_map(|history| tellings(&history).prop_map(move |(order, joins)| history.told(&order, &joins)))
}

/// One history told in two ways.
pub fn shuffles() -> impl Strategy<Value = (Story, Story)> {
    any_history().prop_flat_map(|history| {
        (tellings(&history), tellings(&history))
            .prop_map(move |(one, other)| (history.told(&one.0, &one.1), history.told(&other.0, &other.1)))
    })
}

/// An order (as written, or any), repeats put in, and where records join.
fn tellings(history: &History) -> impl Strategy<Value = (Vec<usize>, Vec<bool>)> + use<> {
    let count = history.facts.len();
    let as_written: Vec<usize> = (0..count).collect();
    let order = prop_oneof![Just(as_written.clone()), Just(as_written).prop_shuffle()];
    let repeats = prop::collection::vec((any::<Index>(), any::<Index>()), 0..4);
    (order, repeats, prop::collection::vec(any::<bool>(), count + 4)).prop_map(|(mut order, repeats, joins)| {
        for (what, after) in repeats {
            let again = order[what.index(order.len())];
            let place = after.index(order.len()) + 1;
            order.insert(place, again);
        }
        (order, joins)
    })
}

pub fn any_history() -> impl Strategy<Value = History> {
    let drafts = prop::collection::vec((0..WRITERS, draft(), fact_frame(), 0..12u8), 3..26);
    drafts.prop_map(|drafts| {
        let mut written = [0u64; WRITERS as usize];
        let identities: Vec<(Epoch, Seq)> = drafts
            .iter()
            .map(|(writer, ..)| {
                let seq = &mut written[*writer as usize];
                // The muddler uses each seq twice.
                *seq += 1;
                let seq = if *writer == MUDDLER { seq.div_ceil(2) } else { *seq };
                (Epoch(writer + 1), Seq(seq))
            })
            .collect();
        let facts = drafts.into_iter().zip(&identities);
        let facts = facts.map(|((writer, draft, frame, luck), &(epoch, seq))| {
            let body = match draft {
                // Signs of life are few in memory, so that one taken back and restored may stay forgotten.
                Draft::Says(Body::Began { .. } | Body::Heartbeat(_)) if writer != MUDDLER => Body::Returned,
                Draft::Says(body) => body,
                _ if writer == MUDDLER => Body::Heartbeat(None),
                Draft::Amends { target, more, replacement, author } => {
                    let more = if replacement.is_some() { 0 } else { more };
                    let target = range_at(&identities, target, more, luck == 0);
                    Body::Amended(Box::new(Amendment { target, replacement, author, reason: "wrong".into() }))
                }
                Draft::Steps { target, more } => {
                    let suspect = Some(range_at(&identities, target, more, false));
                    Body::ClockStep { step_micros: 3_600_000_000, last_agreement: None, suspect }
                }
            };
            let clock = if luck == 1 && body.is_daily() { Clock::Suspect } else { Clock::Synchronised };
            Told { epoch, seq, fact: in_frame(body, frame, clock) }
        });
        History { facts: facts.collect() }
    })
}

/// The range of a fact and some after it; a far one names facts that never come.
fn range_at(identities: &[(Epoch, Seq)], target: Index, more: u64, far: bool) -> SeqRange {
    let open: Vec<_> = identities.iter().filter(|(epoch, _)| *epoch != Epoch(MUDDLER + 1)).collect();
    let (epoch, first) = if open.is_empty() { (Epoch(1), Seq(1)) } else { *open[target.index(open.len())] };
    let first = if far { Seq(first.0 + 100) } else { first };
    SeqRange { epoch, first, last: Seq(first.0 + more) }
}

/// When it happened, when it was known, who witnessed it.
type Frame = (i64, i64, (SourceKind, &'static str));

fn fact_frame() -> impl Strategy<Value = Frame> {
    let sources = vec![
        (SourceKind::Assumed, "import"),
        (SourceKind::Gateway, "gateway"),
        (SourceKind::Gateway, "server"),
        (SourceKind::Device, "modbus"),
        (SourceKind::Device, "serial"),
    ];
    (moment(), -8..24i64, select(sources))
}

/// Any tick, and more often one around the first midnight, where much then happens at once.
fn moment() -> impl Strategy<Value = i64> {
    prop_oneof![2 => 0..DAYS * TICKS_PER_DAY - 1, 1 => TICKS_PER_DAY - 2..TICKS_PER_DAY + 2]
}

fn in_frame(body: Body, (at, delay, (kind, name)): Frame, clock: Clock) -> Fact {
    Fact {
        at: at_of(&body, at),
        known_at: tick(at + delay),
        known_assumed: false,
        clock,
        source: Source { kind, name: name.into() },
        body: on_its_day(body, at),
    }
}

/// Samples may share a second without sharing an instant.
fn at_of(body: &Body, at: i64) -> Timestamp {
    match body {
        Body::Usage(sample) => tick(at).plus_micros(sample.value_milli % 3),
        _ => tick(at),
    }
}

/// Drafts hold lengths where facts hold times: sets a body to its place.
fn on_its_day(mut body: Body, at: i64) -> Body {
    match &mut body {
        Body::Stretch(stretch) => {
            let until = at + 1 + stretch.until.0;
            stretch.until = tick(until).min(tick(at).day().end());
        }
        Body::Asserted(asserted) => {
            asserted.until = asserted.until.map(|length| tick(at + 1 + length.0));
            if let Claimed::Maintenance { planned: Some(window) } = &mut asserted.claim {
                *window = Span { from: tick(at + window.from.0), until: tick(at + window.until.0) };
            }
        }
        Body::Amended(amendment) => {
            if let Some(new) = &mut amendment.replacement {
                let place = new.at.0;
                new.body = on_its_day(new.body.clone(), place);
                new.at = at_of(&new.body, place);
            }
        }
        _ => {}
    }
    body
}

fn draft() -> impl Strategy<Value = Draft> {
    let replacement = || prop::option::weighted(0.5, (moment(), said()));
    let amends = (any::<Index>(), 0..3u64, replacement(), select(vec!["kim", "lee"])).prop_map(
        |(target, more, replacement, author)| Draft::Amends {
            target,
            more,
            replacement: replacement.map(|(at, body)| Replacement { at: Timestamp(at), body }),
            author: author.into(),
        },
    );
    let steps = (any::<Index>(), 0..4u64).prop_map(|(target, more)| Draft::Steps { target, more });
    prop_oneof![12 => said().prop_map(Draft::Says), 4 => amends, 1 => steps]
}

/// Bodies with lengths in ticks where times will stand.
fn said() -> impl Strategy<Value = Body> {
    prop_oneof![
        8 => stretch(),
        3 => asserted(),
        2 => error(),
        1 => order(),
        4 => usage(),
        1 => (condition(), degradation()).prop_map(|(condition, degradation)| Body::Began { condition, degradation }),
        1 => Just(Body::Heartbeat(None)),
        1 => select(vec!["1", "2"]).prop_map(|room| Body::Moved(Move {
            site: SiteId::new("east").expect("a good name"),
            department: "radiology".into(),
            room: room.into(),
        })),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    select(Condition::ALL[..5].to_vec())
}

fn degradation() -> impl Strategy<Value = Degradation> {
    prop_oneof![4 => Just(Degradation::None), 1 => select(Degradation::ALL[1..].to_vec())]
}

fn stretch() -> impl Strategy<Value = Body> {
    (0..8i64, condition(), degradation()).prop_map(|(length, condition, degradation)| {
        Body::Stretch(Stretch { until: Timestamp(length), condition, degradation })
    })
}

fn asserted() -> impl Strategy<Value = Body> {
    let window = (-60..20i64, 1..12i64)
        .prop_map(|(from, length)| Span { from: Timestamp(from), until: Timestamp(from + length) });
    let claim = prop_oneof![
        2 => Just(Claimed::Usable),
        1 => select(Degradation::ALL[1..].to_vec()).prop_map(Claimed::Partial),
        2 => prop::option::weighted(0.7, window).prop_map(|planned| Claimed::Maintenance { planned }),
        3 => Just(Claimed::Down),
    ];
    let length = prop::option::weighted(0.4, (0..70i64).prop_map(Timestamp));
    (claim, length, select(vec!["kim", "lee"])).prop_map(|(claim, length, author)| {
        let until = if claim == Claimed::Usable { None } else { length };
        Body::Asserted(Asserted { claim, until, author: author.into(), reason: String::new(), order: None })
    })
}

fn order() -> impl Strategy<Value = Body> {
    let phase = select(vec![Phase::Opened, Phase::Arrived, Phase::ReturnedToService]);
    (select(vec!["wo-1", "wo-2"]), phase).prop_map(|(order, phase)| {
        Body::Order(OrderPhase {
            order: order.into(),
            class: OrderClass::Corrective,
            phase,
            waiting_for: None,
            planned: None,
            cause: String::new(),
            text: String::new(),
        })
    })
}

fn error() -> impl Strategy<Value = Body> {
    select(vec!["E1", "E2"]).prop_map(|code| {
        Body::Error(DeviceError {
            code: code.into(),
            family: "tube".into(),
            severity: Severity::Major,
            component: String::new(),
            cause_domain: String::new(),
            text: String::new(),
        })
    })
}

fn usage() -> impl Strategy<Value = Body> {
    let unit = prop_oneof![5 => Just("scans"), 1 => Just("kWs")];
    ((0..8i64).prop_map(|step| step * 13), unit, prop::bool::weighted(0.3), select(vec!["tube", ""])).prop_map(
        |(value, unit, wraps, component)| {
            Body::Usage(Sample {
                counter: "exposures".into(),
                component: component.into(),
                unit: unit.into(),
                value_milli: value,
                modulus_milli: wraps.then_some(100),
            })
        },
    )
}
