//! The page of a backtest: how every voice fared on a past that nobody learned from, and what the gate made of it.

mod plot;

use askama::Template;
use medfleet_domain::time::Timestamp;
use medfleet_risk::backtest::{Account, Backtest};
use medfleet_risk::promotion::Kept;
use medfleet_risk::voice::Speaker;

use crate::error::ApiError;
use crate::pages::format::{decimal, grouped, kind_title};
use plot::{Curve, Plot};

/// Speakers whose curves are drawn; all are in the table.
const DRAWN: [Speaker; 4] = [Speaker::Alarms7d, Speaker::Rules, Speaker::Hazard, Speaker::Trees];

#[derive(Template)]
#[template(path = "backtest.html")]
struct Page {
    model: String,
    cut: String,
    horizon: &'static str,
    devices: String,
    verdict: Vec<String>,
    slices: Vec<Slice>,
    lines: Vec<Line>,
    reliability: Plot,
    events: Plot,
    legend: Vec<Legend>,
    decisions: Vec<DecisionLine>,
}

struct Slice {
    name: &'static str,
    what: &'static str,
    days: String,
    /// Percent of the drawing.
    from: String,
    width: String,
    class: &'static str,
}

struct Line {
    name: String,
    is_heard: bool,
    roc_auc: String,
    pr_auc: String,
    skill: String,
    slope: String,
    error: String,
    precision: String,
    recall: String,
    event_recall: String,
    event_precision: String,
    lead: String,
    false_alerts: String,
}

struct Legend {
    name: &'static str,
    class: &'static str,
}

struct DecisionLine {
    sort: String,
    speaks: &'static str,
    failures: String,
    because: String,
    later: String,
}

/// The page as it is written to a file.
pub fn page(told: &Backtest, cut: i64) -> Result<String, ApiError> {
    compose(told, cut).render().map_err(ApiError::Template)
}

fn compose(told: &Backtest, cut: i64) -> Page {
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
    Page {
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
        decisions: told
            .decisions
            .iter()
            .map(|decision| DecisionLine {
                sort: format!("{}: {}", kind_title(decision.sort.kind.as_str()), decision.sort.component),
                speaks: name(decision.speaks),
                failures: format!("{} on {} devices", decision.failures, decision.devices),
                because: decision.because.clone(),
                later: later(told.kept.iter().find(|kept| kept.sort == decision.sort)),
            })
            .collect(),
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

fn line(name: &str, account: &Account, is_heard: bool) -> Line {
    let (day, budget, events) = (&account.device_days, &account.at_budget, account.events.as_ref());
    let percent = |share: f64| format!("{} %", decimal(share * 100.0, 0));
    let some_percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
    Line {
        name: name.to_owned(),
        is_heard,
        roc_auc: some(day.roc_auc, 3),
        pr_auc: some(day.pr_auc, 3),
        skill: decimal(day.brier_skill, 3),
        slope: some(day.slope, 2),
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

fn later(kept: Option<&Kept>) -> String {
    let Some(kept) = kept else { return "not seen again".to_owned() };
    let words = match kept.holds() {
        Some(true) => "held",
        Some(false) => "did not hold",
        None => "nothing claimed",
    };
    format!("{words}; PR-AUC {} beside {} of the rules", some(kept.pr_auc, 3), some(kept.rules_pr_auc, 3))
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
