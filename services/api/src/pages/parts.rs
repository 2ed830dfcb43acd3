//! Parts that several pages show: a figure with its coverage and bounds, and the headline of some devices.

use super::format::{NO_DATA, grouped, hours, percent, some_percent, span_of};
use crate::measure::{Bounds, Measure};

/// Below these, uptime is marked low and very low. They mark, they judge nothing.
const LOW: f64 = 0.95;
const VERY_LOW: f64 = 0.90;

/// The first lines of a list, and how many more there are.
pub struct Listed<T> {
    pub lines: Vec<T>,
    pub more: usize,
}

impl<T> Listed<T> {
    pub fn of(all: impl ExactSizeIterator<Item = T>, lines_max: usize) -> Self {
        Self { more: all.len().saturating_sub(lines_max), lines: all.take(lines_max).collect() }
    }
}

/// An uptime figure, small.
pub struct Cell {
    pub href: String,
    /// None: nothing is known.
    pub uptime: Option<String>,
    pub tone: &'static str,
    /// Width of the coverage bar, in percent.
    pub coverage_width: String,
    pub coverage: String,
    pub bounds: String,
    /// No device of this kind at this site.
    pub absent: bool,
}

impl Cell {
    pub fn of(measure: Option<&Measure>, href: String) -> Self {
        let none = Measure::default();
        let held = measure.unwrap_or(&none);
        let coverage = held.coverage().unwrap_or(0.0);
        Self {
            href,
            uptime: held.uptime().map(percent),
            tone: tone(held.uptime()),
            coverage_width: format!("{:.1}%", coverage * 100.0),
            coverage: percent(coverage),
            bounds: held.bounds().map(|bounds| span_of(bounds.worst, bounds.best)).unwrap_or_default(),
            absent: held.registered == 0,
        }
    }
}

pub fn tone(uptime: Option<f64>) -> &'static str {
    match uptime {
        Some(uptime) if uptime < VERY_LOW => "very-low",
        Some(uptime) if uptime < LOW => "low",
        Some(_) => "fine",
        None => "none",
    }
}

/// A ratio between its bounds.
pub struct Ranged {
    pub value: String,
    /// In percent; empty where there is nothing to bound.
    pub bounds: String,
}

impl Ranged {
    fn of(value: Option<f64>, bounds: Option<Bounds>) -> Self {
        let bounds = bounds.map(|bounds| span_of(bounds.worst, bounds.best));
        Self { value: some_percent(value), bounds: bounds.unwrap_or_default() }
    }

    fn base_uptime(measure: &Measure) -> Self {
        Self::of(measure.base_uptime(), measure.base_bounds())
    }

    fn base_utilization(measure: &Measure) -> Self {
        Self::of(measure.base_utilization(), measure.base_utilization_bounds())
    }

    fn utilization(measure: &Measure) -> Self {
        Self::of(measure.utilization(), measure.utilization_bounds())
    }
}

/// The figures a page begins with.
pub struct Headline {
    pub uptime: String,
    pub tone: &'static str,
    pub bounds: String,
    pub coverage: String,
    pub coverage_width: String,
    pub unknown: String,
    pub base_uptime: Ranged,
    pub base_utilization: Ranged,
    pub base_hours: String,
    pub utilization: Ranged,
    pub monitored: String,
    pub registered: String,
    pub down: String,
    pub planned: String,
    /// Parts of the known time nobody measured, in words; empty when there are none.
    pub caveat: String,
}

impl Headline {
    pub fn of(measure: &Measure) -> Self {
        let coverage = measure.coverage();
        let bounds = measure.bounds().map(|bounds| format!("{}%", span_of(bounds.worst, bounds.best)));
        Self {
            uptime: measure.uptime().map_or_else(|| NO_DATA.to_owned(), percent),
            tone: tone(measure.uptime()),
            bounds: bounds.unwrap_or_else(|| NO_DATA.to_owned()),
            coverage: coverage.map_or_else(|| NO_DATA.to_owned(), percent),
            coverage_width: format!("{:.1}%", coverage.unwrap_or(0.0) * 100.0),
            unknown: hours(measure.unknown()),
            base_uptime: Ranged::base_uptime(measure),
            base_utilization: Ranged::base_utilization(measure),
            base_hours: if measure.base_registered > 0 {
                format!("coverage {} of {}", some_percent(measure.base_coverage()), hours(measure.base_registered))
            } else {
                "no calendar".to_owned()
            },
            utilization: Ranged::utilization(measure),
            monitored: grouped(measure.monitored),
            registered: grouped(measure.devices),
            down: hours(measure.unscheduled_down),
            planned: hours(measure.scheduled_down),
            caveat: caveat(measure),
        }
    }
}

fn caveat(measure: &Measure) -> String {
    let mut said = Vec::new();
    if measure.assumed > 0 {
        said.push(format!("{} of the known time is assumed by an import", hours(measure.assumed)));
    }
    if measure.conflict > 0 {
        said.push(format!("use was seen in {} of the downtime, which widens the bounds", hours(measure.conflict)));
    }
    said.join("; ")
}

/// One line of a table of figures.
pub struct FigureRow {
    pub label: String,
    pub cell: Cell,
    pub monitored: String,
    pub registered_hours: String,
    pub known_hours: String,
    pub up_hours: String,
    pub down_hours: String,
    pub planned_hours: String,
    pub base_uptime: Ranged,
    pub base_utilization: Ranged,
    pub utilization: Ranged,
}

impl FigureRow {
    pub fn of(label: impl Into<String>, measure: &Measure, href: String) -> Self {
        Self {
            label: label.into(),
            cell: Cell::of(Some(measure), href),
            monitored: format!("{}/{}", grouped(measure.monitored), grouped(measure.devices)),
            registered_hours: hours(measure.registered),
            known_hours: hours(measure.known()),
            up_hours: hours(measure.up()),
            down_hours: hours(measure.unscheduled_down),
            planned_hours: hours(measure.scheduled_down),
            base_uptime: Ranged::base_uptime(measure),
            base_utilization: Ranged::base_utilization(measure),
            utilization: Ranged::utilization(measure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_known_is_a_word_and_never_zero_percent() {
        let silent = Measure { devices: 2, registered: 3_600_000_000, ..Measure::default() };
        let cell = Cell::of(Some(&silent), String::new());
        assert!(cell.uptime.is_none() && !cell.absent);
        assert_eq!(cell.bounds, "0.0–100");
        assert_eq!(Headline::of(&silent).uptime, NO_DATA);
        assert!(Cell::of(None, String::new()).absent);
    }
}
