//! The api's way into the log, built on ingest's admitter: the two never see each other.

use async_trait::async_trait;
use medfleet_api::{Accepted, HumanDoor, Refused};
use medfleet_domain::fact::Run;
use medfleet_domain::time::Timestamp;
use medfleet_ingest::{Admitter, IngestError};

pub struct PeoplesDoor(pub Admitter);

#[async_trait]
impl HumanDoor for PeoplesDoor {
    async fn submit(&self, run: Run) -> Result<Accepted, Refused> {
        let now = Timestamp(medfleet_processor::worker::now_micros());
        match self.0.run(run, now).await {
            Ok(position) => Ok(Accepted {
                topic: position.topic.name().to_owned(),
                partition: position.partition,
                offset: position.offset,
            }),
            Err(IngestError::Refused(refusal)) => Err(Refused::Statement(refusal.to_string())),
            Err(error) => Err(Refused::NotNow(error.to_string())),
        }
    }
}
