//! One model: how it was made, who may speak by it and why, what came of what it said, and its backtest. All of it stands in the
//! log, beside the model's name.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use medfleet_risk::gate::Demands;

use super::{BoardLine, ModelLine, board_line, model_line};
use crate::backtest::Told as Backtest;
use crate::backtest::gate::Gate;
use crate::models::{Told, models};
use crate::pages::format::grouped;
use crate::pages::frame::Frame;
use crate::pages::{PageProblem, rendered};
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query;
use crate::rest;
use crate::scoreboard::scoreboard;
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
    board: Vec<BoardLine>,
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
) -> Result<Response, PageProblem> {
    let told = find(&app, &model).await?;
    let (open, span) = rest::scope(&app, &period).await?;
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
        board: board.iter().filter(|line| line.model == model).map(board_line).collect(),
        ahead: one.horizon,
        one,
        frame: frame.titled(format!("Model {model}"), crumbs).room("Risk"),
    })
}

pub async fn backtest(
    app: State<App>,
    Path(model): Path<String>,
    Query(period): Query<PeriodQuery>,
) -> Result<Response, PageProblem> {
    let told = find(&app, &model).await?;
    let none = || Problem::not_found("backtest of model", &model, "`medfleet backtest` makes one as a file");
    let backtest = told.backtest().ok_or_else(none)?;
    let demands = told.report.as_ref().map_or_else(Demands::default, |report| report.settings.demands);
    let (open, span) = rest::scope(&app, &period).await?;
    let mut frame = Frame::new(&app, &open, &period, span).await?;
    frame.demo = query::sites(&open).await?.iter().any(|site| site.demo);
    let crumbs = vec![frame.crumb("Risk", "/risk"), frame.crumb(&model, &format!("/risk/models/{model}"))];
    rendered(&BacktestPage {
        told: Backtest::of(&backtest, told.trained.cut, &demands),
        of: told.trained.model,
        frame: frame.titled("Backtest", crumbs).room("Risk"),
    })
}

async fn find(app: &App, model: &str) -> Result<Told, PageProblem> {
    let found = models(app.log.as_ref()).await?.into_iter().find(|one| one.trained.model == model);
    Ok(found.ok_or_else(|| Problem::not_found("model", model, "the page Risk lists those there are"))?)
}
