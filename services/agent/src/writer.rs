//! Gives every fact its identity for life: (subject, epoch, seq). Pure.
//!
//! One life of the agent is one epoch, drawn at random. Seqs count from 1 without a gap per subject; the first fact of each subject is
//! `Opened` and names the life before and its last durable seq, so that a gap or a restored disk image is arithmetic for the reader.

use std::collections::BTreeMap;

use medfleet_domain::condition::Clock;
use medfleet_domain::fact::{Body, Fact};
use medfleet_domain::id::{Epoch, Seq, SeqRange, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::observation::{Origin, Saying};
use crate::stretcher::agent_source;

/// Where a subject's stream stands: the last life that wrote to it, and its last seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub epoch: Epoch,
    pub last: Seq,
    pub kind: DeviceKind,
}

impl Mark {
    fn range(self) -> SeqRange {
        SeqRange { epoch: self.epoch, first: Seq(1), last: self.last }
    }
}

/// A fact with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub subject: Subject,
    pub epoch: Epoch,
    pub seq: Seq,
    pub kind: DeviceKind,
    /// Its source keeps its own time.
    pub stated: bool,
    /// Where it stands in what its source replays, if it is all that an observation says, or the last of it.
    pub origin: Option<Origin>,
    pub fact: Fact,
}

/// The subject's place in this life.
#[derive(Debug, Clone, Copy)]
struct Place {
    mark: Mark,
    /// Facts up to here were said before `agreement`, and are sound.
    sound: Seq,
    agreement: u64,
}

#[derive(Debug)]
pub struct Writer {
    epoch: Epoch,
    /// Marks of earlier lives, for subjects this life has not written to yet.
    earlier: BTreeMap<Subject, Mark>,
    places: BTreeMap<Subject, Place>,
    /// Counts how often everything said so far was found sound.
    agreement: u64,
}

