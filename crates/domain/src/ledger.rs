//! One subject's ledger: takes log records in, gives back which facts were new and which rows changed.
//!
//! What a record changes is rows(facts up to it) minus rows(facts below it). A record of plain facts past the edge
//! takes one step in place; any other is folded anew on a copy and compared, so a missing day leaves nothing half done.

mod counters;
mod days;
mod heads;
mod inventory;
mod needs;
mod passing;
mod refold;
mod sift;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::amend::Amendments;
use crate::claim::Claims;
use crate::dedup::{self, Lives, Sighting};
use crate::entry::{Change, Entry, HeadRow, Row, VerdictRow};
use crate::fact::{Body, Run};
use crate::fold;
use crate::held::Held;
use crate::id::{Epoch, Seq, SeqRange};
use crate::order::{Request, Stewardship};
use crate::time::{Day, Timestamp};
use crate::usage::Series;

pub use days::DaySet;
pub use needs::Needs;
pub use passing::Passing;
pub use sift::Sifted;

/// Days with facts kept in memory per subject once they are committed; older ones are read from the archive.
pub const HOT_DAYS: usize = 2;

/// Older days that stay because they were read or written not long ago: a backlog goes over few days at a time, and
/// beside live facts it comes in small parts.
pub const RECENT_DAYS: usize = 8;
/// How long they stay, in commits of their subject.
pub const RECENT_COMMITS: u32 = 32;

/// What a ledger keeps of the archived past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub days: usize,
    pub recent_days: usize,
    pub epochs: usize,
    /// Of each epoch.
    pub digests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { days: HOT_DAYS, recent_days: RECENT_DAYS, epochs: dedup::EPOCHS_KEPT, digests: dedup::DIGESTS_KEPT }
    }
}

/// Everything said about one subject, as far as the next record may depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    lives: Lives,
    amendments: Amendments,
    /// Facts that are few and shape rows of any day: claims, inventory, sites, calendars.
    statements: Vec<Arc<Held>>,
    /// Facts that are rows as they stand, kept so that they can be taken back: orders, maintenance, parts, contracts.
    notes: Vec<Arc<Held>>,
    /// Shared, for a fold anew begins with a copy of everything.
    days: BTreeMap<Day, Arc<Vec<Arc<Held>>>>,
    /// Days that hold daily facts, in memory or in the archive.
    known_days: DaySet,
    series: BTreeMap<Series, counters::Ends>,
    latest: Option<heads::Latest>,
    /// No stretch lies on an earlier day, but for those that corrections bring.
    first_stretch: Option<Day>,
    began: BTreeSet<heads::Sign>,
    heartbeats: BTreeSet<heads::Sign>,
    heads: Vec<HeadRow>,
    stewardship: Stewardship,
    /// Days of amended ranges as the archive has them, since the last commit.
    #[serde(skip)]
    located: Vec<(SeqRange, Vec<Day>)>,
    /// Days read or written, with the commits since.
    #[serde(skip)]
    used_days: BTreeMap<Day, u32>,
    #[serde(skip)]
    passing: Passing,
}

/// What became of one fact of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filed {
    pub epoch: Epoch,
    pub seq: Seq,
    pub verdict: Sighting,
    pub suspect: bool,
    /// Hash of the fact's bytes.
    pub digest: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// One for each fact of the record, in its order.
    pub filed: Vec<Filed>,
    pub entries: Vec<Entry>,
}

impl Ledger {
    /// Takes a record in. `implausible` are seqs whose time ingest could not believe. On a need nothing has changed.
    pub fn admit(&mut self, run: &Run, implausible: &[Seq]) -> Result<Admitted, Needs> {
        self.take(self.sift(run, implausible)?)
    }

    /// Takes in a record that was just sifted by this ledger.
    pub fn take(&mut self, sifted: Sifted) -> Result<Admitted, Needs> {
        let Sifted { filed, fresh, passed } = sifted;
        self.heed_all(&fresh);
        self.pass(passed);
        let change = if fresh.is_empty() {
            self.remember(&filed);
            Change::default()
        } else if self.is_plain(&fresh) {
            self.remember(&filed);
            self.step(fresh)
        } else {
            let (next, change) = self.refold(&filed, fresh)?;
            *self = next;
            change
        };
        Ok(Admitted { filed, entries: change.into_entries() })
    }

    /// Once everything admitted so far is archived: drops what can be read back, and what was.
    pub fn committed(&mut self) {
        self.committed_within(Limits::default());
    }

    /// The same with other limits: they decide how often the archive is asked, never what a record changes.
    pub fn committed_within(&mut self, limits: Limits) {
        self.lives.settle(limits.epochs, limits.digests);
        self.located.clear();
        let newest: Vec<Day> = self.days.keys().rev().take(limits.days).copied().collect();
        self.age_used_days(limits.recent_days);
        self.days.retain(|day, _| newest.contains(day) || self.used_days.contains_key(day));
    }

    /// Days used since the last commit stay for one more; of those used before, the most recent few.
    fn age_used_days(&mut self, recent_days: usize) {
        let mut before: Vec<(u32, Day)> =
            self.used_days.iter().filter(|(_, commits)| **commits > 0).map(|(day, commits)| (*commits, *day)).collect();
        before.sort_unstable();
        for (nth, (commits, day)) in before.into_iter().enumerate() {
            if nth >= recent_days || commits >= RECENT_COMMITS {
                self.used_days.remove(&day);
            }
        }
        self.used_days.values_mut().for_each(|commits| *commits += 1);
    }

