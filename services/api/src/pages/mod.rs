//! Pages for people, rendered here: they work without a script, and a script only keeps them fresh.

mod alerts;
mod compare;
mod contracts;
mod device;
mod download;
mod evidence;
mod figures;
mod fleet;
pub(crate) mod format;
mod frame;
pub mod login;
mod maintenance;
mod now;
pub(crate) mod parts;
mod pipeline;
mod risk;
mod scorecard;
mod site;
mod statement;
mod strip;

pub(crate) use device::amended;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::error::ApiError;
use crate::problem::Problem;
use crate::service::App;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(fleet::page))
        .route("/sites/{site}", get(site::page))
        .route("/compare", get(compare::page))
        .route("/maintenance", get(maintenance::page))
        .route("/scorecard", get(scorecard::page))
        .route("/devices/{device}", get(device::page))
        .route("/devices/{device}/evidence", get(evidence::page))
        .merge(alerts::routes())
        .merge(contracts::routes())
        .merge(statement::routes())
        .merge(pipeline::routes())
        .merge(risk::routes())
}

/// A template as an answer.
fn rendered<T: Template>(page: &T) -> Result<Response, PageProblem> {
    match page.render() {
        Ok(text) => Ok(Html(text).into_response()),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Err(PageProblem(Problem::busy("the page could not be rendered")))
        }
    }
}

/// A problem as a person reads it.
pub struct PageProblem(Problem);

impl From<Problem> for PageProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<ApiError> for PageProblem {
    fn from(error: ApiError) -> Self {
        Self(error.into())
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    styles: String,
    title: &'a str,
    detail: &'a str,
    /// The page asks again by itself.
    again: bool,
}

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        let Problem { title, detail, status, .. } = &self.0;
        let again = *status == StatusCode::SERVICE_UNAVAILABLE.as_u16();
        let page = ProblemPage { styles: crate::assets::href("medfleet.css"), title, detail, again };
        let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match page.render() {
            Ok(text) => (status, Html(text)).into_response(),
            Err(_) => self.0.into_response(),
        }
    }
}

/// There is no such page.
pub async fn nowhere(uri: axum::http::Uri) -> Response {
    let problem = Problem::not_found("page", uri.path(), "begin at /");
    if uri.path().starts_with("/api/") { problem.into_response() } else { PageProblem(problem).into_response() }
}
