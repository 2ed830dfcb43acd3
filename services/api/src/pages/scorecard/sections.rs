//! Scorecards as people read them: a table for each sort of figure. What is too little to speak of is withheld, never rounded up. Pure.

use medfleet_kpi::measure::Ratio;
use medfleet_kpi::scorecard::Scorecard;
use medfleet_kpi::stats::rate::Rate;
use medfleet_kpi::stats::survival::Durations;

use crate::pages::format::{decimal, duration, grouped, percent, plural, some_percent, span_of};

/// A scorecard with the name of its group.
pub struct Named {
    pub label: String,
    pub href: String,
    /// All rows together.
    pub is_all: bool,
    pub card: Scorecard,
}

impl Named {
    pub fn all(card: Scorecard, label: String) -> Self {
        Self { label, href: String::new(), is_all: true, card }
    }
}

/// One table.
pub struct Section {
    pub id: &'static str,
    pub title: &'static str,
    /// What the columns are, and what each means.
    pub heads: Vec<(&'static str, &'static str)>,
    pub lines: Vec<Line>,
    /// Rows that only the file has.
    pub more: usize,
    pub note: &'static str,
}

pub struct Line {
    pub label: String,
    pub href: String,
    pub is_all: bool,
    pub cells: Vec<Shown>,
}

/// A figure, and beside it its bounds, limits or parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub value: String,
    pub beside: String,
}

type Column = ((&'static str, &'static str), fn(&Scorecard) -> Shown);

/// How many are in use at once can be said of one kind at one site only.
pub fn sections(rows: &[Named], at_once: bool) -> Vec<Section> {
    let mut used = USE.to_vec();
    if at_once {
        used.extend(AT_ONCE);
    }
    vec![
        section(
            rows,
            "uptime",
            "Uptime",
            &UPTIME,
            "Up ÷ known, with the bounds that the unknown leaves. Operational uptime is that of base hours; equipment- and supplier-dependent uptime leave out downtime that was spent waiting for others.",
        ),
        section(
            rows,
            "use",
            "Use",
            &used,
            "In use ÷ known. How many of a pool are in use at once is a share of one kind at one site: choose sites and equipment.",
        ),
        section(
            rows,
            "failures",
            "Failures",
            &FAILURES,
            "Downs under one order are one failure; within seven days after the last it is a repeat; what ended by itself without an order is an interrupt. Rates and times between failures are withheld below five of the failures that they divide by, or while the limits lie more than fourfold apart.",
        ),
        section(
            rows,
            "repairs",
            "Repairs",
            &REPAIRS,
            "Medians of the orders opened in the period; those still open count as lasting at least so long. Below: nine of ten, the mean, and of how many orders.",
        ),
        section(
            rows,
            "care",
            "Off line and planned maintenance",
            &CARE,
            "A time off line is any downtime, planned ones included, from when it begins until the device is seen to work. Maintenance is done in time ÷ due in the period.",
        ),
    ]
}

fn section(rows: &[Named], id: &'static str, title: &'static str, columns: &[Column], note: &'static str) -> Section {
    let line = |row: &Named| Line {
        label: row.label.clone(),
        href: row.href.clone(),
        is_all: row.is_all,
        cells: columns.iter().map(|(_, of)| of(&row.card)).collect(),
    };
    Section {
        id,
        title,
        heads: columns.iter().map(|(head, _)| *head).collect(),
        lines: rows.iter().map(line).collect(),
        more: 0,
        note,
    }
}

const UPTIME: [Column; 6] = [
    (("Total", "up ÷ known, around the clock"), |card| ratio(card.measure.total_uptime())),
    (("Operational", "up ÷ known within base hours"), |card| ratio(card.measure.operational_uptime())),
    (("Equipment-dependent", "without waiting for anybody or for the facility"), |card| {
        ratio(card.measure.equipment_dependent_uptime())
    }),
    (("Supplier-dependent", "without waiting for ourselves, the user or the facility"), |card| {
        ratio(card.measure.supplier_dependent_uptime())
    }),
    (("Coverage", "known ÷ in service"), |card| {
        plain(some_percent(card.measure.total_uptime().map(|ratio| ratio.coverage)))
    }),
    (("Monitored", "devices that were heard or spoken for ÷ registered"), |card| {
        plain(format!("{}/{}", grouped(card.measure.monitored), grouped(card.measure.devices)))
    }),
];

const USE: [Column; 2] = [
    (("In base hours", "in use ÷ known within base hours"), |card| ratio(card.measure.base_utilization())),
    (("Around the clock", "in use ÷ known"), |card| ratio(card.measure.total_utilization())),
];

const AT_ONCE: [Column; 3] = [
    (("At once, median", "in use ÷ known in the median quarter-hour"), |card| {
        ratio(card.at_once.as_ref().and_then(|one| one.share(&one.median)))
    }),
    (("At once, p95", "in the quarter-hour of the 95th percentile: it sets the size of a pool"), |card| {
        ratio(card.at_once.as_ref().and_then(|one| one.share(&one.p95)))
    }),
    (("At once, peak", "in the busiest quarter-hour"), |card| {
        ratio(card.at_once.as_ref().and_then(|one| one.share(&one.peak)))
    }),
];