impl Writer {
    /// `epoch` must be new; `earlier` is what the journal knows of the lives before.
    pub fn new(epoch: Epoch, earlier: BTreeMap<Subject, Mark>) -> Self {
        Self { epoch, earlier, places: BTreeMap::new(), agreement: 0 }
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Identifies one fact, after the subject's `Opened` where it is the first of this life.
    pub fn write(&mut self, saying: Saying, now: Timestamp, clock: Clock, into: &mut Vec<Written>) {
        if !self.places.contains_key(&saying.subject) {
            self.open(&saying, now, clock, into);
        }
        let Saying { subject, kind, stated, origin, at, known_at, known_assumed, clock, source, body } = saying;
        let seq = self.next_seq(&subject, kind);
        let fact = Fact { at, known_at, known_assumed, clock, source, body };
        into.push(Written { subject, epoch: self.epoch, seq, kind, stated, origin, fact });
    }

    /// Everything said so far is sound: no later correction can cast doubt on it.
    pub fn agree(&mut self) {
        self.agreement += 1;
    }

    /// What was said since the last agreement, per subject with such facts.
    pub fn since_agreement(&self) -> Vec<(Subject, DeviceKind, SeqRange)> {
        let doubtful = |(subject, place): (&Subject, &Place)| {
            let sound = if place.agreement == self.agreement { place.sound } else { place.mark.last };
            let range = SeqRange { epoch: self.epoch, first: Seq(sound.0 + 1), last: place.mark.last };
            (range.first <= range.last).then(|| (subject.clone(), place.mark.kind, range))
        };
        self.places.iter().filter_map(doubtful).collect()
    }

    /// Subjects of this life and the ones before.
    pub fn subjects(&self) -> usize {
        self.earlier.len() + self.places.len()
    }

    pub fn subjects_of_life(&self) -> impl Iterator<Item = &Subject> {
        self.places.keys()
    }

    pub fn knows(&self, subject: &Subject) -> bool {
        self.places.contains_key(subject) || self.earlier.contains_key(subject)
    }

    /// Where every subject's stream stands, those of earlier lives included.
    pub fn marks(&self) -> BTreeMap<Subject, Mark> {
        let mut marks = self.earlier.clone();
        marks.extend(self.places.iter().map(|(subject, place)| (subject.clone(), place.mark)));
        marks
    }

    fn open(&mut self, saying: &Saying, now: Timestamp, clock: Clock, into: &mut Vec<Written>) {
        let (subject, kind) = (saying.subject.clone(), saying.kind);
        let previous = self.earlier.remove(&subject).map(Mark::range);
        let mark = Mark { epoch: self.epoch, last: Seq(0), kind };
        self.places.insert(subject.clone(), Place { mark, sound: Seq(0), agreement: self.agreement });
        let seq = self.next_seq(&subject, kind);
        let body = Body::Opened { previous };
        let fact = Fact { at: now, known_at: now, known_assumed: false, clock, source: agent_source(), body };
        into.push(Written { subject, epoch: self.epoch, seq, kind, stated: false, origin: None, fact });
    }

    fn next_seq(&mut self, subject: &Subject, kind: DeviceKind) -> Seq {
        let agreement = self.agreement;
        let fresh = Place { mark: Mark { epoch: self.epoch, last: Seq(0), kind }, sound: Seq(0), agreement };
        let place = self.places.entry(subject.clone()).or_insert(fresh);
        if place.agreement != agreement {
            (place.sound, place.agreement) = (place.mark.last, agreement);
        }
        place.mark.last = Seq(place.mark.last.0 + 1);
        place.mark.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::id::SubjectKind;

    fn subject(name: &str) -> Subject {
        Subject::new(SubjectKind::Device, name).unwrap()
    }

    fn saying(name: &str) -> Saying {
        let at = Timestamp::from_seconds(1);
        Saying {
            subject: subject(name),
            kind: DeviceKind::Ct,
            stated: false,
            origin: None,
            at,
            known_at: at,
            known_assumed: false,
            clock: Clock::Holdover,
            source: agent_source(),
            body: Body::Heartbeat(None),
        }
    }

    fn write(writer: &mut Writer, names: &[&str]) -> Vec<Written> {
        let mut written = Vec::new();
        for name in names {
            writer.write(saying(name), Timestamp::from_seconds(2), Clock::Holdover, &mut written);
        }
        written
    }

    #[test]
    fn seqs_count_from_one_per_subject_and_the_first_fact_names_the_life_before() {
        let before = Mark { epoch: Epoch(7), last: Seq(41), kind: DeviceKind::Ct };
        let mut writer = Writer::new(Epoch(8), BTreeMap::from([(subject("ct-1"), before)]));
        let written = write(&mut writer, &["ct-1", "ct-2", "ct-1"]);
        let seqs: Vec<_> =
            written.iter().map(|each| (each.subject.name(), each.seq.0, each.fact.body.name())).collect();
        assert_eq!(
            seqs,
            [
                ("ct-1", 1, "opened"),
                ("ct-1", 2, "heartbeat"),
                ("ct-2", 1, "opened"),
                ("ct-2", 2, "heartbeat"),
                ("ct-1", 3, "heartbeat")
            ]
        );
        let named = |index: usize| written[index].fact.body.clone();
        assert_eq!(
            named(0),
            Body::Opened { previous: Some(SeqRange { epoch: Epoch(7), first: Seq(1), last: Seq(41) }) }
        );
        assert_eq!(named(2), Body::Opened { previous: None });
    }

    #[test]
    fn marks_keep_subjects_that_this_life_has_not_written_to() {
        let before = Mark { epoch: Epoch(7), last: Seq(41), kind: DeviceKind::Ct };
        let mut writer = Writer::new(Epoch(8), BTreeMap::from([(subject("ct-1"), before), (subject("ct-2"), before)]));
        write(&mut writer, &["ct-1"]);
        let marks = writer.marks();
        assert_eq!(marks[&subject("ct-1")], Mark { epoch: Epoch(8), last: Seq(2), kind: DeviceKind::Ct });
        assert_eq!(marks[&subject("ct-2")], before);
    }

    #[test]
    fn only_what_was_said_since_the_last_agreement_is_in_doubt() {
        let mut writer = Writer::new(Epoch(8), BTreeMap::new());
        write(&mut writer, &["ct-1", "ct-2"]);
        writer.agree();
        assert_eq!(writer.since_agreement(), []);
        write(&mut writer, &["ct-1", "ct-1"]);
        let range = SeqRange { epoch: Epoch(8), first: Seq(3), last: Seq(4) };
        assert_eq!(writer.since_agreement(), [(subject("ct-1"), DeviceKind::Ct, range)]);
    }
}
