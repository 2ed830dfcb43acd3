//! What people ask of alerts, and the steps in their lives.

use medfleet_domain::alert::{About, AlertId, Asked, Change, Ending, Finding, Spoken, Step, Urgency, Wish};
use pb::alert_resolved::Because;
use pb::alert_step::Change as Wire;

use crate::pb;
use crate::read::{device_kind, instant, narrow, seq_range_if_said, site, subject, text};
use crate::refusal::Refusal;
use crate::request::request_id;
use crate::word::Word;

/// The wire says which finding apart from the part that was found instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingWord {
    Confirmed,
    OtherPart,
    WearReplaced,
    NothingFound,
    NotDone,
}

impl From<&Asked> for pb::AlertAsked {
    fn from(asked: &Asked) -> Self {
        use pb::alert_asked::Wish as Asks;
        let wish = match asked.wish.clone() {
            Wish::Acknowledge => Asks::Acknowledge(pb::AcknowledgeAlert {}),
            Wish::Assign { to } => Asks::Assign(pb::AssignAlert { to }),
            Wish::Snooze { until } => Asks::Snooze(pb::SnoozeAlert { until_us: until.micros() }),
            Wish::Resolve { reason } => Asks::Close(pb::CloseAlert { reason }),
            Wish::Reopen => Asks::Reopen(pb::ReopenAlert {}),
            Wish::Judge { finding } => {
                let (word, part) = spoken(finding);
                Asks::Judge(pb::JudgeAlert { finding: word.number(), part })
            }
        };
        Self { id: asked.id.clone(), author: asked.author.clone(), alert: asked.alert.0, wish: Some(wish) }
    }
}

impl TryFrom<pb::AlertAsked> for Asked {
    type Error = Refusal;

    fn try_from(wire: pb::AlertAsked) -> Result<Self, Refusal> {
        use pb::alert_asked::Wish as Asks;
        const OF: &str = "request about an alert";
        let wish = match wire.wish.ok_or(Refusal::UnknownBody { what: OF })? {
            Asks::Acknowledge(_) => Wish::Acknowledge,
            Asks::Assign(one) => Wish::Assign { to: one.to },
            Asks::Snooze(one) => Wish::Snooze { until: instant("until_us", one.until_us)? },
            Asks::Close(one) => Wish::Resolve { reason: one.reason },
            Asks::Reopen(_) => Wish::Reopen,
            Asks::Judge(one) => {
                Wish::Judge { finding: found(FindingWord::required("finding", OF, one.finding)?, one.part)? }
            }
        };
        let author = text("author", OF, wire.author)?;
        Ok(Self { id: request_id(wire.id)?, author, alert: AlertId(wire.alert), wish })
    }
}

impl From<&Step> for pb::AlertStep {
    fn from(step: &Step) -> Self {
        Self { alert: step.alert.0, at_us: step.at.micros(), change: Some((&step.change).into()) }
    }
}

impl TryFrom<pb::AlertStep> for Step {
    type Error = Refusal;

    fn try_from(wire: pb::AlertStep) -> Result<Self, Refusal> {
        let change = wire.change.ok_or(Refusal::UnknownBody { what: "step of an alert" })?;
        Ok(Self { alert: AlertId(wire.alert), at: instant("at_us", wire.at_us)?, change: change.try_into()? })
    }
}

impl From<&Change> for Wire {
    fn from(change: &Change) -> Self {
        match change.clone() {
            Change::Raised { about, began, late, fact, summary, score } => Self::Raised(pb::AlertRaised {
                rule: about.rule,
                subject: Some((&about.subject).into()),
                part: about.part,
                site: about.site.to_string(),
                kind: about.kind.as_str().into(),
                urgency: about.urgency.number(),
                began_us: began.micros(),
                late,
                fact: fact.map(Into::into),
                summary,
                score: score.map(Into::into),
            }),
            Change::GoesOn => Self::GoesOn(pb::AlertGoesOn {}),
            Change::Acknowledged { by } => Self::Acknowledged(pb::AlertAcknowledged { by }),
            Change::Assigned { to, by } => Self::Assigned(pb::AlertAssigned { to, by }),
            Change::Snoozed { until, by } => Self::Snoozed(pb::AlertSnoozed { until_us: until.micros(), by }),
            Change::Escalated { level } => Self::Escalated(pb::AlertEscalated { level: level.into() }),
            Change::Resolved { because } => Self::Resolved(pb::AlertResolved { because: Some(because.into()) }),
            Change::Reopened { began, late, fact, score } => Self::Reopened(pb::AlertReopened {
                began_us: began.micros(),
                late,
                fact: fact.map(Into::into),
                score: score.map(Into::into),
            }),
            Change::CauseWithdrawn { by } => Self::CauseWithdrawn(pb::AlertCauseWithdrawn { by }),
            Change::Judged { finding, by } => {
                let (word, part) = spoken(finding);
                Self::Judged(pb::AlertJudged { finding: word.number(), part, by })
            }
        }
    }
}

