//! Base hours of every site as a cut has them.

mod steps;
mod zone;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use medfleet_domain::fleet::{BaseHours, Calendar};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::local::{Calendars, LocalClock, Recorded};
use medfleet_domain::spans::Spans;
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use medfleet_lake::SessionContext;

use crate::answer::Answer;
use crate::error::KpiError;

pub use steps::{Steps, register_base_micros};
pub use zone::clock_of;

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

/// No site has hours.
impl Default for Hours {
    fn default() -> Self {
        Self { within: Span { from: Timestamp(0), until: Timestamp(0) }, sites: Arc::default() }
    }
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

    /// Makes `base_micros` part of a session. What a site and kind have is spelled out when it is first asked for.
    pub fn register(self, session: &SessionContext) {
        let made: Mutex<HashMap<(String, String), Arc<Steps>>> = Mutex::default();
        register_base_micros(session, move |site, kind| {
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            let steps = made.entry((site.to_owned(), kind.to_owned()));
            Some(Arc::clone(steps.or_insert_with(|| Arc::new(Steps::of(&self.base(site, kind))))))
        });
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
