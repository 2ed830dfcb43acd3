//! What is agreed at a site, and since when: base hours and contracts. Each version is a fact of the site's stream.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use medfleet_domain::contract::{BasisPoints, ClockStart, ClockStop, Contract, ContractHours, Exclusion, PeriodLength};
use medfleet_domain::fact::Body;
use medfleet_domain::fleet::{BaseHours, Calendar};
use medfleet_domain::id::{DeviceId, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use serde::Deserialize;
use utoipa::ToSchema;

use super::statements::{AcceptedOut, read_json, submit};
use crate::human::{Statement, chain};
use crate::period::read_day;
use crate::problem::Problem;
use crate::query;
use crate::service::App;

/// One stretch of hours in every week, in local time.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoursIn {
    /// Monday is 1.
    pub weekday: u8,
    /// 08:00, a multiple of 15 minutes.
    pub from: String,
    /// 17:00; 24:00 is the end of the day.
    pub until: String,
}

/// The base hours of a site from a local day on.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarIn {
    /// Only for this kind; for all when absent.
    pub kind: Option<String>,
    pub valid_from: String,
    pub hours: Vec<HoursIn>,
}

/// A version of a contract from a local day on. Of two from the same day the one recorded last holds.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractIn {
    pub contract: String,
    #[serde(default)]
    pub vendor: String,
    /// Whom to call when a covered device fails, as it is dialled.
    #[serde(default)]
    pub phone: String,
    /// Only for this kind; for all when absent.
    pub kind: Option<String>,
    /// Only for these devices; for all of the kind when empty.
    #[serde(default)]
    pub devices: Vec<String>,
    pub valid_from: String,
    /// The first day on which it no longer holds.
    pub valid_until: Option<String>,
    /// Guaranteed uptime, 0 to 1, in steps of 0.0001.
    pub guarantee: f64,
    /// month or quarter.
    pub period: String,
    /// of_site (when nothing is said), around_the_clock or own.
    pub hours: Option<String>,
    /// The contract's own hours, where `hours` is own.
    #[serde(default)]
    pub own_hours: Vec<HoursIn>,
    /// How much of an hour is down when it is degraded so far, 0 to 1.
    #[serde(default)]
    pub weight_minor: f64,
    #[serde(default)]
    pub weight_partial: f64,
    #[serde(default)]
    pub weight_severe: f64,
    /// maintenance_from_downtime, maintenance_from_both, facility, user, upgrade.
    #[serde(default)]
    pub exclusions: Vec<String>,
    /// onset (when nothing is said), reported or vendor_called.
    pub clock_starts: Option<String>,
    /// arrived, remote_connected, repaired or returned_to_use (when nothing is said).
    pub clock_stops: Option<String>,
}

