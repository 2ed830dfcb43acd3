//! Scores of devices, and the records of the topic of risk.

use medfleet_domain::contract::Pin;
use medfleet_domain::risk::{Ground, ModelTrained, ModelWithdrawn, RiskNews, RiskRecord, Scored, ScoringBegun, View};
use medfleet_domain::time::Span;
use pb::risk_record::News as Wire;
use prost::Message as _;

use crate::limits::RISK_RECORD_MAX_BYTES;
use crate::pb;
use crate::read::{decoded, instant, text};
use crate::refusal::Refusal;

pub fn encode_risk_record(record: &RiskRecord) -> Vec<u8> {
    let news = match &record.news {
        RiskNews::Trained(trained) => Wire::Trained(trained.into()),
        RiskNews::Scoring(begun) => Wire::Scoring(begun.into()),
        RiskNews::Withdrawn(ModelWithdrawn { model, by, reason }) => {
            Wire::Withdrawn(pb::ModelWithdrawn { model: model.clone(), by: by.clone(), reason: reason.clone() })
        }
    };
    pb::RiskRecord { at_us: record.at.micros(), news: Some(news) }.encode_to_vec()
}

pub fn decode_risk_record(bytes: &[u8]) -> Result<RiskRecord, Refusal> {
    let wire: pb::RiskRecord = decoded("risk record", bytes, RISK_RECORD_MAX_BYTES)?;
    let news = match wire.news.ok_or(Refusal::UnknownBody { what: "risk record" })? {
        Wire::Trained(trained) => RiskNews::Trained(trained.try_into()?),
        Wire::Scoring(begun) => RiskNews::Scoring(begun.try_into()?),
        Wire::Withdrawn(one) => RiskNews::Withdrawn(ModelWithdrawn {
            model: text("model", "withdrawn model", one.model)?,
            by: text("by", "withdrawn model", one.by)?,
            reason: one.reason,
        }),
    };
    Ok(RiskRecord { at: instant("at_us", wire.at_us)?, news })
}

impl From<&Scored> for pb::Scored {
    fn from(scored: &Scored) -> Self {
        Self {
            run: scored.run.clone(),
            model: scored.model.clone(),
            horizon_hours: scored.horizon_hours,
            risk_ppm: scored.risk_ppm,
            component: scored.component.clone(),
            component_ppm: scored.component_ppm,
            voice: scored.voice.clone(),
            grounds: scored.grounds.iter().map(Into::into).collect(),
            views: scored.views.iter().map(|view| pb::VoiceView { voice: view.voice.clone(), ppm: view.ppm }).collect(),
        }
    }
}

impl TryFrom<pb::Scored> for Scored {
    type Error = Refusal;

    fn try_from(wire: pb::Scored) -> Result<Self, Refusal> {
        Ok(Self {
            run: text("run", "score", wire.run)?,
            model: text("model", "score", wire.model)?,
            horizon_hours: wire.horizon_hours,
            risk_ppm: wire.risk_ppm,
            component: wire.component,
            component_ppm: wire.component_ppm,
            voice: wire.voice,
            grounds: wire.grounds.into_iter().map(Into::into).collect(),
            views: wire.views.into_iter().map(|view| View { voice: view.voice, ppm: view.ppm }).collect(),
        })
    }
}

impl From<&Ground> for pb::Ground {
    fn from(ground: &Ground) -> Self {
        Self {
            name: ground.name.clone(),
            says: ground.says.clone(),
            value_milli: ground.value_milli,
            adds_milli: ground.adds_milli,
        }
    }
}

impl From<pb::Ground> for Ground {
    fn from(wire: pb::Ground) -> Self {
        Self { name: wire.name, says: wire.says, value_milli: wire.value_milli, adds_milli: wire.adds_milli }
    }
}

impl From<&ModelTrained> for pb::ModelTrained {
    fn from(trained: &ModelTrained) -> Self {
        Self {
            model: trained.model.clone(),
            horizon_hours: trained.horizon_hours,
            seed: trained.seed,
            cut: trained.cut,
            pins: trained.pins.iter().map(written).collect(),
            period_from_us: trained.period.from.micros(),
            period_until_us: trained.period.until.micros(),
            report: trained.report.clone(),
        }
    }
}

impl TryFrom<pb::ModelTrained> for ModelTrained {
    type Error = Refusal;

    fn try_from(wire: pb::ModelTrained) -> Result<Self, Refusal> {
        let from = instant("period_from_us", wire.period_from_us)?;
        let until = instant("period_until_us", wire.period_until_us)?;
        Ok(Self {
            model: text("model", "trained model", wire.model)?,
            horizon_hours: wire.horizon_hours,
            seed: wire.seed,
            cut: wire.cut,
            pins: wire.pins.into_iter().map(read).collect(),
            period: Span::new(from, until).map_err(Refusal::invalid("period"))?,
            report: wire.report,
        })
    }
}

impl From<&ScoringBegun> for pb::ScoringBegun {
    fn from(begun: &ScoringBegun) -> Self {
        Self {
            run: begun.run.clone(),
            model: begun.model.clone(),
            horizon_hours: begun.horizon_hours,
            instant_us: begun.instant.micros(),
            cut: begun.cut,
            pins: begun.pins.iter().map(written).collect(),
        }
    }
}

impl TryFrom<pb::ScoringBegun> for ScoringBegun {
    type Error = Refusal;

    fn try_from(wire: pb::ScoringBegun) -> Result<Self, Refusal> {
        Ok(Self {
            run: text("run", "scoring", wire.run)?,
            model: text("model", "scoring", wire.model)?,
            horizon_hours: wire.horizon_hours,
            instant: instant("instant_us", wire.instant_us)?,
            cut: wire.cut,
            pins: wire.pins.into_iter().map(read).collect(),
        })
    }
}

fn written(pin: &Pin) -> pb::Pin {
    pb::Pin { topic: pin.topic.clone(), partition: pin.partition, next_offset: pin.next_offset }
}

fn read(wire: pb::Pin) -> Pin {
    Pin { topic: wire.topic, partition: wire.partition, next_offset: wire.next_offset }
}
