//! A log with a binder and the ledgers of devices behind it: what the binder owes is appended like everything else.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::BTreeMap;

use medfleet_domain::binder::{Binder, Heard, Owed};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::entry::Row;
use medfleet_domain::fact::{Amendment, Body, Fact, Replacement, Run, Sealed, Source, Stretch};
use medfleet_domain::human::Binding;
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_SECOND, Span, Timestamp};

use crate::archive::Book;

pub const PLACE: &str = "CT_ROOM2";

/// Seconds by device and condition.
pub type Seconds = BTreeMap<(String, Condition), i64>;

#[derive(Default)]
pub struct Street {
    pub binder: Binder,
    pub log: Vec<Run>,
    pub devices: BTreeMap<Subject, Book>,
}

impl Street {
    pub fn append(&mut self, run: Run) {
        hear(&mut self.binder, &run);
        if run.subject.kind == SubjectKind::Device {
            self.devices.entry(run.subject.clone()).or_default().admit(&run);
        }
        self.log.push(run);
    }

    /// Appends what the binder owes; tells how many facts that were.
    pub fn settle(&mut self) -> usize {
        let owed = self.binder.owed();
        owed.into_iter().map(|owed| self.give(owed)).sum()
    }

    pub fn give(&mut self, owed: Owed) -> usize {
        let run = run_of(owed);
        let count = run.facts.len();
        self.append(run);
        count
    }

    /// The binder dies and reads the log again.
    pub fn crash(&mut self) -> Binder {
        let mut reborn = Binder::default();
        self.log.iter().for_each(|run| hear(&mut reborn, run));
        std::mem::replace(&mut self.binder, reborn)
    }

    pub fn seconds(&self, window: Span) -> Seconds {
        let mut seconds = Seconds::new();
        for (device, book) in &self.devices {
            for (row, weight) in &book.net {
                let Row::Interval(row) = row else { continue };
                let Some(inside) = row.span.clip(window) else { continue };
                let sum = seconds.entry((device.name().to_owned(), row.condition)).or_default();
                *sum += weight * inside.micros() / MICROS_PER_SECOND;
            }
        }
        seconds.retain(|_, sum| *sum != 0);
        seconds
    }
}

pub fn hear(binder: &mut Binder, run: &Run) {
    for (seq, sealed) in (run.first_seq.0..).map(Seq).zip(&run.facts) {
        binder.hear(Heard {
            subject: &run.subject,
            epoch: run.epoch,
            seq,
            site: &run.site,
            kind: run.kind,
            agent: run.agent.as_ref(),
            suspect: false,
            sealed,
        });
    }
}

pub fn run_of(owed: Owed) -> Run {
    Run {
        subject: owed.device,
        epoch: owed.epoch,
        first_seq: owed.first_seq,
        site: owed.site,
        kind: owed.kind,
        agent: owed.agent,
        facts: owed.facts.into_iter().map(seal).collect(),
    }
}

pub fn seal(fact: Fact) -> Sealed {
    Sealed { bytes: postcard::to_allocvec(&fact).expect("a fact can be written").into(), fact }
}

pub fn place() -> Subject {
    Subject::new(SubjectKind::Place, PLACE).expect("a good name")
}

pub fn device(name: &str) -> Subject {
    Subject::new(SubjectKind::Device, name).expect("a good name")
}

pub fn bound() -> Body {
    Body::Bound(Binding { place: PLACE.into() })
}

pub fn unbound() -> Body {
    Body::Unbound(Binding { place: PLACE.into() })
}

pub fn stretch(condition: Condition, until: Timestamp) -> Body {
    Body::Stretch(Stretch { until, condition, degradation: Degradation::None })
}

pub fn amended(target: SeqRange, replacement: Option<Replacement>) -> Body {
    Body::Amended(Box::new(Amendment { target, replacement, author: "kim".into(), reason: "misread".into() }))
}

/// One fact as a record of its own.
pub fn record(subject: &Subject, epoch: u64, seq: u64, at: Timestamp, known_at: Timestamp, body: Body) -> Run {
    let machine = matches!(body, Body::Stretch(_) | Body::Began { .. } | Body::Usage(_) | Body::Error(_));
    let kind = if machine { SourceKind::Derived } else { SourceKind::Person };
    let source = Source { kind, name: if machine { "mpps" } else { "cmms" }.into() };
    let fact = Fact { at, known_at, known_assumed: false, clock: Clock::Synchronised, source, body };
    fact.check().expect("a good fact");
    Run {
        subject: subject.clone(),
        epoch: Epoch(epoch),
        first_seq: Seq(seq),
        site: SiteId::new("north").expect("a good name"),
        kind: if subject.kind == SubjectKind::Place { DeviceKind::Other } else { DeviceKind::Ct },
        agent: None,
        facts: vec![seal(fact)],
    }
}
