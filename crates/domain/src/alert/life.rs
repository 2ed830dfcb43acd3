//! One alert's life. `decide` may refuse and changes nothing; `evolve` takes in what has happened and never refuses.

use serde::{Deserialize, Serialize};

use super::{About, AlertId, Change, Ending, Finding, Spoken, Wish};
use crate::id::SeqRange;
use crate::time::{MICROS_PER_MINUTE, Timestamp};

/// Within so long who was called for an alert, or took it, need not be called for the incident that it becomes part of.
const SAME_CALL_MICROS: i64 = 15 * MICROS_PER_MINUTE;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("alert {0} is unknown: reload the page")]
    Unknown(AlertId),
    #[error("it ended at {0}: reopen it first")]
    Ended(Timestamp),
    #[error("it is open: there is nothing to reopen")]
    Open,
    #[error("alert {0} of the same problem is open: see to that one")]
    OtherOpen(AlertId),
    #[error("its cause was withdrawn: what remains to be said is a verdict")]
    Withdrawn,
    #[error("{by} has acknowledged it already")]
    Acknowledged { by: String },
    #[error("{0} has passed: name a moment to come")]
    Past(Timestamp),
    #[error("{what} is empty: say it")]
    Empty { what: &'static str },
}

/// One alert as its changes have left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub id: AlertId,
    pub about: About,
    pub summary: String,
    /// When the problem began, and when it was raised or reopened last.
    pub began: Timestamp,
    pub raised_at: Timestamp,
    /// Since when it has asked for attention: when it was raised, reopened, given to somebody or seen to go on, and at the end of a sleep.
    pub called_at: Timestamp,
    /// It is told of a past that may be over: it wakes nobody until it is seen to go on.
    pub late: bool,
    /// The fact that opened it, if one did.
    pub fact: Option<SeqRange>,
    /// The score that opened it, if one did.
    pub score: Option<Spoken>,
    pub acknowledged_by: Option<String>,
    /// When that was.
    pub taken_at: Option<Timestamp>,
    pub assigned_to: Option<String>,
    pub snoozed_until: Option<Timestamp>,
    pub escalations: u8,
    pub ended: Option<(Timestamp, Ending)>,
    pub withdrawn: bool,
    /// The latest verdict, and who gave it when.
    pub finding: Option<Finding>,
    pub judged: Option<(String, Timestamp)>,
    pub reopened: u32,
    /// How often it has asked for attention anew: when it was reopened or given to somebody, and at the end of a snooze.
    pub calls: u32,
    /// Of those, how many lay before it was raised or reopened last.
    pub calls_before: u32,
}

impl Alert {
    /// The life that begins with `Raised`; None for any other change.
    pub fn begin(id: AlertId, change: &Change, at: Timestamp) -> Option<Self> {
        let Change::Raised { about, began, late, fact, summary, score } = change else { return None };
        Some(Self {
            id,
            about: about.clone(),
            summary: summary.clone(),
            began: *began,
            raised_at: at,
            called_at: at,
            late: *late,
            fact: *fact,
            score: score.clone(),
            acknowledged_by: None,
            taken_at: None,
            assigned_to: None,
            snoozed_until: None,
            escalations: 0,
            ended: None,
            withdrawn: false,
            finding: None,
            judged: None,
            reopened: 0,
            calls: 0,
            calls_before: 0,
        })
    }

    pub const fn is_open(&self) -> bool {
        self.ended.is_none() && !self.withdrawn
    }

    /// Since when it is over; of one whose cause was withdrawn, when it was raised last. None of an open one.
    pub fn over_since(&self) -> Option<Timestamp> {
        (!self.is_open()).then(|| self.ended.as_ref().map_or(self.raised_at, |(at, _)| *at))
    }

    pub fn is_snoozed(&self, at: Timestamp) -> bool {
        self.snoozed_until.is_some_and(|until| at < until)
    }

    /// Whether anybody is to be told now: open, not late, not acknowledged, not asleep.
    pub fn wants_attention(&self, at: Timestamp) -> bool {
        self.is_open() && !self.late && self.acknowledged_by.is_none() && !self.is_snoozed(at)
    }

    /// Nobody has taken it, and it was given to nobody.
    pub const fn is_nobodys(&self) -> bool {
        self.acknowledged_by.is_none() && self.assigned_to.is_none()
    }

    /// The larger incident that it became part of.
    pub const fn whole(&self) -> Option<AlertId> {
        match &self.ended {
            Some((_, Ending::PartOf(whole))) => Some(*whole),
            _ => None,
        }
    }

    /// Whether the first call of the incident that it became part of is the same call as its own: it has called for the same subject a moment
    /// before, or somebody took it then. What was told hours ago and has become worse calls again.
    pub fn calls_for(&self, whole: &Self) -> bool {
        let touched = self.taken_at.unwrap_or(self.called_at);
        self.about.subject == whole.about.subject
            && !self.late
            && !self.is_snoozed(whole.called_at)
            && whole.calls == whole.calls_before
            && whole.called_at.micros() - touched.micros() < SAME_CALL_MICROS
    }