impl TryFrom<Wire> for Change {
    type Error = Refusal;

    fn try_from(wire: Wire) -> Result<Self, Refusal> {
        Ok(match wire {
            Wire::Raised(raised) => raised.try_into()?,
            Wire::GoesOn(_) => Self::GoesOn,
            Wire::Acknowledged(one) => Self::Acknowledged { by: text("by", "acknowledgement", one.by)? },
            Wire::Assigned(one) => {
                Self::Assigned { to: text("to", "assignment", one.to)?, by: text("by", "assignment", one.by)? }
            }
            Wire::Snoozed(one) => {
                Self::Snoozed { until: instant("until_us", one.until_us)?, by: text("by", "snooze", one.by)? }
            }
            Wire::Escalated(one) => Self::Escalated { level: narrow("level", one.level, u8::MAX.into())? },
            Wire::Resolved(one) => {
                let because = one.because.ok_or(Refusal::UnknownBody { what: "end of an alert" })?;
                Self::Resolved { because: because.try_into()? }
            }
            Wire::Reopened(one) => Self::Reopened {
                began: instant("began_us", one.began_us)?,
                late: one.late,
                fact: seq_range_if_said("fact", one.fact)?,
                score: one.score.map(TryInto::try_into).transpose()?,
            },
            Wire::CauseWithdrawn(one) => Self::CauseWithdrawn { by: one.by },
            Wire::Judged(one) => {
                let word = FindingWord::required("finding", "verdict on an alert", one.finding)?;
                Self::Judged { finding: found(word, one.part)?, by: text("by", "verdict on an alert", one.by)? }
            }
        })
    }
}

impl TryFrom<pb::AlertRaised> for Change {
    type Error = Refusal;

    fn try_from(wire: pb::AlertRaised) -> Result<Self, Refusal> {
        const OF: &str = "raised alert";
        let about = About {
            rule: text("rule", OF, wire.rule)?,
            subject: subject(OF, wire.subject)?,
            part: wire.part,
            site: site("site", &wire.site)?,
            kind: device_kind("kind", &wire.kind)?,
            urgency: Urgency::required("urgency", OF, wire.urgency)?,
        };
        let (began, fact) = (instant("began_us", wire.began_us)?, seq_range_if_said("fact", wire.fact)?);
        let score = wire.score.map(TryInto::try_into).transpose()?;
        Ok(Self::Raised { about, began, late: wire.late, fact, summary: wire.summary, score })
    }
}

impl From<Spoken> for pb::AlertScore {
    fn from(score: Spoken) -> Self {
        let Spoken { model, voice, horizon_hours, ppm } = score;
        Self { model, voice, horizon_hours, ppm }
    }
}

impl TryFrom<pb::AlertScore> for Spoken {
    type Error = Refusal;

    fn try_from(wire: pb::AlertScore) -> Result<Self, Refusal> {
        const OF: &str = "score of an alert";
        let (model, voice) = (text("model", OF, wire.model)?, text("voice", OF, wire.voice)?);
        Ok(Self { model, voice, horizon_hours: wire.horizon_hours, ppm: wire.ppm })
    }
}

impl From<Ending> for Because {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Over { at } => Self::OverAtUs(at.micros()),
            Ending::PartOf(alert) => Self::PartOf(alert.0),
            Ending::Retired => Self::Retired(pb::SubjectRetired {}),
            Ending::By { person: by, reason } => Self::Closed(pb::AlertClosed { by, reason }),
        }
    }
}

impl TryFrom<Because> for Ending {
    type Error = Refusal;

    fn try_from(wire: Because) -> Result<Self, Refusal> {
        Ok(match wire {
            Because::OverAtUs(micros) => Self::Over { at: instant("over_at_us", micros)? },
            Because::PartOf(alert) => Self::PartOf(AlertId(alert)),
            Because::Retired(_) => Self::Retired,
            Because::Closed(one) => {
                let person = text("by", "closing of an alert", one.by)?;
                Self::By { person, reason: text("reason", "closing of an alert", one.reason)? }
            }
        })
    }
}

fn spoken(finding: Finding) -> (FindingWord, String) {
    match finding {
        Finding::Confirmed => (FindingWord::Confirmed, String::new()),
        Finding::OtherPart { part } => (FindingWord::OtherPart, part),
        Finding::WearReplaced => (FindingWord::WearReplaced, String::new()),
        Finding::NothingFound => (FindingWord::NothingFound, String::new()),
        Finding::NotDone => (FindingWord::NotDone, String::new()),
    }
}

fn found(word: FindingWord, part: String) -> Result<Finding, Refusal> {
    Ok(match word {
        FindingWord::Confirmed => Finding::Confirmed,
        FindingWord::OtherPart => Finding::OtherPart { part: text("part", "verdict of another part", part)? },
        FindingWord::WearReplaced => Finding::WearReplaced,
        FindingWord::NothingFound => Finding::NothingFound,
        FindingWord::NotDone => Finding::NotDone,
    })
}
