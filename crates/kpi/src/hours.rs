//! Base hours of every site as a cut has them, and `base_micros(site, kind, from_us, until_us)` for the views.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Offset as _};
use chrono_tz::Tz;
use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result as QueryResult;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use medfleet_domain::fleet::{BaseHours, Calendar};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::local::{Calendars, LocalClock, Recorded};
use medfleet_domain::spans::Spans;
use medfleet_domain::time::{Day, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND, Span, Timestamp};
use medfleet_lake::SessionContext;

use crate::answer::Answer;
use crate::error::KpiError;

/// Zones are looked at so often; no zone changes twice within it.
const ZONE_STEP_MICROS: i64 = 12 * MICROS_PER_HOUR;

/// The clock and the calendars of one site.
#[derive(Debug, Clone)]
pub struct SiteHours {
    pub clock: LocalClock,
    pub calendars: Calendars,
}

/// All sites of a cut, spelled out over the span that questions may ask about.
#[derive(Debug, Clone)]
pub struct Hours {
    within: Span,
    sites: Arc<HashMap<String, SiteHours>>,
}

impl Hours {
    /// Reads sites and calendars. Time outside `within` has no base hours.
    pub async fn read(session: &SessionContext, within: Span) -> Result<Self, KpiError> {
        let mut calendars = calendars(session).await?;
        let found = Answer::new(medfleet_lake::run(session, SITES, &[]).await?)?;
        let zones = found.read(|line| Ok((line.text("site")?, line.text("time_zone")?)))?;
        let mut sites = HashMap::new();
        for (site, zone) in zones {
            let zone: Tz = zone.parse().map_err(|_| KpiError::Zone { site: site.clone(), zone })?;
            let of_site = Calendars::new(calendars.remove(&site).unwrap_or_default());
            sites.insert(site, SiteHours { clock: clock_of(zone, within), calendars: of_site });
        }
        Ok(Self { within, sites: Arc::new(sites) })
    }

    pub fn of(&self, site: &str) -> Option<&SiteHours> {
        self.sites.get(site)
    }

    /// Base hours of a kind at a site; a kind outside the catalogue follows the site's calendar.
    pub fn base(&self, site: &str, kind: &str) -> Spans {
        let kind = DeviceKind::parse(kind).unwrap_or(DeviceKind::Other);
        self.of(site).map_or_else(Spans::default, |of| of.calendars.base_hours(kind, &of.clock, self.within))
    }

    /// Makes `base_micros` part of a session.
    pub fn register(self, session: &SessionContext) {
        let spelled = Spelled { hours: self, sums: Mutex::default() };
        session.register_udf(create_udf(
            "base_micros",
            vec![DataType::Utf8, DataType::Utf8, DataType::Int64, DataType::Int64],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(move |args| spelled.measure(args).map(ColumnarValue::Array)),
        ));
    }
}

/// Reads the hours of a session over every question of up to `now` and registers them.
pub async fn register(session: &SessionContext, now: Timestamp) -> Result<(), KpiError> {
    let first = first_calendar(session).await?.unwrap_or(Day(0)).start().plus_micros(-2 * MICROS_PER_DAY);
    let within = Span { from: first, until: now.plus_micros(400 * MICROS_PER_DAY).max(first.plus_micros(1)) };
    Hours::read(session, within).await?.register(session);
    Ok(())
}

async fn first_calendar(session: &SessionContext) -> Result<Option<Day>, KpiError> {
    let sql = "SELECT MIN(CAST(valid_from AS INT)) AS first_day FROM calendars";
    let found = Answer::new(medfleet_lake::run(session, sql, &[]).await?)?;
    let first = found.read(|line| line.some_int("first_day"))?.into_iter().flatten().next();
    Ok(first.and_then(|day| i32::try_from(day).ok()).map(Day))
}

const SITES: &str = include_str!("../sql/parts/sites.sql");
const CALENDARS: &str = include_str!("../sql/calendar_hours.sql");

async fn calendars(session: &SessionContext) -> Result<HashMap<String, Vec<Recorded>>, KpiError> {
    type Version = (String, Option<DeviceKind>, Day, Timestamp);
    let found = Answer::new(medfleet_lake::run(session, CALENDARS, &[]).await?)?;
    let rows = found.read(|line| {
        let number = |name| Ok::<_, KpiError>(i32::try_from(line.int(name)?).unwrap_or_default());
        let kind = line.some_text("kind")?.and_then(|kind| DeviceKind::parse(&kind).ok());
        let hours = BaseHours {
            weekday: number("weekday")? as u8,
            from_minute: number("from_minute")? as u16,
            until_minute: number("until_minute")? as u16,
        };
        let version: Version = (line.text("site")?, kind, Day(number("valid_from_day")?), line.time("recorded_us")?);
        Ok((version, hours))
    })?;
    let mut versions: HashMap<Version, Vec<BaseHours>> = HashMap::new();
    for (version, hours) in rows {
        versions.entry(version).or_default().push(hours);
    }
    let mut sites: HashMap<String, Vec<Recorded>> = HashMap::new();
    for ((site, kind, valid_from, recorded_at), mut hours) in versions {
        hours.sort_unstable();
        let calendar = Calendar { kind, valid_from, hours };
        sites.entry(site).or_default().push(Recorded { recorded_at, calendar });
    }
    Ok(sites)
}

