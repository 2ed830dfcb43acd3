//! Devices at risk, with what speaks for it, and the models that say so.

use std::cmp::Reverse;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use medfleet_alerts::voices::{Week, demotion_of};
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::risk::Ground;
use medfleet_domain::time::Timestamp;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::raised::RaisedLive;
use medfleet_risk::report::Report;
use medfleet_risk::voice::Speaker;
use serde::Deserialize;

use super::alerts::demotion_words;
use super::format::{Clock, chance_percent, decimal, duration, grouped, kind_title, some_percent};
use super::frame::{Choice, Frame};
use super::parts::Listed;
use super::{PageProblem, rendered};
use crate::backtest::name;
use crate::models::{Told, models};
use crate::period::PeriodQuery;
use crate::query::{self, Score};
use crate::rest;
use crate::scoreboard::{About, Line, scoreboard, weeks};
use crate::service::App;

mod model;

/// Horizons in hours, as addresses and people name them.
const HORIZONS: [(i64, &str, &str); 2] = [
    (Horizon::Week.hours(), Horizon::Week.as_str(), "7 days"),
    (Horizon::Day.hours(), Horizon::Day.as_str(), "24 hours"),
];
/// Devices on one page, so that all it loads stays below 60 kB.
const DEVICES_SHOWN_MAX: usize = 20;
/// Models on the page, the newest.
const MODELS_SHOWN_MAX: usize = 8;
/// Lines of a scoreboard: a model as a whole, and by kind and site.
const BOARD_SHOWN_MAX: usize = 24;
/// A risk of this many millionths fills the bar.
const BAR_FULL_PPM: f64 = 500_000.0;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/risk", get(page))
        .route("/risk/models/{model}", get(model::page))
        .route("/risk/models/{model}/backtest", get(model::backtest))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    horizon: Option<String>,
    site: Option<String>,
    /// Of the list of devices, from 1 on; what is no number is the first.
    page: Option<String>,
}

#[derive(Template)]
#[template(path = "risk.html")]
struct RiskPage {
    frame: Frame,
    horizons: Vec<Choice>,
    /// How far ahead, in words.
    ahead: &'static str,
    /// When the newest run looked, and how long ago.
    run: Option<(String, String)>,
    devices: Vec<DeviceLine>,
    /// Which of how many these are.
    shown: String,
    /// Where those more and those less at risk are.
    turns: (Option<String>, Option<String>),
    models: Vec<ModelLine>,
    /// Models that are not listed.
    older: usize,
    board: Listed<BoardLine>,
    /// Whom models sent for nothing within the last week, how often, and what is allowed.
    weeks: Vec<String>,
}

struct DeviceLine {
    device: String,
    href: String,
    kind: String,
    site: String,
    risk: String,
    width: String,
    part: String,
    part_risk: String,
    voice: String,
    grounds: Vec<String>,
}

struct ModelLine {
    model: String,
    href: String,
    horizon: &'static str,
    told: String,
    age: String,
    current: bool,
    withdrawn: Option<String>,
    /// Voices of it that went beyond their budget of false alerts.
    demoted: Vec<String>,
    period: String,
    seed: u64,
    made_of: String,
    speaks: String,
    pr_auc: String,
    base_rate: String,
    error: String,
}

struct BoardLine {
    model: String,
    raised: RaisedLine,
    censored: usize,
    averted: usize,
    about: String,
    is_model: bool,
    scores: String,
    /// What happened beside what was promised.
    happened: String,
    promised: String,
    ratio: String,
    slope: String,
    error: String,
    pr_auc: String,
    alerts_right: String,
    announced: String,
    lead: String,
}

