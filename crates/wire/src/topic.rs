//! The MQTT topics: `medfleet/v1/{site}/{shard}/{agent}/batch` and `…/receipt`.
//!
//! Names hold no slash and no wildcard, so a topic is five plain words and a broker's access list can match them one by one.

use std::fmt;

use medfleet_domain::id::{AgentId, SiteId};

use crate::batch::DecodedBatch;
use crate::limits::TOPIC_MAX_BYTES;
use crate::refusal::Refusal;

/// Fixed for ever: an agent's shard is part of its topic.
pub const SHARD_COUNT: u8 = 64;

const ROOT: &str = "medfleet/v1";

/// Which ingest process an agent belongs to: the hash of its name, modulo [`SHARD_COUNT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    pub fn of(agent: &AgentId) -> Self {
        let hash = twox_hash::XxHash3_64::oneshot(agent.as_str().as_bytes());
        Self((hash % u64::from(SHARD_COUNT)) as u8)
    }

    pub const fn number(self) -> u8 {
        self.0
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARD_COUNT).map(Self)
    }

    /// What the owner of this shard subscribes to.
    ///
    /// ```
    /// use medfleet_wire::Shard;
    /// let seventh = Shard::all().nth(7).unwrap();
    /// assert_eq!(seventh.batch_filter(), "medfleet/v1/+/7/+/batch");
    /// ```
    pub fn batch_filter(self) -> String {
        format!("{ROOT}/+/{}/+/batch", self.0)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! topic_type {
    ($(#[$doc:meta])* $topic:ident, $last:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $topic {
            site: SiteId,
            agent: AgentId,
        }

        impl $topic {
            pub fn new(site: SiteId, agent: AgentId) -> Self {
                Self { site, agent }
            }

            /// Reads a topic; its shard must be that of its agent.
            pub fn parse(topic: &str) -> Result<Self, Refusal> {
                let (site, agent) = parse(topic, $last)?;
                Ok(Self { site, agent })
            }

            pub fn site(&self) -> &SiteId {
                &self.site
            }

            pub fn agent(&self) -> &AgentId {
                &self.agent
            }

            pub fn shard(&self) -> Shard {
                Shard::of(&self.agent)
            }
        }

        impl fmt::Display for $topic {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{ROOT}/{}/{}/{}/{}", self.site, self.shard(), self.agent, $last)
            }
        }
    };
}

topic_type!(
    /// Where an agent says its batches.
    ///
    /// ```
    /// use medfleet_domain::id::{AgentId, SiteId};
    /// use medfleet_wire::BatchTopic;
    /// let topic = BatchTopic::new(SiteId::new("st-mary").unwrap(), AgentId::new("edge-1").unwrap());
    /// assert_eq!(topic.to_string(), "medfleet/v1/st-mary/18/edge-1/batch");
    /// assert_eq!(BatchTopic::parse("medfleet/v1/st-mary/18/edge-1/batch"), Ok(topic));
    /// assert!(BatchTopic::parse("medfleet/v1/st-mary/19/edge-1/batch").is_err(), "another agent's shard");
    /// ```
    BatchTopic, "batch"
);
topic_type!(
    /// Where an agent hears what became of them.
    ///
    /// ```
    /// use medfleet_wire::{BatchTopic, ReceiptTopic};
    /// let batches = BatchTopic::parse("medfleet/v1/st-mary/18/edge-1/batch").unwrap();
    /// assert_eq!(batches.receipt().to_string(), "medfleet/v1/st-mary/18/edge-1/receipt");
    /// assert_eq!(ReceiptTopic::parse("medfleet/v1/st-mary/18/edge-1/receipt"), Ok(batches.receipt()));
    /// ```
    ReceiptTopic, "receipt"
);

impl BatchTopic {
    /// Where the receipts for these batches go.
    pub fn receipt(&self) -> ReceiptTopic {
        ReceiptTopic { site: self.site.clone(), agent: self.agent.clone() }
    }

    /// The broker vouches for the topic; a batch that claims another agent or site is refused.
    pub fn check(&self, batch: &DecodedBatch) -> Result<(), Refusal> {
        let claims =
            [("agent", self.agent.as_str(), batch.agent.as_str()), ("site", self.site.as_str(), batch.site.as_str())];
        match claims.into_iter().find(|(_, topic, batch)| topic != batch) {
            None => Ok(()),
            Some((what, topic, batch)) => {
                Err(Refusal::TopicDisagrees { what, topic: topic.into(), batch: batch.into() })
            }
        }
    }
}

fn parse(topic: &str, last: &str) -> Result<(SiteId, AgentId), Refusal> {
    let unknown = || Refusal::TopicUnknown { topic: shown(topic) };
    if topic.len() > TOPIC_MAX_BYTES {
        return Err(unknown());
    }
    let words = topic.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/')).ok_or_else(unknown)?;
    let words: Vec<&str> = words.split('/').collect();
    let [site, shard, agent, end] = words[..] else { return Err(unknown()) };
    let (site, agent) = (SiteId::new(site).map_err(|_| unknown())?, AgentId::new(agent).map_err(|_| unknown())?);
    if end == last && shard == Shard::of(&agent).to_string() { Ok((site, agent)) } else { Err(unknown()) }
}

/// A topic fit for a message: a stranger may send any bytes as one.
fn shown(topic: &str) -> String {
    topic.chars().filter(|c| !c.is_control()).take(TOPIC_MAX_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_fixed_for_ever() {
        let golden = [("edge-1", 18), ("edge-2", 31), ("st-mary.edge-1", 33), ("a", 31), ("0", 21)];
        let found = golden.map(|(name, _)| (name, Shard::of(&AgentId::new(name).unwrap()).number()));
        assert_eq!(found, golden);
    }

    #[test]
    fn what_is_not_in_the_grammar_is_no_topic() {
        let foreign = [
            "",
            "medfleet/v1",
            "medfleet/v1/",
            "medfleet/v2/st-mary/18/edge-1/batch",
            "medfleet/v1/st-mary/018/edge-1/batch",
            "medfleet/v1/st-mary/18/edge-1/receipt",
            "medfleet/v1/st-mary/18/edge-1/batch/",
            "medfleet/v1//55/edge-1/batch",
            "medfleet/v1/+/55/edge-1/batch",
            "medfleet/v1/st-mary/18/#",
            "/medfleet/v1/st-mary/18/edge-1/batch",
            "medfleet/v1st-mary/18/edge-1/batch",
        ];
        for topic in foreign {
            assert_eq!(BatchTopic::parse(topic), Err(Refusal::TopicUnknown { topic: topic.into() }));
        }
        assert!(BatchTopic::parse(&"x".repeat(100_000)).unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn every_longest_name_fits_a_topic() {
        let longest = "n".repeat(medfleet_domain::id::NAME_MAX_BYTES);
        let topic = ReceiptTopic::new(SiteId::new(&longest).unwrap(), AgentId::new(&longest).unwrap());
        assert!(topic.to_string().len() <= TOPIC_MAX_BYTES);
        assert_eq!(ReceiptTopic::parse(&topic.to_string()), Ok(topic));
    }
}
