//! The page of a backtest: how every voice fared on a past that nobody learned from, and what the gate made of it.
//!
//! It stands alone as a file that `medfleet backtest` writes, and in the frame of the server, from the record of a model.

pub(crate) mod gate;
mod plot;

use askama::Template;
use medfleet_domain::time::Timestamp;
use medfleet_risk::backtest::{Account, Backtest};
use medfleet_risk::gate::Demands;
use medfleet_risk::promotion::Kept;
use medfleet_risk::report::Report;
use medfleet_risk::voice::Speaker;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::pages::format::{decimal, grouped};
use gate::Gate;
use plot::{Curve, Plot};

/// Speakers whose curves are drawn; all are in the table.
const DRAWN: [Speaker; 4] = [Speaker::Alarms7d, Speaker::Rules, Speaker::Hazard, Speaker::Trees];
/// Of a curve in a record, one point in so many is kept, and the last.
const POINTS_THINNED: usize = 4;

/// What a model's record says of it beside its name: how it was made, and what one made alike of a shorter past was worth on days
/// that neither it nor its gate had seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    #[serde(flatten)]
    pub report: Report,
    /// None where the past was too short, and of models that were made before backtests were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtest: Option<Backtest>,
}

impl Recorded {
    /// Of curves and decisions it keeps what is shown: a record is read whole by everybody.
    pub fn new(report: Report, backtest: Option<Backtest>) -> Self {
        Self { report, backtest: backtest.map(thinned) }
    }
}

fn thinned(mut told: Backtest) -> Backtest {
    for one in &mut told.spoken {
        let points = &mut one.account.curve.points;
        let last = points.last().cloned();
        let kept = points.iter().step_by(POINTS_THINNED).take_while(|point| Some(*point) != last.as_ref()).cloned();
        let kept: Vec<_> = kept.chain(last.clone()).collect();
        *points = if DRAWN.contains(&one.speaker) { kept } else { Vec::new() };
    }
    told.heard.curve.points.clear();
    told.decisions.iter_mut().for_each(|decision| decision.contests.clear());
    told
}

#[derive(Template)]
#[template(path = "backtest.html")]
struct Alone {
    told: Told,
}

/// A backtest in words and drawings.
pub(crate) struct Told {
    pub model: String,
    pub cut: String,
    pub horizon: &'static str,
    pub devices: String,
    pub verdict: Vec<String>,
    pub slices: Vec<Slice>,
    pub lines: Vec<Line>,
    pub reliability: Plot,
    pub events: Plot,
    pub legend: Vec<Legend>,
    pub gate: Gate,
}

pub(crate) struct Slice {
    pub name: &'static str,
    pub what: &'static str,
    pub days: String,
    /// Percent of the drawing.
    pub from: String,
    pub width: String,
    pub class: &'static str,
}

pub(crate) struct Line {
    pub name: String,
    pub is_heard: bool,
    pub roc_auc: String,
    pub pr_auc: String,
    pub skill: String,
    pub slope: String,
    pub error: String,
    pub precision: String,
    pub recall: String,
    pub event_recall: String,
    pub event_precision: String,
    pub lead: String,
    pub false_alerts: String,
}

pub(crate) struct Legend {
    pub name: &'static str,
    pub class: &'static str,
}

/// The page as it is written to a file.
pub fn page(told: &Backtest, cut: i64, demands: &Demands) -> Result<String, ApiError> {
    Alone { told: Told::of(told, cut, demands) }.render().map_err(ApiError::Template)
}

