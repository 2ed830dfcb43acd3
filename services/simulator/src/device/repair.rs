//! A repair from onset to return, drawn in advance: report, response, waiting for vendor or parts, active work.

use medfleet_domain::human::Party;
use medfleet_domain::time::Timestamp;

use super::Witness;
use super::living::whole_seconds;
use crate::catalogue::{Criticality, Effect, Repair};
use crate::chance::Chance;
use crate::plan::PlannedDevice;

const SECONDS_PER_HOUR: f64 = 3_600.0;
const SECONDS_PER_MINUTE: f64 = 60.0;
/// Between the last screw and the first patient: test, clean, hand over.
const HANDOVER_S: (f64, f64) = (300.0, 2_400.0);

/// When each phase comes. Every time lies after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    pub reported: Timestamp,
    pub arrived: Timestamp,
    /// For whom one waits before active work, if for anyone.
    pub waiting_for: Option<Party>,
    pub repair_starts: Timestamp,
    pub repaired: Timestamp,
    pub returned: Timestamp,
}

impl Timeline {
    pub fn draw(repair: &Repair, device: &PlannedDevice, onset: Timestamp, chance: &mut Chance) -> Self {
        let after = |at: Timestamp, seconds: f64| at.plus_seconds(whole_seconds(seconds));
        let reported = after(onset, chance.spread(device.people.report_delay_min) * SECONDS_PER_MINUTE);
        // What is not urgent waits for the morning.
        let urgent = device.kind.criticality >= Criticality::High;
        let called = if urgent { reported } else { device.zone.next_open(&device.base_hours, reported) };
        let arrived = after(called, chance.spread(repair.response_h) * SECONDS_PER_HOUR);
        let share = repair.route_share;
        let (waiting_for, wait_h) = match chance.weighted(&[share.us, share.vendor, share.parts]) {
            1 => (Some(Party::Vendor), chance.spread(repair.vendor_wait_h)),
            2 => (Some(Party::Parts), chance.spread(repair.parts_wait_h)),
            _ => (None, 0.0),
        };
        let repair_starts = after(arrived, wait_h * SECONDS_PER_HOUR);
        let repaired = after(repair_starts, chance.spread(repair.active_h) * SECONDS_PER_HOUR);
        let returned = after(repaired, chance.between(HANDOVER_S.0, HANDOVER_S.1));
        Self { reported, arrived, waiting_for, repair_starts, repaired, returned }
    }
}

/// One episode: from the first failure to the return to service, whatever else fails meanwhile.
#[derive(Debug, Clone)]
pub struct Episode {
    pub order: String,
    pub witness: Witness,
    pub timeline: Timeline,
    /// Indices of the failed parts.
    pub parts: Vec<usize>,
    pub effect: Effect,
}

impl Episode {
    /// A hard failure that only people can tell of: the device is dead and says nothing.
    pub fn is_dark(&self) -> bool {
        self.effect == Effect::Down && self.witness == Witness::Person
    }
}

pub fn draw_witness(device: &PlannedDevice, chance: &mut Chance) -> Witness {
    let share = device.people.witness_share;
    match chance.weighted(&[share.device, share.person, share.both]) {
        0 => Witness::Device,
        1 => Witness::Person,
        _ => Witness::Both,
    }
}
