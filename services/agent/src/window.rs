//! Delivery: which facts of the journal travel now, which wait, and which have their receipt. Pure: time is an argument.
//!
//! The window knows facts only by their index in the journal, so a day of backlog costs no memory. Nothing is freed without a receipt,
//! whatever the broker says. What is live travels oldest first, as it comes; what an outage has left behind travels beside it, newest
//! chunk first.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::MICROS_PER_SECOND;
use medfleet_wire::{Fate, FateKind, Receipt, Refusal};

use crate::account::Progress;
use crate::clock::Steady;
use crate::ranges::Ranges;

/// Batches without a receipt; the broker's receive maximum and memory at both ends follow from it.
pub const MAX_BATCHES_IN_FLIGHT: usize = 64;
/// Of those, the ones that backlog must leave to live facts.
pub const BATCHES_KEPT_FOR_LIVE: usize = 8;
/// A batch is sent again after this at the earliest.
pub const RESEND_MIN_MICROS: i64 = 30 * MICROS_PER_SECOND;
/// … and after this at the latest, however often it was sent.
pub const RESEND_MAX_MICROS: i64 = 3_600 * MICROS_PER_SECOND;
const RESEND_RECEIPT_TIMES: i64 = 4;
/// Held facts are tried again together after this, doubling from one try to the next while everything is held.
pub const HELD_MIN_MICROS: i64 = 5 * MICROS_PER_SECOND;
pub const HELD_MAX_MICROS: i64 = 600 * MICROS_PER_SECOND;

/// When a batch of live facts is full, or old enough to go as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    pub max_facts: u64,
    pub max_age_micros: i64,
}

/// A batch to be read from the journal and published. The driver answers with [`Window::sent`] or [`Window::unsent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub number: u64,
    pub indices: Range<u64>,
    pub again: bool,
}

/// Facts of one subject in a batch, with contiguous seqs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRun {
    pub subject: Subject,
    pub kind: DeviceKind,
    /// The site its facts were accepted under.
    pub site: SiteId,
    pub epoch: Epoch,
    pub first_seq: Seq,
    /// The index of each fact in the journal.
    pub indices: Vec<u64>,
}

/// Facts that ingest will never take. They are freed once a tombstone for them is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poisoned {
    pub subject: Subject,
    pub kind: DeviceKind,
    pub seqs: SeqRange,
    pub reason: String,
    pub indices: Vec<u64>,
}

/// What a receipt has said, in facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipted {
    /// It answers no batch in flight: a duplicate, or of another life.
    pub stale: bool,
    pub stored_facts: u64,
    pub held_facts: u64,
    /// Sites of facts that are held because nobody has defined their site.
    pub unknown_sites: BTreeSet<SiteId>,
    pub poisoned: Vec<Poisoned>,
}

#[derive(Debug)]
struct Batch {
    indices: Range<u64>,
    runs: Vec<SentRun>,
    sent_at: Steady,
    /// None while the driver reads it.
    due: Option<Steady>,
    attempts: u32,
}

#[derive(Debug)]
pub struct Window {
    session: u64,
    limits: BatchLimits,
    /// One past the last fact of the journal.
    end: u64,
    /// Facts from here on are live.
    live_from: u64,
    /// When the oldest live fact came that was never sent.
    live_since: Option<Steady>,
    /// To be sent.
    waiting: Ranges,
    /// Without a receipt, wherever they are.
    open: Ranges,
    batches: BTreeMap<u64, Batch>,
    next_number: u64,
    /// They wait for one moment, however many batches they came in.
    held: Ranges,
    held_until: Steady,
    held_micros: i64,
    receipt_micros: i64,
    linked: bool,
    settled_facts: u64,
}

impl Window {
    /// `unreceipted` is what the journal still holds without a receipt; it is backlog.
    pub fn new(session: u64, limits: BatchLimits, unreceipted: Range<u64>) -> Self {
        let mut open = Ranges::default();
        open.insert(unreceipted.clone());
        Self {
            session,
            limits,
            end: unreceipted.end,
            live_from: unreceipted.end,
            live_since: None,
            waiting: open.clone(),
            open,
            batches: BTreeMap::new(),
            next_number: 1,
            held: Ranges::default(),
            held_until: Steady(0),
            held_micros: HELD_MIN_MICROS,
            receipt_micros: 0,
            linked: false,
            settled_facts: 0,
        }
    }

    /// Facts up to `end` are durable now.
    pub fn appended(&mut self, end: u64, now: Steady) {
        if end > self.end {
            self.waiting.insert(self.end..end);
            self.open.insert(self.end..end);
            self.live_since.get_or_insert(now);
            self.end = end;
        }
    }

    /// A session without memory has begun: all that travels without a receipt travels again, and what has gathered is backlog.
    pub fn linked(&mut self, now: Steady) {
        self.linked = true;
        self.live_from = self.end;
        self.live_since = None;
        for batch in self.batches.values_mut() {
            batch.due = Some(now);
        }
    }

