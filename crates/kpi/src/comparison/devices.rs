//! From a site down to the devices that make it what it is. Pure.

use medfleet_domain::time::Day;

use super::By;
use crate::ask::Reliability;
use crate::stats::compare::{Adjustment, Experience, expected};
use crate::table::{Cell, Figure};

/// One device at one site against what the fleet would have had in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedDevice {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub make_model: String,
    pub service_years: f64,
    pub observed: f64,
    pub expected: f64,
}

/// Every device of the fleet, in the order given. Those of a site add up to the site.
pub(super) fn devices(rows: &[Reliability], on: Day, adjustment: Adjustment, by: By) -> Vec<ComparedDevice> {
    let fleet: Vec<Experience> = rows.iter().map(|row| row.experience(on)).collect();
    let what: fn(&Experience) -> f64 = match by {
        By::Failures => |one: &Experience| one.failures,
        By::Downtime => |one: &Experience| one.down_hours,
    };
    let expected = expected(&fleet, adjustment, what);
    let device = |((row, of), expected): ((&Reliability, &Experience), f64)| ComparedDevice {
        device: row.device.clone(),
        site: of.site.clone(),
        kind: of.kind.clone(),
        make_model: of.make_model.clone(),
        service_years: of.service_years,
        observed: what(of),
        expected,
    };
    rows.iter().zip(&fleet).zip(expected).map(device).collect()
}

/// What is shown of a compared device.
pub fn device_figures() -> [Figure<ComparedDevice>; 7] {
    fn figure(
        name: &'static str,
        unit: &'static str,
        meaning: &'static str,
        of: fn(&ComparedDevice) -> Cell,
    ) -> Figure<ComparedDevice> {
        Figure { name, unit, meaning, of }
    }
    fn number(value: f64) -> Cell {
        Cell::number(Some(value))
    }
    [
        figure("device", "text", "the device", |one| Cell::text(&one.device)),
        figure("site", "text", "where it was in service", |one| Cell::text(&one.site)),
        figure("kind", "text", "kind of equipment", |one| Cell::text(&one.kind)),
        figure("make_model", "text", "as the inventory names it", |one| Cell::text(&one.make_model)),
        figure("device_years", "years", "its time in service", |one| number(one.service_years)),
        figure("observed", "failures or hours", "what there was", |one| number(one.observed)),
        figure("expected", "failures or hours", "what the fleet would have had in its place", |one| {
            number(one.expected)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::compare::failures;
    use crate::stats::rate::MICROS_PER_YEAR;

    fn row(device: &str, site: &str, kind: &str, failures: u64) -> Reliability {
        Reliability {
            device: device.into(),
            site: site.into(),
            kind: kind.into(),
            make: None,
            model: None,
            in_service_day: None,
            in_service_micros: MICROS_PER_YEAR as i64,
            up_micros: 0,
            productive_micros: 0,
            down_micros: 0,
            unscheduled_down_micros: 0,
            failures,
            repeats: 0,
            interrupts: 0,
            failures_in_use: 0,
            failures_without_down: 0,
        }
    }

    #[test]
    fn the_devices_of_a_site_add_up_to_the_site() {
        let rows = [
            row("ct-1", "north", "ct", 5),
            row("ct-2", "south", "ct", 1),
            row("us-1", "north", "ultrasound", 0),
            row("us-2", "south", "ultrasound", 2),
        ];
        let on = Day::from_civil(2026, 3, 1);
        let found = devices(&rows, on, Adjustment::Kind, By::Failures);
        assert_eq!((found[0].observed, found[0].expected), (5.0, 3.0));
        let fleet: Vec<Experience> = rows.iter().map(|row| row.experience(on)).collect();
        for site in failures(&fleet, Adjustment::Kind).sites {
            let own = found.iter().filter(|one| one.site == site.site);
            let sums = own.fold((0.0, 0.0), |sum, one| (sum.0 + one.observed, sum.1 + one.expected));
            assert!((sums.0 - site.observed).abs() < 1e-9 && (sums.1 - site.expected).abs() < 1e-9, "{}", site.site);
        }
    }
}
