//! The scoreboard: what models said while they were in use, against what came of it, by model, kind and site.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_alerts::rule::Rules;
use medfleet_alerts::voices::{self, Week};
use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};
use medfleet_kpi::ask::{EpisodeClass, failures};
use medfleet_risk::backtest::BUDGET_SHARE;
use medfleet_risk::figures::rank;
use medfleet_risk::raised::{Raised, RaisedLive};
use medfleet_risk::scoreboard::{Live, Outcome, Settled};

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::period::Period;
use crate::query::{self, Said, Scope};
use crate::service::App;

mod alerts;

/// How far back is looked.
const DAYS: i64 = 90;

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    Model,
    Kind(String),
    Site(String),
}

/// One model on one part of the fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub model: String,
    pub about: About,
    /// The score from which on the budget lets the model alert, the same on all its lines.
    pub threshold: f64,
    pub live: Live,
    /// Of the alerts that were raised, not of scores that reach the threshold.
    pub raised: RaisedLive,
}

/// One row: one part of one device that was replaced, and when. Where no failure came before, on plan or not, nobody knows what would have.
const TAKEN_OUT: &str = "
    SELECT device, component, CAST(at AS BIGINT) AS at_us
    FROM components
    WHERE CAST(at AS BIGINT) <= CAST($now AS BIGINT)
    GROUP BY device, component, CAST(at AS BIGINT), epoch, seq
    HAVING SUM(weight) > 0";

/// One row: one device on which a technician found wear and replaced the part, and when that was said. The last verdict on an
/// alert counts.
const WEAR_FOUND: &str = "
    WITH judged AS (
        SELECT
            alert, finding, CAST(at AS BIGINT) AS at_us,
            ROW_NUMBER() OVER (PARTITION BY alert ORDER BY cause_offset DESC, cause_index DESC) AS place
        FROM alert_steps
        WHERE step = 'judged' AND CAST(at AS BIGINT) <= CAST($now AS BIGINT)
    )
    SELECT r.subject AS device, j.at_us
    FROM judged AS j
    JOIN alert_steps AS r ON r.alert = j.alert AND r.step = 'raised' AND r.subject_kind = 'device'
    WHERE j.place = 1 AND j.finding = 'wear_replaced'";

/// Instants by device, in order.
type ByDevice = BTreeMap<String, Vec<Timestamp>>;

/// What came of devices, and what kept it from being seen.
#[derive(Debug, Default)]
struct Course {
    /// When failures began.
    onsets: ByDevice,
    /// When wear was found and the part replaced.
    wear: ByDevice,
    retired: ByDevice,
    /// When parts were replaced, in order.
    taken_out: BTreeMap<(String, String), Vec<Timestamp>>,
}

impl Course {
    async fn read(open: &OpenCut, period: Period) -> Result<Self, ApiError> {
        let looked = question(open, Period { until: open.at(), ..period }, Scope::default());
        let failed = failures(open.kpi().await?, &looked).await?.into_iter();
        let failed = failed.filter(|episode| episode.class != EpisodeClass::Interrupt);
        let retired = open.devices(|device| !device.in_service).await?.into_iter();
        Ok(Self {
            onsets: in_order(failed.map(|episode| (episode.device, episode.onset))),
            wear: in_order(wear_found(open).await?),
            retired: in_order(retired.map(|device| (device.device, device.from))),
            taken_out: in_order(taken_out(open).await?),
        })
    }

    /// What is seen counts before what is not: a device that failed has failed, whatever was replaced meanwhile.
    fn outcome(&self, score: &Said, end: Timestamp) -> Outcome {
        let first = |of: &ByDevice| first_within(of.get(&score.device), score.at, end);
        if let Some(onset) = first(&self.onsets) {
            return Outcome::Failed(onset);
        }
        if let Some(found) = first(&self.wear) {
            return Outcome::Averted(found);
        }
        let part = score.component.as_deref().unwrap_or_default();
        if self.is_lost(&score.device, part, score.at, end) { Outcome::Censored } else { Outcome::Passed }
    }

    /// Whether within that time the part was replaced, or the device retired.
    fn is_lost(&self, device: &str, part: &str, from: Timestamp, until: Timestamp) -> bool {
        let taken_out = self.taken_out.get(&(device.to_owned(), part.to_owned()));
        [taken_out, self.retired.get(device)].iter().any(|lost| first_within(*lost, from, until).is_some())
    }

    /// An alert beside what came of it by `now`.
    fn raised(&self, alert: &alerts::Alert, device: u32, now: Timestamp) -> Raised {
        let until = alert.stood_until.unwrap_or(now);
        Raised {
            device,
            at: alert.at,
            stood_until: alert.stood_until,
            finding: alert.finding.clone(),
            failed: first_within(self.onsets.get(&alert.device), alert.at, until),
            censored: alert.withdrawn || self.is_lost(&alert.device, &alert.part, alert.at, until),
        }
    }
}

fn first_within(instants: Option<&Vec<Timestamp>>, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
    instants.into_iter().flatten().copied().find(|at| from < *at && *at <= until)
}

