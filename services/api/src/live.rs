//! What every device is now, in words, and the stream of changes from cut to cut.

use std::sync::Arc;

use medfleet_domain::time::Timestamp;
use medfleet_runtime::Shutdown;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cuts::Cuts;
use crate::feed::{Feed, Placed};

/// Changes kept for a reader that comes back with the number of its last event.
const CHANGES_KEPT: usize = 256;
/// Changes a slow reader may fall behind before it must read everything again.
const CHANGES_QUEUED_MAX: usize = 64;
/// An agent not heard for so long is silent: its devices show what they were when last heard.
pub const SILENT_AFTER_MICROS: i64 = 10 * 60 * 1_000_000;

/// One device in service and what is believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveDevice {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub agent: Option<String>,
    pub condition: Option<String>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub agent_seen: Option<Timestamp>,
    pub claim: Option<String>,
    pub claim_degradation: Option<String>,
    pub claim_from: Option<Timestamp>,
    pub claim_author: Option<String>,
}

/// Where a device stands now. Silence never resolves a failure and never makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Down,
    PlannedDown,
    Degraded,
    Silent,
    NeverHeard,
    Up,
}

impl Standing {
    pub const ALL: [Self; 6] =
        [Self::Up, Self::Down, Self::PlannedDown, Self::Degraded, Self::Silent, Self::NeverHeard];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::PlannedDown => "planned_down",
            Self::Degraded => "degraded",
            Self::Silent => "silent",
            Self::NeverHeard => "never_heard",
            Self::Up => "up",
        }
    }
}

/// A device's present, as pages and the event stream show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Present {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub standing: Standing,
    /// Last condition heard or claimed.
    pub condition: Option<String>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Last sign of life, RFC 3339.
    pub last_heard: Option<String>,
    /// Who claims it, if a person does.
    pub author: Option<String>,
}

impl LiveDevice {
    /// The last sign of life: an open condition lives as long as its agent does.
    pub fn last_heard(&self) -> Option<Timestamp> {
        let open = self.until.is_none();
        self.from.map(|from| self.until.or(self.agent_seen.filter(|_| open)).map_or(from, |seen| seen.max(from)))
    }

    pub fn standing(&self, at: Timestamp) -> Standing {
        match self.claim.as_deref() {
            Some("unscheduled_down") => return Standing::Down,
            Some("scheduled_down") => return Standing::PlannedDown,
            _ => {}
        }
        let Some(heard) = self.last_heard() else { return Standing::NeverHeard };
        if at.0 - heard.0 > SILENT_AFTER_MICROS {
            return Standing::Silent;
        }
        match self.condition.as_deref() {
            Some("unscheduled_down") => Standing::Down,
            Some("scheduled_down") => Standing::PlannedDown,
            _ if self.claim.is_some() => Standing::Degraded,
            Some("unknown") | None => Standing::Silent,
            Some(_) => Standing::Up,
        }
    }

    /// Where it stands in every list of devices.
    pub fn place(&self) -> (&str, &str, &str) {
        (&self.site, &self.kind, &self.device)
    }

    /// The condition that was heard or is claimed, and since when.
    fn told(&self) -> (Option<&str>, Option<Timestamp>) {
        match &self.claim {
            Some(claim) => (Some(claim), self.claim_from),
            None => (self.condition.as_deref(), self.from),
        }
    }

    pub fn present(&self, at: Timestamp) -> Present {
        let (condition, since) = self.told();
        let text = |at: Timestamp| at.to_string();
        Present {
            device: self.device.clone(),
            site: self.site.clone(),
            kind: self.kind.clone(),
            standing: self.standing(at),
            condition: condition.map(str::to_owned),
            since: since.map(text),
            last_heard: self.last_heard().map(text),
            author: self.claim_author.clone().filter(|author| self.claim.is_some() && !author.is_empty()),
        }
    }
}

/// What changed with one cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Changes {
    pub cut: i64,
    pub devices: Vec<Present>,
}

impl Placed for Changes {
    fn place(&self) -> i64 {
        self.cut
    }
}

pub type LiveHub = Feed<Changes>;

pub fn hub() -> LiveHub {
    Feed::keeping(CHANGES_KEPT, CHANGES_QUEUED_MAX)
}

