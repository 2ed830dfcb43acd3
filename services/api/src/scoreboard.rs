//! The scoreboard: what models said while they were in use, against what came of it, by model, kind and site.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};
use medfleet_kpi::ask::{EpisodeClass, failures};
use medfleet_risk::backtest::BUDGET_SHARE;
use medfleet_risk::figures::rank;
use medfleet_risk::scoreboard::{Live, Outcome, Settled};

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::period::Period;
use crate::query::{self, Said, Scope};

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
}

/// One row: one score whose part was replaced on plan within its horizon.
const TAKEN_OUT: &str = "
    WITH taken AS (
        SELECT device, component, CAST(at AS BIGINT) AS at_us
        FROM components
        WHERE preventive AND CAST(at AS BIGINT) <= CAST($now AS BIGINT)
        GROUP BY device, component, CAST(at AS BIGINT), epoch, seq
        HAVING SUM(weight) > 0
    )
    SELECT DISTINCT s.device, CAST(s.at AS BIGINT) AS at_us
    FROM scores AS s
    JOIN taken AS t ON t.device = s.device AND t.component = s.component
        AND t.at_us > CAST(s.at AS BIGINT)
        AND t.at_us <= CAST(s.at AS BIGINT) + CAST($horizon_us AS BIGINT)
    WHERE s.horizon_hours = $horizon_hours AND s.day >= CAST($from_day AS DATE)";

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
    /// Scores whose part was replaced on plan within the horizon.
    taken_out: BTreeSet<(String, Timestamp)>,
}

impl Course {
    async fn read(open: &OpenCut, horizon_hours: i64, period: Period) -> Result<Self, ApiError> {
        let looked = question(open, Period { until: open.at(), ..period }, Scope::default());
        let failed = failures(open.kpi().await?, &looked).await?.into_iter();
        let failed = failed.filter(|episode| episode.class != EpisodeClass::Interrupt);
        let retired = open.devices(|device| !device.in_service).await?.into_iter();
        Ok(Self {
            onsets: by_device(failed.map(|episode| (episode.device, episode.onset))),
            wear: by_device(wear_found(open).await?),
            retired: by_device(retired.map(|device| (device.device, device.from))),
            taken_out: taken_out(open, horizon_hours, period).await?.into_iter().collect(),
        })
    }

    /// What is seen counts before what is not: a device that failed has failed, whatever was replaced on plan meanwhile.
    fn outcome(&self, score: &Said, end: Timestamp) -> Outcome {
        let first = |of: &ByDevice| {
            let own = of.get(&score.device).into_iter().flatten().copied();
            own.into_iter().find(|at| *at > score.at && *at <= end)
        };
        if let Some(onset) = first(&self.onsets) {
            return Outcome::Failed(onset);
        }
        if let Some(found) = first(&self.wear) {
            return Outcome::Averted(found);
        }
        let taken_out = self.taken_out.contains(&(score.device.clone(), score.at));
        if taken_out || first(&self.retired).is_some() { Outcome::Censored } else { Outcome::Passed }
    }
}

fn by_device(told: impl IntoIterator<Item = (String, Timestamp)>) -> ByDevice {
    let mut by_device = ByDevice::new();
    for (device, at) in told {
        by_device.entry(device).or_default().push(at);
    }
    by_device.values_mut().for_each(|instants| instants.sort_unstable());
    by_device
}

async fn taken_out(open: &OpenCut, horizon_hours: i64, period: Period) -> Result<Vec<(String, Timestamp)>, ApiError> {
    if !open.session().await?.table_exist("components").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    let params = [
        ("now", query::int(open.at().0)),
        ("horizon_hours", query::int(horizon_hours)),
        ("horizon_us", query::int(horizon_hours * MICROS_PER_HOUR)),
        ("from_day", query::day(period.first_day())),
    ];
    query::ask(open, TAKEN_OUT, &params, |line| Ok((line.text("device")?, line.time("at_us")?))).await
}

