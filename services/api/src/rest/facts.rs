//! What people tell of a device's life, and what they take back: moves, loans, parts, planned maintenance, addresses; and amendments,
//! which void earlier facts or say what should have been said. Each becomes one fact in the log; nothing is decided here.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use medfleet_domain::fact::{Amendment, Body, Replacement};
use medfleet_domain::human::{Binding, ComponentReplaced, Loan, Move, PmDone, PmOutcome};
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::time::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::statements::{
    AUTHOR_MAX_LETTERS, AcceptedOut, AssertionIn, REASON_MAX_LETTERS, instant, read_json, short, subject, submit,
    unknown, whereabouts,
};
use crate::human::{Statement, chain};
use crate::period::read_day;
use crate::problem::Problem;
use crate::query;
use crate::service::App;

/// A fact about a device, by somebody who knows.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactIn {
    /// When it happened, RFC 3339; now when nothing is said.
    pub at: Option<String>,
    /// Who says so.
    pub author: String,
    pub tell: TellIn,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum TellIn {
    /// It stands in another place, perhaps at another site.
    Moved {
        site: String,
        #[serde(default)]
        department: String,
        #[serde(default)]
        room: String,
    },
    /// It is with another site for a while; its own site stays its owner.
    Loaned { to_site: String, until: Option<String> },
    /// It is back from a loan.
    Returned,
    /// A part was replaced.
    Replaced {
        component: String,
        old_serial: Option<String>,
        new_serial: Option<String>,
        /// On plan or on evidence of wear, not after a failure.
        preventive: bool,
        order: Option<String>,
    },
    /// Planned maintenance was completed, or why it was not.
    PmDone {
        procedure: String,
        /// A day, 2026-03-01.
        due: Option<String>,
        /// completed, could_not_locate, in_use or removed.
        outcome: String,
        order: Option<String>,
    },
    /// From then on an address (AE title, IP) names this device.
    Bound { place: String },
    /// From then on an address names it no more.
    Unbound { place: String },
}

/// Takes back earlier facts of a device, or says what should have been said instead of one.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendmentIn {
    /// The writer's life, as the device's evidence names it: 16 hexadecimal digits.
    pub epoch: String,
    pub seq: u64,
    /// The last of several facts in a row.
    pub last_seq: Option<u64>,
    pub author: String,
    pub reason: String,
    /// Absent voids.
    pub replacement: Option<ReplacementIn>,
}

/// What should have been said, at its own time: a claim, or another fact.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReplacementIn {
    Assertion(AssertionIn),
    Fact { at: String, tell: TellIn },
}

