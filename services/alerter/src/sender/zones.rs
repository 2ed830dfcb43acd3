//! The time of day at each site, by the zone that its definition names.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, Timelike as _};
use chrono_tz::Tz;
use medfleet_alerts::route::Wall;
use medfleet_domain::fact::Body;
use medfleet_domain::id::SiteId;
use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, Partition, Tail, Topic};

use crate::error::AlerterError;

const POLL_BYTES: usize = 256 * 1024;

pub struct Zones {
    tail: Box<dyn Tail>,
    of_site: BTreeMap<SiteId, Tz>,
}

impl Zones {
    /// Knows every site that the fleet topic defines.
    pub async fn open(log: &dyn EventLog) -> Result<Self, AlerterError> {
        let mut from = Vec::new();
        for partition in 0..log.partitions(Topic::FLEET)? {
            let home = Partition::new(Topic::FLEET, partition);
            from.push(home.at(log.bounds(home).await?.floor));
        }
        let mut zones = Self { tail: log.tail(&from).await?, of_site: BTreeMap::new() };
        for at in from {
            let end = log.bounds(at.home()).await?.end;
            while zones.tail.cursors().iter().any(|cursor| cursor.home() == at.home() && cursor.offset < end) {
                zones.take(Duration::from_millis(200)).await?;
            }
        }
        Ok(zones)
    }

    pub async fn follow(&mut self) -> Result<(), AlerterError> {
        self.take(Duration::ZERO).await
    }

    async fn take(&mut self, wait: Duration) -> Result<(), AlerterError> {
        for batch in self.tail.poll(POLL_BYTES, wait).await? {
            for record in batch.records {
                let at = batch.home.at(record.offset);
                let unreadable = |source| AlerterError::Record { place: at.to_string(), source };
                let run = medfleet_wire::decode_record(&record.value).map_err(unreadable)?.run;
                for sealed in &run.facts {
                    if let Body::SiteDefined(site) = &sealed.fact.body {
                        // An unknown name was refused where sites are defined; UTC is the zone of last resort.
                        self.of_site.insert(run.site.clone(), site.time_zone.parse().unwrap_or(Tz::UTC));
                    }
                }
            }
        }
        Ok(())
    }

    pub fn wall(&self, site: &SiteId, at: Timestamp) -> Wall {
        wall(self.of_site.get(site).copied().unwrap_or(Tz::UTC), at)
    }
}

fn wall(zone: Tz, at: Timestamp) -> Wall {
    let local = DateTime::from_timestamp_micros(at.micros()).unwrap_or_default().with_timezone(&zone);
    Wall { weekday: local.weekday().number_from_monday() as u8, minute: (local.hour() * 60 + local.minute()) as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_the_time_of_its_zone() {
        // Sunday, 2026-03-08 06:30 UTC, half an hour before New York changes its clocks.
        let at = Timestamp::from_seconds(1_772_951_400);
        assert_eq!(wall(Tz::UTC, at), Wall { weekday: 7, minute: 390 });
        assert_eq!(wall(Tz::America__New_York, at), Wall { weekday: 7, minute: 90 });
        assert_eq!(wall(Tz::America__New_York, at.plus_seconds(1_800)), Wall { weekday: 7, minute: 180 });
        assert_eq!(wall(Tz::America__Los_Angeles, at), Wall { weekday: 6, minute: 1_350 });
    }
}
