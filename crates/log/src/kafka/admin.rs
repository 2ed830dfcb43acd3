//! Making topics and giving up old records.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::cluster::found_partitions;
use super::config::{KafkaConfig, REQUEST_LIMIT};
use super::{ClientLog, verdict};
use crate::blocking::blocking;
use crate::error::LogError;
use crate::topics::{Topic, TopicDeclaration};

const VISIBLE_POLL: Duration = Duration::from_millis(100);

/// What applying a declaration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Created,
    /// It was there already, with the declared number of partitions. Its settings are left as they are.
    Present,
}

/// Creates every declared topic that is missing. Refuses, before it creates any, one that exists with another partition
/// count.
pub async fn apply_topics(
    config: &KafkaConfig,
    declarations: &[TopicDeclaration],
) -> Result<Vec<(Topic, Applied)>, LogError> {
    let client = client(config)?;
    let found = found_topics(config).await?;
    let mut missing = Vec::new();
    for declaration in declarations {
        let TopicDeclaration { topic, partitions: declared, .. } = *declaration;
        match found.get(&format!("{}{topic}", config.topic_prefix)) {
            Some(&found) if found != declared => return Err(LogError::PartitionCount { topic, declared, found }),
            Some(_) => {}
            None => missing.push(declaration),
        }
    }
    for declaration in &missing {
        create(&client, config, declaration).await?;
    }
    if !missing.is_empty() {
        until_visible(config, declarations).await?;
    }
    let applied = |declaration: &TopicDeclaration| {
        let created = missing.iter().any(|missing| missing.topic == declaration.topic);
        (declaration.topic, if created { Applied::Created } else { Applied::Present })
    };
    Ok(declarations.iter().map(applied).collect())
}

fn client(config: &KafkaConfig) -> Result<AdminClient<ClientLog>, LogError> {
    config.admin().create_with_context(ClientLog).map_err(verdict::trouble("start an admin client"))
}

/// Every topic of the cluster with its partition count.
async fn found_topics(config: &KafkaConfig) -> Result<BTreeMap<String, u32>, LogError> {
    let client = client(config)?;
    blocking(move || {
        let metadata =
            client.inner().fetch_metadata(None, REQUEST_LIMIT).map_err(verdict::trouble("list its topics"))?;
        let count = |name: &str| found_partitions(&metadata, name).map(|count| (name.to_owned(), count));
        Ok(metadata.topics().iter().filter_map(|topic| count(topic.name())).collect())
    })
    .await
}

/// A broker learns of a new topic a moment after the controller has created it; a keeper opened in between would miss
/// it.
async fn until_visible(config: &KafkaConfig, declarations: &[TopicDeclaration]) -> Result<(), LogError> {
    let deadline = Instant::now() + REQUEST_LIMIT;
    while Instant::now() < deadline {
        let found = found_topics(config).await?;
        if declarations.iter().all(|each| found.contains_key(&format!("{}{}", config.topic_prefix, each.topic))) {
            return Ok(());
        }
        tokio::time::sleep(VISIBLE_POLL).await;
    }
    Err(verdict::timed_out("show the topics it has created"))
}

async fn create(
    client: &AdminClient<ClientLog>,
    config: &KafkaConfig,
    declaration: &TopicDeclaration,
) -> Result<(), LogError> {
    const CREATE: &str = "create a topic";
    let name = format!("{}{}", config.topic_prefix, declaration.topic);
    let copies = TopicReplication::Fixed(declaration.replication_factor.cast_signed());
    let mut topic = NewTopic::new(&name, declaration.partitions.cast_signed(), copies);
    for (key, value) in &declaration.config {
        topic = topic.set(key, value);
    }
    let options = options();
    let results = client.create_topics([&topic], &options).await.map_err(verdict::trouble(CREATE))?;
    for result in results {
        match result {
            Ok(_) => tracing::info!(topic = name, partitions = declaration.partitions, "topic created"),
            // Somebody else was quicker; the keeper checks the partition count when it opens.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(verdict::trouble(CREATE)(KafkaError::AdminOp(code))),
        }
    }
    Ok(())
}

/// Moves the floor of one partition up to an offset that lies within its bounds.
pub(super) async fn delete_below(
    config: &KafkaConfig,
    name: &str,
    partition: u32,
    offset: u64,
) -> Result<(), LogError> {
    const TRIM: &str = "trim a partition";
    let client = client(config)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(name, partition.cast_signed(), Offset::Offset(offset.cast_signed()))
        .map_err(verdict::trouble(TRIM))?;
    let answer = client.delete_records(&list, &options()).await.map_err(verdict::trouble(TRIM))?;
    answer.elements().iter().try_for_each(|element| element.error()).map_err(verdict::trouble(TRIM))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_LIMIT)).operation_timeout(Some(REQUEST_LIMIT))
}