async fn page(
    app: State<App>,
    Query(period): Query<PeriodQuery>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageProblem> {
    let (hours, word, ahead) = wanted(asked.horizon.as_deref());
    let site = asked.site.unwrap_or_default();
    let (open, span) = rest::scope(&app, &period).await?;
    let scores = query::scores(&open, hours, &site, "").await?;
    let told = models(app.log.as_ref()).await?;
    let board = scoreboard(&open, hours).await?;
    let mut frame = Frame::new(&app, &open, &period, span).await?.titled("Risk", Vec::new()).room("Risk");
    frame.demo = query::sites(&open).await?.iter().any(|site| site.demo);
    frame.filters.push(("horizon", word.to_owned()));
    if !site.is_empty() {
        frame.filters.push(("site", site));
    }
    let choice = |(_, other, label): (i64, &'static str, &str)| Choice {
        label: label.to_owned(),
        href: format!("/risk?{}{}", frame.query, frame.kept_but("horizon", other)),
        current: other == word,
    };
    let horizons = HORIZONS.into_iter().map(choice).collect();
    let now = query::now();
    let run = scores
        .first()
        .map(|score| (format!("{} UTC", Clock::of("UTC").minute(score.at)), duration(now.0 - score.at.0)));
    let part = Part::of(scores.len(), asked.page.and_then(|page| page.parse().ok()));
    let demotions = app.alerts.look(|book| book.demotions().to_vec());
    let newest = &told[..told.len().min(MODELS_SHOWN_MAX)];
    let is_shown = |line: &Line| line.about == About::Model && newest.iter().any(|one| one.trained.model == line.model);
    rendered(&RiskPage {
        horizons,
        ahead,
        run,
        devices: scores[part.from..part.until].iter().map(|score| device_line(&frame, score, &demotions)).collect(),
        shown: part.words(scores.len()),
        turns: part.turns(scores.len(), |page| format!("?{}{}&page={page}", frame.query, frame.kept())),
        models: newest.iter().map(|one| model_line(&frame, one, &demotions, now)).collect(),
        older: told.len() - newest.len(),
        board: shown_board(&board, is_shown),
        weeks: week_lines(weeks(&app), |model| newest.iter().any(|one| one.trained.model == model)),
        frame,
    })
}

/// Which part of the list of devices is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    page: usize,
    from: usize,
    until: usize,
}

impl Part {
    /// A page beyond the last is the last.
    fn of(all: usize, page: Option<usize>) -> Self {
        let page = page.unwrap_or(1).clamp(1, all.div_ceil(DEVICES_SHOWN_MAX).max(1));
        let from = (page - 1) * DEVICES_SHOWN_MAX;
        Self { page, from, until: (from + DEVICES_SHOWN_MAX).min(all) }
    }

    fn words(self, all: usize) -> String {
        format!("{} to {} of {all} devices", self.from + 1, self.until)
    }

    fn turns(self, all: usize, href: impl Fn(usize) -> String) -> (Option<String>, Option<String>) {
        ((self.from > 0).then(|| href(self.page - 1)), (self.until < all).then(|| href(self.page + 1)))
    }
}

fn wanted(horizon: Option<&str>) -> (i64, &'static str, &'static str) {
    let found = HORIZONS.into_iter().find(|(_, word, _)| Some(*word) == horizon);
    found.unwrap_or(HORIZONS[0])
}

fn device_line(frame: &Frame, score: &Score, demotions: &[Demotion]) -> DeviceLine {
    let voice = Speaker::parse(&score.voice).map_or("a voice of another version", name);
    let demoted = demotion_of(demotions, &score.model, &score.voice).is_some();
    let said: Vec<Ground> = serde_json::from_str(&score.grounds).unwrap_or_default();
    DeviceLine {
        href: frame.link(&format!("/devices/{}", score.device)),
        device: score.device.clone(),
        kind: kind_title(&score.kind).to_owned(),
        site: score.site.clone(),
        risk: chance_percent(score.risk_ppm),
        width: format!("{:.1}%", (score.risk_ppm as f64 / BAR_FULL_PPM * 100.0).min(100.0)),
        part: score.component.as_deref().unwrap_or_default().replace('_', " "),
        part_risk: chance_percent(score.component_ppm),
        voice: if demoted { format!("{voice}, demoted: raises no alert") } else { voice.to_owned() },
        grounds: said.into_iter().map(|ground| ground.says).collect(),
    }
}