    /// Judges what a person asks, at the time it reached the log. Changes nothing.
    pub fn decide(&self, wish: &Wish, by: &str, at: Timestamp) -> Result<Change, Refusal> {
        let by = said("author", by)?;
        match wish {
            Wish::Judge { finding: Finding::OtherPart { part } } => {
                said("part", part)?;
                Ok(Change::Judged { finding: Finding::OtherPart { part: part.clone() }, by })
            }
            // A verdict is worth having whenever it comes, and the latest said wins.
            Wish::Judge { finding } => Ok(Change::Judged { finding: finding.clone(), by }),
            Wish::Reopen if self.withdrawn => Err(Refusal::Withdrawn),
            Wish::Reopen if self.is_open() => Err(Refusal::Open),
            Wish::Reopen => {
                Ok(Change::Reopened { began: self.began, late: false, fact: self.fact, score: self.score.clone() })
            }
            _ if self.withdrawn => Err(Refusal::Withdrawn),
            _ if !self.is_open() => Err(Refusal::Ended(self.ended.as_ref().map_or(at, |(ended, _)| *ended))),
            Wish::Acknowledge => match &self.acknowledged_by {
                Some(other) => Err(Refusal::Acknowledged { by: other.clone() }),
                None => Ok(Change::Acknowledged { by }),
            },
            Wish::Assign { to } => Ok(Change::Assigned { to: said("assignee", to)?, by }),
            Wish::Snooze { until } if *until <= at => Err(Refusal::Past(*until)),
            Wish::Snooze { until } => Ok(Change::Snoozed { until: *until, by }),
            Wish::Resolve { reason } => {
                let because = Ending::By { person: by, reason: said("reason", reason)? };
                Ok(Change::Resolved { because })
            }
        }
    }

    /// Asks for attention again from `at` on, as if nobody had taken it and nobody been told yet.
    fn call_anew(&mut self, at: Timestamp) {
        (self.acknowledged_by, self.taken_at, self.snoozed_until, self.escalations) = (None, None, None, 0);
        self.called_at = at;
        self.calls += 1;
    }

    fn taken(&mut self, by: &str, at: Timestamp) {
        (self.acknowledged_by, self.taken_at) = (Some(by.to_owned()), Some(at));
    }

    /// Takes a change in. Never judges: it has already happened.
    pub fn evolve(&mut self, change: &Change, at: Timestamp) {
        match change {
            Change::Raised { .. } => {}
            Change::GoesOn => (self.late, self.called_at) = (false, at),
            Change::Acknowledged { by } => self.taken(by, at),
            Change::Assigned { to, by } => {
                self.assigned_to = Some(to.clone());
                // Whom it is given to has not seen it yet: it calls anew until that one, or somebody else, takes it.
                if to == by {
                    self.taken(by, at);
                } else {
                    self.call_anew(at);
                }
            }
            Change::Snoozed { until, .. } => {
                self.call_anew(*until);
                self.snoozed_until = Some(*until);
            }
            Change::Escalated { level } => self.escalations = (*level).max(self.escalations),
            Change::Resolved { because } => self.ended = Some((at, because.clone())),
            Change::Reopened { began, late, fact, score } => {
                (self.began, self.raised_at, self.late, self.fact) = (*began, at, *late, *fact);
                self.score.clone_from(score);
                (self.ended, self.assigned_to) = (None, None);
                self.call_anew(at);
                self.reopened += 1;
                self.calls_before = self.calls;
            }
            Change::CauseWithdrawn { .. } => self.withdrawn = true,
            Change::Judged { finding, by } => {
                self.finding = Some(finding.clone());
                self.judged = Some((by.clone(), at));
            }
        }
    }
}

