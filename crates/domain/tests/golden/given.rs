//! Given what was said, then so many seconds: a device whose facts are told in words, and views of its ledger.

use std::collections::BTreeMap;

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::entry::{Entry, HeadRole, HeadRow, IntervalRow, Row, UsageRow};
use medfleet_domain::fact::{Amendment, Body, Fact, Replacement, Run, Sample, Sealed, Source, Stretch};
use medfleet_domain::human::{Asserted, Claimed};
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Span, Timestamp};

pub use medfleet_domain::condition::Condition::{
    Engineering as E, Productive as P, ScheduledDown as SD, Standby as S, UnscheduledDown as UD,
};

use crate::archive::{Archived, Book};

/// Friday.
pub const TODAY: Day = Day::from_civil(2026, 3, 20);

/// `"09:30"` is today, `"+1 09:30"` tomorrow.
pub fn at(time: &str) -> Timestamp {
    let (days, clock) =
        time.split_once(' ').map_or((0, time), |(days, clock)| (days.parse().expect("a number of days"), clock));
    let (hour, minute) = clock.split_once(':').expect("hours and minutes");
    let seconds = |text: &str, unit: i64| text.parse::<i64>().expect("a number") * unit;
    Day(TODAY.0 + days).start().plus_seconds(seconds(hour, 3_600) + seconds(minute, 60))
}

pub fn span(from: &str, until: &str) -> Span {
    Span::new(at(from), at(until)).expect("a span runs forward")
}

/// One writer of a device's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    Agent,
    /// Telemetry of lower precedence than the device's own word.
    Gateway,
    /// Telemetry of the same precedence as the gateway's.
    Server,
    Person,
    Binder,
}

impl Writer {
    fn source(self) -> Source {
        let (kind, name) = match self {
            Self::Agent => (SourceKind::Device, "modbus"),
            Self::Gateway => (SourceKind::Gateway, "gateway"),
            Self::Server => (SourceKind::Gateway, "server"),
            Self::Person => (SourceKind::Person, "cmms"),
            Self::Binder => (SourceKind::Derived, "mpps"),
        };
        Source { kind, name: name.into() }
    }
}

/// A device's stream: told fact by fact, or told again in another way.
pub struct Device {
    /// Archives and restarts after every record.
    book: Book,
    /// Keeps everything in memory: must say the same.
    keeper: Book,
    /// Looks ahead, forgets all it may, and has an archive that is ahead of it: must say the same.
    seer: Book,
    /// Is told by the archive: must say the same.
    replay: Book,
    written: BTreeMap<Writer, u64>,
    pub records: Vec<Run>,
    pub last: Vec<Entry>,
}

impl Device {
    pub fn new() -> Self {
        let (book, keeper, replay) = (Book::default(), Book::default(), Book::default());
        let seer = Book::forgetful(Archived::Everything);
        Self { book, keeper, seer, replay, written: BTreeMap::new(), records: Vec::new(), last: Vec::new() }
    }

