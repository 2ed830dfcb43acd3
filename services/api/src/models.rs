//! The models that the log tells of, each with its report.

use medfleet_domain::risk::{ModelTrained, ModelWithdrawn};
use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, Partition, Topic, read_to_end};
use medfleet_risk::backtest::Backtest;
use medfleet_risk::register::Register;
use medfleet_risk::report::Report;

use crate::backtest::Recorded;
use crate::error::ApiError;

/// A model as it was told.
pub struct Told {
    pub at: Timestamp,
    pub trained: ModelTrained,
    /// The newest of its horizon that nobody withdrew: the one that is asked.
    pub speaks: bool,
    /// When it was first taken back, by whom and why.
    pub withdrawn: Option<(Timestamp, ModelWithdrawn)>,
    /// None where this version does not read it.
    pub report: Option<Report>,
}

impl Told {
    /// What a model made alike of a shorter past was worth on days that nobody had seen, where that was told. Read when asked for:
    /// it is the largest part of a record.
    pub fn backtest(&self) -> Option<Backtest> {
        serde_json::from_str::<Recorded>(&self.trained.report).ok()?.backtest
    }
}

/// All of them, newest first.
pub async fn models(log: &dyn EventLog) -> Result<Vec<Told>, ApiError> {
    let home = Partition::new(Topic::RISK, 0);
    let floor = log.bounds(home).await?.floor;
    let mut register = Register::default();
    let hear = |record: medfleet_log::Record| {
        match medfleet_wire::decode_risk_record(&record.value) {
            Ok(read) => register.take(read),
            Err(error) => tracing::warn!(%error, offset = record.offset, "a record of risk cannot be read"),
        }
        Ok::<_, ApiError>(true)
    };
    read_to_end(log, home.at(floor), hear).await?;
    let standing = |(_, trained): &(Timestamp, ModelTrained)| {
        let speaks = register.newest(trained.horizon_hours).is_some_and(|newest| std::ptr::eq(newest, trained));
        (speaks, register.withdrawal(&trained.model).cloned())
    };
    let standings: Vec<_> = register.models().map(standing).collect();
    let told = register.into_models().into_iter().zip(standings).map(|((at, trained), (speaks, withdrawn))| Told {
        at,
        speaks,
        withdrawn,
        report: serde_json::from_str(&trained.report).ok(),
        trained,
    });
    Ok(told.rev().collect())
}
