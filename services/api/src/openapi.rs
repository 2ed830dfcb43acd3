//! The API's description, gathered from the handlers themselves.

use axum::Json;
use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::PROBLEM_TYPE;
use crate::rest;
use crate::service::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "medfleet",
        description = "Uptime, utilization and state of medical devices. Every answer names its cut: ask `?cut=N` again \
                       and every answer agrees. Times are UTC; seconds are device-seconds."
    ),
    tags(
        (name = "fleet", description = "Sites, devices and uptime"),
        (name = "device", description = "One device"),
        (name = "kpi", description = "KPI views, scorecards and sites compared; each as JSON or CSV"),
        (name = "contracts", description = "Contract statements, and those issued"),
        (name = "alerts", description = "Alerts, what is asked of them and what becomes of that"),
        (name = "risk", description = "What models say of devices, and who may speak"),
        (name = "operator", description = "The pipeline and its quarantine"),
        (name = "statements", description = "What people say becomes a fact in the log")
    )
)]
struct Description;

/// The routes of the API and their description.
pub fn routes() -> (Router<App>, Document) {
    let (router, mut document) = described();
    for item in document.paths.paths.values_mut() {
        item.get.iter_mut().for_each(may_be_too_large);
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            operation.responses.responses.values_mut().for_each(name_problems);
        }
    }
    (router, document)
}

/// Whatever asks the tables, and so may come before the first cut, may also ask for more than there is memory for.
fn may_be_too_large(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let Some(too_early) = responses.get("503").cloned() else { return };
    responses.entry("422".to_owned()).or_insert(too_early);
}

/// Problems have a content type of their own; the macros call every body JSON.
fn name_problems(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    let is_problem = |content: &RefOr<Content>| {
        let RefOr::T(Content { schema: Some(RefOr::Ref(Ref { ref_location, .. })), .. }) = content else {
            return false;
        };
        ref_location.ends_with("/Problem")
    };
    let named = |(name, content): (String, RefOr<Content>)| match is_problem(&content) {
        true => (PROBLEM_TYPE.to_owned(), content),
        false => (name, content),
    };
    response.content = std::mem::take(&mut response.content).into_iter().map(named).collect();
}

fn described() -> (Router<App>, Document) {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(rest::fleet::sites))
        .routes(routes!(rest::fleet::uptime))
        .routes(routes!(rest::devices::list))
        .routes(routes!(rest::devices::one))
        .routes(routes!(rest::devices::timeline))
        .routes(routes!(rest::devices::errors))
        .routes(routes!(rest::devices::usage))
        .routes(routes!(rest::evidence::evidence))
        .routes(routes!(rest::kpi::views))
        .routes(routes!(rest::kpi::rows))
        .routes(routes!(rest::kpi::scorecard))
        .routes(routes!(rest::kpi::compare))
        .routes(routes!(rest::contracts::statement))
        .routes(routes!(rest::contracts::issued, rest::contracts::issue))
        .routes(routes!(rest::contracts::one_issued))
        .routes(routes!(rest::terms::calendar))
        .routes(routes!(rest::terms::contract))
        .routes(routes!(rest::live::stream))
        .routes(routes!(rest::alerts::list))
        .routes(routes!(rest::alerts::stream::stream))
        .routes(routes!(rest::alerts::one))
        .routes(routes!(rest::alerts::request))
        .routes(routes!(rest::alerts::answer::answer))
        .routes(routes!(rest::risk::scores))
        .routes(routes!(rest::risk::of_device))
        .routes(routes!(rest::risk::models))
        .routes(routes!(rest::risk::decisions))
        .routes(routes!(rest::scoreboard::board))
        .routes(routes!(rest::pipeline::pipeline))
        .routes(routes!(rest::pipeline::quarantine))
        .routes(routes!(rest::pipeline::redrive))
        .routes(routes!(rest::statements::assert))
        .routes(routes!(rest::statements::request))
        .routes(routes!(rest::facts::tell))
        .routes(routes!(rest::facts::amend))
        .routes(routes!(rest::statements::verdict))
        .split_for_parts()
}

/// The description as it is served at /api/openapi.json.
pub fn document() -> Document {
    routes().1
}

pub async fn serve() -> Json<Document> {
    Json(document())
}