    /// The same records told anew, epochs as this function names them.
    pub fn retold<'a>(records: impl IntoIterator<Item = &'a Run>, rename: impl Fn(Epoch) -> Epoch) -> Self {
        let mut device = Self::new();
        for run in records {
            let mut run = run.clone();
            run.epoch = rename(run.epoch);
            for sealed in &mut run.facts {
                match &mut sealed.fact.body {
                    Body::Amended(one) => one.target.epoch = rename(one.target.epoch),
                    Body::ClockStep { suspect: Some(range), .. } => range.epoch = rename(range.epoch),
                    _ => continue,
                }
                *sealed = seal(sealed.fact.clone());
            }
            device.admit(run);
        }
        device
    }

    pub fn admit(&mut self, run: Run) {
        self.last = self.book.admit(&run);
        assert_eq!(self.keeper.admit(&run), self.last, "memory and archive say the same");
        self.seer.look_ahead(std::slice::from_ref(&run));
        assert_eq!(self.seer.admit(&run), self.last, "looking ahead says the same");
        self.seer.commit();
        assert_eq!(self.replay.admit_archived(&run, &self.book.last_filed), self.last, "a replay says the same");
        self.replay.commit();
        self.book.commit();
        self.book.restart();
        self.records.push(run);
    }

    /// Appends one fact as a record of its own and gives its name.
    pub fn says(&mut self, writer: Writer, happened: &str, known: &str, body: Body) -> SeqRange {
        self.fact(writer, happened, known, Clock::Synchronised, body)
    }

    pub fn fact(&mut self, writer: Writer, happened: &str, known: &str, clock: Clock, body: Body) -> SeqRange {
        let seq = self.next(writer);
        let source = writer.source();
        let fact = Fact { at: at(happened), known_at: at(known), known_assumed: false, clock, source, body };
        fact.check().expect("a golden fact is a good fact");
        let epoch = Epoch(writer as u64 + 1);
        self.admit(run(epoch, seq, vec![seal(fact)]));
        self.written.insert(writer, seq.0);
        SeqRange::one(epoch, seq)
    }

    pub fn next(&self, writer: Writer) -> Seq {
        Seq(self.written.get(&writer).copied().unwrap_or(0) + 1)
    }

    /// A condition as an agent reports it: cut at hours, each piece appended when it ends.
    pub fn hears(&mut self, condition: Condition, from: &str, until: &str) -> SeqRange {
        self.hears_from(Writer::Agent, condition, from, until)
    }

    pub fn hears_from(&mut self, writer: Writer, condition: Condition, from: &str, until: &str) -> SeqRange {
        let mut named: Option<SeqRange> = None;
        let (mut start, end) = (at(from), at(until));
        while start < end {
            let stop = start.next_hour().min(end);
            let body = stretch(condition, stop);
            let one = self.says(writer, &clock_of(start), &clock_of(stop), body);
            named = Some(named.map_or(one, |range| SeqRange { last: one.last, ..range }));
            start = stop;
        }
        named.expect("a stretch has a length")
    }

    pub fn claims(&mut self, said: &str, claim: Claimed, from: &str, until: Option<&str>) -> SeqRange {
        self.says(Writer::Person, from, said, claimed(claim, until))
    }

    pub fn voids(&mut self, said: &str, target: SeqRange, author: &str, reason: &str) -> SeqRange {
        self.amends(said, target, None, author, reason)
    }

    pub fn corrects(&mut self, said: &str, target: SeqRange, happened: &str, body: Body) -> SeqRange {
        let replacement = Replacement { at: at(happened), body };
        self.amends(said, target, Some(replacement), "kim", "misread")
    }

    fn amends(&mut self, said: &str, target: SeqRange, new: Option<Replacement>, who: &str, why: &str) -> SeqRange {
        let amendment = Amendment { target, replacement: new, author: who.into(), reason: why.into() };
        self.says(Writer::Person, said, said, Body::Amended(Box::new(amendment)))
    }

    pub fn reads(&mut self, happened: &str, value: i64) -> SeqRange {
        self.says(Writer::Agent, happened, happened, sample(value, None))
    }

    /// What the ledger says now.
    pub fn view(&self) -> View {
        View { net: self.book.net.clone() }
    }

    pub fn verdicts(&self) -> [u64; 3] {
        self.book.verdicts
    }
}

fn clock_of(at: Timestamp) -> String {
    let days = at.day().0 - TODAY.0;
    let minutes = (at.0 - at.day().start().0) / (60 * MICROS_PER_SECOND);
    format!("{days} {:02}:{:02}", minutes / 60, minutes % 60)
}

pub fn seal(fact: Fact) -> Sealed {
    Sealed { bytes: postcard::to_allocvec(&fact).expect("a fact can be written").into(), fact }
}

