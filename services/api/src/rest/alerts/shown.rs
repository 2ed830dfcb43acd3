//! Alerts, steps and messages as JSON.

use medfleet_alerts::delivery::Message;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::message::Occasion;
use medfleet_domain::alert::record::Answer;
use medfleet_domain::alert::{Change, Ending, Finding, Spoken, Step};
use medfleet_domain::id::SeqRange;
use medfleet_domain::risk::CERTAIN_PPM;
use serde::Serialize;
use utoipa::ToSchema;

/// An alert as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertOut {
    /// Its id for life: 16 hexadecimal digits.
    pub alert: String,
    pub rule: String,
    /// device, agent or site.
    pub subject_kind: String,
    pub subject: String,
    /// The part or counter meant; absent for the subject as a whole.
    pub part: Option<String>,
    pub site: String,
    pub kind: String,
    /// page, soon or inbox.
    pub urgency: String,
    pub summary: String,
    /// When the problem began.
    pub began_at: String,
    /// When it was raised or reopened last.
    pub raised_at: String,
    pub open: bool,
    /// It tells of a past that may be over, and woke nobody.
    pub late: bool,
    pub acknowledged_by: Option<String>,
    pub assigned_to: Option<String>,
    pub snoozed_until: Option<String>,
    /// Levels it went up while nobody took it.
    pub escalations: u8,
    pub reopened: u32,
    pub ended_at: Option<String>,
    /// over, part_of, retired, closed, or withdrawn when what was said of it was taken back.
    pub ended_because: Option<String>,
    /// The latest verdict: confirmed, other_part, wear_replaced, nothing_found or not_done.
    pub finding: Option<String>,
    pub found_part: Option<String>,
    /// The fact that opened it.
    pub fact: Option<FactRef>,
    /// The score that opened it: only of alerts by risk.
    pub score: Option<ScoreRef>,
}

/// Who said it, how far ahead, and how likely.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScoreRef {
    pub model: String,
    /// rules, hazard or trees.
    pub voice: String,
    pub horizon_hours: u32,
    /// Chance that the part fails within the horizon, 0 to 1.
    pub chance: f64,
}

impl From<&Spoken> for ScoreRef {
    fn from(spoken: &Spoken) -> Self {
        Self {
            model: spoken.model.clone(),
            voice: spoken.voice.clone(),
            horizon_hours: spoken.horizon_hours,
            chance: f64::from(spoken.ppm) / f64::from(CERTAIN_PPM),
        }
    }
}

/// Which fact of the subject's stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FactRef {
    /// Life of the writer, in hexadecimal.
    pub epoch: String,
    pub seq: u64,
}

impl From<SeqRange> for FactRef {
    fn from(range: SeqRange) -> Self {
        Self { epoch: range.epoch.to_string(), seq: range.first.0 }
    }
}

impl From<&Alert> for AlertOut {
    fn from(alert: &Alert) -> Self {
        let about = &alert.about;
        let ended = alert.ended.as_ref();
        let because = if alert.withdrawn { Some("withdrawn") } else { ended.map(|(_, because)| reason(because)) };
        Self {
            alert: alert.id.to_string(),
            rule: about.rule.clone(),
            subject_kind: about.subject.kind.as_str().to_owned(),
            subject: about.subject.name().to_owned(),
            part: (!about.part.is_empty()).then(|| about.part.clone()),
            site: about.site.to_string(),
            kind: about.kind.as_str().to_owned(),
            urgency: about.urgency.as_str().to_owned(),
            summary: alert.summary.clone(),
            began_at: alert.began.to_string(),
            raised_at: alert.raised_at.to_string(),
            open: alert.is_open(),
            late: alert.late,
            acknowledged_by: alert.acknowledged_by.clone(),
            assigned_to: alert.assigned_to.clone(),
            snoozed_until: alert.snoozed_until.map(|at| at.to_string()),
            escalations: alert.escalations,
            reopened: alert.reopened,
            ended_at: ended.map(|(at, _)| at.to_string()),
            ended_because: because.map(str::to_owned),
            finding: alert.finding.as_ref().map(|finding| finding.as_str().to_owned()),
            found_part: alert.finding.as_ref().and_then(part),
            fact: alert.fact.map(FactRef::from),
            score: alert.score.as_ref().map(ScoreRef::from),
        }
    }
}

