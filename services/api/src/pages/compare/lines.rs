//! Sites and devices as lines of the page: ties in order, and no order within a tie. Pure.

use medfleet_kpi::comparison::{ComparedDevice, ComparedSite};
use medfleet_kpi::stats::compare::Adjustment;

use super::axis::{Axis, Bar, letter};
use super::words::Standing;
use crate::pages::format::{decimal, grouped, kind_title, some_percent};
use crate::pages::frame::Frame;

/// Devices listed of the site that is looked into.
const DEVICES_SHOWN_MAX: usize = 20;

/// Sites that cannot be told apart.
pub struct Group {
    pub title: String,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub letter: String,
    pub name: String,
    pub href: String,
    pub into: String,
    pub devices: String,
    pub coverage: String,
    pub observed: String,
    pub expected: String,
    pub unadjusted: String,
    pub ratio: String,
    pub interval: String,
    pub shrunk: String,
    pub shrunk_interval: String,
    pub place: String,
    pub standing: Standing,
    pub bar: Bar,
}

/// One site under every adjustment.
pub struct Beside {
    pub name: String,
    pub cells: Vec<(String, String)>,
}

/// The devices that make a site what it is.
pub struct Closer {
    pub name: String,
    pub lines: Vec<DeviceLine>,
    pub more: usize,
}

pub struct DeviceLine {
    pub device: String,
    pub href: String,
    pub about: String,
    pub observed: String,
    pub expected: String,
    pub more: String,
}

/// Ties in order; within one, sites by name: nothing is said about their order.
pub fn groups(mut lines: Vec<(usize, Line)>) -> Vec<Group> {
    lines.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let mut groups: Vec<(usize, Vec<Line>)> = Vec::new();
    for (tie, line) in lines {
        match groups.last_mut().filter(|(of, _)| *of == tie) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((tie, vec![line])),
        }
    }
    let count = groups.len();
    let title = |nth: usize, lines: &[Line]| {
        let rank = match (nth, count) {
            (_, 1) => String::new(),
            (0, _) => "Fewest: ".to_owned(),
            (nth, count) if nth + 1 == count => "Most: ".to_owned(),
            _ => "Between: ".to_owned(),
        };
        match lines.len() {
            1 => format!("{rank}one site, told apart from all others"),
            many => format!("{rank}{many} sites that cannot be told apart, by name"),
        }
    };
    groups.into_iter().enumerate().map(|(nth, (_, lines))| Group { title: title(nth, &lines), lines }).collect()
}

pub fn beside(compared: &[ComparedSite], own: &[&ComparedSite], name: &impl Fn(&str) -> String) -> Vec<Beside> {
    let cell = |site: &str, adjustment| {
        let found = compared.iter().find(|one| one.adjustment == adjustment && one.ratio.site == site);
        found
            .map_or_else(Default::default, |one| (decimal(one.ratio.ratio, 2), interval(one.ratio.low, one.ratio.high)))
    };
    let mut rows: Vec<Beside> = own
        .iter()
        .map(|one| Beside {
            name: name(&one.ratio.site),
            cells: Adjustment::ALL.iter().map(|adjustment| cell(&one.ratio.site, *adjustment)).collect(),
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

impl Line {
    pub fn of(
        frame: &Frame,
        one: &ComparedSite,
        nth: usize,
        axis: &Axis,
        name: &impl Fn(&str) -> String,
        unadjusted: &impl Fn(&str) -> String,
    ) -> Self {
        let of = &one.ratio;
        Self {
            letter: letter(nth),
            name: name(&of.site),
            href: frame.link(&format!("/sites/{}", of.site)),
            into: format!("?{}{}&site={}#devices", frame.query, frame.kept(), of.site),
            devices: format!("{} devices, {} years", grouped(of.devices.cast_signed()), decimal(of.service_years, 1)),
            coverage: some_percent(one.seen.coverage()),
            observed: decimal(of.observed, if of.observed.fract() == 0.0 { 0 } else { 1 }),
            expected: decimal(of.expected, 1),
            unadjusted: unadjusted(&of.site),
            ratio: decimal(of.ratio, 2),
            interval: interval(of.low, of.high),
            shrunk: decimal(of.shrunk, 2),
            shrunk_interval: interval(of.shrunk_low, of.shrunk_high),
            place: match (one.place.best, one.place.worst) {
                (best, worst) if best == worst => format!("{best} of {}", one.sites),
                (best, worst) => format!("{best} to {worst} of {}", one.sites),
            },
            standing: Standing::of(one),
            bar: axis.bar(of),
        }
    }
}

impl Closer {
    pub fn of(frame: &Frame, name: String, mut devices: Vec<ComparedDevice>) -> Self {
        let excess = |one: &ComparedDevice| one.observed - one.expected;
        devices.sort_by(|a, b| excess(b).total_cmp(&excess(a)).then(a.device.cmp(&b.device)));
        let more = devices.len().saturating_sub(DEVICES_SHOWN_MAX);
        let line = |one: &ComparedDevice| DeviceLine {
            device: one.device.clone(),
            href: frame.link(&format!("/devices/{}", one.device)) + "#trouble",
            about: format!("{} {}", kind_title(&one.kind), one.make_model).trim().to_owned(),
            observed: decimal(one.observed, if one.observed.fract() == 0.0 { 0 } else { 1 }),
            expected: decimal(one.expected, 2),
            more: signed(excess(one)),
        };
        Self { name, lines: devices.iter().take(DEVICES_SHOWN_MAX).map(line).collect(), more }
    }
}

fn interval(low: f64, high: f64) -> String {
    let high = if high.is_finite() { decimal(high, 2) } else { "?".to_owned() };
    format!("{}–{high}", decimal(low, 2))
}

fn signed(value: f64) -> String {
    if value < 0.0 { format!("−{}", decimal(-value, 2)) } else { format!("+{}", decimal(value, 2)) }
}