impl Told {
    pub fn of(told: &Backtest, cut: i64, demands: &Demands) -> Self {
        let drawn = || DRAWN.iter().filter_map(|speaker| told.spoken.iter().find(|one| one.speaker == *speaker));
        let reliability = |account: &Account| {
            account.device_days.reliability.bins.iter().map(|bin| (bin.said, bin.happened)).collect::<Vec<_>>()
        };
        let events =
            |account: &Account| account.curve.points.iter().map(|at| (at.recall, at.precision)).collect::<Vec<_>>();
        let curves = |of: &dyn Fn(&Account) -> Vec<(f64, f64)>| {
            let one = |(speaker, account): (Speaker, &Account)| Curve { class: class(speaker), points: of(account) };
            drawn().map(|spoken| one((spoken.speaker, &spoken.account))).collect::<Vec<_>>()
        };
        let mut lines: Vec<Line> = told.spoken.iter().map(|one| line(name(one.speaker), &one.account, false)).collect();
        lines.push(line("as the gate lets them speak", &told.heard, true));
        Self {
            model: told.model.clone(),
            cut: grouped(cut),
            horizon: if told.horizon.hours() == 24 { "24 hours" } else { "7 days" },
            devices: grouped(told.devices as i64),
            verdict: verdict(told),
            slices: slices(told),
            lines,
            reliability: Plot::square(curves(&reliability)),
            events: Plot::unit(curves(&events)),
            legend: drawn().map(|one| Legend { name: name(one.speaker), class: class(one.speaker) }).collect(),
            gate: Gate::reported(&told.decisions, &told.kept, demands),
        }
    }
}

const fn class(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Rules => "rules",
        Speaker::Hazard => "hazard",
        Speaker::Trees => "trees",
        _ => "trivial",
    }
}

pub(crate) const fn name(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::ClassRate => "how often such parts fail",
        Speaker::DeviceAge => "age of the device",
        Speaker::Alarms24h => "errors in 24 h",
        Speaker::Alarms7d => "errors in 7 days",
        Speaker::Rules => "rules",
        Speaker::Hazard => "pooled hazard",
        Speaker::Trees => "trees",
    }
}

fn some(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| decimal(value, digits))
}

/// Skill and slope may lie below zero, and what is worse than a blind guess must read so.
fn signed(value: f64, digits: usize) -> String {
    let size = decimal(value.abs(), digits);
    if value < 0.0 && size.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) { format!("−{size}") } else { size }
}

fn line(name: &str, account: &Account, is_heard: bool) -> Line {
    let (day, budget, events) = (&account.device_days, &account.at_budget, account.events.as_ref());
    let percent = |share: f64| format!("{} %", decimal(share * 100.0, 0));
    let some_percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
    Line {
        name: name.to_owned(),
        is_heard,
        roc_auc: some(day.roc_auc, 3),
        pr_auc: some(day.pr_auc, 3),
        skill: signed(day.brier_skill, 3),
        slope: day.slope.map_or_else(|| "–".to_owned(), |slope| signed(slope, 2)),
        error: decimal(day.reliability.error, 4),
        precision: some_percent(budget.map(|budget| budget.precision)),
        recall: some_percent(budget.map(|budget| budget.recall)),
        event_recall: some_percent(events.map(|events| events.recall)),
        event_precision: some_percent(events.map(|events| events.precision)),
        lead: some(events.and_then(|events| events.lead_days_median), 1),
        false_alerts: some(events.map(|events| events.false_alerts_per_device_year), 2),
    }
}

fn verdict(told: &Backtest) -> Vec<String> {
    let day = &told.heard.device_days;
    let mut said = vec![format!(
        "{} of {} device-days came before a failure: a blind guess is right {} times in a hundred.",
        grouped(day.failures as i64),
        grouped(day.rows as i64),
        decimal(day.base_rate * 100.0, 2)
    )];
    if let Some(events) = &told.heard.events {
        said.push(format!(
            "With alerts on 1 % of device-days, {} of {} failures were announced, {} of 100 alerts were right, and {} were \
             false per device and year.",
            grouped(events.announced as i64),
            grouped(events.failures as i64),
            decimal(events.precision * 100.0, 0),
            decimal(events.false_alerts_per_device_year, 2)
        ));
    }
    let claims: Vec<bool> = told.kept.iter().filter_map(Kept::holds).collect();
    let held = claims.iter().filter(|held| **held).count();
    said.push(format!("{held} of {} claims to beat the rules held on days that the gate had not seen.", claims.len()));
    said
}

