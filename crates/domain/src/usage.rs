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

/// A sample that counts, with the identity its row will carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reading {
    pub at: Timestamp,
    pub sample: Sample,
    pub source: String,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub epoch: Epoch,
    pub seq: Seq,
}

impl Reading {
    pub fn series(&self) -> Series {
        Series {
            counter: self.sample.counter.clone(),
            component: self.sample.component.clone(),
            source: self.source.clone(),
        }
    }

    /// Of two samples in one second the greater speaks; identity decides only between equals.
    pub fn outranks(&self, other: &Reading) -> bool {
        let rank = |one: &Reading| (one.sample.value_milli, one.at, one.sample.clone());
        (rank(self), self.epoch, self.seq) > (rank(other), other.epoch, other.seq)
    }

    /// The row this reading makes after `before`. The first of a series makes none.
    pub fn after(&self, before: &Reading) -> UsageRow {
        let (increment_milli, step) = step(&before.sample, &self.sample);
        UsageRow {
            at: self.at,
            site: self.site.clone(),
            kind: self.kind,
            sample: self.sample.clone(),
            source: self.source.clone(),
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

/// The readings of a series in time order, one a second: the greatest.
pub fn in_order(mut readings: Vec<Reading>) -> Vec<Reading> {
    readings.sort_by(|a, b| a.at.second().cmp(&b.at.second()).then_with(|| a.outranks(b).cmp(&b.outranks(a)).reverse()));
    readings.dedup_by(|later, kept| later.at.second() == kept.at.second());
    readings
}
