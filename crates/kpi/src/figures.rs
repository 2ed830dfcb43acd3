//! The figures of a scorecard by name, with unit and meaning: what pages, REST and CSV show of it.

use crate::ask::{AtOnce, Concurrency};
use crate::measure::Ratio;
use crate::scorecard::Scorecard;
use crate::stats::survival::Durations;
use crate::table::{Cell, Figure};

/// What the names of figures begin with that say how many were in use at once.
pub const AT_ONCE: &str = "in_use_at_once";

macro_rules! figures {
    ($($name:expr, $unit:literal, $meaning:expr, $of:expr;)*) => {
        [$(Figure { name: $name, unit: $unit, meaning: $meaning, of: $of },)*]
    };
}

/// A ratio beside its parts, its bounds and its coverage.
macro_rules! ratio {
    ($name:literal, $of:expr, $meaning:literal) => {{
        fn part(card: &Scorecard, read: fn(Ratio) -> Cell) -> Cell {
            let of: fn(&Scorecard) -> Option<Ratio> = $of;
            of(card).map_or(Cell::Nothing, read)
        }
        figures! {
            $name, "ratio", $meaning, |card| part(card, |ratio| Cell::Number(ratio.value));
            concat!($name, "_over_seconds"), "seconds", "its numerator", |card| part(card, |ratio| Cell::seconds(ratio.over));
            concat!($name, "_under_seconds"), "seconds", "its denominator",
                |card| part(card, |ratio| Cell::seconds(ratio.under));
            concat!($name, "_worst"), "ratio", "its bound were all unknown time to its disadvantage",
                |card| part(card, |ratio| Cell::Number(ratio.worst));
            concat!($name, "_best"), "ratio", "its bound were all unknown time to its advantage",
                |card| part(card, |ratio| Cell::Number(ratio.best));
            concat!($name, "_coverage"), "ratio", "known ÷ all of the time it speaks of",
                |card| part(card, |ratio| Cell::Number(ratio.coverage));
        }
    }};
}

/// How long something took, with those that are open as censored.
macro_rules! durations {
    ($name:literal, $field:ident, $meaning:literal) => {{
        fn of(card: &Scorecard) -> &Durations {
            &card.repairs.$field
        }
        figures! {
            concat!($name, "_median_seconds"), "seconds", $meaning, |card| micros(of(card).median_micros);
            concat!($name, "_p90_seconds"), "seconds", "nine of ten took no longer; absent: too many are open",
                |card| micros(of(card).p90_micros);
            concat!($name, "_mean_seconds"), "seconds", "mean; a lower bound while the longest is open",
                |card| Cell::some_seconds(of(card).mean_micros);
            concat!($name, "_count"), "count", "orders it is made of", |card| Cell::count(of(card).count);
            concat!($name, "_open"), "count", "of these, those in which it still runs", |card| Cell::count(of(card).open);
        }
    }};
}

fn micros(micros: Option<i64>) -> Cell {
    micros.map_or(Cell::Nothing, Cell::seconds)
}

/// Every figure, in the order in which they are shown.
pub fn figures() -> Vec<Figure<Scorecard>> {
    let mut all: Vec<Figure<Scorecard>> = Vec::new();
    all.extend(population());
    all.extend(ratio!("total_uptime", |card| card.measure.total_uptime(), "up ÷ known, around the clock"));
    all.extend(ratio!("operational_uptime", |card| card.measure.operational_uptime(), "up ÷ known within base hours"));
    all.extend(ratio!(
        "equipment_dependent_uptime",
        |card| card.measure.equipment_dependent_uptime(),
        "operational uptime without downtime spent waiting for anybody or for the facility"
    ));
    all.extend(ratio!(
        "supplier_dependent_uptime",
        |card| card.measure.supplier_dependent_uptime(),
        "operational uptime without waiting for us, the user or the facility; waiting for vendor and parts stays in"
    ));
    all.extend(ratio!("base_utilization", |card| card.measure.base_utilization(), "in use ÷ known within base hours"));
    all.extend(ratio!(
        "total_utilization",
        |card| card.measure.total_utilization(),
        "in use ÷ known, around the clock"
    ));
    all.extend(quarters());
    all.extend(ratio!(
        "in_use_at_once_median",
        |card| at_once(card, |one| one.median),
        "in use ÷ known in the median quarter-hour; of one kind at one site"
    ));
    all.extend(ratio!(
        "in_use_at_once_p95",
        |card| at_once(card, |one| one.p95),
        "the same in the quarter-hour of the 95th percentile: it sets the size of a pool"
    ));
    all.extend(ratio!(
        "in_use_at_once_peak",
        |card| at_once(card, |one| one.peak),
        "the same in the busiest quarter-hour"
    ));
    all.extend(failures());
    all.extend(off_line());
    all.extend(durations!("response", response, "median from opening to arrival or remote connection"));
    all.extend(response_not_told());
    all.extend(durations!("repair", active, "median active repair, waits taken out"));
    all.extend(durations!("turnaround", turnaround, "median from opening to return to service"));
    all.extend(durations!("parts_wait", parts, "median wait for parts, of the orders that waited for them"));
    all.extend(waits());
    all.extend(maintenance());
    all
}