/// Tells what happened to a device: moved, loaned, returned, a part replaced, maintenance done, an address bound or unbound.
#[utoipa::path(post, path = "/api/v1/devices/{device}/facts", tag = "statements",
    params(("device" = String, Path), ("Idempotency-Key" = String, Header)), request_body = FactIn,
    responses((status = 202, body = AcceptedOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn tell(
    State(app): State<App>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let told: FactIn = read_json(&body)?;
    short("author", &told.author, 1, AUTHOR_MAX_LETTERS)?;
    let now = query::now();
    let at = told.at.as_deref().map(|text| instant("at", text)).transpose()?.unwrap_or(now);
    let fact = told.tell.read(&app).await?;
    let (site, kind) = whereabouts(&app, &device).await?.ok_or_else(|| unknown(&device))?;
    submit(&app, &headers, &body, subject(&device)?, |_, subject| {
        Ok(Statement { subject, site, kind, at, said_at: now, by: Some(told.author), body: fact })
    })
    .await
}

/// Voids facts, or corrects one: every figure that they moved amends itself, and the amendment is listed.
#[utoipa::path(post, path = "/api/v1/devices/{device}/amendments", tag = "statements",
    params(("device" = String, Path), ("Idempotency-Key" = String, Header)), request_body = AmendmentIn,
    responses((status = 202, body = AcceptedOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn amend(
    State(app): State<App>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let asked: AmendmentIn = read_json(&body)?;
    short("author", &asked.author, 1, AUTHOR_MAX_LETTERS)?;
    short("reason", &asked.reason, 1, REASON_MAX_LETTERS)?;
    let (target, of, now) = (asked.target()?, subject(&device)?, query::now());
    let (site, kind) = whereabouts(&app, &device).await?.ok_or_else(|| unknown(&device))?;
    told_before(&app, &of, target).await?;
    let replacement = match asked.replacement {
        Some(replacement) => Some(replacement.read(&app, now).await?),
        None => None,
    };
    let amendment = Amendment { target, replacement, author: asked.author, reason: asked.reason };
    submit(&app, &headers, &body, of, |_, subject| {
        let body = Body::Amended(Box::new(amendment));
        Ok(Statement { subject, site, kind, at: now, said_at: now, by: None, body })
    })
    .await
}

/// Refuses to amend what nobody has told: a slip of the pen would wait in the log for a fact that never comes.
async fn told_before(app: &App, of: &Subject, target: SeqRange) -> Result<(), Problem> {
    let open = app.cuts.find(None).await?;
    if query::archived(&open, of, target).await? == target.count() {
        return Ok(());
    }
    let named = format!("{} {}–{}", target.epoch, target.first.0, target.last.0);
    let cure = format!(
        "take epoch and seq from /api/v1/devices/{}/evidence; what was told a moment ago can be amended once the next cut holds it",
        of.name()
    );
    Err(Problem::not_found("fact", &named, &cure))
}

impl AmendmentIn {
    fn target(&self) -> Result<SeqRange, Problem> {
        let epoch = u64::from_str_radix(&self.epoch, 16).ok().filter(|_| self.epoch.len() == 16);
        let epoch = epoch.ok_or_else(|| Problem::bad_value("epoch", &self.epoch, "use 16 hexadecimal digits"))?;
        let last = self.last_seq.unwrap_or(self.seq);
        let numbered = |seq: u64| (1..=i64::MAX.cast_unsigned()).contains(&seq);
        if !numbered(self.seq) || !numbered(last) || last < self.seq {
            let cure = "give the number of the first fact, and that of the last one where there are more";
            return Err(Problem::bad_value("seq", &format!("{}–{last}", self.seq), cure));
        }
        if self.replacement.is_some() && last != self.seq {
            let cure = "correct one fact at a time; several can only be voided";
            return Err(Problem::bad_value("last_seq", &last.to_string(), cure));
        }
        Ok(SeqRange { epoch: Epoch(epoch), first: Seq(self.seq), last: Seq(last) })
    }
}

impl ReplacementIn {
    async fn read(self, app: &App, now: Timestamp) -> Result<Replacement, Problem> {
        Ok(match self {
            Self::Assertion(said) => {
                let from = said.from.as_deref().map(|text| instant("from", text)).transpose()?;
                Replacement { at: from.unwrap_or(now), body: Body::Asserted(said.read()?) }
            }
            Self::Fact { at, tell } => Replacement { at: instant("at", &at)?, body: tell.read(app).await? },
        })
    }
}

impl TellIn {
    async fn read(self, app: &App) -> Result<Body, Problem> {
        Ok(match self {
            Self::Moved { site, department, room } => {
                Body::Moved(Move { site: known_site(app, &site).await?, department, room })
            }
            Self::Loaned { to_site, until } => {
                let until = until.as_deref().map(|text| instant("until", text)).transpose()?;
                Body::Loaned(Loan { to_site: known_site(app, &to_site).await?, until })
            }
            Self::Returned => Body::Returned,
            Self::Replaced { component, old_serial, new_serial, preventive, order } => {
                Body::ComponentReplaced(ComponentReplaced { component, old_serial, new_serial, preventive, order })
            }
            Self::PmDone { procedure, due, outcome, order } => Body::PmDone(PmDone {
                procedure,
                due: due.as_deref().map(|text| read_day("due", text)).transpose()?,
                outcome: PmOutcome::parse(&outcome).map_err(|invalid| Problem::refused(chain(&invalid)))?,
                order,
            }),
            Self::Bound { place } => Body::Bound(Binding { place: address(place)? }),
            Self::Unbound { place } => Body::Unbound(Binding { place: address(place)? }),
        })
    }
}

/// A place's own name, as its facts carry it.
fn address(place: String) -> Result<String, Problem> {
    Subject::new(SubjectKind::Place, &place).map_err(|invalid| Problem::refused(chain(&invalid)))?;
    Ok(place)
}

/// A device goes nowhere that does not exist: its facts would be held for ever.
async fn known_site(app: &App, name: &str) -> Result<SiteId, Problem> {
    let site = SiteId::new(name).map_err(|invalid| Problem::refused(chain(&invalid)))?;
    let open = app.cuts.find(None).await?;
    let is_known = open.sites().await?.iter().any(|known| known.site == name);
    let cure = "define it first with `medfleet site`, or use one of /api/v1/sites";
    if is_known { Ok(site) } else { Err(Problem::not_found("site", name, cure)) }
}
