//! One model: how it was made, who may speak by it and why, what came of what it said, and its backtest. All of it stands in the
//! log, beside the model's name.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use medfleet_kpi::table::Table;
use medfleet_risk::gate::Demands;

use super::{BoardLine, HORIZONS, ModelLine, model_line, shown_board, week_lines};
use crate::backtest::Told as Backtest;
use crate::backtest::gate::{self, Gate};
use crate::models::{Told, models};
use crate::pages::download::{File, FileQuery, Sheet};
use crate::pages::format::grouped;
use crate::pages::frame::Frame;
use crate::pages::parts::Listed;
use crate::pages::{PageProblem, rendered};
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query;
use crate::rest;
use crate::scoreboard::{scoreboard, weeks};
use crate::service::App;

#[derive(Template)]
#[template(path = "model.html")]
struct ModelPage {
    frame: Frame,
    one: ModelLine,
    cut: String,
    /// Where its backtest is, if one was told.
    backtest: Option<String>,
    /// None where this version does not read the report.
    gate: Option<Gate>,
    board: Listed<BoardLine>,
    weeks: Vec<String>,
    /// Where the whole scoreboard is.
    whole_board: String,
    ahead: &'static str,
}

#[derive(Template)]
#[template(path = "backtest_page.html")]
struct BacktestPage {
    frame: Frame,
    /// The model whose record tells of it.
    of: String,
    told: Backtest,
}

pub async fn page(
    app: State<App>,
    Path(model): Path<String>,
    Query(period): Query<PeriodQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let told = find(&app, &model).await?;
    let (open, span) = rest::scope(&app, &period).await?;
    if let Some(wanted) = wanted {
        let decisions = told.report.as_ref().map_or_else(Vec::new, |report| report.decisions.clone());
        let file = File::of(&app, &open, span, "model", vec![sheet(gate::table(&decisions, &[]))]).await;
        return Ok(file.answer(wanted)?);
    }
    let board = scoreboard(&open, i64::from(told.trained.horizon_hours)).await?;
    let mut frame = Frame::new(&app, &open, &period, span).await?;
    frame.demo = query::sites(&open).await?.iter().any(|site| site.demo);
    let crumbs = vec![frame.crumb("Risk", "/risk")];
    let demotions = app.alerts.look(|book| book.demotions().to_vec());
    let one = model_line(&frame, &told, &demotions, query::now());
    rendered(&ModelPage {
        cut: grouped(told.trained.cut),
        backtest: told.backtest().map(|_| frame.link(&format!("/risk/models/{model}/backtest"))),
        gate: told.report.as_ref().map(|report| Gate::decided(&report.decisions, &report.settings.demands)),
        board: shown_board(&board, |line| line.model == model),
        weeks: week_lines(weeks(&app), |shown| shown == model),
        whole_board: format!("/api/v1/scoreboard?horizon={}&{}", word(&told), frame.query),
        ahead: one.horizon,
        one,
        frame: frame.titled(format!("Model {model}"), crumbs).room("Risk"),
    })
}

pub async fn backtest(
    app: State<App>,
    Path(model): Path<String>,
    Query(period): Query<PeriodQuery>,
    Query(file): Query<FileQuery>,
) -> Result<Response, PageProblem> {
    let wanted = file.wanted()?;
    let told = find(&app, &model).await?;
    let none = || Problem::not_found("backtest of model", &model, "`medfleet backtest` makes one as a file");
    let backtest = told.backtest().ok_or_else(none)?;
    let demands = told.report.as_ref().map_or_else(Demands::default, |report| report.settings.demands);
    let (open, span) = rest::scope(&app, &period).await?;
    if let Some(wanted) = wanted {
        let sheets = vec![sheet(gate::table(&backtest.decisions, &backtest.kept))];
        return Ok(File::of(&app, &open, span, "backtest", sheets).await.answer(wanted)?);
    }
    let mut frame = Frame::new(&app, &open, &period, span).await?;
    frame.demo = query::sites(&open).await?.iter().any(|site| site.demo);
    let crumbs = vec![frame.crumb("Risk", "/risk"), frame.crumb(&model, &format!("/risk/models/{model}"))];
    rendered(&BacktestPage {
        told: Backtest::of(&backtest, told.trained.cut, &demands),
        of: told.trained.model,
        frame: frame.titled("Backtest", crumbs).room("Risk"),
    })
}

fn sheet(decisions: Table) -> Sheet {
    Sheet::new("decisions", "one sort of parts: who speaks for it, and why", decisions)
}

/// The model's horizon as addresses name it.
fn word(told: &Told) -> &'static str {
    let own = HORIZONS.into_iter().find(|(hours, ..)| *hours == i64::from(told.trained.horizon_hours));
    own.unwrap_or(HORIZONS[0]).1
}

async fn find(app: &App, model: &str) -> Result<Told, PageProblem> {
    let found = models(app.log.as_ref()).await?.into_iter().find(|one| one.trained.model == model);
    Ok(found.ok_or_else(|| Problem::not_found("model", model, "the page Risk lists those there are"))?)
}