fn population() -> [Figure<Scorecard>; 12] {
    figures! {
        "site", "text", "the site; absent where rows are not told apart by it", |card| Cell::text(&card.key.site);
        "kind", "text", "kind of equipment; absent likewise", |card| Cell::text(&card.key.kind);
        "device", "text", "the device; absent likewise", |card| Cell::text(&card.key.device);
        "registered_devices", "count", "registered and in service at some time of the period",
            |card| Cell::Whole(card.measure.devices);
        "monitored_devices", "count", "of these, heard or spoken for", |card| Cell::Whole(card.measure.monitored);
        "in_service_seconds", "seconds", "time in service", |card| Cell::seconds(card.measure.in_service);
        "base_hours_seconds", "seconds", "time in service within base hours", |card| Cell::seconds(card.measure.base);
        "known_seconds", "seconds", "time of which something is known", |card| Cell::seconds(card.measure.known());
        "scheduled_down_seconds", "seconds", "scheduled down", |card| Cell::seconds(card.measure.scheduled_down);
        "unscheduled_down_seconds", "seconds", "unscheduled down", |card| Cell::seconds(card.measure.unscheduled_down);
        "assumed_seconds", "seconds", "of the known, what an import assumed", |card| Cell::seconds(card.measure.assumed);
        "conflict_seconds", "seconds", "of the down, when use was seen", |card| Cell::seconds(card.measure.conflict);
    }
}

fn at_once(card: &Scorecard, of: fn(&Concurrency) -> AtOnce) -> Option<Ratio> {
    let one = card.at_once.as_ref()?;
    one.share(&of(one))
}

fn quarters() -> [Figure<Scorecard>; 2] {
    fn count(card: &Scorecard, of: fn(&Concurrency) -> i64) -> Cell {
        card.at_once.as_ref().map_or(Cell::Nothing, |one| Cell::Whole(of(one)))
    }
    figures! {
        "in_use_at_once_quarters", "count", "quarter-hours of which something is known: those that have a share in use at once",
            |card| count(card, |one| one.quarters);
        "in_use_at_once_unknown_quarters", "count", "quarter-hours of which nothing is known: they have none",
            |card| count(card, |one| one.unknown_quarters);
    }
}