pub fn run(epoch: Epoch, first_seq: Seq, facts: Vec<Sealed>) -> Run {
    Run {
        subject: Subject::new(SubjectKind::Device, "ct-7").expect("a good name"),
        epoch,
        first_seq,
        site: SiteId::new("north").expect("a good name"),
        kind: DeviceKind::Ct,
        agent: None,
        facts,
    }
}

pub fn stretch(condition: Condition, until: Timestamp) -> Body {
    Body::Stretch(Stretch { until, condition, degradation: Degradation::None })
}

pub fn claimed(claim: Claimed, until: Option<&str>) -> Body {
    let (author, reason) = ("kim".into(), "tube".into());
    Body::Asserted(Asserted { claim, until: until.map(at), author, reason, order: None })
}

pub fn sample(value: i64, modulus: Option<i64>) -> Body {
    Body::Usage(Sample {
        counter: "exposures".into(),
        component: "tube".into(),
        unit: "scans".into(),
        value_milli: value * 1_000,
        modulus_milli: modulus.map(|modulus| modulus * 1_000),
    })
}

/// The ledger of a device at one moment of its log.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub net: BTreeMap<Row, i64>,
}

/// Seconds by condition; silence is what no row covers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seconds {
    pub up: i64,
    pub standby: i64,
    pub productive: i64,
    pub engineering: i64,
    pub scheduled_down: i64,
    pub unscheduled_down: i64,
    /// Rows of "unknown" with a reason.
    pub doubtful: i64,
    pub conflict: i64,
    pub silent: i64,
}

impl View {
    pub fn intervals(&self) -> Vec<&IntervalRow> {
        self.net.keys().filter_map(|row| if let Row::Interval(one) = row { Some(one) } else { None }).collect()
    }

    pub fn heads(&self, role: HeadRole) -> Vec<&HeadRow> {
        let heads = self.net.keys().filter_map(|row| if let Row::Head(one) = row { Some(one) } else { None });
        heads.filter(|head| head.role == role).collect()
    }

    pub fn usage(&self) -> Vec<&UsageRow> {
        self.net.keys().filter_map(|row| if let Row::Usage(one) = row { Some(one) } else { None }).collect()
    }

    pub fn seconds(&self, from: &str, until: &str) -> Seconds {
        let window = span(from, until);
        let mut sums = Seconds { silent: window.micros() / MICROS_PER_SECOND, ..Seconds::default() };
        for row in self.intervals() {
            let Some(inside) = row.span.clip(window) else { continue };
            let seconds = inside.micros() / MICROS_PER_SECOND;
            let slot = match row.condition {
                Condition::Standby => &mut sums.standby,
                Condition::Productive => &mut sums.productive,
                Condition::Engineering => &mut sums.engineering,
                Condition::ScheduledDown => &mut sums.scheduled_down,
                Condition::UnscheduledDown => &mut sums.unscheduled_down,
                Condition::Unknown => &mut sums.doubtful,
            };
            *slot += seconds;
            sums.up += if row.condition.is_up() { seconds } else { 0 };
            sums.conflict += if row.conflict { seconds } else { 0 };
            sums.silent -= seconds;
        }
        sums
    }

    /// Seconds that claims beyond the edge add, seen at this moment.
    pub fn head_seconds(&self, condition: Condition, seen_at: &str) -> i64 {
        let heads = self.heads(HeadRole::Claim).into_iter().filter(|head| head.condition == condition);
        let seconds = heads.filter_map(|head| {
            let until = head.until.unwrap_or(at(seen_at)).min(at(seen_at));
            Span::new(head.from, until).ok().map(|span| span.micros() / MICROS_PER_SECOND)
        });
        seconds.sum()
    }

    /// Increments in whole units, in time order.
    pub fn increments(&self) -> Vec<i64> {
        self.usage().into_iter().map(|row| row.increment_milli / 1_000).collect()
    }
}
