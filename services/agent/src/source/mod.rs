//! Where observations come from. A source runs until it has nothing more to say or is dropped; the agent outlives it.

pub mod reachability;
pub mod replay;
mod replay_file;
mod replay_row;
pub mod simulated;

use async_trait::async_trait;
use medfleet_domain::kind::DeviceKind;
use serde::{Deserialize, Deserializer};

use crate::error::AgentError;
use crate::intake::Intake;

/// One witness of devices. It may be dropped at any await: what the intake has accepted is durable, and nothing else counts.
#[async_trait]
pub trait Source: Send {
    fn name(&self) -> &str;

    /// Hands observations to the intake until there are no more.
    async fn run(self: Box<Self>, intake: Intake) -> Result<(), AgentError>;
}

/// A source as the configuration names it.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SourceConfig {
    Simulated(simulated::SimulatedConfig),
    Replay(replay::ReplayConfig),
    Reachability(reachability::ReachabilityConfig),
}

/// Makes the sources that the configuration asks for.
pub fn build(configs: &[SourceConfig]) -> Result<Vec<Box<dyn Source>>, AgentError> {
    configs
        .iter()
        .map(|config| {
            Ok(match config {
                SourceConfig::Simulated(config) => {
                    Box::new(simulated::SimulatedDevice::new(config)?) as Box<dyn Source>
                }
                SourceConfig::Replay(config) => Box::new(replay::Replay::open(config)?),
                SourceConfig::Reachability(config) => Box::new(reachability::Reachability::new(config)?),
            })
        })
        .collect()
}

/// Reads a kind by the catalogue's name.
pub(crate) fn device_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeviceKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    DeviceKind::parse(&name).map_err(serde::de::Error::custom)
}
