//! Records of the topic of alerts.

use medfleet_domain::alert::AlertId;
use medfleet_domain::alert::message::{Channel, Intent, MessageId, Occasion, Outcome};
use medfleet_domain::alert::record::{Answer, Demotion, Life, News, Record, Turn, Writer};
use pb::alert_record::News as Wire;
use prost::Message;

use crate::limits::ALERT_RECORD_MAX_BYTES;
use crate::pb;
use crate::read::{decoded, instant, narrow, text};
use crate::refusal::Refusal;
use crate::schema::SCHEMA_VERSION;
use crate::word::Word;

/// Which driver carries a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelWord {
    Email,
    Webhook,
    Alertmanager,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutcomeWord {
    Delivered,
    Failed,
    Refused,
}

/// The value of a record in `medfleet.alerts.v1`.
pub fn encode_alert_record(record: &Record) -> Vec<u8> {
    let news = match &record.news {
        News::Opened(writer) => Wire::Opened(pb::AlertsOpened { writer: writer.number() }),
        News::Rules(yaml) => Wire::Rules(pb::AlertRules { yaml: yaml.clone() }),
        News::Turn(turn) => Wire::Turn(turn.into()),
        News::Intended(intent) => Wire::Intended(intent.into()),
        News::Attempted(message) => Wire::Attempted(pb::MessageAttempted { message: message.0 }),
        News::Ended { message, outcome } => {
            let (word, reason) = match outcome.clone() {
                Outcome::Delivered => (OutcomeWord::Delivered, String::new()),
                Outcome::Failed { reason } => (OutcomeWord::Failed, reason),
                Outcome::Refused { reason } => (OutcomeWord::Refused, reason),
            };
            Wire::Ended(pb::MessageEnded { message: message.0, outcome: word.number(), reason })
        }
    };
    pb::AlertRecord { schema: SCHEMA_VERSION, life: record.life.0, at_us: record.at.micros(), news: Some(news) }
        .encode_to_vec()
}

pub fn decode_alert_record(bytes: &[u8]) -> Result<Record, Refusal> {
    let wire: pb::AlertRecord = decoded("record of alerts", bytes, ALERT_RECORD_MAX_BYTES)?;
    let schema = wire.schema;
    read_record(wire).map_err(|refusal| refusal.under_schema(schema))
}

fn read_record(wire: pb::AlertRecord) -> Result<Record, Refusal> {
    let news = match wire.news.ok_or(Refusal::UnknownBody { what: "record of alerts" })? {
        Wire::Opened(one) => News::Opened(Writer::required("writer", "opening", one.writer)?),
        Wire::Rules(rules) => News::Rules(rules.yaml),
        Wire::Turn(turn) => News::Turn(turn.try_into()?),
        Wire::Intended(intended) => News::Intended(intended.try_into()?),
        Wire::Attempted(one) => News::Attempted(MessageId(one.message)),
        Wire::Ended(one) => News::Ended { message: MessageId(one.message), outcome: ended(one)? },
    };
    Ok(Record { life: Life(wire.life), at: instant("at_us", wire.at_us)?, news })
}

fn ended(one: pb::MessageEnded) -> Result<Outcome, Refusal> {
    let reason = one.reason;
    Ok(match OutcomeWord::required("outcome", "end of an attempt", one.outcome)? {
        OutcomeWord::Delivered => Outcome::Delivered,
        OutcomeWord::Failed => Outcome::Failed { reason },
        OutcomeWord::Refused => Outcome::Refused { reason },
    })
}

impl From<&Turn> for pb::AlertTurn {
    fn from(turn: &Turn) -> Self {
        let answer = |answer: &Answer| pb::AlertAnswer {
            alert: answer.alert.0,
            request: answer.request.clone(),
            refused: answer.refused.clone(),
        };
        Self {
            read: turn.read.iter().map(Into::into).collect(),
            steps: turn.steps.iter().map(Into::into).collect(),
            answers: turn.answers.iter().map(answer).collect(),
            demotions: turn.demotions.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::AlertTurn> for Turn {
    type Error = Refusal;

    fn try_from(wire: pb::AlertTurn) -> Result<Self, Refusal> {
        let answer = |answer: pb::AlertAnswer| Answer {
            alert: AlertId(answer.alert),
            request: answer.request,
            refused: answer.refused,
        };
        Ok(Self {
            read: wire.read.into_iter().map(Into::into).collect(),
            steps: wire.steps.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            answers: wire.answers.into_iter().map(answer).collect(),
            demotions: wire.demotions.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Demotion> for pb::VoiceDemoted {
    fn from(demotion: &Demotion) -> Self {
        Self {
            model: demotion.model.clone(),
            voice: demotion.voice.clone(),
            rule: demotion.rule.clone(),
            technician: demotion.technician.clone(),
            false_alerts: demotion.false_alerts,
            false_alerts_max: demotion.false_alerts_max,
            at_us: demotion.at.micros(),
        }
    }
}

impl TryFrom<pb::VoiceDemoted> for Demotion {
    type Error = Refusal;

    fn try_from(wire: pb::VoiceDemoted) -> Result<Self, Refusal> {
        const OF: &str = "demoted voice";
        Ok(Self {
            model: text("model", OF, wire.model)?,
            voice: text("voice", OF, wire.voice)?,
            rule: wire.rule,
            technician: wire.technician,
            false_alerts: wire.false_alerts,
            false_alerts_max: wire.false_alerts_max,
            at: instant("at_us", wire.at_us)?,
        })
    }
}

impl From<&Intent> for pb::MessageIntended {
    fn from(intent: &Intent) -> Self {
        let (Occasion::Attention { call, level } | Occasion::Over { call, level }) = intent.occasion;
        let channel = match intent.channel {
            Channel::Email(_) => ChannelWord::Email,
            Channel::Webhook(_) => ChannelWord::Webhook,
            Channel::Alertmanager(_) => ChannelWord::Alertmanager,
        };
        Self {
            message: intent.id.0,
            alert: intent.alert.0,
            call,
            level: level.into(),
            over: matches!(intent.occasion, Occasion::Over { .. }),
            person: intent.person.clone(),
            channel: channel.number(),
            address: intent.channel.address().to_owned(),
        }
    }
}

impl TryFrom<pb::MessageIntended> for Intent {
    type Error = Refusal;

    fn try_from(wire: pb::MessageIntended) -> Result<Self, Refusal> {
        const OF: &str = "message about an alert";
        let (call, level) = (wire.call, narrow("level", wire.level, u8::MAX.into())?);
        let address = text("address", OF, wire.address)?;
        let channel = match ChannelWord::required("channel", OF, wire.channel)? {
            ChannelWord::Email => Channel::Email(address),
            ChannelWord::Webhook => Channel::Webhook(address),
            ChannelWord::Alertmanager => Channel::Alertmanager(address),
        };
        Ok(Self {
            id: MessageId(wire.message),
            alert: AlertId(wire.alert),
            occasion: if wire.over { Occasion::Over { call, level } } else { Occasion::Attention { call, level } },
            person: wire.person,
            channel,
        })
    }
}