const fn reason(because: &Ending) -> &'static str {
    match because {
        Ending::Over { .. } => "over",
        Ending::PartOf(_) => "part_of",
        Ending::Retired => "retired",
        Ending::By { .. } => "closed",
    }
}

fn part(finding: &Finding) -> Option<String> {
    match finding {
        Finding::OtherPart { part } => Some(part.clone()),
        _ => None,
    }
}

/// A step in an alert's life. Fields that its change does not have are absent.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct StepOut {
    pub at: String,
    /// raised, goes_on, acknowledged, assigned, snoozed, escalated, resolved, reopened, cause_withdrawn or judged.
    pub change: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What a person gave as reason, or the alert that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fact: Option<FactRef>,
    /// The score that brought it about: only of alerts by risk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<ScoreRef>,
}

impl From<&Step> for StepOut {
    fn from(step: &Step) -> Self {
        let out = Self { at: step.at.to_string(), change: step.change.name().to_owned(), ..Self::default() };
        match step.change.clone() {
            Change::Raised { late, fact, score, .. } | Change::Reopened { late, fact, score, .. } => {
                let score = score.as_ref().map(ScoreRef::from);
                Self { late: Some(late), fact: fact.map(FactRef::from), score, ..out }
            }
            Change::GoesOn => out,
            Change::Acknowledged { by } | Change::CauseWithdrawn { by } => Self { by: Some(by), ..out },
            Change::Assigned { to, by } => Self { to: Some(to), by: Some(by), ..out },
            Change::Snoozed { until, by } => Self { until: Some(until.to_string()), by: Some(by), ..out },
            Change::Escalated { level } => Self { level: Some(level), ..out },
            Change::Resolved { because } => {
                let out = Self { because: Some(self::reason(&because).to_owned()), ..out };
                match because {
                    Ending::By { person, reason } => Self { by: Some(person), reason: Some(reason), ..out },
                    Ending::PartOf(alert) => Self { reason: Some(alert.to_string()), ..out },
                    Ending::Over { .. } | Ending::Retired => out,
                }
            }
            Change::Judged { finding, by } => {
                Self { by: Some(by), finding: Some(finding.as_str().to_owned()), part: part(&finding), ..out }
            }
        }
    }
}

/// A message about an alert.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageOut {
    /// Its id for life: part of Message-ID and webhook-id.
    pub message: String,
    /// attention or over.
    pub occasion: String,
    pub level: u8,
    pub person: String,
    /// email, webhook or alertmanager.
    pub channel: String,
    pub address: String,
    /// due, sending, delivered, given_up or moot: over before it could be said.
    pub standing: String,
    pub attempts: u32,
    /// Attempts that were cut off and made again under the same id.
    pub repeats: u32,
    /// Why it was given up.
    pub reason: Option<String>,
}

impl From<&Message> for MessageOut {
    fn from(message: &Message) -> Self {
        let intent = &message.intent;
        let (occasion, level) = match intent.occasion {
            Occasion::Attention { level, .. } => ("attention", level),
            Occasion::Over { level, .. } => ("over", level),
        };
        Self {
            message: intent.id.to_string(),
            occasion: occasion.to_owned(),
            level,
            person: intent.person.clone(),
            channel: intent.channel.name().to_owned(),
            address: intent.channel.address().to_owned(),
            standing: message.standing().to_owned(),
            attempts: message.attempts,
            repeats: message.repeats,
            reason: message.given_up().map(str::to_owned),
        }
    }
}

/// What was asked of an alert, and the verdict.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestOut {
    /// The Idempotency-Key it came with.
    pub id: String,
    /// granted or refused.
    pub verdict: String,
    /// Why it was refused, and what to do.
    pub reason: Option<String>,
}

impl From<&Answer> for RequestOut {
    fn from(answer: &Answer) -> Self {
        let verdict = if answer.refused.is_none() { "granted" } else { "refused" };
        Self { id: answer.request.clone(), verdict: verdict.to_owned(), reason: answer.refused.clone() }
    }
}
