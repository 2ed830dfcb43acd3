//! From an interval down to its facts and their places in the log.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use medfleet_domain::fact::Body;
use medfleet_domain::time::Timestamp;
use medfleet_kpi::ask::{self, Evidence};
use medfleet_kpi::table::{Cell, Figure, Table};
use medfleet_log::Topic;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::devices::known;
use super::table::{Format, Outgoing};
use super::{CutInfo, PeriodInfo, open_cut};
use crate::human::Accepted;
use crate::kpi::question;
use crate::period::PeriodQuery;
use crate::problem::Problem;
use crate::query::Scope;
use crate::service::App;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FormatQuery {
    /// json (when nothing is said) or csv.
    pub format: Option<String>,
}

/// One fact, where it stands, and whether it made the rows of the period what they are.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactOut {
    #[serde(rename = "type")]
    pub kind: String,
    pub at: String,
    /// The end of a stretch.
    pub until: Option<String>,
    pub known_at: String,
    /// `known_at` was declared, not observed.
    pub known_assumed: bool,
    /// When the log took it.
    pub appended_at: String,
    pub source_kind: String,
    pub source: String,
    pub agent: Option<String>,
    /// Kept, never folded.
    pub suspect: bool,
    /// Identity: life of the writer, in hexadecimal, and position in it.
    pub epoch: String,
    pub seq: u64,
    pub position: Accepted,
    /// Place in the record.
    pub index: i64,
    pub is_cause: bool,
    /// What it says.
    #[schema(value_type = Object)]
    pub content: serde_json::Value,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceOut {
    pub cut: CutInfo,
    pub period: PeriodInfo,
    /// In the order of the log.
    pub facts: Vec<FactOut>,
}

/// The facts behind a device's intervals in a period: what made them so, and the stretches that cover it. The period may
/// begin and end at any instant.
#[utoipa::path(get, path = "/api/v1/devices/{device}/evidence", tag = "device",
    params(("device" = String, Path), PeriodQuery, FormatQuery),
    responses((status = 200, body = EvidenceOut), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn evidence(
    State(app): State<App>,
    Path(device): Path<String>,
    Query(asked): Query<PeriodQuery>,
    Query(format): Query<FormatQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = Format::of(format.format.as_deref(), &headers)?;
    let open = open_cut(&app, &asked).await?;
    let period = asked.read_exact(open.at())?;
    known(&open, &device).await?;
    let question = question(&open, period, Scope { device: &device, ..Scope::default() });
    let found = ask::evidence(open.kpi().await?, &question).await.map_err(crate::ApiError::from)?;
    let (cut, period) = (CutInfo::of(&app, &open).await, PeriodInfo::from(period));
    match format {
        Format::Json => {
            Ok(Json(EvidenceOut { cut, period, facts: found.iter().map(FactOut::from).collect() }).into_response())
        }
        Format::Csv => {
            let name = format!("evidence-{device}");
            let one_row = "one fact behind the intervals of a device".to_owned();
            Outgoing { name, one_row, cut, period, table: Table::of(&figures(), &found) }.answer(format)
        }
    }
}

impl From<&Evidence> for FactOut {
    fn from(of: &Evidence) -> Self {
        let fact = &of.fact;
        Self {
            kind: fact.body.name().to_owned(),
            at: fact.at.to_string(),
            until: until(of).map(|at| at.to_string()),
            known_at: fact.known_at.to_string(),
            known_assumed: fact.known_assumed,
            appended_at: of.appended.to_string(),
            source_kind: fact.source.kind.as_str().to_owned(),
            source: fact.source.name.clone(),
            agent: of.agent.clone(),
            suspect: of.suspect,
            epoch: format!("{:016x}", of.epoch),
            seq: of.seq,
            position: Accepted {
                topic: topic(of).name().to_owned(),
                partition: u32::try_from(of.log_partition).unwrap_or_default(),
                offset: of.log_offset.cast_unsigned(),
            },
            index: of.log_index,
            is_cause: of.is_cause,
            content: serde_json::to_value(&fact.body).unwrap_or_default(),
        }
    }
}

fn until(of: &Evidence) -> Option<Timestamp> {
    match &of.fact.body {
        Body::Stretch(stretch) => Some(stretch.until),
        Body::Asserted(asserted) => asserted.until,
        _ => None,
    }
}

fn topic(of: &Evidence) -> Topic {
    if of.log_topic == 0 { Topic::FACTS } else { Topic::FLEET }
}

pub fn figures() -> [Figure<Evidence>; 13] {
    fn figure(
        name: &'static str,
        unit: &'static str,
        meaning: &'static str,
        of: fn(&Evidence) -> Cell,
    ) -> Figure<Evidence> {
        Figure { name, unit, meaning, of }
    }
    [
        figure("type", "text", "type of the fact", |one| Cell::text(one.fact.body.name())),
        figure("at", "instant, UTC", "when it happened", |one| Cell::Text(one.fact.at.to_string())),
        figure("until", "instant, UTC", "the end of a stretch or claim", |one| {
            until(one).map_or(Cell::Nothing, |at| Cell::Text(at.to_string()))
        }),
        figure("known_at", "instant, UTC", "when it could be known", |one| Cell::Text(one.fact.known_at.to_string())),
        figure("appended_at", "instant, UTC", "when the log took it", |one| Cell::Text(one.appended.to_string())),
        figure("source_kind", "text", "what sort of witness", |one| Cell::text(one.fact.source.kind.as_str())),
        figure("agent", "text", "the agent that observed", |one| Cell::text(one.agent.as_deref().unwrap_or_default())),
        figure("suspect", "yes or no", "kept, never folded", |one| Cell::Flag(one.suspect)),
        figure("topic", "text", "topic of the log", |one| Cell::text(topic(one).name())),
        figure("partition", "number", "its partition", |one| Cell::Whole(one.log_partition)),
        figure("offset", "number", "the record", |one| Cell::Whole(one.log_offset)),
        figure("index", "number", "place in the record", |one| Cell::Whole(one.log_index)),
        figure("is_cause", "yes or no", "it made rows of the period what they are", |one| Cell::Flag(one.is_cause)),
    ]
}