/// Compares every newer cut with the last one compared, until the end.
pub async fn watch(hub: Arc<LiveHub>, cuts: Arc<Cuts>, shutdown: Shutdown) {
    let mut newest = cuts.subscribe();
    let mut before: Option<Stand> = None;
    loop {
        let seen = newest.borrow_and_update().clone();
        if let Some(open) = seen {
            match open.live().await {
                Ok(devices) => {
                    let now = Stand { devices, at: open.at() };
                    let changed = before.as_ref().map_or_else(Vec::new, |before| before.differences(&now));
                    hub.send(Changes { cut: open.cut.number, devices: changed });
                    before = Some(now);
                }
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "heads cannot be read"),
            }
        }
        if !matches!(shutdown.unless_requested(newest.changed()).await, Some(Ok(()))) {
            return;
        }
    }
}

/// Every device at one instant, in the order of sites, kinds and names.
struct Stand {
    devices: Arc<Vec<LiveDevice>>,
    at: Timestamp,
}

impl Stand {
    /// Devices that stand otherwise later, and those that were not there. A heartbeat alone is no change.
    fn differences(&self, later: &Self) -> Vec<Present> {
        let mut changed = Vec::new();
        let mut before = self.devices.iter().peekable();
        for device in later.devices.iter() {
            while before.next_if(|old| old.place() < device.place()).is_some() {}
            let old = before.next_if(|old| old.place() == device.place());
            if old.is_none_or(|old| old.standing(self.at) != device.standing(later.at) || old.told() != device.told()) {
                changed.push(device.present(later.at));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn device(condition: &str, from: i64, until: Option<i64>, seen: Option<i64>) -> LiveDevice {
        LiveDevice {
            device: "ct-1".into(),
            site: "s".into(),
            kind: "ct".into(),
            agent: Some("a".into()),
            condition: Some(condition.into()),
            from: Some(Timestamp(from * MINUTE)),
            until: until.map(|at| Timestamp(at * MINUTE)),
            agent_seen: seen.map(|at| Timestamp(at * MINUTE)),
            claim: None,
            claim_degradation: None,
            claim_from: None,
            claim_author: None,
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp(minute * MINUTE)
    }

    #[test]
    fn an_open_condition_lives_as_long_as_its_agent() {
        let open = device("productive", 0, None, Some(100));
        assert_eq!(open.standing(at(105)), Standing::Up);
        assert_eq!(open.standing(at(111)), Standing::Silent);
        assert_eq!(device("unscheduled_down", 0, Some(20), Some(100)).standing(at(100)), Standing::Silent);
    }

    #[test]
    fn an_asserted_down_outlives_silence() {
        let claimed = LiveDevice { claim: Some("unscheduled_down".into()), ..device("standby", 0, Some(1), None) };
        assert_eq!(claimed.standing(at(10_000)), Standing::Down);
    }

    #[test]
    fn a_device_never_heard_says_so() {
        let never = LiveDevice { condition: None, from: None, ..device("x", 0, None, None) };
        assert_eq!(never.standing(at(0)), Standing::NeverHeard);
    }

    #[test]
    fn heartbeats_are_no_change_and_conditions_are() {
        let named = |name: &str, one: LiveDevice| LiveDevice { device: name.to_owned(), ..one };
        let stand = |devices: Vec<LiveDevice>, minute| Stand { devices: Arc::new(devices), at: at(minute) };
        let quiet = |minute| named("b", device("standby", 0, None, Some(minute)));
        let before = stand(vec![named("a", quiet(1)), quiet(1), named("d", quiet(1))], 1);
        let changed = |now: Vec<LiveDevice>, minute| {
            let changed = before.differences(&stand(now, minute));
            changed.into_iter().map(|present| present.device).collect::<Vec<_>>()
        };
        assert!(changed(vec![named("a", quiet(2)), quiet(2), named("d", quiet(2))], 2).is_empty());
        assert!(changed(vec![quiet(2)], 2).is_empty(), "who is gone is no change of those who are there");
        assert_eq!(changed(vec![named("b", device("productive", 2, None, Some(2)))], 2), ["b"]);
        assert_eq!(changed(vec![quiet(1)], 30), ["b"], "silent by now");
        let moved = LiveDevice { site: "t".into(), ..quiet(2) };
        assert_eq!(changed(vec![named("c", quiet(2)), named("d", quiet(2)), moved], 2), ["c", "b"]);
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_or_is_told_to_read_again() {
        let hub = hub();
        for cut in 1..=3 {
            hub.send(Changes { cut, devices: Vec::new() });
        }
        let missed = |after| hub.resume(after).0.map(|all| all.iter().map(|change| change.cut).collect::<Vec<_>>());
        assert_eq!(missed(Some(1)), Some(vec![2, 3]));
        assert_eq!(missed(None), Some(vec![]));
        assert_eq!(missed(Some(0)), None);
    }
}
