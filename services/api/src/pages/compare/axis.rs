//! The axis that all intervals share, and what is drawn along it. Pure.

use medfleet_kpi::comparison::ComparedSite;
use medfleet_kpi::stats::compare::SiteRatio;

/// A line of the axis under the intervals.
pub struct Tick {
    pub x: String,
    pub label: String,
}

/// The interval as it is drawn, in percent of the axis.
pub struct Bar {
    pub from: String,
    pub width: String,
    pub at: String,
    pub shrunk: String,
    /// It goes on beyond the axis.
    pub beyond: bool,
}

/// The axis that all intervals share: from nothing to the most there is, within reason.
pub struct Axis {
    most: f64,
}

const AXIS_MOST: f64 = 4.0;
const AXIS_LEAST: f64 = 1.5;

impl Axis {
    pub fn of(sites: &[&ComparedSite]) -> Self {
        let highs = sites.iter().flat_map(|one| [one.ratio.ratio * 1.15, one.ratio.high, one.ratio.funnel[0].1]);
        let most = highs.filter(|high| high.is_finite()).fold(AXIS_LEAST, f64::max);
        Self { most: ((most * 1.04).min(AXIS_MOST) * 2.0).ceil() / 2.0 }
    }

    pub fn share(&self, value: f64) -> f64 {
        (value / self.most).clamp(0.0, 1.0)
    }

    pub fn ticks(&self) -> Vec<Tick> {
        let step = if self.most > 2.5 { 1.0 } else { 0.5 };
        let count = (self.most / step).floor() as usize;
        let tick = |nth: usize| {
            let value = nth as f64 * step;
            Tick { x: percent_of(self.share(value)), label: value.to_string() }
        };
        (0..=count).map(tick).collect()
    }

    pub fn bar(&self, of: &SiteRatio) -> Bar {
        let (from, until) = (self.share(of.low), self.share(of.high));
        Bar {
            from: percent_of(from),
            width: percent_of((until - from).max(0.004)),
            at: percent_of(self.share(of.ratio)),
            shrunk: percent_of(self.share(of.shrunk)),
            beyond: of.high > self.most,
        }
    }
}

pub fn percent_of(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// A to Z, then AA: letters name sites and order nothing.
pub fn letter(nth: usize) -> String {
    let of = |index: usize| char::from(b'A' + (index % 26) as u8);
    if nth < 26 { of(nth).to_string() } else { format!("{}{}", of(nth / 26 - 1), of(nth)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_go_on_after_z() {
        assert_eq!([0, 25, 26, 27, 52].map(letter), ["A", "Z", "AA", "AB", "BA"]);
    }
}
