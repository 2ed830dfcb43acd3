//! What becomes of a batch: pure judgement over its bytes, the sites known and the time it came.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use bytes::Bytes;
use medfleet_domain::fact::Run;
use medfleet_domain::id::{Seq, SeqRange, SiteId, Subject};
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Timestamp};
use medfleet_wire::{
    BadRun, BatchTopic, DecodedBatch, Disposition, Fate, FateKind, Quarantined, Receipt, Record, Refusal, SoundRun,
    Spoken,
};

/// A fact this far ahead of ingest's clock is kept but never folded.
pub const AHEAD_MAX_SECONDS: i64 = 600;
/// No networked device reported before this; such a time is a dead clock's.
pub const EARLIEST_PLAUSIBLE: Day = Day::from_civil(1990, 1, 1);

/// Of a message that cannot be read; the doors take none that is larger. Its topic and reason have room beside it.
const KEPT_MAX_BYTES: usize = medfleet_wire::limits::QUARANTINED_MAX_BYTES - (32 << 10);

/// What a batch asks of ingest, and the receipt to send once that is done.
#[derive(Debug, Default)]
pub struct Judgement {
    pub append: Vec<Admitted>,
    pub quarantine: Vec<Quarantined>,
    /// None when nobody could be told: the envelope itself was not readable.
    pub receipt: Option<Receipt>,
    pub tally: Tally,
}

/// A run for the log, as its agent wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    pub run: SoundRun,
    pub received_at: Timestamp,
    /// Seqs whose time nobody can believe.
    pub implausible: Vec<Seq>,
}

impl Admitted {
    /// The value of its record.
    pub fn record(&self) -> Vec<u8> {
        self.run.record(self.received_at, &self.implausible)
    }
}

/// Facts by fate. INV-4, ingest's half: received = appended + quarantined + held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub received: u64,
    pub appended: u64,
    pub quarantined: u64,
    pub held: u64,
    pub implausible: u64,
}

impl Tally {
    pub const fn balances(&self) -> bool {
        self.received == self.appended + self.quarantined + self.held
    }
}

/// Judges one MQTT message.
pub fn batch(topic: &str, payload: &Bytes, sites: &BTreeSet<SiteId>, now: Timestamp) -> Judgement {
    let read = BatchTopic::parse(topic).and_then(|topic| {
        let batch = medfleet_wire::decode_batch(payload.clone())?;
        topic.check(&batch)?;
        Ok(batch)
    });
    match read {
        Ok(batch) => runs(topic, batch, sites, now),
        Err(refusal) => unreadable(topic, payload, &refusal, now),
    }
}

/// Judges one run that came by another door. Its writer waits for the answer, so nothing is quarantined.
pub fn run(run: Run, sites: &BTreeSet<SiteId>, now: Timestamp) -> Result<Record, Refusal> {
    for sealed in &run.facts {
        medfleet_wire::decode_fact(&sealed.bytes)?;
    }
    if !sites.contains(&run.site) && !defines_site(&run) {
        return Err(Refusal::UnknownSite { site: run.site.to_string() });
    }
    if run.facts.is_empty() {
        return Err(Refusal::EmptyRun);
    }
    Ok(record(run, now))
}

/// A site's own stream may define it.
fn defines_site(run: &Run) -> bool {
    run.subject.kind == medfleet_domain::id::SubjectKind::Site
}

fn runs(topic: &str, batch: DecodedBatch, sites: &BTreeSet<SiteId>, now: Timestamp) -> Judgement {
    let known = sites.contains(&batch.site);
    let mut judgement = Judgement::default();
    let mut fates = Vec::with_capacity(batch.runs.len());
    for read in batch.runs {
        match read {
            Ok(run) if known => {
                fates.push(fate(run.subject.clone(), run.seqs, FateKind::Stored, ""));
                judgement.take(run, now);
            }
            Ok(run) => {
                judgement.tally.received += run.seqs.count();
                judgement.tally.held += run.seqs.count();
                let refusal = Refusal::UnknownSite { site: batch.site.to_string() };
                fates.push(fate(run.subject, run.seqs, FateKind::Held, refusal.code()));
            }
            Err(bad) => fates.extend(judgement.refuse(topic, bad, now)),
        }
    }
    judgement.receipt = Some(Receipt { session: batch.session, number: batch.number, fates });
    judgement
}