/// The steps of a zone within a span, each found to the second.
pub fn clock_of(zone: Tz, within: Span) -> LocalClock {
    let offset = |at: Timestamp| {
        let utc = DateTime::from_timestamp_micros(at.0).unwrap_or_default();
        utc.with_timezone(&zone).offset().fix().local_minus_utc()
    };
    let mut at = within.from;
    let first = offset(at);
    let mut held = first;
    let mut changes = Vec::new();
    while at < within.until {
        let next = at.plus_micros(ZONE_STEP_MICROS);
        if offset(next) != held {
            let change = change_between(at, next, |instant| offset(instant) != held);
            held = offset(next);
            changes.push((change, held));
        }
        at = next;
    }
    LocalClock::new(first, changes)
}

/// The first whole second at which it has changed.
fn change_between(before: Timestamp, after: Timestamp, has_changed: impl Fn(Timestamp) -> bool) -> Timestamp {
    let (mut low, mut high) = (before.second(), after.second());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if has_changed(Timestamp(middle * MICROS_PER_SECOND)) { high = middle } else { low = middle }
    }
    Timestamp(high * MICROS_PER_SECOND)
}

/// Base hours as sorted ends with the micros before each, by site and kind, made when they are first asked for.
struct Spelled {
    hours: Hours,
    sums: Mutex<HashMap<(String, String), Arc<Vec<(Span, i64)>>>>,
}

impl Spelled {
    fn of(&self, site: &str, kind: &str) -> Arc<Vec<(Span, i64)>> {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (site.to_owned(), kind.to_owned());
        let made = sums.entry(key).or_insert_with(|| {
            let mut before = 0;
            let spans = self.hours.base(site, kind);
            let summed = spans.iter().map(|span| {
                let entry = (span, before);
                before += span.micros();
                entry
            });
            Arc::new(summed.collect())
        });
        Arc::clone(made)
    }

    fn measure(&self, args: &[ColumnarValue]) -> QueryResult<ArrayRef> {
        let arrays = ColumnarValue::values_to_arrays(args)?;
        let (sites, kinds) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
        let (from, until) = (arrays[2].as_primitive::<Int64Type>(), arrays[3].as_primitive::<Int64Type>());
        let mut last: Option<(&str, &str, Arc<Vec<(Span, i64)>>)> = None;
        let mut measured = Vec::with_capacity(sites.len());
        for row in 0..sites.len() {
            if arrays.iter().any(|array| array.is_null(row)) {
                measured.push(None);
                continue;
            }
            let (site, kind) = (sites.value(row), kinds.value(row));
            let spelled = match &last {
                Some((known, of, spelled)) if (*known, *of) == (site, kind) => Arc::clone(spelled),
                _ => self.of(site, kind),
            };
            let upto = |at: i64| base_before(&spelled, Timestamp(at));
            measured.push(Some((upto(until.value(row)) - upto(from.value(row))).max(0)));
            last = Some((site, kind, spelled));
        }
        Ok(Arc::new(Int64Array::from(measured)))
    }
}

/// Base micros before an instant.
fn base_before(spelled: &[(Span, i64)], at: Timestamp) -> i64 {
    let begun = spelled.partition_point(|(span, _)| span.from < at);
    spelled[..begun].last().map_or(0, |(span, before)| before + at.min(span.until).0 - span.from.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_s_steps_are_found_to_the_second() {
        let day = |month, date| Day::from_civil(2026, month, date).start();
        let clock = clock_of(chrono_tz::America::New_York, Span { from: day(1, 1), until: day(12, 31) });
        let expected = LocalClock::new(
            -5 * 3_600,
            [(day(3, 8).plus_seconds(7 * 3_600), -4 * 3_600), (day(11, 1).plus_seconds(6 * 3_600), -5 * 3_600)],
        );
        assert_eq!(clock, expected);
    }

    #[test]
    fn micros_before_an_instant_add_up() {
        let span = |from, until| Span { from: Timestamp(from), until: Timestamp(until) };
        let spelled = [(span(10, 20), 0), (span(30, 35), 10)];
        let before = |at| base_before(&spelled, Timestamp(at));
        assert_eq!([0, 10, 15, 25, 32, 99].map(before), [0, 0, 5, 10, 12, 15]);
    }
}