/// Alerts that were raised.
struct RaisedLine {
    alerts: usize,
    right: usize,
    wrong: usize,
    undecided: usize,
    precision: String,
    announced: String,
    lead: String,
}

fn raised_line(raised: &RaisedLive) -> RaisedLine {
    RaisedLine {
        alerts: raised.alerts,
        right: raised.right,
        wrong: raised.wrong,
        undecided: raised.undecided,
        precision: some_percent(raised.precision()),
        announced: of(raised.announced, raised.failures),
        lead: raised.lead_days_median.map_or_else(|| "–".to_owned(), |days| decimal(days, 1)),
    }
}

fn of(part: usize, whole: usize) -> String {
    format!("{part} of {whole}")
}

/// Of the lines that are to be shown the whole first, then those of which most was said.
fn shown_board(board: &[Line], is_shown: impl Fn(&Line) -> bool) -> Listed<BoardLine> {
    let mut lines: Vec<&Line> = board.iter().filter(|line| is_shown(line)).collect();
    let said = |line: &Line| (line.live.figures.rows, line.raised.alerts);
    lines.sort_by_key(|line| (line.about != About::Model, Reverse(said(line))));
    Listed::of(lines.into_iter().map(board_line), BOARD_SHOWN_MAX)
}

/// `kim: 4 by model 00aa…, 3 are allowed`.
fn week_lines(weeks: Vec<Week>, is_shown: impl Fn(&str) -> bool) -> Vec<String> {
    let line = |Week { model, technician, false_alerts, allowed }: Week| {
        let allowed = allowed.map_or_else(|| "no budget".to_owned(), |allowed| format!("{allowed} are allowed"));
        format!("{technician}: {false_alerts} by model {model}, {allowed}")
    };
    weeks.into_iter().filter(|week| is_shown(&week.model)).map(line).collect()
}

fn board_line(line: &Line) -> BoardLine {
    let some = |value: Option<f64>, digits| value.map_or_else(|| "–".to_owned(), |value| decimal(value, digits));
    let live = &line.live;
    BoardLine {
        model: line.model.clone(),
        raised: raised_line(&line.raised),
        censored: live.censored,
        averted: live.averted,
        about: match &line.about {
            About::Model => "all devices".to_owned(),
            About::Kind(kind) => kind_title(kind).to_owned(),
            About::Site(site) => site.clone(),
        },
        is_model: line.about == About::Model,
        scores: grouped(i64::try_from(live.figures.rows).unwrap_or(i64::MAX)),
        happened: grouped(i64::try_from(live.figures.failures).unwrap_or(i64::MAX)),
        promised: decimal(live.promised, 1),
        ratio: some(live.happened_per_promised(), 2),
        slope: some(live.figures.slope, 2),
        error: decimal(live.figures.reliability.error, 4),
        pr_auc: some(live.figures.pr_auc, 3),
        alerts_right: of(live.alerts_right, live.alerts),
        announced: of(live.announced, live.failures),
        lead: some(live.lead_days_median, 1),
    }
}