    pub fn supply_day(&mut self, day: Day, facts: Vec<Held>) {
        self.used_days.insert(day, 0);
        let facts: Vec<_> = facts.into_iter().filter(Held::folds).map(Arc::new).collect();
        self.days.insert(day, Arc::new(facts));
    }

    pub fn supply_located(&mut self, range: SeqRange, days: Vec<Day>) {
        self.located.push((range, days));
    }

    pub fn supply_epoch(&mut self, epoch: Epoch, archived: impl IntoIterator<Item = Seq>) {
        self.lives.recall_epoch(epoch, archived);
    }

    pub fn supply_digest(&mut self, epoch: Epoch, seq: Seq, digest: u64) {
        self.lives.recall_digest(epoch, seq, digest);
    }

    /// Facts known to exist and not seen: gaps by arithmetic.
    pub fn missing_facts(&self) -> u64 {
        self.lives.missing()
    }

    fn remember(&mut self, filed: &[Filed]) {
        for one in filed {
            match one.verdict {
                Sighting::New => self.lives.insert(one.epoch, one.seq, one.digest),
                Sighting::Conflict => self.lives.insert_conflict(one.epoch, one.seq, one.digest),
                Sighting::Duplicate => {}
            }
        }
    }

    /// Plain facts lie past everything of their kind, and no claim or amendment looks at them.
    fn is_plain(&self, fresh: &[Held]) -> bool {
        if !self.amendments.is_empty() || !self.claims().is_empty() {
            return false;
        }
        let edge = self.edge();
        fresh.iter().all(|held| match &held.body {
            Body::Asserted(_) | Body::Amended(_) | Body::ClockStep { suspect: Some(_), .. } => false,
            _ if !held.counts() => true,
            Body::Stretch(_) => held.at >= edge && self.can_grow(held.day()),
            Body::Usage(_) => self.is_past_last_sample(held) && self.can_grow(held.day()),
            Body::Error(_) => self.can_grow(held.day()),
            _ => true,
        })
    }

    /// The one step of plain facts: nothing that stood before them changes.
    fn step(&mut self, fresh: Vec<Held>) -> Change {
        let mut change = Change::default();
        for (day, facts) in by_day(&fresh) {
            let stretches = facts.into_iter().filter_map(Held::observed);
            let rows = fold::intervals(day.span(), stretches, &Claims::default(), Timestamp::MAX);
            change.replace([], rows.into_iter().map(Row::Interval));
        }
        change.replace([], fresh.iter().filter_map(Held::error_row).map(Row::Error));
        change.replace([], self.increments(&fresh).into_iter().map(Row::Usage));
        let states = |held: &Held| held.is_stated() || matches!(held.body, Body::Requested(_));
        let restated = fresh.iter().any(states);
        let stated_before = if restated { self.stated_rows() } else { Vec::new() };
        let noted = self.notes.len();
        self.store(fresh, &mut change);
        change.replace([], self.notes_since(noted));
        let stated_after = if restated { self.stated_rows() } else { Vec::new() };
        change.replace(stated_before, stated_after);
        self.refresh_heads(&mut change);
        change
    }

    /// Files new facts where the fold will look for them, and decides the requests among them.
    fn store(&mut self, fresh: Vec<Held>, change: &mut Change) {
        for held in fresh {
            match &held.body {
                Body::Stretch(_) | Body::Error(_) | Body::Usage(_) => self.store_daily(held),
                Body::Began { .. } | Body::Heartbeat(_) => self.hear_sign(&held),
                Body::Scored(_) => change.replace([], held.score_row().map(Row::Score)),
                Body::Amended(_) | Body::ClockStep { .. } => self.amendments.insert_from(&held),
                Body::Requested(request) => {
                    let granted = self.judge(request, held.at, change).map(|body| Held { body, ..held });
                    self.keep(granted.into_iter());
                }
                body => {
                    self.stewardship.observe(body);
                    self.keep([held].into_iter());
                }
            }
        }
    }

    fn keep(&mut self, facts: impl Iterator<Item = Held>) {
        for held in facts {
            if held.is_stated() {
                self.statements.push(Arc::new(held));
            } else if held.body.is_noted() {
                self.notes.push(Arc::new(held));
            }
        }
    }

    /// Decides one request in log order; a granted one may state something about the device.
    fn judge(&mut self, request: &Request, at: Timestamp, change: &mut Change) -> Option<Body> {
        let decided = self.stewardship.decide(request);
        let (granted, text) = match &decided {
            Ok(decision) => (true, decision.name().to_owned()),
            Err(refusal) => (false, refusal.to_string()),
        };
        change.add(Row::Verdict(VerdictRow { at, request: request.clone(), granted, text }), 1);
        let decision = decided.ok()?;
        self.stewardship.evolve(&decision);
        self.stewardship.stated(&decision, &request.ask)
    }
}

fn by_day(facts: &[Held]) -> BTreeMap<Day, Vec<&Held>> {
    let mut days: BTreeMap<Day, Vec<&Held>> = BTreeMap::new();
    for held in facts.iter().filter(|held| matches!(held.body, Body::Stretch(_))) {
        days.entry(held.day()).or_default().push(held);
    }
    days
}