    pub fn unlinked(&mut self) {
        self.linked = false;
    }

    /// The next batch to publish, if one is due.
    pub fn next(&mut self, now: Steady) -> Option<Claim> {
        if !self.linked {
            return None;
        }
        self.release_held(now);
        self.claim_again(now).or_else(|| self.claim_live(now)).or_else(|| self.claim_backlog())
    }

    /// When [`Window::next`] may have something that it has not now.
    pub fn wake_at(&self) -> Option<Steady> {
        if !self.linked {
            return None;
        }
        let resends = self.batches.values().filter_map(|batch| batch.due);
        let held = (!self.held.is_empty()).then_some(self.held_until);
        let live = self.waiting.first_from(self.live_from).filter(|_| self.has_slot(0)).map(|_| self.live_due());
        resends.chain(held).chain(live).min()
    }

    /// The claimed batch was handed to the link: `covered` of its indices, whose facts are `runs`. The rest waits for another batch.
    pub fn sent(&mut self, number: u64, covered: Range<u64>, runs: Vec<SentRun>, now: Steady) {
        let Some(batch) = self.batches.get_mut(&number) else { return };
        self.waiting.insert(covered.end..batch.indices.end);
        // Should it go again, it begins with its first fact: what was before that may be given up meanwhile.
        let first = runs.iter().flat_map(|run| &run.indices).min();
        batch.indices = first.copied().unwrap_or(covered.end)..covered.end;
        (batch.sent_at, batch.attempts) = (now, batch.attempts.saturating_add(1));
        let patience = RESEND_MIN_MICROS.max(RESEND_RECEIPT_TIMES * self.receipt_micros);
        let doubled = patience.saturating_mul(1 << (batch.attempts - 1).min(16));
        batch.due = Some(now.plus_micros(doubled.min(RESEND_MAX_MICROS)));
        batch.runs = runs;
        // Records that are no facts need no receipt.
        let mut no_facts = Ranges::default();
        no_facts.insert(covered);
        for index in batch.runs.iter().flat_map(|run| &run.indices) {
            no_facts.remove(*index..index + 1);
        }
        while let Some(range) = no_facts.first() {
            self.open.remove(range.clone());
            no_facts.remove(range);
        }
        if batch.runs.is_empty() {
            self.batches.remove(&number);
        }
    }

    /// The claimed batch could not be handed to the link.
    pub fn unsent(&mut self, number: u64, now: Steady) {
        match self.batches.get_mut(&number) {
            Some(batch) if batch.attempts > 0 => batch.due = Some(now.plus_micros(MICROS_PER_SECOND)),
            Some(_) => {
                if let Some(batch) = self.batches.remove(&number) {
                    self.waiting.insert(batch.indices);
                    // Not at once again: the link has just said that it takes no more.
                    self.live_since = Some(now);
                }
            }
            None => {}
        }
    }

    /// Takes a receipt in. Facts it does not name are sent again.
    pub fn receipt(&mut self, receipt: &Receipt, now: Steady) -> Receipted {
        let known = receipt.session == self.session;
        let Some(batch) = known.then(|| self.batches.remove(&receipt.number)).flatten() else {
            return Receipted { stale: true, ..Receipted::default() };
        };
        if batch.attempts == 1 {
            let took = now.0 - batch.sent_at.0;
            self.receipt_micros = if self.receipt_micros == 0 { took } else { (7 * self.receipt_micros + took) / 8 };
        }
        let mut receipted = Receipted::default();
        let mut held = Ranges::default();
        let mut fates: BTreeMap<&Subject, Vec<&Fate>> = BTreeMap::new();
        for fate in &receipt.fates {
            fates.entry(&fate.subject).or_default().push(fate);
        }
        for run in batch.runs {
            let of_subject = fates.get(&run.subject).map_or(&[][..], Vec::as_slice);
            self.settle(run, of_subject, &mut receipted, &mut held);
        }
        self.hold(held, now);
        receipted
    }

    /// Tombstones for these facts are durable.
    pub fn buried(&mut self, indices: &[u64]) {
        for index in indices {
            self.open.remove(*index..index + 1);
        }
        self.settled_facts += indices.len() as u64;
    }

    pub fn progress(&self) -> Progress {
        Progress { freed_below: self.floor(), settled_facts: self.settled_facts }
    }

    /// Everything below this index has its receipt.
    pub fn floor(&self) -> u64 {
        self.open.first().map_or(self.end, |range| range.start)
    }

    pub fn unreceipted_facts(&self) -> u64 {
        self.open.len()
    }

    pub fn batches_in_flight(&self) -> usize {
        self.batches.len()
    }