impl Judgement {
    fn take(&mut self, run: SoundRun, received_at: Timestamp) {
        let implausible = implausible_of(&run, received_at);
        self.tally.received += run.seqs.count();
        self.tally.appended += run.seqs.count();
        self.tally.implausible += implausible.len() as u64;
        self.append.push(Admitted { run, received_at, implausible });
    }

    /// Held facts stay with the agent; poison goes to quarantine whole.
    fn refuse(&mut self, topic: &str, bad: BadRun, now: Timestamp) -> Option<Fate> {
        let count = bad.seqs.map_or(1, |seqs| seqs.count());
        self.tally.received += count;
        let disposition = bad.refusal.disposition();
        match disposition {
            Disposition::Held => self.tally.held += count,
            Disposition::Poison => {
                self.tally.quarantined += count;
                self.quarantine.push(Quarantined {
                    origin: topic.to_owned(),
                    reason: bad.refusal.code().to_owned(),
                    payload: bad.bytes.into(),
                    received_at: now,
                    subject: bad.subject.clone(),
                    seqs: bad.seqs,
                });
            }
        }
        Some(fate(bad.subject?, bad.seqs?, FateKind::from(disposition), bad.refusal.code()))
    }
}

/// A whole message that cannot be read counts as one received and one quarantined: its facts cannot be counted.
fn unreadable(topic: &str, payload: &Bytes, refusal: &Refusal, now: Timestamp) -> Judgement {
    let kept = &payload[..payload.len().min(KEPT_MAX_BYTES)];
    let mut origin = topic.to_owned();
    origin.truncate(origin.floor_char_boundary(medfleet_wire::limits::TOPIC_MAX_BYTES));
    Judgement {
        quarantine: vec![Quarantined {
            origin,
            reason: refusal.code().to_owned(),
            payload: kept.to_vec(),
            received_at: now,
            subject: None,
            seqs: None,
        }],
        tally: Tally { received: 1, quarantined: 1, ..Tally::default() },
        ..Judgement::default()
    }
}

fn fate(subject: Subject, seqs: SeqRange, kind: FateKind, reason: &str) -> Fate {
    Fate { subject, seqs, kind, reason: reason.to_owned() }
}

/// Whether some fact speaks of a time that cannot be true. Who can be asked is told so, since it would never be folded.
pub fn is_implausible(run: &Run, now: Timestamp) -> bool {
    implausible(run, now).next().is_some()
}

fn record(run: Run, now: Timestamp) -> Record {
    Record { implausible: implausible(&run, now).collect(), run, received_at: now }
}

/// The times that can be believed.
fn plausible(now: Timestamp) -> RangeInclusive<Timestamp> {
    EARLIEST_PLAUSIBLE.start()..=now.plus_micros(AHEAD_MAX_SECONDS * MICROS_PER_SECOND)
}

/// A stretch that ends in the future would carry the ledger's edge there.
fn is_believed(spoken: Spoken, plausible: &RangeInclusive<Timestamp>) -> bool {
    plausible.contains(&spoken.from) && plausible.contains(&spoken.until)
}

/// The seqs of facts whose time nobody can believe.
fn implausible(run: &Run, now: Timestamp) -> impl Iterator<Item = Seq> {
    let plausible = plausible(now);
    let numbered = (run.first_seq.0..).map(Seq).zip(&run.facts);
    numbered.filter(move |(_, sealed)| !is_believed((&sealed.fact).into(), &plausible)).map(|(seq, _)| seq)
}

/// Its facts are read one by one only where some time among them is out of bounds.
fn implausible_of(run: &SoundRun, now: Timestamp) -> Vec<Seq> {
    if is_believed(run.spoken, &plausible(now)) {
        return Vec::new();
    }
    match medfleet_wire::decode_run(&run.bytes) {
        Ok(read) => implausible(&read, now).collect(),
        // Cannot be, since the run is sound; were it so, none of it would be folded.
        Err(_) => (run.seqs.first.0..=run.seqs.last.0).map(Seq).collect(),
    }
}