fn in_order<K: Ord>(told: impl IntoIterator<Item = (K, Timestamp)>) -> BTreeMap<K, Vec<Timestamp>> {
    let mut by_key: BTreeMap<K, Vec<Timestamp>> = BTreeMap::new();
    for (key, at) in told {
        by_key.entry(key).or_default().push(at);
    }
    by_key.values_mut().for_each(|instants| instants.sort_unstable());
    by_key
}

async fn taken_out(open: &OpenCut) -> Result<Vec<((String, String), Timestamp)>, ApiError> {
    if !open.session().await?.table_exist("components").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    query::ask(open, TAKEN_OUT, &[("now", query::int(open.at().0))], |line| {
        Ok(((line.text("device")?, line.text("component")?), line.time("at_us")?))
    })
    .await
}

async fn wear_found(open: &OpenCut) -> Result<Vec<(String, Timestamp)>, ApiError> {
    if !open.session().await?.table_exist("alert_steps").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    let params = [("now", query::int(open.at().0))];
    query::ask(open, WEAR_FOUND, &params, |line| Ok((line.text("device")?, line.time("at_us")?))).await
}

/// All lines of one horizon, by model; those of no score of which it is known what came, and of no alert, are left out.
pub async fn scoreboard(open: &OpenCut, horizon_hours: i64) -> Result<Vec<Line>, ApiError> {
    let until = open.at().plus_micros(-horizon_hours * MICROS_PER_HOUR);
    let period = Period { from: until.plus_micros(-DAYS * MICROS_PER_DAY), until };
    let told = Told {
        said: query::said(open, horizon_hours, period).await?,
        alerts: alerts::foretold(open, horizon_hours, period.from).await?,
    };
    if told.said.is_empty() && told.alerts.is_empty() {
        return Ok(Vec::new());
    }
    Ok(told.lines(&Course::read(open, period).await?, horizon_hours, open.at()))
}

/// Whom models sent for nothing within the last 7 days, as the topic of alerts tells now.
pub fn weeks(app: &App) -> Vec<Week> {
    app.alerts.look(|book| {
        let rules = book.rules().and_then(|text| Rules::read(text).ok());
        voices::weeks(book.cases().map(|case| &case.alert), rules.as_ref(), query::now())
    })
}

/// All that models said within the period.
struct Told {
    said: Vec<Said>,
    alerts: Vec<alerts::Alert>,
}

/// What stands in one line.
#[derive(Default)]
struct Own {
    settled: Vec<Settled>,
    raised: Vec<Raised>,
}

impl Own {
    /// Failures that scores were there to foretell, averted ones among them.
    fn failures(&self) -> BTreeSet<(u32, Timestamp)> {
        self.settled.iter().filter_map(|one| Some((one.device, one.outcome.came_true()?))).collect()
    }
}

impl Told {
    fn lines(&self, course: &Course, horizon_hours: i64, now: Timestamp) -> Vec<Line> {
        let named = self.said.iter().map(|one| &*one.device).chain(self.alerts.iter().map(|one| &*one.device));
        let numbers: BTreeMap<&str, u32> = named.collect::<BTreeSet<_>>().into_iter().zip(0..).collect();
        let abouts =
            |kind: &String, site: &String| [About::Model, About::Kind(kind.clone()), About::Site(site.clone())];
        let mut by_line: BTreeMap<(&str, About), Own> = BTreeMap::new();
        for one in &self.said {
            let outcome = course.outcome(one, one.at.plus_micros(horizon_hours * MICROS_PER_HOUR));
            let risk = one.risk_ppm as f64 / 1e6;
            let settled = Settled { device: numbers[&*one.device], at: one.at, risk, outcome };
            for about in abouts(&one.kind, &one.site) {
                by_line.entry((&one.model, about)).or_default().settled.push(settled.clone());
            }
        }
        for one in &self.alerts {
            let raised = course.raised(one, numbers[&*one.device], now);
            for about in abouts(&one.kind, &one.site) {
                by_line.entry((&one.model, about)).or_default().raised.push(raised.clone());
            }
        }
        let models = by_line.iter().filter(|((_, about), _)| *about == About::Model);
        let thresholds: BTreeMap<&str, f64> =
            models.map(|((model, _), own)| (*model, threshold(&own.settled))).collect();
        let line = |((model, about), own): ((&str, About), Own)| {
            let threshold = thresholds.get(model).copied().unwrap_or(f64::INFINITY);
            let (live, raised) = (Live::of(&own.settled, threshold), RaisedLive::of(&own.raised, &own.failures(), now));
            Line { model: model.to_owned(), about, threshold, live, raised }
        };
        by_line.into_iter().map(line).filter(|line| line.live.figures.rows + line.raised.alerts > 0).collect()
    }
}

