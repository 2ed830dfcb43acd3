//! The embedded keeper under the suite, and the laws that only it has: they are about its folder.

use std::fs;
use std::sync::Arc;

use futures::FutureExt as _;
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog, MIN_SEGMENT_BYTES};
use medfleet_log::{EventLog, LogError, NewRecord, Outcome, Topic, TopicDeclaration};
use tempfile::TempDir;

use crate::laws::{Keeper, topics};

pub struct Embedded {
    folder: TempDir,
    topics: Vec<TopicDeclaration>,
    log: Option<Arc<EmbeddedLog>>,
}

impl Embedded {
    pub async fn begin(topics: Vec<TopicDeclaration>) -> Self {
        let mut keeper = Self { folder: TempDir::new().unwrap(), topics: topics.clone(), log: None };
        keeper.reopen_with(&topics).await.unwrap();
        keeper
    }

    fn config(&self) -> EmbeddedConfig {
        EmbeddedConfig { segment_max_bytes: MIN_SEGMENT_BYTES, ..EmbeddedConfig::new(self.folder.path().join("log")) }
    }

    /// Every other holder must be gone: the folder is locked for one log.
    fn close(&mut self) {
        if let Some(log) = self.log.take() {
            assert!(Arc::into_inner(log).is_some(), "a test still holds the log that it wants to open again");
        }
    }
}

impl Keeper for Embedded {
    fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(self.log.as_ref().unwrap()) as Arc<dyn EventLog>
    }

    async fn reopen(&mut self) {
        let topics = self.topics.clone();
        self.reopen_with(&topics).await.unwrap();
    }

    async fn reopen_with(&mut self, topics: &[TopicDeclaration]) -> Result<(), LogError> {
        self.close();
        self.log = Some(Arc::new(EmbeddedLog::open(self.config(), topics).await?));
        Ok(())
    }

    async fn another(&self) -> Arc<dyn EventLog> {
        let config = EmbeddedConfig::new(self.folder.path().join("another"));
        Arc::new(EmbeddedLog::open(config, &self.topics).await.unwrap())
    }

    fn bytes_of_many_segments(&self) -> usize {
        7 * MIN_SEGMENT_BYTES as usize
    }
}

fn record(topic: Topic, value: Vec<u8>) -> NewRecord {
    NewRecord { topic, key: "key".into(), value: value.into() }
}

async fn refusal(keeper: &mut Embedded) -> String {
    let error = keeper.reopen_with(&topics()).await.unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

#[tokio::test]
async fn a_log_has_one_holder_at_a_time() {
    let keeper = Embedded::begin(topics()).await;
    let error = EmbeddedLog::open(keeper.config(), &topics()).await.err().unwrap();
    assert!(error.to_string().contains("another process holds this log"), "{error}");
}

#[tokio::test]
async fn a_topic_added_later_begins_empty_and_leaves_the_others() {
    let mut keeper = Embedded::begin(topics()).await;
    let narrow = topics()[1].topic;
    keeper.log().append(vec![record(narrow, vec![1])]).await.unwrap();
    let late = Topic::named("medfleet.test-late.v1");
    let mut more = topics();
    more.push(TopicDeclaration::new(late, 2));
    keeper.reopen_with(&more).await.unwrap();
    let positions = keeper.log().append(vec![record(narrow, vec![2]), record(late, vec![3])]).await.unwrap();
    assert_eq!(positions.iter().map(|position| position.offset).collect::<Vec<_>>(), [1, 0]);
}

#[tokio::test]
async fn a_partition_that_vanished_is_not_begun_again() {
    let mut keeper = Embedded::begin(topics()).await;
    let folder = keeper.config().folder.join(topics()[1].topic.name()).join("0");
    keeper.close();
    fs::remove_dir_all(&folder).unwrap();
    for _ in 0..2 {
        assert!(refusal(&mut keeper).await.contains("restore the folder"));
    }
}

#[tokio::test]
async fn partitions_that_changed_places_are_refused() {
    let mut keeper = Embedded::begin(topics()).await;
    let wide = keeper.config().folder.join(topics()[0].topic.name());
    keeper.close();
    fs::rename(wide.join("0"), wide.join("aside")).unwrap();
    fs::rename(wide.join("1"), wide.join("0")).unwrap();
    fs::rename(wide.join("aside"), wide.join("1")).unwrap();
    let refusal = refusal(&mut keeper).await;
    assert!(refusal.contains("was expected"), "{refusal}");
}

#[tokio::test]
async fn a_damaged_description_is_refused_and_left_alone() {
    let mut keeper = Embedded::begin(topics()).await;
    let path = keeper.config().folder.join("log.json");
    keeper.close();
    let whole = fs::read_to_string(&path).unwrap();
    for damaged in
        ["", "{", &whole.replace("\"format\": 1", "\"format\": 2"), &whole.replacen("log_id\": \"", "log_id\": \"x", 1)]
    {
        fs::write(&path, damaged).unwrap();
        let refusal = refusal(&mut keeper).await;
        assert!(refusal.contains("log.json") || refusal.contains("log id"), "{refusal}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
    fs::write(&path, whole).unwrap();
    keeper.reopen().await;
}

#[tokio::test]
async fn a_full_partition_refuses_loudly_until_it_is_trimmed() {
    let mut keeper = Embedded::begin(topics()).await;
    keeper.close();
    let config = EmbeddedConfig { partition_max_bytes: 2 * MIN_SEGMENT_BYTES, ..keeper.config() };
    let log = EmbeddedLog::open(config, &topics()).await.unwrap();
    let narrow = topics()[1].topic;
    let call = || vec![record(narrow, vec![9; 4_000_000])];
    let mut last = None;
    let error = loop {
        match log.append(call()).await {
            Ok(positions) => last = Some(positions[0]),
            Err(error) => break error,
        }
    };
    assert_eq!((error.outcomes.as_slice(), error.is_retryable()), (&[Outcome::Refused][..], true));
    assert!(std::error::Error::source(&error.source).unwrap().to_string().contains("full"));
    log.trim(last.unwrap()).await.unwrap();
    log.append(call()).await.unwrap();
}

/// A disk that fails once: nothing more is taken until the log is opened anew, and whoever waits for that is told.
#[tokio::test]
async fn a_partition_that_could_not_be_written_says_that_the_log_is_broken() {
    let mut keeper = Embedded::begin(topics()).await;
    let (log, narrow) = (keeper.log(), topics()[1].topic);
    let kept = log.append(vec![record(narrow, vec![1])]).await.unwrap()[0];
    assert!(log.broken().now_or_never().is_none(), "a sound log is not broken");

    let folder = keeper.config().folder.join(narrow.name()).join("0");
    let aside = folder.with_file_name("aside");
    fs::rename(&folder, &aside).unwrap();
    // The next segment cannot be made.
    while log.append(vec![record(narrow, vec![9; 4_000_000])]).await.is_ok() {}
    assert!(matches!(log.broken().await, LogError::Broken { home } if home == kept.home()));
    let again = log.append(vec![record(narrow, vec![2])]).await.unwrap_err();
    assert!(!again.is_retryable(), "{again}");

    drop(log);
    fs::rename(&aside, &folder).unwrap();
    keeper.reopen().await;
    assert_eq!(keeper.log().read(kept, 1).await.unwrap()[0].value, vec![1]);
    keeper.log().append(vec![record(narrow, vec![2])]).await.unwrap();
    assert!(keeper.log().broken().now_or_never().is_none());
}
