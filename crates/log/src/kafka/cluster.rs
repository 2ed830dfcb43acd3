//! The cluster as the keeper found it at start: its topics, their names there, and the identity of the log.

use std::collections::HashMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;
use twox_hash::XxHash3_128;

use super::config::{KafkaConfig, REQUEST_LIMIT};
use super::{ClientLog, verdict};
use crate::error::LogError;
use crate::port::{LogId, Partition};
use crate::topics::{Topic, TopicDeclaration};

/// Everything about the cluster that holds for the life of the log.
pub(super) struct Cluster {
    pub(super) log_id: LogId,
    topics: HashMap<Topic, Known>,
}

struct Known {
    /// With the prefix.
    name: String,
    partitions: u32,
}

impl Cluster {
    /// Asks the cluster, and refuses one that lacks a declared topic or has it with another partition count. Blocks.
    pub(super) fn survey(
        client: &BaseConsumer<ClientLog>,
        config: &KafkaConfig,
        declarations: &[TopicDeclaration],
    ) -> Result<Self, LogError> {
        let prefix = &config.topic_prefix;
        let metadata = client.fetch_metadata(None, REQUEST_LIMIT).map_err(verdict::trouble("list its topics"))?;
        let mut topics = HashMap::new();
        for declaration in declarations {
            let TopicDeclaration { topic, partitions: declared, .. } = *declaration;
            let name = format!("{prefix}{topic}");
            let found =
                found_partitions(&metadata, &name).ok_or_else(|| LogError::UnknownTopic { topic: name.clone() })?;
            if found != declared {
                return Err(LogError::PartitionCount { topic, declared, found });
            }
            topics.insert(topic, Known { name, partitions: found });
        }
        let cluster_id =
            client.client().fetch_cluster_id(REQUEST_LIMIT).ok_or_else(|| verdict::timed_out("tell its cluster id"))?;
        Ok(Self { log_id: log_id(&cluster_id, prefix), topics })
    }

    /// What the cluster calls this topic.
    pub(super) fn name(&self, topic: Topic) -> Result<&str, LogError> {
        self.known(topic).map(|known| known.name.as_str())
    }

    pub(super) fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.known(topic).map(|known| known.partitions)
    }

    fn known(&self, topic: Topic) -> Result<&Known, LogError> {
        self.topics.get(&topic).ok_or_else(|| LogError::UnknownTopic { topic: topic.name().to_owned() })
    }

    pub(super) fn check(&self, home: Partition) -> Result<(), LogError> {
        let partitions = self.partitions(home.topic)?;
        if home.partition < partitions { Ok(()) } else { Err(LogError::UnknownPartition { home, partitions }) }
    }
}

/// The partition count of a topic, none where it does not exist.
pub(super) fn found_partitions(metadata: &Metadata, name: &str) -> Option<u32> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name && topic.error().is_none())?;
    u32::try_from(topic.partitions().len()).ok().filter(|&count| count > 0)
}

/// Kafka has no place for an identity of ours, and its cluster id is one for life: the log is that cluster and a
/// prefix. A topic that was deleted and made again under the same name is not seen here, but by a log end below a
/// table's offset.
fn log_id(cluster_id: &str, prefix: &str) -> LogId {
    let name = format!("medfleet log\0{cluster_id}\0{prefix}");
    LogId::from_bytes(XxHash3_128::oneshot(name.as_bytes()).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::log_id;

    /// Every cause in every table of a site with Kafka names this value.
    #[test]
    fn golden_log_id_never_changes() {
        assert_eq!(log_id("5L6g3nShT-eMCtK--X86sw", "").to_string(), "359450744d8a203af24bbfa8a4bd7a1b");
        assert_ne!(log_id("5L6g3nShT-eMCtK--X86sw", ""), log_id("5L6g3nShT-eMCtK--X86sw", "north."));
    }
}
