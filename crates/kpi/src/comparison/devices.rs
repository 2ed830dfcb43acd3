//! From a site down to the devices that make it what it is. Pure.

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

/// What is shown of a compared device.
pub fn device_figures() -> [Figure<ComparedDevice>; 7] {
    fn number(value: f64) -> Cell {
        Cell::number(Some(value))
    }
    [
        Figure::new("device", "text", "the device", |one| Cell::text(&one.device)),
        Figure::new("site", "text", "where it was in service", |one| Cell::text(&one.site)),
        Figure::new("kind", "text", "kind of equipment", |one| Cell::text(&one.kind)),
        Figure::new("make_model", "text", "as the inventory names it", |one| Cell::text(&one.make_model)),
        Figure::new("device_years", "years", "its time in service", |one| number(one.service_years)),
        Figure::new("observed", "failures or hours", "what there was", |one| number(one.observed)),
        Figure::new("expected", "failures or hours", "what the fleet would have had in its place", |one| {
            number(one.expected)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::{Day, MICROS_PER_DAY};

    use super::super::roll::of_rows;
    use super::super::{By, Fleet};
    use crate::ask::Reliability;
    use crate::question::Question;
    use crate::stats::compare::Adjustment;
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

    fn fleet(rows: &[Reliability]) -> Fleet {
        let until = Day::from_civil(2026, 3, 1).start();
        of_rows(rows, &Question::new(until.plus_micros(-365 * MICROS_PER_DAY), until, until))
    }

    #[test]
    fn the_devices_of_a_site_add_up_to_the_site() {
        let fleet = fleet(&[
            row("ct-1", "north", "ct", 5),
            row("us-1", "north", "ultrasound", 0),
            row("ct-2", "south", "ct", 1),
            row("us-2", "south", "ultrasound", 2),
        ]);
        let found = fleet.devices("north", Adjustment::Kind, By::Failures);
        assert_eq!((found[0].observed, found[0].expected, &*found[0].kind), (5.0, 3.0, "ct"));
        for site in fleet.compare(By::Failures).into_iter().filter(|one| one.adjustment == Adjustment::Kind) {
            let own = fleet.devices(&site.ratio.site, Adjustment::Kind, By::Failures);
            let sums = own.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.observed, sum.1 + one.expected));
            let wanted = (site.ratio.observed, site.ratio.expected);
            assert!((sums.0 - wanted.0).abs() < 1e-9 && (sums.1 - wanted.1).abs() < 1e-9, "{site:?}");
        }
    }
}