const FAILURES: [Column; 6] = [
    (("Failures", "episodes; repeats and interrupts apart"), |card| Shown {
        value: count(card.failures.count),
        beside: format!(
            "{} · {}",
            plural_of(card.failures.repeats, "repeat"),
            plural_of(card.failures.interrupts, "interrupt")
        ),
    }),
    (("A device-year", "failures ÷ years in service, with exact limits of 95 %"), |card| rate(card)),
    (("Between, calendar", "time in service ÷ failures (MTBF)"), |card| {
        between(card.failures.rate, card.failures.between_calendar_micros)
    }),
    (("Between, up", "time up ÷ failures (MTBF)"), |card| {
        between(card.failures.rate, card.failures.between_uptime_micros)
    }),
    (("Between, in use", "time in use ÷ failures that began in use (MTBF)"), |card| {
        let in_use = Rate::of_micros(card.failures.in_use, card.measure.productive);
        between(in_use, card.failures.between_use_micros)
    }),
    (("Trend", "whether failures come faster or slower, over the devices in service all the time (Laplace)"), |card| {
        trend(card)
    }),
];

const REPAIRS: [Column; 4] = [
    (("Response", "opened to arrival or remote connection"), |card| clock(&card.repairs.response)),
    (("Active repair", "repair started to repaired, waits taken out"), |card| clock(&card.repairs.active)),
    (("Turnaround", "opened to returned to service"), |card| clock(&card.repairs.turnaround)),
    (("Waiting for parts", "of the orders that waited for them"), |card| clock(&card.repairs.parts)),
];

const CARE: [Column; 3] = [
    (("Times off line", "that began in the period"), |card| Shown {
        value: count(card.off_line.count),
        beside: if card.off_line.open > 0 { format!("{} still", count(card.off_line.open)) } else { String::new() },
    }),
    (("Mean time off line", "downtime ÷ times off line, so far"), |card| {
        plain(card.off_line.mean_micros().map_or_else(nothing, |micros| duration(micros as i64)))
    }),
    (("Maintenance on time", "planned maintenance done in time ÷ due in the period"), |card| {
        let of = &card.maintenance;
        let open = [(of.late, "late"), (of.overdue, "overdue")];
        let open =
            open.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!(" · {} {what}", count(*number)));
        match of.due {
            0 => Shown { value: nothing(), beside: "none due".to_owned() },
            due => Shown {
                value: some_percent(of.on_time_share()),
                beside: format!("{} of {}{}", count(of.on_time), count(due), open.collect::<String>()),
            },
        }
    }),
];

fn nothing() -> String {
    "–".to_owned()
}

fn plain(value: String) -> Shown {
    Shown { value, beside: String::new() }
}

fn count(number: u64) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}

fn plural_of(number: u64, what: &str) -> String {
    plural(usize::try_from(number).unwrap_or(usize::MAX), what)
}

fn ratio(ratio: Option<Ratio>) -> Shown {
    let Some(ratio) = ratio else { return plain(nothing()) };
    Shown { value: percent(ratio.value), beside: span_of(ratio.worst, ratio.best) }
}

/// With its limits, where there is enough to speak of a rate.
fn rate(card: &Scorecard) -> Shown {
    match card.failures.rate {
        Some(rate) if rate.is_enough() => Shown {
            value: decimal(rate.per_year, 2),
            beside: format!("{}–{}", decimal(rate.low, 2), decimal(rate.high, 2)),
        },
        Some(_) => plain("too few".to_owned()),
        None => plain(nothing()),
    }
}

/// Time between as many failures as the rate has, where they are enough for one.
fn between(rate: Option<Rate>, micros: Option<f64>) -> Shown {
    match (rate.is_some_and(|rate| rate.is_enough()), micros) {
        (true, Some(micros)) => plain(duration(micros as i64)),
        (false, Some(_)) => plain("too few".to_owned()),
        _ => plain(nothing()),
    }
}

fn trend(card: &Scorecard) -> Shown {
    let Some(trend) = card.failures.trend else { return plain(nothing()) };
    let value = match (trend.is_claimed(), trend.u > 0.0) {
        (false, _) => "none",
        (true, true) => "▲ faster",
        (true, false) => "▼ slower",
    };
    let devices = plural_of(card.failures.trend_devices, "device");
    Shown { value: value.to_owned(), beside: format!("u {} · {devices}", decimal(trend.u, 2)) }
}

fn clock(of: &Durations) -> Shown {
    if of.count == 0 {
        return plain(nothing());
    }
    let p90 =
        of.p90_micros.map_or_else(|| "90 % not reached".to_owned(), |micros| format!("90 % {}", duration(micros)));
    let mean = of.mean_micros.map_or_else(String::new, |micros| {
        format!(" · mean {}{}", if of.open > 0 { "≥ " } else { "" }, duration(micros as i64))
    });
    let open = if of.open > 0 { format!(", {} open", count(of.open)) } else { String::new() };
    Shown {
        value: of.median_micros.map_or_else(|| "not reached".to_owned(), duration),
        beside: format!("{p90}{mean} · {}{open}", plural_of(of.count, "order")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_say_of_how_many_orders_they_are_and_what_is_open() {
        let hour = 3_600_000_000;
        let of = Durations {
            count: 3,
            open: 1,
            median_micros: Some(2 * hour),
            p90_micros: None,
            mean_micros: Some(3.5 * hour as f64),
        };
        let shown = clock(&of);
        assert_eq!(shown.value, "2 h");
        assert_eq!(shown.beside, "90 % not reached · mean ≥ 3 h 30 min · 3 orders, 1 open");
        assert_eq!(clock(&Durations { count: 0, ..of }), plain("–".to_owned()), "nothing is no clock of zero");
        assert_eq!(clock(&Durations { median_micros: None, ..of }).value, "not reached");
    }

    #[test]
    fn a_ratio_of_nothing_known_is_no_zero() {
        assert_eq!(ratio(None), plain("–".to_owned()));
        let of = Ratio { over: 97, under: 100, value: 0.97, worst: 0.9, best: 0.98, coverage: 0.9 };
        assert_eq!(ratio(Some(of)), Shown { value: "97.0%".to_owned(), beside: "90.0–98.0".to_owned() });
    }
}