fn model_line(frame: &Frame, one: &Told, demotions: &[Demotion], now: Timestamp) -> ModelLine {
    let trained = &one.trained;
    let horizon = HORIZONS.into_iter().find(|(hours, ..)| *hours == i64::from(trained.horizon_hours));
    let trees = one.report.as_ref().and_then(|report| {
        report.speakers.iter().find(|shown| shown.speaker == Speaker::Trees).map(|shown| &shown.parts)
    });
    let some = |value: Option<f64>, digits| value.map_or_else(|| "–".to_owned(), |value| decimal(value, digits));
    ModelLine {
        model: trained.model.clone(),
        href: frame.link(&format!("/risk/models/{}", trained.model)),
        horizon: horizon.map_or("another horizon", |(.., label)| label),
        told: format!("{} UTC", Clock::of("UTC").minute(one.at)),
        age: duration(now.0 - one.at.0),
        current: one.speaks,
        withdrawn: one.withdrawn.as_ref().map(|(at, taken)| {
            let at = Clock::of("UTC").minute(*at);
            format!("withdrawn {at} UTC by {}: {}", taken.by, taken.reason)
        }),
        demoted: demotions
            .iter()
            .filter(|demotion| demotion.model == trained.model)
            .map(|one| demotion_words(one, Clock::of("UTC")))
            .collect(),
        period: format!("{} – {}", trained.period.from.day(), trained.period.until.day()),
        seed: trained.seed,
        made_of: one.report.as_ref().map(made_of).unwrap_or_default(),
        speaks: one.report.as_ref().map(speaks).unwrap_or_default(),
        pr_auc: some(trees.and_then(|parts| parts.pr_auc), 3),
        base_rate: some(trees.map(|parts| parts.base_rate), 4),
        error: some(trees.map(|parts| parts.reliability.error), 4),
    }
}

fn made_of(report: &Report) -> String {
    let count = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
    let settings = &report.settings;
    let told =
        format!("{} devices, {} rows, {} trees", count(settings.devices), count(settings.rows), count(settings.trees));
    match settings.verdicts {
        0 => told,
        verdicts => format!("{told}, {} verdicts of technicians", count(verdicts)),
    }
}

fn speaks(report: &Report) -> String {
    let count = |voice: Speaker| report.decisions.iter().filter(|one| one.speaks == voice).count();
    Speaker::VOICES.map(|voice| format!("{} for {}", name(voice), count(voice))).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_risk::scoreboard::{Live, Outcome, Settled};

    #[test]
    fn an_unknown_horizon_is_the_week() {
        assert_eq!(wanted(Some("a year")).0, 168);
        assert_eq!(wanted(Some("24h")).0, 24);
    }

    #[test]
    fn every_device_is_on_one_page_and_each_page_leads_to_its_neighbours() {
        let turns = |all, page| Part::of(all, page).turns(all, |page| page.to_string());
        assert_eq!((turns(0, None), turns(20, None)), ((None, None), (None, None)));
        assert_eq!(turns(41, None), (None, Some("2".to_owned())));
        assert_eq!(turns(41, Some(2)), (Some("1".to_owned()), Some("3".to_owned())));
        assert_eq!(Part::of(41, Some(99)), Part { page: 3, from: 40, until: 41 });
        assert_eq!(Part::of(41, Some(3)).words(41), "41 to 41 of 41 devices");
        assert_eq!(Part::of(0, Some(0)), Part { page: 1, from: 0, until: 0 });
    }

    #[test]
    fn a_scoreboard_of_many_sites_shows_the_whole_and_those_of_which_most_was_said() {
        let line = |about: About, scores: usize| {
            let said = Settled { device: 1, at: Timestamp(0), risk: 0.1, outcome: Outcome::Passed };
            let live = Live::of(&vec![said; scores], 1.0);
            Line { model: "m".into(), about, threshold: 1.0, live, raised: RaisedLive::default() }
        };
        let sites = (0..100).map(|nth| line(About::Site(format!("site-{nth}")), nth));
        let board: Vec<Line> = sites.chain([line(About::Model, 9), line(About::Kind("ct".into()), 200)]).collect();
        let shown = shown_board(&board, |_| true);
        assert_eq!((shown.lines.len(), shown.more), (BOARD_SHOWN_MAX, 102 - BOARD_SHOWN_MAX));
        let abouts: Vec<&str> = shown.lines[..3].iter().map(|line| &*line.about).collect();
        assert_eq!(abouts, ["all devices", "CT", "site-99"]);
        assert!(shown_board(&board, |line| line.about == About::Model).more == 0);
    }
}
