//! Uptime as files have it: every ratio beside the seconds it was divided from, named as REST names them.

use medfleet_kpi::table::{Cell, Figure, Table};

use crate::measure::{Bounds, Measure};
use crate::query::UptimeRow;

/// Rows of uptime under their headings.
pub fn table(rows: &[UptimeRow]) -> Table {
    Table::of(&figures(), rows)
}

fn figure(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    of: fn(&UptimeRow) -> Cell,
) -> Figure<UptimeRow> {
    Figure { name, unit, meaning, of }
}

fn worst(bounds: Option<Bounds>) -> Cell {
    Cell::number(Bounds::worst(bounds))
}

fn best(bounds: Option<Bounds>) -> Cell {
    Cell::number(Bounds::best(bounds))
}

fn figures() -> Vec<Figure<UptimeRow>> {
    let mut all = vec![
        figure("site", "text", "the site", |row| Cell::text(&row.site)),
        figure("kind", "text", "kind of equipment", |row| Cell::text(&row.kind)),
        figure("device", "text", "the device; absent where a row is a site and kind", |row| Cell::text(&row.device)),
        figure("registered_devices", "count", "registered and in service at some time of the period", |row| {
            Cell::Whole(row.measure.devices)
        }),
        figure("monitored_devices", "count", "of these, heard or spoken for", |row| Cell::Whole(row.measure.monitored)),
        figure("uptime", "ratio", "up ÷ known", |row| Cell::number(row.measure.uptime())),
        figure("uptime_worst", "ratio", "were all unknown down", |row| worst(row.measure.bounds())),
        figure("uptime_best", "ratio", "were all unknown up", |row| best(row.measure.bounds())),
        figure("coverage", "ratio", "known ÷ registered", |row| Cell::number(row.measure.coverage())),
        figure("utilization", "ratio", "in use ÷ known, around the clock", |row| {
            Cell::number(row.measure.utilization())
        }),
        figure("utilization_worst", "ratio", "were nothing unknown in use", |row| {
            worst(row.measure.utilization_bounds())
        }),
        figure("utilization_best", "ratio", "were all unknown in use", |row| best(row.measure.utilization_bounds())),
        figure("base_hours_uptime", "ratio", "up ÷ known within base hours", |row| {
            Cell::number(row.measure.base_uptime())
        }),
        figure("base_hours_uptime_worst", "ratio", "were all unknown down", |row| worst(row.measure.base_bounds())),
        figure("base_hours_uptime_best", "ratio", "were all unknown up", |row| best(row.measure.base_bounds())),
        figure("base_hours_coverage", "ratio", "known ÷ registered within base hours", |row| {
            Cell::number(row.measure.base_coverage())
        }),
        figure("base_hours_utilization", "ratio", "in use ÷ known within base hours", |row| {
            Cell::number(row.measure.base_utilization())
        }),
        figure("base_hours_utilization_worst", "ratio", "were nothing unknown in use", |row| {
            worst(row.measure.base_utilization_bounds())
        }),
        figure("base_hours_utilization_best", "ratio", "were all unknown in use", |row| {
            best(row.measure.base_utilization_bounds())
        }),
    ];
    all.extend(seconds());
    all
}

fn seconds() -> [Figure<UptimeRow>; 12] {
    macro_rules! seconds {
        ($name:literal, $meaning:literal, $of:expr) => {
            figure(concat!($name, "_seconds"), "seconds", $meaning, |row| {
                let of: fn(&Measure) -> i64 = $of;
                Cell::seconds(of(&row.measure))
            })
        };
    }
    [
        seconds!("registered", "registered and in service", |of| of.registered),
        seconds!("known", "time of which something is known", |of| of.known()),
        seconds!("unknown", "time of which nothing is known", |of| of.unknown()),
        seconds!("productive", "in use", |of| of.productive),
        seconds!("standby", "ready", |of| of.standby),
        seconds!("engineering", "tests, training, calibration", |of| of.engineering),
        seconds!("scheduled_down", "planned maintenance", |of| of.scheduled_down),
        seconds!("unscheduled_down", "failed, or maintenance beyond its window", |of| of.unscheduled_down),
        seconds!("base_hours_registered", "registered, within base hours", |of| of.base_registered),
        seconds!("base_hours_known", "known, within base hours", |of| of.base_known()),
        seconds!("base_hours_up", "up, within base hours", |of| of.base_up),
        seconds!("base_hours_productive", "in use, within base hours", |of| of.base_productive),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_nothing_where_nothing_is_known() {
        let measure = Measure { devices: 1, registered: 3_600_000_000, ..Measure::default() };
        let row = UptimeRow { site: "north".into(), kind: "ct".into(), device: String::new(), measure };
        let table = table(&[row]);
        let cell = |name: &str| {
            let at = table.headings.iter().position(|heading| heading.name == name).expect("it is shown");
            table.rows[0][at].clone()
        };
        assert_eq!((cell("uptime"), cell("device")), (Cell::Nothing, Cell::Nothing));
        assert_eq!((cell("coverage"), cell("registered_seconds")), (Cell::Number(0.0), Cell::Number(3_600.0)));
    }
}
