//! What became of a request about an alert.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use medfleet_domain::alert::AlertId;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::{AlertOut, RequestOut, abreast, read_id, unknown};
use crate::alerts::Happened;
use crate::problem::Problem;
use crate::service::App;

/// How long an answer is waited for before the asker is told to ask later.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, ToSchema)]
pub struct AnsweredOut {
    /// The Idempotency-Key.
    pub id: String,
    /// granted, refused, or pending while it is not decided.
    pub verdict: String,
    /// Why it was refused, and what to do.
    pub reason: Option<String>,
    /// The alert as it stands.
    pub alert: AlertOut,
}

/// The verdict on a request about an alert.
#[utoipa::path(get, path = "/api/v1/alerts/{alert}/requests/{id}", tag = "alerts",
    params(("alert" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = AnsweredOut), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub async fn answer(
    State(app): State<App>,
    Path((text, id)): Path<(String, String)>,
) -> Result<Json<AnsweredOut>, Problem> {
    abreast(&app)?;
    found(&app, read_id(&text)?, &id).map(Json).ok_or_else(|| unknown(&text))
}

fn found(app: &App, alert: AlertId, id: &str) -> Option<AnsweredOut> {
    app.alerts.look(|book| {
        let case = book.case(alert)?;
        let pending = || RequestOut { id: id.to_owned(), verdict: "pending".to_owned(), reason: None };
        let RequestOut { id, verdict, reason } = case.answer(id).map_or_else(pending, RequestOut::from);
        Some(AnsweredOut { id, verdict, reason, alert: AlertOut::from(&case.alert) })
    })
}

/// Waits until a request is decided, for as long as a person would wait.
pub async fn await_answer(
    app: &App,
    alert: AlertId,
    id: &str,
    mut happenings: Receiver<Arc<Happened>>,
) -> Result<AnsweredOut, Problem> {
    let decided = async {
        loop {
            if let Some(answered) = found(app, alert, id).filter(|answered| answered.verdict != "pending") {
                return Some(answered);
            }
            if matches!(happenings.recv().await, Err(RecvError::Closed)) {
                return None;
            }
        }
    };
    let decided = tokio::time::timeout(ANSWER_WAIT, decided).await.ok().flatten();
    decided.or_else(|| found(app, alert, id)).ok_or_else(|| unknown(&alert.to_string()))
}