async fn wear_found(open: &OpenCut) -> Result<Vec<(String, Timestamp)>, ApiError> {
    if !open.session().await?.table_exist("alert_steps").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    let params = [("now", query::int(open.at().0))];
    query::ask(open, WEAR_FOUND, &params, |line| Ok((line.text("device")?, line.time("at_us")?))).await
}

/// All lines of one horizon, by model; those of no score of which it is known what came are left out.
pub async fn scoreboard(open: &OpenCut, horizon_hours: i64) -> Result<Vec<Line>, ApiError> {
    let until = open.at().plus_micros(-horizon_hours * MICROS_PER_HOUR);
    let period = Period { from: until.plus_micros(-DAYS * MICROS_PER_DAY), until };
    let said = query::said(open, horizon_hours, period).await?;
    if said.is_empty() {
        return Ok(Vec::new());
    }
    Ok(lines(&said, &Course::read(open, horizon_hours, period).await?, horizon_hours))
}

fn lines(said: &[Said], course: &Course, horizon_hours: i64) -> Vec<Line> {
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut by_line: BTreeMap<(&str, About), Vec<Settled>> = BTreeMap::new();
    for one in said {
        let next = numbers.len() as u32;
        let device = *numbers.entry(&one.device).or_insert(next);
        let outcome = course.outcome(one, one.at.plus_micros(horizon_hours * MICROS_PER_HOUR));
        let settled = Settled { device, at: one.at, risk: one.risk_ppm as f64 / 1e6, outcome };
        for about in [About::Model, About::Kind(one.kind.clone()), About::Site(one.site.clone())] {
            by_line.entry((&one.model, about)).or_default().push(settled.clone());
        }
    }
    let mut thresholds: BTreeMap<&str, f64> = BTreeMap::new();
    for ((model, about), settled) in &by_line {
        if *about == About::Model {
            thresholds.insert(model, threshold(settled));
        }
    }
    let line = |((model, about), settled): ((&str, About), Vec<Settled>)| {
        let threshold = thresholds.get(model).copied().unwrap_or(f64::INFINITY);
        Line { model: model.to_owned(), about, threshold, live: Live::of(&settled, threshold) }
    };
    by_line.into_iter().map(line).filter(|line| line.live.figures.rows > 0).collect()
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
        Said { device: device.into(), site, kind: kind.into(), model, at: Day(day).start(), risk_ppm }
    }

    #[test]
    fn a_failure_counts_for_the_scores_whose_horizon_it_lies_in() {
        let scores = [said("a", "ct", 1, 100_000), said("a", "ct", 4, 900_000), said("b", "mri", 4, 50_000)];
        let onsets = BTreeMap::from([("a".to_owned(), vec![Day(9).start()])]);
        let lines = lines(&scores, &Course { onsets, ..Course::default() }, 168);
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
            onsets: by_device([("failed".to_owned(), Day(6).start())]),
            wear: by_device([("worn".to_owned(), Day(5).start()), ("later".to_owned(), Day(20).start())]),
            retired: by_device([("gone".to_owned(), Day(8).start()), ("old".to_owned(), Day(1).start())]),
            taken_out: ["failed", "worn", "later"].map(|device| (device.to_owned(), Day(1).start())).into(),
        };
        let outcome = |device: &str, at: i32| course.outcome(&said(device, "ct", at, 1), Day(at + 7).start());
        assert_eq!(outcome("failed", 1), Outcome::Failed(Day(6).start()));
        assert_eq!(outcome("worn", 1), Outcome::Averted(Day(5).start()));
        assert_eq!(outcome("later", 1), Outcome::Censored, "the verdict came after the horizon");
        assert_eq!(outcome("later", 2), Outcome::Passed, "replaced before");
        assert_eq!((outcome("gone", 1), outcome("gone", 8)), (Outcome::Censored, Outcome::Passed));
        assert_eq!(outcome("old", 1), Outcome::Passed, "retired no later than it was scored");
    }
}
