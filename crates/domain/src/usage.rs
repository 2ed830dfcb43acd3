//! Counters: a sample and its predecessor in the series become an increment; resets, wraps and unit changes are named.

use serde::{Deserialize, Serialize};

use crate::entry::{Step, UsageRow};
use crate::fact::Sample;
use crate::id::{Epoch, Seq, SiteId};
use crate::kind::DeviceKind;
use crate::time::Timestamp;

/// Samples that follow each other: one counter of one component, read by one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    pub counter: String,
    pub component: String,
    pub source: String,
}

/// A sample that counts, as a ledger holds it, with the identity its row will carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<'a> {
    pub at: Timestamp,
    pub sample: &'a Sample,
    pub source: &'a str,
    pub site: &'a SiteId,
    pub kind: DeviceKind,
    pub epoch: Epoch,
    pub seq: Seq,
}

impl Reading<'_> {
    pub fn series(&self) -> Series {
        Series {
            counter: self.sample.counter.clone(),
            component: self.sample.component.clone(),
            source: self.source.to_owned(),
        }
    }

    /// Lies in a later second, or speaks for the same one.
    pub fn speaks_after(&self, other: &Reading<'_>) -> bool {
        (self.at.second(), self.rank()) > (other.at.second(), other.rank())
    }

    /// Of two samples in one second the greater speaks; identity decides only between equals.
    fn rank(&self) -> impl Ord + use<'_> {
        let Self { at, sample, source: _, site, kind, epoch, seq } = self;
        (sample.value_milli, at, sample, site, kind, epoch, seq)
    }

    /// The row this reading makes after `before`. The first of a series makes none.
    pub fn after(&self, before: &Reading<'_>) -> UsageRow {
        let (increment_milli, step) = step(before.sample, self.sample);
        UsageRow {
            at: self.at,
            site: self.site.clone(),
            kind: self.kind,
            sample: self.sample.clone(),
            source: self.source.to_owned(),
            increment_milli,
            step,
            epoch: self.epoch,
            seq: self.seq,
        }
    }
}

/// What was gained from one value to the next, in thousandths. A wrap is believed only up to half the modulus.
fn step(before: &Sample, now: &Sample) -> (i64, Step) {
    if before.unit != now.unit {
        return (0, Step::UnitChanged);
    }
    if now.value_milli >= before.value_milli {
        return (now.value_milli - before.value_milli, Step::Counted);
    }
    if let Some(modulus) = now.modulus_milli {
        let wrapped = now.value_milli.saturating_add(modulus - before.value_milli);
        if wrapped >= 0 && wrapped <= modulus / 2 {
            return (wrapped, Step::Wrapped);
        }
    }
    (now.value_milli, Step::Reset)
}

/// The readings of a series in time order, one a second: the one that outranks the others.
pub fn in_order(mut readings: Vec<Reading<'_>>) -> Vec<Reading<'_>> {
    readings.sort_unstable_by(|a, b| {
        let by_second = a.at.second().cmp(&b.at.second());
        by_second.then_with(|| b.rank().cmp(&a.rank()))
    });
    readings.dedup_by_key(|reading| reading.at.second());
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_equal_samples_the_site_decides_whatever_their_epochs_are_called() {
        let sample = Sample {
            counter: "exposures".into(),
            component: String::new(),
            unit: "scans".into(),
            value_milli: 7,
            modulus_milli: None,
        };
        let [north_site, south_site] = ["north", "south"].map(|site| SiteId::new(site).expect("a good name"));
        let read = |site, epoch: u64| Reading {
            at: Timestamp::from_seconds(60),
            sample: &sample,
            source: "modbus",
            site,
            kind: DeviceKind::Ct,
            epoch: Epoch(epoch),
            seq: Seq(1),
        };
        for (north, south) in [(1, 2), (2, 1)] {
            let spoke = in_order(vec![read(&north_site, north), read(&south_site, south)]);
            assert_eq!(spoke.iter().map(|one| one.site.as_str()).collect::<Vec<_>>(), ["south"]);
        }
    }
}
