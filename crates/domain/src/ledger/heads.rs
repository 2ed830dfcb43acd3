//! What is believed beyond the edge: the last condition heard, and claims that reach further.

use serde::{Deserialize, Serialize};

use super::{Ledger, Need};
use crate::claim::Force;
use crate::condition::{Condition, Degradation};
use crate::entry::{Change, HeadRole, HeadRow, Row};
use crate::fact::Body;
use crate::held::Held;
use crate::id::{AgentId, SiteId};
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

impl Ledger {
    pub(super) fn hear_stretch(&mut self, held: &Held) {
        if self.amendments.standing(held.epoch, held.seq).is_none() {
            self.latest = self.latest.take().max(latest_of(held));
        }
    }

    /// A stretch that reached furthest may have been taken back: walks back to the last day that has one.
    pub(super) fn find_latest_anew(&mut self) -> Result<(), Need> {
        self.latest = None;
        let corrected = self.amendments.corrected_days();
        let last = self.known_days.last().max(corrected.max());
        let Some(last) = last else { return Ok(()) };
        let mut day = Some(last);
        while let Some(here) = day {
            self.require(here)?;
            self.latest = self.counting(here).iter().filter_map(latest_of).max();
            day = if self.latest.is_some() { None } else { self.day_before(here) };
        }
        Ok(())
    }

    fn day_before(&self, day: Day) -> Option<Day> {
        let corrected = self.amendments.corrected_days().filter(|other| *other < day);
        self.known_days.back_from(Day(day.0 - 1)).next().max(corrected.max())
    }

    pub(super) fn hear_began(&mut self, held: Held) {
        let newer = |known: &Held| (known.at, &known.body) <= (held.at, &held.body);
        if held.counts() && self.began.as_ref().is_none_or(newer) {
            self.began = Some(held);
        }
    }

    pub(super) fn hear_heartbeat(&mut self, held: Held) {
        if held.counts() && self.heartbeat.as_ref().is_none_or(|known| known.at <= held.at) {
            self.heartbeat = Some(held);
        }
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
        heads.extend(self.heartbeat.as_ref().map(|beat| HeadRow {
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
            });
        }
        heads
    }

    /// The condition last heard: a `began` newer than the latest stretch is still open.
    fn live(&self, edge: Timestamp) -> Option<HeadRow> {
        let began = self.began.as_ref().and_then(|held| match held.body {
            Body::Began { condition, degradation } => Some((held, condition, degradation)),
            _ => None,
        });
        let latest = self.latest.as_ref();
        if let Some((held, condition, degradation)) = began
            && latest.is_none_or(|latest| held.at >= latest.from || latest.condition == condition)
        {
            return Some(HeadRow {
                role: HeadRole::Live,
                site: held.site.clone(),
                kind: held.kind,
                agent: held.agent.clone(),
                condition,
                degradation,
                from: held.at,
                until: None,
                edge,
                author: String::new(),
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
