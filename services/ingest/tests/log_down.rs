//! The log fails while agents send: nothing is receipted that is not durable, and all of it is once the fault has ended.

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use medfleet_domain::condition::Condition;
use medfleet_log::{
    AppendError, Bounds, EventLog, LogError, LogId, LogStats, NewRecord, Outcome, Partition, Position, Record, Tail,
    Topic,
};
use support::{PATIENCE, Street, device, embedded_log, end, seen, seqs_of};
use tokio::time::timeout;

/// What the next append does instead of its work.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Nothing is appended, and trying again is of no use.
    Refuse,
    /// Everything is appended, and the answer is lost.
    LoseAnswer,
    /// Not taken now.
    Hold(Duration),
}

/// A real log with faults planted before it.
struct Faulty {
    log: Arc<dyn EventLog>,
    faults: Mutex<VecDeque<Fault>>,
}

#[async_trait::async_trait]
impl EventLog for Faulty {
    fn log_id(&self) -> LogId {
        self.log.log_id()
    }

    fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.log.partitions(topic)
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, AppendError> {
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            None => self.log.append(records).await,
            Some(Fault::Refuse) => Err(AppendError::refused(records.len(), LogError::Closed)),
            Some(Fault::LoseAnswer) => {
                let outcomes = vec![Outcome::Unknown; records.len()];
                self.log.append(records).await?;
                Err(AppendError { outcomes, source: LogError::Closed })
            }
            Some(Fault::Hold(pause)) => {
                tokio::time::sleep(pause).await;
                self.log.append(records).await
            }
        }
    }

    async fn read(&self, from: Position, max_bytes: usize) -> Result<Vec<Record>, LogError> {
        self.log.read(from, max_bytes).await
    }

    async fn tail(&self, from: &[Position]) -> Result<Box<dyn Tail>, LogError> {
        self.log.tail(from).await
    }

    async fn bounds(&self, home: Partition) -> Result<Bounds, LogError> {
        self.log.bounds(home).await
    }

    async fn trim(&self, below: Position) -> Result<Bounds, LogError> {
        self.log.trim(below).await
    }

    fn stats(&self) -> LogStats {
        self.log.stats()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_receipted_before_it_is_durable_and_everything_is_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = embedded_log(folder.path()).await;
    let faulty = Arc::new(Faulty { log, faults: Mutex::default() });
    let street = Street::open_over(folder, Arc::clone(&faulty) as Arc<dyn EventLog>).await;
    street.define_site(support::SITE).await;
    let (agent, ending) = street.agent("edge-1").await;
    let intake = agent.intake().unwrap();
    let mut turns = [Condition::Standby, Condition::Productive].into_iter().cycle();
    let mut say = async || {
        for turn in 1.. {
            intake.observe(seen("ct-1", turns.next().unwrap())).await.unwrap();
            // How many batches the first turns make depends on the machine: more is said until every fault was met.
            if turn >= 40 {
                agent.drained().await;
                if faulty.faults.lock().unwrap().is_empty() {
                    break;
                }
            }
        }
    };
    // Batches that are under way together may fail together, so no more than one of them is to: each ends a connection.
    let at_once = [
        vec![Fault::Refuse, Fault::Hold(Duration::from_millis(50))],
        vec![Fault::LoseAnswer],
        vec![Fault::Refuse],
        vec![Fault::LoseAnswer],
    ];
    for faults in at_once {
        let (said, before) = (format!("{faults:?}"), agent.metrics().reconnects.get());
        faulty.faults.lock().unwrap().extend(faults);
        timeout(PATIENCE, say()).await.expect("the fault has ended");
        assert!(agent.metrics().reconnects.get() > before, "an unanswered publish ends its connection: {said}");
    }
    let identities = street.identities().await;
    let seqs = seqs_of(&identities, &device("ct-1"));
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no gap");
    assert!(faulty.faults.lock().unwrap().is_empty(), "every fault was met");
    assert!(agent.metrics().reconnects.get() >= 4, "an unanswered publish ends its connection");
    drop(intake);
    end(agent, ending).await;
    street.close().await;
}
