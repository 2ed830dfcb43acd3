//! The funnel: the ratio of each site over how much was expected of it, between the limits of a site like the fleet. Pure.

use std::fmt::Write as _;

use medfleet_kpi::comparison::{By, ComparedSite};
use medfleet_kpi::stats::compare::funnel as limits;

use super::axis::{Axis, Tick, letter, percent_of};
use super::words::{LIKE, Standing};
use crate::pages::format::decimal;

/// Curves are drawn in thousandths of the plot.
const PLOT_UNITS: f64 = 1_000.0;
const CURVE_STEPS: usize = 60;
/// Room to the right of the largest site.
const MARGIN: f64 = 1.08;

pub struct Funnel {
    /// The 99.8 % and the 95 % limits, where they are curves.
    pub outer: Band,
    pub inner: Band,
    /// Limits of each site, where they hang on its devices.
    pub ladders: Vec<Ladder>,
    /// Height of ratio 1.
    pub one: String,
    pub rows: Vec<Tick>,
    pub columns: Vec<Tick>,
    pub points: Vec<Point>,
    pub summary: String,
}

/// What lies between two curves, and the curves.
#[derive(Default)]
pub struct Band {
    pub within: String,
    pub edges: String,
}

pub struct Ladder {
    pub x: String,
    pub outer: (String, String),
    pub inner: (String, String),
}

pub struct Point {
    pub x: String,
    pub y: String,
    pub letter: String,
    pub class: &'static str,
    pub title: String,
}

impl Funnel {
    /// None where there is nothing to draw.
    pub fn of(sites: &[&ComparedSite], by: By, name: &impl Fn(&str) -> String) -> Option<Self> {
        let most = sites.iter().map(|one| one.ratio.expected).fold(0.0, f64::max) * MARGIN;
        let dispersion = sites.first()?.dispersion;
        if most <= 0.0 {
            return None;
        }
        let axis = Axis::of(sites);
        let height = |ratio: f64| 1.0 - axis.share(ratio);
        let curve = |confidence: f64| band(most, &height, |expected| limits(expected, dispersion, confidence));
        let curves = by == By::Failures;
        let (outer, inner) = if curves { (curve(0.998), curve(0.95)) } else { Default::default() };
        let points = sites.iter().enumerate().map(|(nth, one)| Point::of(nth, one, most, &height, name));
        let rows = axis.ticks().into_iter().map(|tick| Tick { x: flipped(&tick.x), label: tick.label });
        Some(Self {
            outer,
            inner,
            ladders: if curves { Vec::new() } else { sites.iter().map(|one| Ladder::of(one, most, &height)).collect() },
            one: percent_of(height(1.0)),
            rows: rows.collect(),
            columns: columns(most),
            points: points.collect(),
            summary: summary(sites, name),
        })
    }
}

impl Point {
    fn of(
        nth: usize,
        one: &ComparedSite,
        most: f64,
        height: &impl Fn(f64) -> f64,
        name: &impl Fn(&str) -> String,
    ) -> Self {
        let (of, standing) = (&one.ratio, Standing::of(one));
        let (observed, expected) = (decimal(of.observed, 0), decimal(of.expected, 1));
        Self {
            x: percent_of(of.expected / most),
            y: percent_of(height(of.ratio)),
            letter: letter(nth),
            class: standing.class,
            title: format!("{}: {observed} against {expected} expected, {}", name(&of.site), standing.words),
        }
    }
}

impl Ladder {
    fn of(one: &ComparedSite, most: f64, height: &impl Fn(f64) -> f64) -> Self {
        let [inner, outer] = one.ratio.funnel.map(|(low, high)| (percent_of(height(low)), percent_of(height(high))));
        Self { x: percent_of(one.ratio.expected / most), outer, inner }
    }
}

/// The band between two curves, there and back.
fn band(most: f64, height: &impl Fn(f64) -> f64, limits: impl Fn(f64) -> (f64, f64)) -> Band {
    // Small sites have the steepest limits: steps grow with the square.
    let at = |step: usize| most * (step as f64 / CURVE_STEPS as f64).powi(2);
    let bands: Vec<(f64, (f64, f64))> = (1..=CURVE_STEPS).map(|step| (at(step), limits(at(step)))).collect();
    let drawn = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        let mut path = String::new();
        for (nth, (expected, ratio)) in points.enumerate() {
            let letter = if nth == 0 { 'M' } else { 'L' };
            // Writing to a string cannot fail.
            let _ = write!(path, "{letter}{:.1} {:.1}", expected / most * PLOT_UNITS, height(ratio) * PLOT_UNITS);
        }
        path
    };
    let upper = drawn(&mut bands.iter().map(|(expected, (_, high))| (*expected, *high)));
    let lower = drawn(&mut bands.iter().rev().map(|(expected, (low, _))| (*expected, *low)));
    Band { within: format!("{upper}{}Z", lower.replacen('M', "L", 1)), edges: upper + &lower }
}

fn flipped(share: &str) -> String {
    let share: f64 = share.trim_end_matches('%').parse().unwrap_or_default();
    percent_of(1.0 - share / 100.0)
}

/// Four or five round numbers along the bottom.
fn columns(most: f64) -> Vec<Tick> {
    let raw = most / 4.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|one| one * power).into_iter().find(|step| *step >= raw).unwrap_or(raw);
    let digits = if step < 1.0 { 1 } else { 0 };
    let ticks = (1..).map(|nth| f64::from(nth) * step).take_while(|value| *value < most * 0.97);
    ticks.map(|value| Tick { x: percent_of(value / most), label: decimal(value, digits) }).collect()
}

fn summary(sites: &[&ComparedSite], name: &impl Fn(&str) -> String) -> String {
    let outside: Vec<String> = sites
        .iter()
        .filter(|one| Standing::of(one) != LIKE)
        .map(|one| format!("{} {}", name(&one.ratio.site), Standing::of(one).words))
        .collect();
    let told = if outside.is_empty() { "all within the limits".to_owned() } else { outside.join("; ") };
    format!("Funnel plot of {} sites: {told}. The table below has every figure.", sites.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_narrows_as_more_is_expected() {
        let height = |ratio: f64| 1.0 - (ratio / 4.0).clamp(0.0, 1.0);
        let band = band(100.0, &height, |expected| limits(expected, 1.0, 0.95));
        let heights: Vec<f64> = band
            .within
            .trim_matches(['M', 'Z'])
            .split('L')
            .filter_map(|point| point.split_once(' ')?.1.parse().ok())
            .collect();
        assert_eq!(heights.len(), 2 * CURVE_STEPS);
        let width = |step: usize| heights[2 * CURVE_STEPS - 1 - step] - heights[step];
        assert!(width(5) > 2.0 * width(CURVE_STEPS - 1), "{} {}", width(5), width(CURVE_STEPS - 1));
    }

    #[test]
    fn the_bottom_has_round_numbers() {
        let labels = |most| columns(most).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels(43.2), ["20", "40"]);
        assert_eq!(labels(8.0), ["2", "4", "6"]);
    }
}
