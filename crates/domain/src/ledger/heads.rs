//! What is believed beyond the edge: the last condition heard, and claims that reach further.

use serde::{Deserialize, Serialize};

use super::{Ledger, Needs};
use crate::claim::Force;
use crate::condition::{Condition, Degradation};
use crate::entry::{Change, HeadRole, HeadRow, Row};
use crate::fact::{Body, JournalState};
use crate::held::Held;
use crate::id::{AgentId, Epoch, Seq, SiteId};
use crate::kind::DeviceKind;
use crate::time::{Day, Timestamp};

/// The stretch that reaches furthest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Latest {
    pub until: Timestamp,
    from: Timestamp,
    condition: Condition,
    degradation: Degradation,
    agent: Option<AgentId>,
    site: SiteId,
    kind: DeviceKind,
}

/// Signs of life remembered of each kind, so that an earlier one speaks when the latest is taken back.
const SIGNS_KEPT: usize = 4;

/// A condition that began, or a heartbeat. Sorts by time, then by what was said; identity decides only between equals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sign {
    at: Timestamp,
    condition: Condition,
    degradation: Degradation,
    site: SiteId,
    kind: DeviceKind,
    agent: Option<AgentId>,
    journal: Option<Box<JournalState>>,
    identity: (Epoch, Seq),
}

impl Sign {
    fn of(held: &Held) -> Option<Self> {
        let (condition, degradation, journal) = match &held.body {
            Body::Began { condition, degradation } => (*condition, *degradation, None),
            Body::Heartbeat(journal) => (Condition::Unknown, Degradation::None, journal.clone()),
            _ => return None,
        };
        held.counts().then(|| Self {
            at: held.at,
            condition,
            degradation,
            site: held.site.clone(),
            kind: held.kind,
            agent: held.agent.clone(),
            journal,
            identity: held.identity(),
        })
    }
}

impl Ledger {
    pub(super) fn hear_stretch(&mut self, held: &Held) {
        let Some(latest) = latest_of(held) else { return };
        self.first_stretch = Some(self.first_stretch.map_or(held.day(), |first| first.min(held.day())));
        if self.amendments.leaves(held) {
            self.latest = self.latest.take().max(Some(latest));
        }
    }

    /// A stretch that reached furthest may have been taken back: walks back to the last day that has one.
    pub(super) fn find_latest_anew(&mut self) -> Result<(), Needs> {
        let earliest = self.first_stretch.into_iter().chain(self.amendments.corrected_days()).min();
        let way = self.days_back_from(Day(i32::MAX)).take_while(|day| Some(*day) >= earliest);
        let corrected = self.corrected_daily();
        self.latest = self.walk(way, |day| self.counting(day, &corrected).filter_map(latest_of).max())?;
        Ok(())
    }

    pub(super) fn hear_sign(&mut self, held: &Held) {
        let Some(sign) = Sign::of(held).filter(|_| self.amendments.leaves(held)) else { return };
        let kept = if matches!(held.body, Body::Heartbeat(_)) { &mut self.heartbeats } else { &mut self.began };
        kept.insert(sign);
        if kept.len() > SIGNS_KEPT {
            kept.pop_first();
        }
    }

    /// Signs that an amendment took back would outlive true ones where a clock ran fast.
    pub(super) fn forget_amended_signs(&mut self) {
        let amendments = &self.amendments;
        self.began.retain(|sign| !amendments.speaks_for(sign.identity));
        self.heartbeats.retain(|sign| !amendments.speaks_for(sign.identity));
    }

    pub(super) fn refresh_heads(&mut self, change: &mut Change) {
        let heads = self.believed();
        if heads != self.heads {
            change.replace(self.heads.drain(..).map(Row::Head), heads.iter().cloned().map(Row::Head));
            self.heads = heads;
        }
    }

    fn believed(&self) -> Vec<HeadRow> {
        let edge = self.edge();
        let mut heads: Vec<HeadRow> = self.live(edge).into_iter().collect();
        heads.extend(self.heartbeats.last().map(|beat| HeadRow {
            role: HeadRole::Agent,
            site: beat.site.clone(),
            kind: beat.kind,
            agent: None,
            condition: Condition::Unknown,
            degradation: Degradation::None,
            from: beat.at,
            until: None,
            edge,
            author: String::new(),
            journal: beat.journal.clone(),
        }));
        let claims = self.claims();
        for (from, until, force, claim) in claims.beyond(edge.max(Timestamp(i64::MIN + 1))) {
            let (condition, degradation) = believed_under(force);
            heads.push(HeadRow {
                role: HeadRole::Claim,
                site: claim.site.clone(),
                kind: claim.kind,
                agent: None,
                condition,
                degradation,
                from,
                until,
                edge,
                author: claim.author.clone(),
                journal: None,
            });
        }
        heads
    }

    /// The condition last heard: a `began` newer than the latest stretch is still open.
    fn live(&self, edge: Timestamp) -> Option<HeadRow> {
        let latest = self.latest.as_ref();
        let still_open =
            |began: &&Sign| latest.is_none_or(|latest| began.at >= latest.from || latest.condition == began.condition);
        if let Some(began) = self.began.last().filter(still_open) {
            return Some(HeadRow {
                role: HeadRole::Live,
                site: began.site.clone(),
                kind: began.kind,
                agent: began.agent.clone(),
                condition: began.condition,
                degradation: began.degradation,
                from: began.at,
                until: None,
                edge,
                author: String::new(),
                journal: None,
            });
        }
        latest.map(|latest| HeadRow {
            role: HeadRole::Live,
            site: latest.site.clone(),
            kind: latest.kind,
            agent: latest.agent.clone(),
            condition: latest.condition,
            degradation: latest.degradation,
            from: latest.from,
            until: Some(latest.until),
            edge,
            author: String::new(),
            journal: None,
        })
    }
}

fn latest_of(held: &Held) -> Option<Latest> {
    let observed = held.observed()?;
    Some(Latest {
        until: observed.span.until,
        from: observed.span.from,
        condition: observed.condition,
        degradation: observed.degradation,
        agent: held.agent.clone(),
        site: held.site.clone(),
        kind: held.kind,
    })
}

const fn believed_under(force: Force) -> (Condition, Degradation) {
    match force {
        Force::Down | Force::Overrun => (Condition::UnscheduledDown, Degradation::None),
        Force::Maintenance => (Condition::ScheduledDown, Degradation::None),
        Force::Partial(class) => (Condition::Unknown, class),
    }
}
