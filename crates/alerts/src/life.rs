//! One alert's life. `decide` may refuse and changes nothing; `evolve` takes in what has happened and never refuses.

use std::fmt;

use medfleet_domain::id::{Cause, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Hash of the rule, the subject and the record that opened it: the same causes give the same alert (INV-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(pub u64);

impl AlertId {
    pub fn of(rule: &str, subject: &Subject, part: &str, opening: Cause) -> Self {
        let key = subject.key();
        let (partition, offset) = (opening.partition.to_le_bytes(), opening.offset.to_le_bytes());
        let mut bytes = Vec::new();
        for piece in [rule.as_bytes(), key.as_bytes(), part.as_bytes(), &partition, &offset] {
            bytes.extend_from_slice(&(piece.len() as u64).to_le_bytes());
            bytes.extend_from_slice(piece);
        }
        Self(twox_hash::XxHash3_64::oneshot(&bytes))
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the alert is about; it stays the same for life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub rule: String,
    pub subject: Subject,
    /// The part or counter meant; empty for the subject as a whole.
    pub part: String,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub urgency: Urgency,
}

/// Whether somebody is to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Read when there is time.
    Inbox,
    /// Now, within working hours.
    Soon,
    /// Now.
    Page,
}

/// What happened to an alert. In the past tense: it cannot be refused any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    Raised {
        about: About,
        began: Timestamp,
        late: bool,
        fact: Option<SeqRange>,
        summary: String,
    },
    /// A late alert whose cause is seen to go on: it is no matter of yesterday.
    GoesOn,
    Acknowledged {
        by: String,
    },
    Assigned {
        to: String,
        by: String,
    },
    Snoozed {
        until: Timestamp,
        by: String,
    },
    /// Nobody acknowledged it in time; `level` counts from 1.
    Escalated {
        level: u8,
    },
    Resolved {
        because: Ending,
    },
    Reopened {
        began: Timestamp,
        late: bool,
        fact: Option<SeqRange>,
    },
    /// The fact that raised it should not have been said.
    CauseWithdrawn {
        by: String,
    },
    /// What the technician found: a label for every model that spoke.
    Judged {
        finding: Finding,
        by: String,
    },
}

impl Change {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Raised { .. } => "raised",
            Self::GoesOn => "goes_on",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Assigned { .. } => "assigned",
            Self::Snoozed { .. } => "snoozed",
            Self::Escalated { .. } => "escalated",
            Self::Resolved { .. } => "resolved",
            Self::Reopened { .. } => "reopened",
            Self::CauseWithdrawn { .. } => "cause_withdrawn",
            Self::Judged { .. } => "judged",
        }
    }
}

/// Why an alert ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The problem is over, as of then.
    Over {
        at: Timestamp,
    },
    /// It is part of a larger incident: a silent site, not each of its agents.
    PartOf(AlertId),
    /// The subject left service.
    Retired,
    By {
        person: String,
        reason: String,
    },
}

/// What a technician found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    Confirmed,
    OtherPart {
        part: String,
    },
    /// A prevented failure is no false alarm.
    WearReplaced,
    NothingFound,
    NotDone,
}

impl Finding {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::OtherPart { .. } => "other_part",
            Self::WearReplaced => "wear_replaced",
            Self::NothingFound => "nothing_found",
            Self::NotDone => "not_done",
        }
    }

    /// Whether the alert was right; None where it says nothing about that.
    pub const fn was_right(&self) -> Option<bool> {
        match self {
            Self::Confirmed | Self::OtherPart { .. } | Self::WearReplaced => Some(true),
            Self::NothingFound => Some(false),
            Self::NotDone => None,
        }
    }
}

/// What a person asks of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    Acknowledge,
    Assign { to: String },
    Snooze { until: Timestamp },
    Resolve { reason: String },
    Reopen,
    Judge { finding: Finding },
}

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
    /// It is told of a past that may be over: it wakes nobody until it is seen to go on.
    pub late: bool,
    /// The fact that opened it, if one did.
    pub fact: Option<SeqRange>,
    pub acknowledged_by: Option<String>,
    pub assigned_to: Option<String>,
    pub snoozed_until: Option<Timestamp>,
    pub escalations: u8,
    pub ended: Option<(Timestamp, Ending)>,
    pub withdrawn: bool,
    pub finding: Option<Finding>,
    pub reopened: u32,
}

impl Alert {
    /// The life that begins with `Raised`; None for any other change.
    pub fn begin(id: AlertId, change: &Change, at: Timestamp) -> Option<Self> {
        let Change::Raised { about, began, late, fact, summary } = change else { return None };
        Some(Self {
            id,
            about: about.clone(),
            summary: summary.clone(),
            began: *began,
            raised_at: at,
            late: *late,
            fact: *fact,
            acknowledged_by: None,
            assigned_to: None,
            snoozed_until: None,
            escalations: 0,
            ended: None,
            withdrawn: false,
            finding: None,
            reopened: 0,
        })
    }

    pub const fn is_open(&self) -> bool {
        self.ended.is_none() && !self.withdrawn
    }

    pub fn is_snoozed(&self, at: Timestamp) -> bool {
        self.snoozed_until.is_some_and(|until| at < until)
    }

    /// Whether anybody is to be told now: open, not late, not acknowledged, not asleep.
    pub fn wants_attention(&self, at: Timestamp) -> bool {
        self.is_open() && !self.late && self.acknowledged_by.is_none() && !self.is_snoozed(at)
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
            Wish::Reopen => Ok(Change::Reopened { began: self.began, late: false, fact: self.fact }),
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

    /// Takes a change in. Never judges: it has already happened.
    pub fn evolve(&mut self, change: &Change, at: Timestamp) {
        match change {
            Change::Raised { .. } => {}
            Change::GoesOn => self.late = false,
            Change::Acknowledged { by } => self.acknowledged_by = Some(by.clone()),
            Change::Assigned { to, .. } => {
                self.assigned_to = Some(to.clone());
                // Who gives it to somebody has seen it.
                self.acknowledged_by.get_or_insert_with(|| to.clone());
            }
            Change::Snoozed { until, .. } => self.snoozed_until = Some(*until),
            Change::Escalated { level } => self.escalations = (*level).max(self.escalations),
            Change::Resolved { because } => self.ended = Some((at, because.clone())),
            Change::Reopened { began, late, fact } => {
                (self.began, self.raised_at, self.late, self.fact) = (*began, at, *late, *fact);
                (self.ended, self.acknowledged_by, self.snoozed_until, self.escalations) = (None, None, None, 0);
                self.reopened += 1;
            }
            Change::CauseWithdrawn { .. } => self.withdrawn = true,
            Change::Judged { finding, .. } => self.finding = Some(finding.clone()),
        }
    }
}

fn said(what: &'static str, text: &str) -> Result<String, Refusal> {
    if text.trim().is_empty() { Err(Refusal::Empty { what }) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use medfleet_domain::id::SubjectKind;

    const NOON: Timestamp = Timestamp::from_seconds(43_200);

    pub(crate) fn raised() -> Alert {
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
        let change = Change::Raised { about, began: NOON, late: false, fact: None, summary: "CT failed".into() };
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