fn slices(told: &Backtest) -> Vec<Slice> {
    let split = &told.split;
    let end = split.judge.map_or(split.decide.until, |judge| judge.until);
    let whole = (end.0 - split.train.from.0).max(1) as f64;
    let percent = |from: Timestamp, until: Timestamp| format!("{:.2}%", (until.0 - from.0) as f64 / whole * 100.0);
    let slice = |name, what, span: medfleet_domain::time::Span, class| Slice {
        name,
        what,
        days: format!("{} – {}", span.from.day(), span.until.day()),
        from: percent(split.train.from, span.from),
        width: percent(span.from, span.until),
        class,
    };
    let mut slices = vec![
        slice("Learned", "voices learn from it", split.train, "s1"),
        slice("Calibrated", "scores become probabilities", split.calibrate, "s2"),
        slice("Decided", "the gate lets voices speak", split.decide, "s3"),
    ];
    slices.extend(split.judge.map(|judge| slice("Reported", "all figures of this page", judge, "s4")));
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::{Day, Span};
    use medfleet_risk::figures::{Figures, Judged};
    use medfleet_risk::horizon::Horizon;
    use medfleet_risk::report::Settings;
    use medfleet_risk::sipos::{EventCurve, Events};
    use medfleet_risk::split::Split;

    fn account(points: usize) -> Account {
        let judged = Judged {
            score: vec![0.9, 0.1],
            probability: vec![0.9, 0.1],
            failed: vec![true, false],
            weight: vec![1.0, 1.0],
        };
        let point = |nth: usize| Events {
            threshold: 1.0 - nth as f64 / 100.0,
            failures: 10,
            announced: nth / 10,
            false_alerts: nth,
            precision: 0.5,
            recall: nth as f64 / 100.0,
            false_alerts_per_device_year: 1.0,
            lead_days_median: None,
        };
        Account {
            parts: Figures::of(&judged),
            device_days: Figures::of(&judged),
            at_budget: None,
            events: None,
            curve: EventCurve { area: 0.5, points: (0..points).map(point).collect() },
        }
    }

    fn backtest() -> Backtest {
        let span = |from, until| Span { from: Day(from).start(), until: Day(until).start() };
        let spoken = |speaker| medfleet_risk::backtest::Spoken { speaker, account: account(100) };
        Backtest {
            model: "00aa".into(),
            horizon: Horizon::Week,
            seed: 1,
            split: Split {
                train: span(0, 50),
                calibrate: span(50, 60),
                decide: span(60, 80),
                judge: Some(span(80, 100)),
            },
            devices: 2,
            spoken: [Speaker::ClassRate, Speaker::Rules, Speaker::Trees].map(spoken).into(),
            heard: account(100),
            decisions: Vec::new(),
            kept: Vec::new(),
        }
    }

    #[test]
    fn a_record_keeps_what_is_drawn_and_comes_back_as_it_was_told() {
        let told = backtest();
        let demands = Demands { failures_min: 12, ..Demands::default() };
        let settings = Settings {
            split: told.split,
            devices: 2,
            rows: 9,
            every_days: 1,
            thinning: 1,
            trees: 3,
            calibrated_days: 9,
            verdicts: 0,
            demands,
        };
        let report = Report { settings, speakers: Vec::new(), decisions: Vec::new() };
        let recorded = Recorded::new(report.clone(), Some(told.clone()));
        let text = serde_json::to_string(&recorded).unwrap();
        assert_eq!(serde_json::from_str::<Recorded>(&text).unwrap(), recorded);
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "who knows of no backtest reads the rest");
        let bare = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Recorded>(&bare).unwrap(), Recorded { report, backtest: None });
        let points: Vec<usize> =
            recorded.backtest.iter().flat_map(|one| &one.spoken).map(|one| one.account.curve.points.len()).collect();
        assert_eq!(points, [0, 26, 26], "a quarter of each curve that is drawn, and its end");
        let last = |told: &Backtest| told.spoken[2].account.curve.points.last().cloned();
        assert_eq!(recorded.backtest.as_ref().and_then(last), last(&told));
    }

    #[test]
    fn what_is_worse_than_a_blind_guess_has_a_minus() {
        let shown = [-0.035, 0.035, -0.0004, 0.0, -1.5].map(|value| signed(value, 3));
        assert_eq!(shown, ["−0.035", "0.035", "0.000", "0.000", "−1.500"]);
    }

    #[test]
    fn the_page_alone_carries_its_own_style_and_no_script() {
        let html = page(&backtest(), 7, &Demands::default()).unwrap();
        assert!(html.contains("<style>") && !html.contains("<script") && html.contains("as the gate lets them speak"));
        assert_eq!(html.matches("<h1").count(), 1);
    }
}
