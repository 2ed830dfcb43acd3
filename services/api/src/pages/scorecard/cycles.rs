//! Use between failures, of one kind: what counters gained over how many failures their devices had. Pure.

use std::collections::BTreeMap;

use medfleet_kpi::ask::CyclesBetween;
use medfleet_kpi::scorecard::Group;
use medfleet_kpi::stats::rate::Rate;

use super::sections::{Line, Section, Shown};
use crate::pages::format::{decimal, grouped, plural, thousandths};

/// Rows of the table; the file has every device.
const ROWS_SHOWN_MAX: usize = 60;

#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    gained_milli: i64,
    resets: i64,
    failures: u64,
    devices: u64,
}

/// Site, empty where rows are not told apart by it; counter, component, unit, source.
type Counter<'a> = [&'a str; 5];

fn sums(counters: &[CyclesBetween], group: Group) -> BTreeMap<Counter<'_>, Sum> {
    let mut sums: BTreeMap<Counter<'_>, Sum> = BTreeMap::new();
    for one in counters {
        let site = if group == Group::Kind { "" } else { &*one.site };
        let component = one.component.as_deref().unwrap_or_default();
        let sum = sums.entry([site, &*one.counter, component, &*one.unit, &*one.source]).or_default();
        sum.gained_milli += one.gained_milli;
        sum.resets += one.resets;
        sum.failures += one.failures;
        sum.devices += 1;
    }
    sums
}

/// None where no counter was read.
pub fn section(counters: &[CyclesBetween], group: Group, named: &impl Fn(&str) -> String) -> Option<Section> {
    let sums = sums(counters, group);
    let line = |([site, counter, component, unit, _], sum): (&Counter<'_>, &Sum)| Line {
        label: if site.is_empty() { "All sites".to_owned() } else { named(site) },
        href: String::new(),
        is_all: false,
        cells: vec![
            Shown { value: counter.replace('_', " "), beside: (*component).replace('_', " ") },
            Shown {
                value: format!("{} {unit}", thousandths(sum.gained_milli)),
                beside: if sum.resets > 0 {
                    format!("at least: {}", plural(usize::try_from(sum.resets).unwrap_or_default(), "reset"))
                } else {
                    String::new()
                },
            },
            Shown { value: grouped(sum.devices as i64), beside: String::new() },
            Shown { value: grouped(sum.failures as i64), beside: String::new() },
            between(sum, unit),
        ],
    };
    let lines: Vec<Line> = sums.iter().take(ROWS_SHOWN_MAX).map(line).collect();
    (!lines.is_empty()).then(|| Section {
        id: "cycles",
        title: "Use between failures",
        heads: vec![
            ("Counter", "as the device names it"),
            ("Gained", "over the period"),
            ("Devices", "that were read"),
            ("Failures", "of these devices, at the site asked about if one is"),
            ("Between failures", "gained ÷ failures (MCBF)"),
        ],
        lines,
        more: sums.len().saturating_sub(ROWS_SHOWN_MAX),
        note: "What counters gained ÷ failures of the devices that were read. A counter that was reset has gained at least so much. Withheld where a rate of as many failures would be.",
    })
}

/// Withheld where a rate of as many failures would be.
fn between(sum: &Sum, unit: &str) -> Shown {
    let exposure = sum.gained_milli as f64 / 1e3;
    let value = match Rate::of(sum.failures, exposure) {
        Some(rate) if rate.is_enough() => format!("{} {unit}", decimal(exposure / sum.failures as f64, 0)),
        Some(rate) if rate.events > 0 => "too few".to_owned(),
        _ => "–".to_owned(),
    };
    Shown { value, beside: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(device: &str, gained: i64, failures: u64) -> CyclesBetween {
        CyclesBetween {
            device: device.into(),
            site: "north".into(),
            kind: "ct".into(),
            counter: "scans".into(),
            component: None,
            unit: "scan".into(),
            source: "dose".into(),
            gained_milli: gained * 1_000,
            resets: 0,
            failures,
        }
    }

    #[test]
    fn counters_of_one_kind_are_added_and_few_failures_make_no_mean() {
        let counters: Vec<CyclesBetween> = (0..6).map(|number| read(&number.to_string(), 500, 1)).collect();
        let all = section(&counters, Group::Kind, &str::to_owned).expect("it has rows");
        let cells: Vec<&str> = all.lines[0].cells.iter().map(|cell| &*cell.value).collect();
        assert_eq!(cells, ["scans", "3,000 scan", "6", "6", "too few"], "six have limits more than fourfold apart");
        let many: Vec<CyclesBetween> = (0..20).map(|number| read(&number.to_string(), 500, 1)).collect();
        let all = section(&many, Group::Site, &str::to_owned).expect("it has rows");
        assert_eq!((&*all.lines[0].label, &*all.lines[0].cells[4].value), ("north", "500 scan"));
        assert!(section(&[], Group::Site, &str::to_owned).is_none());
    }
}
