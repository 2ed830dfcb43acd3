//! The api's way into the log, built on ingest's admitter: the two never see each other.

use std::sync::Arc;

use async_trait::async_trait;
use medfleet_api::operator::{Quarantine, Redriven, Refusal};
use medfleet_api::{Accepted, HumanDoor, Refused};
use medfleet_domain::fact::Run;
use medfleet_domain::time::Timestamp;
use medfleet_ingest::quarantine::{self, Entry};
use medfleet_ingest::{Admitter, IngestError, judge};
use medfleet_log::EventLog;
use medfleet_runtime::now_micros;

const IMPLAUSIBLE: &str = "a time in it lies before 1990 or more than 10 minutes ahead, and what is told of such a time counts for nothing: \
    give the time at which it began, or state it then";

pub struct PeoplesDoor {
    pub admitter: Admitter,
    pub log: Arc<dyn EventLog>,
}

#[async_trait]
impl HumanDoor for PeoplesDoor {
    async fn submit(&self, run: Run) -> Result<Accepted, Refused> {
        let now = Timestamp(now_micros());
        if judge::is_implausible(&run, now) {
            return Err(Refused::Statement(IMPLAUSIBLE.to_owned()));
        }
        let position = self.admitter.run(run, now).await.map_err(refused)?;
        Ok(Accepted { topic: position.topic.name().to_owned(), partition: position.partition, offset: position.offset })
    }

    async fn quarantine(&self, newest: usize) -> Result<Quarantine, Refused> {
        let (entries, newest) = quarantine::newest(self.log.as_ref(), newest).await.map_err(refused)?;
        Ok(Quarantine { entries, newest: newest.into_iter().map(refusal).collect() })
    }

    async fn redrive(&self, partition: u32, offset: u64) -> Result<Redriven, Refused> {
        let entry = quarantine::find(self.log.as_ref(), partition, offset).await.map_err(refused)?;
        let now = Timestamp(now_micros());
        let done = quarantine::redrive(&self.admitter, &entry, now).await.map_err(refused)?;
        Ok(match done {
            quarantine::Redriven::Admitted { facts, .. } => Redriven { appended: facts, quarantined: 0, held: 0 },
            quarantine::Redriven::Batch { appended, quarantined, held } => Redriven { appended, quarantined, held },
        })
    }
}

fn refused(error: IngestError) -> Refused {
    match error {
        IngestError::Refused(refusal) => Refused::Statement(refusal.to_string()),
        error @ IngestError::NotQuarantined { .. } => Refused::Statement(error.to_string()),
        error => Refused::NotNow(error.to_string()),
    }
}

fn refusal(entry: Entry) -> Refusal {
    let Entry { position, quarantined } = entry;
    Refusal {
        partition: position.partition,
        offset: position.offset,
        received_at: quarantined.received_at,
        reason: quarantined.reason,
        subject: quarantined.subject.as_ref().map(ToString::to_string),
        origin: quarantined.origin,
        payload_bytes: quarantined.payload.len(),
    }
}