/// The score that the budget's share of all scores of a model reaches, those left out of which nobody knows what came.
fn threshold(settled: &[Settled]) -> f64 {
    let told = settled.iter().filter(|one| one.outcome != Outcome::Censored);
    let risks: Vec<f64> = told.map(|one| one.risk).collect();
    let allowed = (risks.len() as f64 * BUDGET_SHARE).ceil() as usize;
    let order = rank(&risks);
    order.get(allowed.saturating_sub(1)).map_or(f64::INFINITY, |worst| risks[*worst])
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn said(device: &str, kind: &str, day: i32, risk_ppm: i64) -> Said {
        let (site, model) = ("st-mary".to_owned(), "m".to_owned());
        let component = Some("tube".to_owned());
        Said { device: device.into(), site, kind: kind.into(), model, component, at: Day(day).start(), risk_ppm }
    }

    #[test]
    fn a_failure_counts_for_the_scores_whose_horizon_it_lies_in() {
        let scores = [said("a", "ct", 1, 100_000), said("a", "ct", 4, 900_000), said("b", "mri", 4, 50_000)];
        let onsets = BTreeMap::from([("a".to_owned(), vec![Day(9).start()])]);
        let told = Told { said: scores.to_vec(), alerts: Vec::new() };
        let lines = told.lines(&Course { onsets, ..Course::default() }, 168, Day(30).start());
        let live = |about: About| &lines.iter().find(|line| line.about == about).expect("a line").live;
        let (all, ct, mri) = (live(About::Model), live(About::Kind("ct".into())), live(About::Kind("mri".into())));
        assert_eq!((all.figures.rows, all.figures.failures, all.alerts, all.alerts_right), (3, 1, 1, 1));
        assert_eq!((ct.failures, ct.announced, ct.lead_days_median), (1, 1, Some(5.0)));
        assert_eq!((mri.failures, mri.alerts), (0, 0));
        assert!((all.promised - 1.05).abs() < 1e-9);
    }

    #[test]
    fn planned_work_and_retirement_leave_a_score_undecided_unless_something_was_seen() {
        let course = Course {
            onsets: in_order([("failed".to_owned(), Day(6).start())]),
            wear: in_order([("worn".to_owned(), Day(5).start()), ("later".to_owned(), Day(20).start())]),
            retired: in_order([("gone".to_owned(), Day(8).start()), ("old".to_owned(), Day(1).start())]),
            taken_out: in_order(
                ["failed", "worn", "later"].map(|device| ((device.into(), "tube".into()), Day(8).start())),
            ),
        };
        let outcome = |device: &str, at: i32| course.outcome(&said(device, "ct", at, 1), Day(at + 7).start());
        assert_eq!(outcome("failed", 1), Outcome::Failed(Day(6).start()));
        assert_eq!(outcome("worn", 1), Outcome::Averted(Day(5).start()));
        assert_eq!(outcome("later", 1), Outcome::Censored, "the verdict came after the horizon");
        assert_eq!(outcome("later", 8), Outcome::Passed, "replaced before");
        let other = Said { component: Some("detector".into()), ..said("later", "ct", 1, 1) };
        assert_eq!(course.outcome(&other, Day(8).start()), Outcome::Passed, "another part was replaced");
        assert_eq!((outcome("gone", 1), outcome("gone", 8)), (Outcome::Censored, Outcome::Passed));
        assert_eq!(outcome("old", 1), Outcome::Passed, "retired no later than it was scored");
    }

    #[test]
    fn an_alert_is_judged_by_what_followed_and_stands_beside_the_scores_of_its_model_kind_and_site() {
        let alert = |device: &str, kind: &str, from: i32, until: Option<i32>| alerts::Alert {
            device: device.into(),
            site: "st-mary".into(),
            kind: kind.into(),
            part: "tube".into(),
            model: "m".into(),
            at: Day(from).start(),
            stood_until: until.map(|day| Day(day).start()),
            withdrawn: false,
            finding: None,
        };
        let course = Course {
            onsets: in_order([("a".to_owned(), Day(9).start())]),
            taken_out: in_order([(("c".to_owned(), "tube".to_owned()), Day(5).start())]),
            ..Course::default()
        };
        let told = Told {
            said: vec![said("a", "ct", 4, 900_000), said("b", "mri", 4, 50_000)],
            alerts: vec![
                alert("a", "ct", 3, Some(10)),
                alert("a", "ct", 1, Some(8)),
                alert("b", "mri", 1, None),
                alert("c", "mri", 1, Some(8)),
                alerts::Alert { withdrawn: true, ..alert("d", "mri", 1, Some(8)) },
            ],
        };
        let lines = told.lines(&course, 168, Day(30).start());
        let raised = |about: About| &lines.iter().find(|line| line.about == about).expect("a line").raised;
        let all = raised(About::Model);
        assert_eq!((all.alerts, all.right, all.wrong, all.undecided), (5, 1, 1, 3));
        assert_eq!((all.precision(), all.recall(), all.lead_days_median), (Some(0.5), Some(1.0), Some(6.0)));
        let mri = raised(About::Kind("mri".into()));
        assert_eq!((mri.alerts, mri.undecided, mri.precision(), mri.recall()), (3, 3, None, None));
        assert_eq!(raised(About::Site("st-mary".into())), all);
    }
}
