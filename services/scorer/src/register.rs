//! The register: the topic of risk read whole. Models that were trained, and runs of scoring, in the log's order.

use std::ops::Deref;

use bytes::Bytes;
use medfleet_domain::contract::Pin;
use medfleet_domain::risk::RiskRecord;
use medfleet_log::{EventLog, NewRecord, Partition, Position, Topic, read_to_end};
use medfleet_risk::register::Register as Known;

use crate::Error;
use crate::archive::Offsets;

const HOME: Partition = Partition::new(Topic::RISK, 0);
/// One order for all: one key.
const KEY: &[u8] = b"risk";

/// What stands in the topic, and where reading goes on.
pub struct Register {
    known: Known,
    next: Position,
}

impl Register {
    pub async fn read(log: &dyn EventLog) -> Result<Self, Error> {
        let floor = log.bounds(HOME).await?.floor;
        let mut register = Self { known: Known::default(), next: HOME.at(floor) };
        register.follow(log).await?;
        Ok(register)
    }

    /// Reads what came since.
    pub async fn follow(&mut self, log: &dyn EventLog) -> Result<(), Error> {
        let known = &mut self.known;
        let hear = |record: medfleet_log::Record| {
            let at = HOME.at(record.offset);
            let read = medfleet_wire::decode_risk_record(&record.value);
            known.take(read.map_err(|source| Error::RiskRecord { at, source })?);
            Ok::<_, Error>(true)
        };
        self.next = read_to_end(log, self.next, hear).await?;
        Ok(())
    }
}

impl Deref for Register {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

/// Tells the log; it is durable when this answers.
pub async fn tell(log: &dyn EventLog, record: &RiskRecord) -> Result<(), Error> {
    let value = Bytes::from(medfleet_wire::encode_risk_record(record));
    let told = NewRecord { topic: Topic::RISK, key: Bytes::from_static(KEY), value };
    log.append(vec![told]).await.map_err(Error::Append)?;
    Ok(())
}

/// Offsets of a cut as the log keeps them.
pub fn pins(offsets: &Offsets) -> Vec<Pin> {
    let pin = |(home, next): (&String, &i64)| {
        let (topic, partition) = home.rsplit_once('/')?;
        Some(Pin { topic: topic.to_owned(), partition: partition.parse().ok()?, next_offset: next.cast_unsigned() })
    };
    offsets.iter().filter_map(pin).collect()
}

/// And back.
pub fn offsets(pins: &[Pin]) -> Offsets {
    let offset = |pin: &Pin| (format!("{}/{}", pin.topic, pin.partition), pin.next_offset.cast_signed());
    pins.iter().map(offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_come_back_as_offsets() {
        let given = Offsets::from([("medfleet.facts.v1/3".to_owned(), 12), ("medfleet.fleet.v1/0".to_owned(), 1)]);
        assert_eq!(offsets(&pins(&given)), given);
    }
}
