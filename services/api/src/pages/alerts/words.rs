//! Alerts in words. Every state has a mark and a word; colour only repeats them.

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{Change, Ending, Finding, Spoken, Step, Urgency};
use medfleet_domain::time::Timestamp;

use super::foreseen::voice_name;
use crate::pages::format::{Clock, chance_percent, duration};

/// A state as it is shown.
pub struct Sign {
    pub class: &'static str,
    pub mark: &'static str,
    pub words: String,
}

pub fn urgency_sign(urgency: Urgency) -> Sign {
    let (class, mark, words) = match urgency {
        Urgency::Page => ("page", "▲", "Now"),
        Urgency::Soon => ("soon", "◆", "Soon"),
        Urgency::Inbox => ("inbox", "–", "Inbox"),
    };
    Sign { class, mark, words: words.to_owned() }
}

/// Where an alert stands, and with whom.
pub fn standing(alert: &Alert, now: Timestamp) -> Sign {
    let sign = |class, mark, words: String| Sign { class, mark, words };
    if alert.withdrawn {
        return sign("over", "×", "Withdrawn".to_owned());
    }
    if let Some((_, because)) = &alert.ended {
        return sign("over", "✓", ending(because));
    }
    if let Some(until) = alert.snoozed_until.filter(|until| now < *until) {
        return sign("asleep", "◔", format!("Asleep for {}", duration(until.0 - now.0)));
    }
    match (&alert.assigned_to, &alert.acknowledged_by) {
        (Some(to), Some(_)) => sign("taken", "◐", format!("With {to}")),
        (Some(to), None) => sign("untaken", "●", format!("Given to {to}, not taken yet")),
        (None, Some(by)) => sign("taken", "◐", format!("Acknowledged by {by}")),
        (None, None) if alert.escalations > 0 => {
            sign("untaken", "●", format!("Nobody has taken it; level {}", alert.escalations))
        }
        (None, None) => sign("untaken", "●", "Nobody has taken it".to_owned()),
    }
}

fn ending(because: &Ending) -> String {
    match because {
        Ending::Over { .. } => "Over".to_owned(),
        Ending::PartOf(alert) => format!("Part of alert {alert}"),
        Ending::Retired => "The subject left service".to_owned(),
        Ending::By { person, reason } => format!("Closed by {person}: {reason}"),
    }
}

/// `in 42 min`, `2 h ago`.
pub fn due(by: Timestamp, now: Timestamp) -> String {
    if by >= now { format!("in {}", duration(by.0 - now.0)) } else { format!("{} ago", duration(now.0 - by.0)) }
}

pub fn finding(finding: &Finding) -> String {
    match finding {
        Finding::Confirmed => "Confirmed".to_owned(),
        Finding::OtherPart { part } => format!("Other part: {part}"),
        Finding::WearReplaced => "Wear found and replaced".to_owned(),
        Finding::NothingFound => "Nothing found".to_owned(),
        Finding::NotDone => "Not done".to_owned(),
    }
}

fn by_score(score: Option<&Spoken>) -> String {
    score.map_or_else(String::new, |score| {
        format!(": {} by the {}", chance_percent(score.ppm), voice_name(&score.voice))
    })
}

/// A step of a life, in a sentence.
pub fn step(step: &Step, clock: Clock) -> String {
    let late = |late: bool| if late { ", late: what it tells of may be over" } else { "" };
    match &step.change {
        Change::Raised { late: is_late, score, .. } => format!("Raised{}{}", by_score(score.as_ref()), late(*is_late)),
        Change::GoesOn => "Seen to go on".to_owned(),
        Change::Acknowledged { by } => format!("{by} acknowledged it"),
        Change::Assigned { to, by } => format!("{by} gave it to {to}"),
        Change::Snoozed { until, by } => format!("{by} put it to sleep until {}", clock.minute(*until)),
        Change::Escalated { level } => format!("Nobody took it: level {level}"),
        Change::Resolved { because } => ending(because),
        Change::Reopened { late: is_late, score, .. } => {
            format!("Reopened{}{}", by_score(score.as_ref()), late(*is_late))
        }
        Change::CauseWithdrawn { by } => format!("{by} took back what had raised it"),
        Change::Judged { finding, by } => format!("{by}: {}", self::finding(finding).to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::alerts::record::tests::alert;

    #[test]
    fn an_alert_stands_with_whoever_has_it() {
        let now = Timestamp::from_seconds(100);
        let words = |change: &dyn Fn(&mut Alert)| {
            let mut one = alert(1);
            change(&mut one);
            standing(&one, now).words
        };
        assert_eq!(words(&|_| {}), "Nobody has taken it");
        assert_eq!(words(&|one| one.escalations = 2), "Nobody has taken it; level 2");
        assert_eq!(words(&|one| one.acknowledged_by = Some("kim".into())), "Acknowledged by kim");
        assert_eq!(words(&|one| one.snoozed_until = Some(Timestamp::from_seconds(160))), "Asleep for 1 min");
        assert_eq!(words(&|one| one.withdrawn = true), "Withdrawn");
        assert_eq!((due(now, Timestamp(0)), due(Timestamp(0), now)), ("in 1 min".into(), "1 min ago".into()));
    }
}