fn said(what: &'static str, text: &str) -> Result<String, Refusal> {
    if text.trim().is_empty() { Err(Refusal::Empty { what }) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Urgency;
    use crate::id::{Cause, SiteId, Subject, SubjectKind};
    use crate::kind::DeviceKind;

    const NOON: Timestamp = Timestamp::from_seconds(43_200);

    fn raised() -> Alert {
        let subject = Subject::new(SubjectKind::Device, "ct-1").expect("a name");
        let about = About {
            rule: "device-failed".into(),
            subject: subject.clone(),
            part: String::new(),
            site: SiteId::new("st-mary").expect("a name"),
            kind: DeviceKind::Ct,
            urgency: Urgency::Page,
        };
        let id = AlertId::of("device-failed", &subject, "", Cause { partition: 1, offset: 7 });
        let change =
            Change::Raised { about, began: NOON, late: false, fact: None, summary: "CT failed".into(), score: None };
        Alert::begin(id, &change, NOON).expect("a raise begins a life")
    }

    /// Given these wishes, when this is asked, then that happens.
    fn when(given: &[Wish], asked: Wish) -> Result<&'static str, Refusal> {
        let mut alert = raised();
        for wish in given {
            let change = alert.decide(wish, "kim", NOON).expect("the given wishes are granted");
            alert.evolve(&change, NOON);
        }
        alert.decide(&asked, "lee", NOON).map(|change| change.name())
    }

    fn resolve() -> Wish {
        Wish::Resolve { reason: "fuse replaced".into() }
    }

    #[test]
    fn an_alert_is_taken_once_and_may_be_given_on() {
        assert_eq!(when(&[], Wish::Acknowledge), Ok("acknowledged"));
        assert_eq!(when(&[Wish::Acknowledge], Wish::Acknowledge), Err(Refusal::Acknowledged { by: "kim".into() }));
        assert_eq!(when(&[Wish::Acknowledge], Wish::Assign { to: "ann".into() }), Ok("assigned"));
        assert_eq!(when(&[], Wish::Assign { to: " ".into() }), Err(Refusal::Empty { what: "assignee" }));
    }

    #[test]
    fn what_has_ended_is_reopened_before_anything_else_and_may_be_judged_any_time() {
        assert_eq!(when(&[resolve()], Wish::Acknowledge), Err(Refusal::Ended(NOON)));
        assert_eq!(when(&[resolve()], Wish::Reopen), Ok("reopened"));
        assert_eq!(when(&[], Wish::Reopen), Err(Refusal::Open));
        assert_eq!(when(&[resolve()], Wish::Judge { finding: Finding::NothingFound }), Ok("judged"));
    }

    #[test]
    fn a_snooze_ends_in_the_future_and_the_alert_wants_attention_then() {
        assert_eq!(when(&[], Wish::Snooze { until: NOON }), Err(Refusal::Past(NOON)));
        let mut alert = raised();
        alert.evolve(&Change::Snoozed { until: NOON.plus_seconds(600), by: "kim".into() }, NOON);
        assert!(!alert.wants_attention(NOON.plus_seconds(599)) && alert.wants_attention(NOON.plus_seconds(600)));
    }

    #[test]
    fn who_took_an_alert_and_put_it_to_sleep_is_called_again() {
        let mut alert = raised();
        alert.evolve(&Change::Acknowledged { by: "kim".into() }, NOON);
        alert.evolve(&Change::Snoozed { until: NOON.plus_seconds(600), by: "kim".into() }, NOON);
        assert!(!alert.wants_attention(NOON.plus_seconds(599)) && alert.wants_attention(NOON.plus_seconds(600)));
        assert_eq!(alert.calls, 1);
    }

    #[test]
    fn an_alert_that_is_given_to_somebody_calls_until_it_is_taken() {
        let given = |to: &str| Change::Assigned { to: to.into(), by: "kim".into() };
        let mut alert = raised();
        alert.evolve(&Change::Acknowledged { by: "kim".into() }, NOON);
        alert.evolve(&Change::Escalated { level: 1 }, NOON);
        alert.evolve(&given("lee"), NOON.plus_seconds(60));
        assert!(alert.wants_attention(NOON.plus_seconds(60)));
        assert_eq!((alert.calls, alert.escalations, alert.called_at), (1, 0, NOON.plus_seconds(60)));
        alert.evolve(&Change::Acknowledged { by: "lee".into() }, NOON.plus_seconds(90));
        assert!(!alert.wants_attention(NOON.plus_seconds(120)));
        alert.evolve(&given("kim"), NOON.plus_seconds(150));
        assert_eq!(
            (alert.acknowledged_by.as_deref(), alert.calls),
            (Some("kim"), 1),
            "who takes it himself has seen it"
        );
    }

    #[test]
    fn a_withdrawn_cause_keeps_the_verdict_that_was_given() {
        let mut alert = raised();
        alert.evolve(&Change::Judged { finding: Finding::Confirmed, by: "kim".into() }, NOON);
        alert.evolve(&Change::CauseWithdrawn { by: "lee".into() }, NOON);
        assert_eq!((alert.is_open(), alert.finding), (false, Some(Finding::Confirmed)));
    }

    #[test]
    fn an_id_depends_on_every_part_of_the_cause_and_on_nothing_else() {
        let subject = |name| Subject::new(SubjectKind::Device, name).expect("a name");
        let at = |offset| Cause { partition: 0, offset };
        let id = AlertId::of("r", &subject("a"), "tube", at(1));
        assert_eq!(id, AlertId::of("r", &subject("a"), "tube", at(1)));
        let others = [
            AlertId::of("q", &subject("a"), "tube", at(1)),
            AlertId::of("r", &subject("b"), "tube", at(1)),
            AlertId::of("r", &subject("a"), "", at(1)),
            AlertId::of("r", &subject("a"), "tube", at(2)),
        ];
        assert!(others.iter().all(|other| *other != id));
    }
}