fn failures() -> [Figure<Scorecard>; 17] {
    figures! {
        "failures", "count", "episodes: downs under one order are one", |card| Cell::count(card.failures.count);
        "repeats", "count", "within seven days after the end of the one before; not among the failures",
            |card| Cell::count(card.failures.repeats);
        "interrupts", "count", "ended by themselves, without an order; not among the failures",
            |card| Cell::count(card.failures.interrupts);
        "failures_in_use", "count", "of the failures, those that began in use", |card| Cell::count(card.failures.in_use);
        "failures_without_down", "count", "of the failures, those known from their order alone",
            |card| Cell::count(card.failures.without_down);
        "device_years", "years", "time in service that the rate is divided by",
            |card| Cell::number(card.failures.rate.map(|rate| rate.exposure_years));
        "failures_per_device_year", "per year", "failures ÷ device-years",
            |card| Cell::number(card.failures.rate.map(|rate| rate.per_year));
        "failures_per_device_year_low", "per year", "lower limit, exact, 95 %",
            |card| Cell::number(card.failures.rate.map(|rate| rate.low));
        "failures_per_device_year_high", "per year", "upper limit, exact, 95 %",
            |card| Cell::number(card.failures.rate.map(|rate| rate.high));
        "failure_rate_is_enough", "yes or no", "5 failures or more and limits no more than fourfold apart",
            |card| Cell::Flag(card.failures.rate.is_some_and(|rate| rate.is_enough()));
        "mtbf_calendar_seconds", "seconds", "time in service ÷ failures",
            |card| Cell::some_seconds(card.failures.between_calendar_micros);
        "mtbf_uptime_seconds", "seconds", "time up ÷ failures", |card| Cell::some_seconds(card.failures.between_uptime_micros);
        "mtbf_use_seconds", "seconds", "time in use ÷ failures that began in use",
            |card| Cell::some_seconds(card.failures.between_use_micros);
        "trend_u", "number", "Laplace's u over the devices in service all the time: positive where failures come faster",
            |card| Cell::number(card.failures.trend.map(|trend| trend.u));
        "trend_is_claimed", "yes or no", "|u| beyond 1.96",
            |card| Cell::Flag(card.failures.trend.is_some_and(|trend| trend.is_claimed()));
        "trend_beta", "number", "exponent of a power law where a trend is claimed: above 1 wears",
            |card| Cell::number(card.failures.trend.and_then(|trend| trend.beta));
        "trend_devices", "count", "devices in service all the time", |card| Cell::count(card.failures.trend_devices);
    }
}

fn off_line() -> [Figure<Scorecard>; 4] {
    figures! {
        "times_off_line", "count", "times off line that began in the period, scheduled ones included",
            |card| Cell::count(card.off_line.count);
        "times_off_line_open", "count", "of these, those without an end yet", |card| Cell::count(card.off_line.open);
        "mean_time_off_line_seconds", "seconds", "downtime ÷ times off line, so far",
            |card| Cell::some_seconds(card.off_line.mean_micros());
        "steady_availability", "ratio", "MTBF by uptime ÷ (itself + mean time off line)", |card| {
            let off_line = &card.off_line;
            Cell::number(card.measure.steady_availability(card.failures.count, off_line.micros, off_line.count))
        };
    }
}

fn response_not_told() -> [Figure<Scorecard>; 1] {
    figures! {
        "response_not_told", "count", "orders that went on although nobody told of an arrival: not among the count",
            |card| Cell::count(card.repairs.response_not_told);
    }
}

fn waits() -> [Figure<Scorecard>; 4] {
    figures! {
        "waited_parts_seconds", "seconds", "orders opened in the period waited for parts",
            |card| Cell::seconds(card.repairs.parts_micros);
        "waited_vendor_seconds", "seconds", "… for the vendor", |card| Cell::seconds(card.repairs.vendor_micros);
        "waited_facility_seconds", "seconds", "… for the facility", |card| Cell::seconds(card.repairs.facility_micros);
        "waited_own_seconds", "seconds", "… for ourselves or the user", |card| Cell::seconds(card.repairs.own_micros);
    }
}

fn maintenance() -> [Figure<Scorecard>; 7] {
    figures! {
        "pm_on_time", "ratio", "planned maintenance done in time ÷ due in the period",
            |card| Cell::number(card.maintenance.on_time_share());
        "pm_on_time_count", "count", "its numerator", |card| Cell::count(card.maintenance.on_time);
        "pm_due_count", "count", "its denominator", |card| Cell::count(card.maintenance.due);
        "pm_late_count", "count", "done after it was due", |card| Cell::count(card.maintenance.late);
        "pm_overdue_count", "count", "due and not done", |card| Cell::count(card.maintenance.overdue);
        "pm_not_due_count", "count", "due later in the period", |card| Cell::count(card.maintenance.not_due);
        "pm_carried_count", "count", "due before the period and not done when it began",
            |card| Cell::count(card.maintenance.carried);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_figure_has_a_name_of_its_own() {
        let all = figures();
        let names: BTreeSet<&str> = all.iter().map(|figure| figure.name).collect();
        assert_eq!(names.len(), all.len());
        for ratio in ["total_uptime", "operational_uptime", "base_utilization", "in_use_at_once_p95"] {
            assert!(names.contains(&*format!("{ratio}_under_seconds")), "{ratio} keeps its denominator");
        }
    }
}
