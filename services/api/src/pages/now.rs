//! The present of devices in words: what they are, since when, and who says so.

use medfleet_domain::time::Timestamp;

use super::format::{condition_title, duration, kind_title};
use crate::live::{LiveDevice, Standing};

/// One device's present.
pub struct Now {
    pub device: String,
    pub href: String,
    pub kind: String,
    pub site: String,
    pub standing: &'static str,
    pub mark: &'static str,
    pub words: String,
    pub detail: String,
}

/// How many devices stand how.
pub struct Tally {
    pub standing: &'static str,
    pub mark: &'static str,
    pub label: &'static str,
    pub count: usize,
}

pub const fn mark(standing: Standing) -> &'static str {
    match standing {
        Standing::Up => "●",
        Standing::Down => "▼",
        Standing::PlannedDown => "◆",
        Standing::Degraded => "◐",
        Standing::Silent => "○",
        Standing::NeverHeard => "–",
    }
}

const fn label(standing: Standing) -> &'static str {
    match standing {
        Standing::Up => "up",
        Standing::Down => "down",
        Standing::PlannedDown => "planned down",
        Standing::Degraded => "degraded",
        Standing::Silent => "not heard now",
        Standing::NeverHeard => "never heard",
    }
}

pub fn tally<'a>(devices: impl Iterator<Item = &'a LiveDevice>, at: Timestamp) -> Vec<Tally> {
    let mut counts = [0; Standing::ALL.len()];
    for device in devices {
        let standing = device.standing(at);
        if let Some(index) = Standing::ALL.iter().position(|one| *one == standing) {
            counts[index] += 1;
        }
    }
    let row = |(standing, count): (Standing, usize)| Tally {
        standing: standing.as_str(),
        mark: mark(standing),
        label: label(standing),
        count,
    };
    let rows = Standing::ALL.into_iter().zip(counts).map(row);
    rows.filter(|row| row.count > 0 || matches!(row.standing, "up" | "down")).collect()
}

impl Now {
    pub fn of(device: &LiveDevice, site: &str, at: Timestamp, href: String) -> Self {
        let standing = device.standing(at);
        let (words, detail) = words(device, standing, at);
        Self {
            device: device.device.clone(),
            href,
            kind: kind_title(&device.kind).to_owned(),
            site: site.to_owned(),
            standing: standing.as_str(),
            mark: mark(standing),
            words,
            detail,
        }
    }
}

/// What it is, and since when or by whom.
fn words(device: &LiveDevice, standing: Standing, at: Timestamp) -> (String, String) {
    let ago = |then: Option<Timestamp>| then.map(|then| duration(at.0 - then.0)).unwrap_or_default();
    let condition = device.condition.as_deref().unwrap_or("unknown");
    if let Some(claim) = &device.claim {
        let who = device.claim_author.as_deref().filter(|who| !who.is_empty()).unwrap_or("a person");
        let word = match (claim.as_str(), device.claim_degradation.as_deref()) {
            ("unknown", Some(class)) => format!("Degraded ({class})"),
            (claim, _) => condition_title(claim).to_owned(),
        };
        return (word, format!("for {}, says {who}", ago(device.claim_from)));
    }
    match standing {
        Standing::NeverHeard => ("Never heard".to_owned(), "registered; no agent has reported it".to_owned()),
        Standing::Silent => {
            let was = match condition {
                "unscheduled_down" => "Failed when last heard",
                "scheduled_down" => "Planned down when last heard",
                "productive" => "In use when last heard",
                "standby" => "Ready when last heard",
                _ => "Unknown when last heard",
            };
            (was.to_owned(), format!("{} ago", ago(device.last_heard())))
        }
        _ => (condition_title(condition).to_owned(), format!("for {}", ago(device.from))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(condition: &str, from: i64, until: Option<i64>) -> LiveDevice {
        let minute = |minute: i64| Timestamp(minute * 60_000_000);
        LiveDevice {
            device: "ct-1".into(),
            site: "s".into(),
            kind: "ct".into(),
            agent: None,
            condition: Some(condition.into()),
            from: Some(minute(from)),
            until: until.map(minute),
            agent_seen: None,
            claim: None,
            claim_degradation: None,
            claim_from: None,
            claim_author: None,
        }
    }

    #[test]
    fn golden_02_a_failure_gone_silent_is_worded_as_last_heard() {
        let at = Timestamp(12 * 3_600_000_000);
        let failed = device("unscheduled_down", 600, Some(620));
        let now = Now::of(&failed, "North", at, String::new());
        assert_eq!(format!("{}, {}", now.words, now.detail), "Failed when last heard, 1 h 40 min ago");
    }

    #[test]
    fn a_claim_names_who_says_so() {
        let claimed = LiveDevice {
            claim: Some("unscheduled_down".into()),
            claim_from: Some(Timestamp(0)),
            claim_author: Some("kim".into()),
            ..device("standby", 0, Some(1))
        };
        let now = Now::of(&claimed, "North", Timestamp(7_200_000_000), String::new());
        assert_eq!((now.words.as_str(), now.detail.as_str(), now.standing), ("Down", "for 2 h, says kim", "down"));
    }
}
