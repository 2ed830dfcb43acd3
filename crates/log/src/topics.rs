//! The topics of the street and their declaration: name, partitions and what Kafka must be told about them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Deserialize;

use crate::error::LogError;

/// The name of a topic. A small value: names live as long as the program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Topic(&'static str);

impl Topic {
    /// Machine facts and human facts, one stream per subject.
    pub const FACTS: Self = Self("medfleet.facts.v1");
    /// Facts about the fleet itself: sites, calendars, contracts.
    pub const FLEET: Self = Self("medfleet.fleet.v1");
    /// Batches that could not be read, whole, with the reason.
    pub const QUARANTINE: Self = Self("medfleet.quarantine.v1");
    /// Steps in the lives of alerts, and what became of messages about them.
    pub const ALERTS: Self = Self("medfleet.alerts.v1");
    /// Models that were trained, and runs of scoring.
    pub const RISK: Self = Self("medfleet.risk.v1");

    pub const STREET: [Self; 5] = [Self::FACTS, Self::FLEET, Self::QUARANTINE, Self::ALERTS, Self::RISK];

    /// A topic outside the street, for tests.
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Finds a topic of the street by name, as when a cause is read back from a table.
    pub fn of_street(name: &str) -> Result<Self, LogError> {
        let found = Self::STREET.into_iter().find(|topic| topic.0 == name);
        found.ok_or_else(|| LogError::UnknownTopic { topic: name.to_owned() })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a topic is created with. The partition count holds for its life; both keepers refuse another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDeclaration {
    pub topic: Topic,
    pub partitions: u32,
    /// Kafka only.
    pub replication_factor: u32,
    /// Kafka only: topic settings in Kafka's own names and spelling.
    pub config: BTreeMap<String, String>,
}

impl TopicDeclaration {
    pub fn new(topic: Topic, partitions: u32) -> Self {
        Self { topic, partitions, replication_factor: 1, config: BTreeMap::new() }
    }
}

/// Where topics live, which decides how many copies there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// One broker; also the partition counts of the embedded log.
    Dev,
    /// Three copies of which two have answered: the only one that survives power loss with Kafka.
    Production,
}

/// The topics of the street as infra/kafka/topics.toml declares them.
pub fn street(profile: Profile) -> Result<Vec<TopicDeclaration>, LogError> {
    parse(include_str!("../../../infra/kafka/topics.toml"), profile)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: HashMap<Profile, Copies>,
    defaults: BTreeMap<String, String>,
    topic: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Copies {
    replication_factor: u32,
    min_insync_replicas: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    partitions: u32,
    #[serde(default)]
    config: BTreeMap<String, String>,
}

fn parse(text: &str, profile: Profile) -> Result<Vec<TopicDeclaration>, LogError> {
    let malformed = |why: String| LogError::Declarations { why };
    let file: File = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let copies = file.profile.get(&profile).ok_or_else(|| malformed(format!("there is no profile {profile:?}")))?;
    let declare = |entry: Entry| {
        if entry.partitions == 0 {
            return Err(malformed(format!("{} has no partitions, it needs at least 1", entry.name)));
        }
        let mut config = file.defaults.clone();
        config.insert("min.insync.replicas".to_owned(), copies.min_insync_replicas.to_string());
        config.extend(entry.config);
        let topic = Topic::of_street(&entry.name)?;
        Ok(TopicDeclaration {
            topic,
            partitions: entry.partitions,
            replication_factor: copies.replication_factor,
            config,
        })
    };
    file.topic.into_iter().map(declare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::MAX_RECORD_BYTES;

    #[test]
    fn the_street_is_declared_whole_and_fits_the_largest_record() {
        for profile in [Profile::Dev, Profile::Production] {
            let declared = street(profile).unwrap();
            assert_eq!(declared.iter().map(|each| each.topic).collect::<Vec<_>>(), Topic::STREET);
            for each in declared {
                let limit: usize = each.config["max.message.bytes"].parse().unwrap();
                assert!(limit >= MAX_RECORD_BYTES + 64 * 1024, "{} takes only {limit} bytes", each.topic);
                assert_eq!(each.config["retention.ms"], "-1", "{}: only medfleet moves the floor", each.topic);
            }
        }
    }

    #[test]
    fn production_keeps_three_copies_and_waits_for_two() {
        for each in street(Profile::Production).unwrap() {
            assert_eq!((each.replication_factor, each.config["min.insync.replicas"].as_str()), (3, "2"));
        }
    }

    #[test]
    fn malformed_declarations_are_refused() {
        let text = |topic: &str| {
            format!("[profile.dev]\nreplication_factor = 1\nmin_insync_replicas = 1\n[defaults]\n[[topic]]\n{topic}")
        };
        let refused = |topic: &str| parse(&text(topic), Profile::Dev).unwrap_err().to_string();
        assert!(refused("name = 'medfleet.facts.v1'\npartitions = 0").contains("no partitions"));
        assert!(refused("name = 'medfleet.typo.v1'\npartitions = 1").contains("medfleet.typo.v1"));
        assert!(refused("name = 'medfleet.facts.v1'\npartition = 1").contains("partition"));
        let dev_only = text("name = 'medfleet.facts.v1'\npartitions = 1");
        assert!(parse(&dev_only, Profile::Production).unwrap_err().to_string().contains("Production"));
    }
}
