//! Counters of an alert's device: what they gained and read, and how much of a life that is.

use medfleet_alerts::rule::{Rules, When};
use medfleet_domain::alert::life::Alert;
use medfleet_domain::time::Timestamp;
use medfleet_kpi::ask::Cycles;

use super::behind::{month, spaced};
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::pages::format::{some_percent, thousandths};
use crate::query::{self, DeviceVersion};

pub struct CounterLine {
    pub name: String,
    pub gained: String,
    pub reading: String,
    /// `92 % of 1 200 000`; a dash where no rule knows its life.
    pub life: String,
}

/// Those that moved in the last days.
pub async fn counters(open: &OpenCut, device: Option<&DeviceVersion>, now: Timestamp) -> Result<Vec<Cycles>, ApiError> {
    let Some(device) = device else { return Ok(Vec::new()) };
    query::counters(open, &device.device, month(now, open)).await
}

/// What counters gained, and the lives that rules know for such a device.
pub fn counter_lines(counters: Vec<Cycles>, rules: Option<&Rules>, alert: &Alert) -> Vec<CounterLine> {
    let line = |counter: Cycles| {
        let limit = rules.and_then(|rules| life(rules, alert, &counter.counter));
        let name = spaced(&counter.counter);
        let component = counter.component.as_deref().map(spaced);
        CounterLine {
            name: component.map_or(name.clone(), |component| format!("{name} ({component})")),
            gained: format!("{} {}", thousandths(counter.gained_milli), counter.unit),
            reading: thousandths(counter.reading_milli),
            life: limit.map_or_else(|| "–".to_owned(), |limit| used(counter.reading_milli, limit)),
        }
    };
    counters.into_iter().map(line).collect()
}

fn used(reading_milli: i64, limit: f64) -> String {
    let share = some_percent(Some(reading_milli as f64 / (1_000.0 * limit)));
    format!("{share} of {}", thousandths((limit * 1_000.0) as i64))
}

/// The shortest life that a rule knows for a counter of devices as this one, whatever rule raised the alert.
fn life(rules: &Rules, alert: &Alert, counter: &str) -> Option<f64> {
    let watching = rules.watching(When::LifeNear, alert.about.site.as_str(), alert.about.kind);
    watching.filter_map(|rule| rule.limits.get(counter).copied()).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::alerts::record::tests::alert;

    #[test]
    fn a_counter_has_its_life_whatever_rule_raised_the_alert() {
        let counter = |name: &str| Cycles {
            device: "ct-1".into(),
            site: "north".into(),
            kind: "ct".into(),
            counter: name.into(),
            component: None,
            unit: "s".into(),
            source: "device".into(),
            gained_milli: 5_000,
            samples: 2,
            resets: 0,
            last: None,
            reading_milli: 900_000_000,
        };
        let rules = Rules::embedded().unwrap();
        let mut one = alert(1);
        one.about.rule = "at-risk".into();
        let lives = |one: &Alert| {
            let lines = counter_lines(vec![counter("scan_seconds"), counter("exams")], Some(&rules), one);
            lines.into_iter().map(|line| line.life).collect::<Vec<_>>()
        };
        assert_eq!(
            lives(&one),
            [format!("{} of {}", some_percent(Some(0.75)), thousandths(1_200_000_000)), "–".to_owned()]
        );
        one.about.kind = medfleet_domain::kind::DeviceKind::Mri;
        assert_eq!(lives(&one), ["–", "–"], "another kind's life");
    }
}
