//! What stands behind the roles: the event log of either keeper, and the lake.

use std::sync::Arc;

use anyhow::Context as _;
use medfleet_lake::Lake;
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::kafka::{KafkaConfig, KafkaLog};
use medfleet_log::topics::street;
use medfleet_log::{EventLog, Profile};

use crate::cli::Place;
use crate::house::House;

/// The log that the flags ask for. The embedded one belongs to this process until it ends.
pub async fn log(place: &Place, house: &House) -> anyhow::Result<Arc<dyn EventLog>> {
    let topics = street(Profile::Dev)?;
    match &place.kafka {
        Some(brokers) => {
            let log = KafkaLog::open(KafkaConfig::new(brokers.as_str()), &topics).await;
            Ok(Arc::new(log.with_context(|| format!("cannot open the event log on Kafka at {brokers}"))?))
        }
        None => {
            let log = EmbeddedLog::open(EmbeddedConfig::new(house.log()), &topics).await;
            Ok(Arc::new(log.with_context(|| format!("cannot open the event log in {}", house.log().display()))?))
        }
    }
}

pub async fn lake(house: &House) -> anyhow::Result<Lake> {
    Lake::open_local(house.root()).await.context("cannot open the tables")
}