    fn claim_again(&mut self, now: Steady) -> Option<Claim> {
        let due = |batch: &Batch| batch.due.is_some_and(|due| due <= now);
        let (number, batch) = self.batches.iter_mut().find(|(_, batch)| due(batch))?;
        batch.due = None;
        Some(Claim { number: *number, indices: batch.indices.clone(), again: true })
    }

    fn claim_live(&mut self, now: Steady) -> Option<Claim> {
        let live = self.waiting.first_from(self.live_from)?;
        let is_full = live.end - live.start >= self.limits.max_facts;
        if !self.has_slot(0) || !(is_full || now >= self.live_due()) {
            return None;
        }
        let end = live.end.min(live.start + self.limits.max_facts);
        let claim = self.claim(live.start..end);
        // What follows was appended later, but nobody noted when: it may wait from now on.
        self.live_since = self.waiting.first_from(self.live_from).map(|_| now);
        Some(claim)
    }

    fn claim_backlog(&mut self) -> Option<Claim> {
        let backlog = self.waiting.last_below(self.live_from)?;
        if !self.has_slot(BATCHES_KEPT_FOR_LIVE) {
            return None;
        }
        let start = backlog.start.max(backlog.end.saturating_sub(self.limits.max_facts));
        Some(self.claim(start..backlog.end))
    }

    /// When live facts go even if they fill no batch. What came back for another try has waited enough.
    fn live_due(&self) -> Steady {
        self.live_since.map_or(Steady(0), |since| since.plus_micros(self.limits.max_age_micros))
    }

    fn has_slot(&self, kept: usize) -> bool {
        self.batches.len() + kept < MAX_BATCHES_IN_FLIGHT
    }

    fn claim(&mut self, indices: Range<u64>) -> Claim {
        let number = self.next_number;
        self.next_number += 1;
        self.waiting.remove(indices.clone());
        let batch = Batch { indices: indices.clone(), runs: Vec::new(), sent_at: Steady(0), due: None, attempts: 0 };
        self.batches.insert(number, batch);
        Claim { number, indices, again: false }
    }

    /// Gives every fact of a run what the fates say of it; silence means that it is sent again.
    fn settle(&mut self, run: SentRun, fates: &[&Fate], receipted: &mut Receipted, held: &mut Ranges) {
        let mut poisoned: BTreeMap<u64, &str> = BTreeMap::new();
        for (place, index) in run.indices.iter().enumerate() {
            let seq = Seq(run.first_seq.0 + place as u64);
            let fate = fates.iter().find(|fate| fate.seqs.contains(run.epoch, seq));
            match fate.map(|fate| (fate.kind, &fate.reason)) {
                Some((FateKind::Stored, _)) => {
                    receipted.stored_facts += 1;
                    self.settled_facts += 1;
                    self.open.remove(*index..index + 1);
                }
                Some((FateKind::Held, reason)) => {
                    receipted.held_facts += 1;
                    if says_unknown_site(reason) && !receipted.unknown_sites.contains(&run.site) {
                        receipted.unknown_sites.insert(run.site.clone());
                    }
                    held.insert(*index..index + 1);
                }
                Some((FateKind::Poison, reason)) => {
                    poisoned.insert(place as u64, reason);
                }
                None => self.waiting.insert(*index..index + 1),
            }
        }
        receipted.poisoned.extend(bury(&run, poisoned));
    }

    fn hold(&mut self, held: Ranges, now: Steady) {
        if held.is_empty() {
            self.held_micros = HELD_MIN_MICROS;
            return;
        }
        if self.held.is_empty() {
            self.held_until = now.plus_micros(self.held_micros);
        }
        self.held.insert_all(held);
    }

    fn release_held(&mut self, now: Steady) {
        if self.held.is_empty() || now < self.held_until {
            return;
        }
        self.held_micros = (2 * self.held_micros).min(HELD_MAX_MICROS);
        self.waiting.insert_all(std::mem::take(&mut self.held));
    }
}

fn says_unknown_site(reason: &str) -> bool {
    reason == Refusal::UnknownSite { site: String::new() }.code()
}

/// Joins neighbours refused for one reason, so that a tombstone names a range.
fn bury(run: &SentRun, poisoned: BTreeMap<u64, &str>) -> Vec<Poisoned> {
    let mut graves: Vec<Poisoned> = Vec::new();
    for (place, reason) in poisoned {
        let seq = Seq(run.first_seq.0 + place);
        let index = run.indices[place as usize];
        match graves.last_mut() {
            Some(grave) if grave.reason == reason && grave.seqs.last.0 + 1 == seq.0 => {
                grave.seqs.last = seq;
                grave.indices.push(index);
            }
            _ => graves.push(Poisoned {
                subject: run.subject.clone(),
                kind: run.kind,
                seqs: SeqRange::one(run.epoch, seq),
                reason: reason.to_owned(),
                indices: vec![index],
            }),
        }
    }
    graves
}