/// States the base hours of a site from a day on. Backdating is admitted, and listed as what it is: known since today.
#[utoipa::path(post, path = "/api/v1/sites/{site}/calendars", tag = "statements",
    params(("site" = String, Path), ("Idempotency-Key" = String, Header)), request_body = CalendarIn,
    responses((status = 202, body = AcceptedOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn calendar(
    State(app): State<App>,
    Path(site): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let said: CalendarIn = read_json(&body)?;
    let calendar = Calendar {
        kind: kind(said.kind.as_deref())?,
        valid_from: read_day("valid_from", &said.valid_from)?,
        hours: hours(&said.hours)?,
    };
    state(&app, &site, &headers, &body, Body::CalendarDefined(calendar)).await
}

/// Records a version of a contract at a site.
#[utoipa::path(post, path = "/api/v1/sites/{site}/contracts", tag = "contracts",
    params(("site" = String, Path), ("Idempotency-Key" = String, Header)), request_body = ContractIn,
    responses((status = 202, body = AcceptedOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn contract(
    State(app): State<App>,
    Path(site): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let said: ContractIn = read_json(&body)?;
    state(&app, &site, &headers, &body, Body::ContractDefined(Box::new(said.read()?))).await
}

/// One way into a site's stream.
async fn state(
    app: &App,
    name: &str,
    headers: &HeaderMap,
    bytes: &[u8],
    body: Body,
) -> Result<(StatusCode, Json<AcceptedOut>), Problem> {
    let unknown = || Problem::not_found("site", name, "look it up under /api/v1/sites, or define it first");
    let open = app.cuts.find(None).await?;
    let known = query::sites(&open).await?.iter().any(|site| site.site == name);
    let site = SiteId::new(name).ok().filter(|_| known).ok_or_else(unknown)?;
    let now = query::now();
    submit(app, headers, bytes, Subject::site(&site), |_, subject| {
        Ok(Statement { subject, site, kind: DeviceKind::Other, at: now, said_at: now, by: None, body })
    })
    .await
}

impl ContractIn {
    fn read(&self) -> Result<Contract, Problem> {
        let hours = match self.hours.as_deref().unwrap_or("of_site") {
            "of_site" => ContractHours::OfSite,
            "around_the_clock" => ContractHours::AroundTheClock,
            "own" => ContractHours::Own(hours(&self.own_hours)?),
            other => return Err(Problem::bad_value("hours", other, "use of_site, around_the_clock or own")),
        };
        let device = |name: &String| DeviceId::new(name).map_err(refused);
        let starts = self.clock_starts.as_deref().unwrap_or(ClockStart::Onset.as_str());
        let stops = self.clock_stops.as_deref().unwrap_or(ClockStop::ReturnedToUse.as_str());
        Ok(Contract {
            number: self.contract.clone(),
            vendor: self.vendor.clone(),
            phone: self.phone.clone(),
            kind: kind(self.kind.as_deref())?,
            devices: self.devices.iter().map(device).collect::<Result<_, _>>()?,
            valid_from: read_day("valid_from", &self.valid_from)?,
            valid_until: self.valid_until.as_deref().map(|text| read_day("valid_until", text)).transpose()?,
            guarantee: points("guarantee", self.guarantee)?,
            period: PeriodLength::parse(&self.period).map_err(refused)?,
            hours,
            minor: points("weight_minor", self.weight_minor)?,
            partial: points("weight_partial", self.weight_partial)?,
            severe: points("weight_severe", self.weight_severe)?,
            exclusions: self
                .exclusions
                .iter()
                .map(|one| Exclusion::parse(one).map_err(refused))
                .collect::<Result<_, _>>()?,
            starts: ClockStart::parse(starts).map_err(refused)?,
            stops: ClockStop::parse(stops).map_err(refused)?,
        })
    }
}

fn refused(invalid: medfleet_domain::Invalid) -> Problem {
    Problem::refused(chain(&invalid))
}

fn kind(text: Option<&str>) -> Result<Option<DeviceKind>, Problem> {
    text.map(|text| DeviceKind::parse(text).map_err(refused)).transpose()
}

/// A share in hundredths of a percent; finer shares are refused, not rounded.
fn points(name: &str, share: f64) -> Result<BasisPoints, Problem> {
    let whole = f64::from(BasisPoints::WHOLE.0);
    let points = (share * whole).round();
    let fits = (0.0..=whole).contains(&points) && (points - share * whole).abs() < 1e-6;
    let wrong = || Problem::bad_value(name, &share.to_string(), "use a share from 0 to 1 in steps of 0.0001");
    if fits { Ok(BasisPoints(points as u16)) } else { Err(wrong()) }
}

fn hours(stated: &[HoursIn]) -> Result<Vec<BaseHours>, Problem> {
    let one = |of: &HoursIn| {
        Ok(BaseHours {
            weekday: of.weekday,
            from_minute: minute("from", &of.from)?,
            until_minute: minute("until", &of.until)?,
        })
    };
    stated.iter().map(one).collect()
}

/// Minutes since midnight; which of them may be used the domain says.
fn minute(name: &str, text: &str) -> Result<u16, Problem> {
    let read = || {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour <= 24 && minute < 60).then(|| hour * 60 + minute)
    };
    read().ok_or_else(|| Problem::bad_value(name, text, "write a time of day as 08:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_hundredths_of_a_percent_and_nothing_finer() {
        assert_eq!(points("guarantee", 0.985), Ok(BasisPoints(9_850)));
        assert!(points("guarantee", 0.98765).is_err() && points("guarantee", 1.1).is_err());
        assert!(points("guarantee", f64::NAN).is_err());
    }

    #[test]
    fn times_of_day_are_read_as_people_write_them() {
        assert_eq!((minute("from", "08:15"), minute("until", "24:00")), (Ok(495), Ok(1_440)));
        assert!(minute("from", "8").is_err() && minute("from", "25:00").is_err());
    }
}
