//! Terms that were recorded after the period in which they hold, each with its size: the figure that they move, as it was by
//! what had been recorded before, and with them. Of a calendar or a time zone that is uptime in base hours of the devices it speaks of;
//! of a contract, uptime under it, as its statements count.

use std::collections::HashMap;

use medfleet_domain::contract::BasisPoints;
use medfleet_domain::id::DeviceId;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};
use medfleet_lake::SessionContext;

use crate::apart::{apart, instant};
use crate::ask::{self, Backdated};
use crate::error::KpiError;
use crate::hours::Hours;
use crate::measure::Measure;
use crate::question::Question;
use crate::statement::{Asked, ContractVersion, contracts, statement};
use crate::table::{Cell, Figure, Table};

/// The view of the versions themselves, to which sizes are added.
pub const VIEW: &str = "backdated";
/// What one row is.
pub const ONE_ROW: &str = "one version of a calendar, contract or time zone that holds within the period and was recorded after it, \
    with the uptime that it moved.";
/// The word for a site that was given another time zone.
const TIME_ZONE: &str = "time_zone";
/// Of so many versions the size is told, the newest ones; each takes two questions about the devices of a site.
const SIZED_AT_MOST: usize = 64;
/// And so many statements are computed, each twice.
const STATEMENTS_AT_MOST: usize = 64;

/// A version with the figure before and after it. None: nothing to divide, or more than is computed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sized {
    pub version: Backdated,
    pub before: Option<Part>,
    pub after: Option<Part>,
}

/// A figure with both of its parts, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub over: i64,
    pub under: i64,
}

impl Part {
    fn of(over: i64, under: i64) -> Option<Self> {
        (under > 0).then_some(Self { over, under })
    }

    pub fn value(self) -> f64 {
        self.over as f64 / self.under as f64
    }
}

impl Sized {
    /// How much the figure moved, in points of a hundred.
    pub fn points(&self) -> Option<f64> {
        self.before.zip(self.after).map(|(before, after)| (after.value() - before.value()) * 100.0)
    }
}

/// Every such version, in the order in which they were recorded. A device narrows the size, not the list.
pub async fn backdated(session: &SessionContext, question: &Question) -> Result<Vec<Sized>, KpiError> {
    let versions = ask::backdated(session, question).await?;
    let first_sized = versions.len().saturating_sub(SIZED_AT_MOST);
    let mut states = States { session, question, made: HashMap::new() };
    let mut sized = Vec::with_capacity(versions.len());
    for (place, version) in versions.into_iter().enumerate() {
        let (before, after) = match (place < first_sized, &version.contract) {
            (true, _) => (None, None),
            (false, None) if version.what == TIME_ZONE => states.base_hours(&version, "sites").await?,
            (false, None) => states.base_hours(&version, "calendars").await?,
            (false, Some(contract)) => states.contract(&version, contract).await?,
        };
        sized.push(Sized { version, before, after });
    }
    Ok(sized)
}

type Parts = (Option<Part>, Option<Part>);

/// The tables by what had been recorded before a version, and with it.
struct States<'a> {
    session: &'a SessionContext,
    question: &'a Question,
    made: HashMap<(&'static str, i64), SessionContext>,
}

impl States<'_> {
    /// Uptime in base hours, before a table was told of the version and after.
    async fn base_hours(&mut self, version: &Backdated, table: &'static str) -> Result<Parts, KpiError> {
        let asked = self.question.clone().of_site(&version.site);
        let asked = version.kind.as_ref().map_or(asked.clone(), |kind| asked.of_kind(kind));
        let mut parts = [None; 2];
        for (part, limit) in parts.iter_mut().zip([version.recorded.0, version.recorded.0 + 1]) {
            let measure: Measure =
                ask::uptime(self.before(table, limit).await?, &asked).await?.iter().map(|row| row.measure).sum();
            *part = measure.operational_uptime().and_then(|uptime| Part::of(uptime.over, uptime.under));
        }
        Ok((parts[0], parts[1]))
    }

    async fn contract(&mut self, version: &Backdated, contract: &str) -> Result<Parts, KpiError> {
        let asked = self.question.clone().of_site(&version.site);
        let served = ask::uptime(self.session, &asked).await?;
        let served = served.iter().filter(|row| row.measure.in_service > 0);
        let versions = contracts(self.session).await?;
        let mut periods = Vec::new();
        for row in served {
            let covers = |one: &&ContractVersion| is_of(one, version, contract) && covers(one, &row.device, &row.kind);
            if let Some(one) = versions.iter().find(covers) {
                let (mut day, last) = (self.question.from.day(), Timestamp(self.question.until.0 - 1).day());
                while day <= last {
                    periods.push((row.device.clone(), day));
                    day = one.contract.period_of(day).1;
                }
            }
        }
        if periods.len() > STATEMENTS_AT_MOST {
            return Ok((None, None));
        }
        let now = self.question.now;
        let mut parts = [None; 2];
        for (part, limit) in parts.iter_mut().zip([version.recorded.0, version.recorded.0 + 1]) {
            let (mut over, mut under) = (0, 0);
            for (device, day) in &periods {
                let asked = Asked { device, contract, day: *day, now };
                if let Some(sheet) = statement(self.before("contracts", limit).await?, asked).await? {
                    let figure = sheet.statement.figure();
                    over += figure.base_micros - figure.weighted_micros_bp / i64::from(BasisPoints::WHOLE.0);
                    under += figure.base_micros;
                }
            }
            *part = Part::of(over, under);
        }
        Ok((parts[0], parts[1]))
    }

    /// The tables without what one of them was told at an instant or later.
    async fn before(&mut self, table: &'static str, limit: i64) -> Result<&SessionContext, KpiError> {
        if !self.made.contains_key(&(table, limit)) {
            let sql = format!("SELECT * FROM {table} WHERE recorded_at < {}", instant(limit));
            let session = apart(self.session, |name| (name == table).then(|| sql.clone())).await?;
            let Question { from, until, .. } = self.question;
            let within =
                Span { from: from.plus_micros(-2 * MICROS_PER_DAY), until: until.plus_micros(2 * MICROS_PER_DAY) };
            Hours::read(&session, within).await?.register(&session);
            self.made.insert((table, limit), session);
        }
        self.made.get(&(table, limit)).ok_or(KpiError::Column { column: table.to_owned() })
    }
}

fn is_of(one: &ContractVersion, version: &Backdated, contract: &str) -> bool {
    one.site == version.site
        && one.contract.number == contract
        && one.contract.valid_from == version.valid_from
        && one.recorded_at == version.recorded
}

fn covers(version: &ContractVersion, device: &str, kind: &str) -> bool {
    let named = DeviceId::new(device).ok().zip(DeviceKind::parse(kind).ok());
    named.is_some_and(|(device, kind)| version.contract.covers(&device, kind))
}

/// The rows with what each column means.
pub async fn table(session: &SessionContext, question: &Question) -> Result<Table, KpiError> {
    Ok(Table::of(&figures(), &backdated(session, question).await?))
}

/// What is shown of each.
pub fn figures() -> [Figure<Sized>; 15] {
    macro_rules! figures {
        ($($name:literal, $unit:literal, $meaning:literal, $of:expr;)*) => {
            [$(Figure { name: $name, unit: $unit, meaning: $meaning, of: $of },)*]
        };
    }
    fn part(part: Option<Part>, read: fn(Part) -> Cell) -> Cell {
        part.map_or(Cell::Nothing, read)
    }
    figures! {
        "what", "text", "calendar, contract or time_zone", |one| Cell::text(&one.version.what);
        "site", "text", "the site", |one| Cell::text(&one.version.site);
        "kind", "text", "kind of equipment; null: every kind",
            |one| Cell::text(one.version.kind.as_deref().unwrap_or_default());
        "contract", "text", "number of the contract",
            |one| Cell::text(one.version.contract.as_deref().unwrap_or_default());
        "valid_from_day", "day", "first local day on which it holds; a time zone holds at all times, and this is when it was given",
            |one| Cell::Text(one.version.valid_from.to_string());
        "recorded_at", "instant, UTC", "when it was recorded", |one| Cell::Text(one.version.recorded.to_string());
        "log_partition", "position", "partition of the record", |one| Cell::Whole(one.version.log_partition);
        "log_offset", "position", "its offset", |one| Cell::Whole(one.version.log_offset);
        "uptime_before", "ratio", "of the devices it speaks of, by what had been recorded before: uptime in base hours, or \
            under the contract; null: nothing to divide, or too many to compute at once",
            |one| part(one.before, |part| Cell::Number(part.value()));
        "uptime_before_over_seconds", "seconds", "its numerator", |one| part(one.before, |part| Cell::seconds(part.over));
        "uptime_before_under_seconds", "seconds", "its denominator",
            |one| part(one.before, |part| Cell::seconds(part.under));
        "uptime_after", "ratio", "the same with it", |one| part(one.after, |part| Cell::Number(part.value()));
        "uptime_after_over_seconds", "seconds", "its numerator", |one| part(one.after, |part| Cell::seconds(part.over));
        "uptime_after_under_seconds", "seconds", "its denominator", |one| part(one.after, |part| Cell::seconds(part.under));
        "points", "points", "how much it moved the figure, in points of a hundred", |one| Cell::number(one.points());
    }
}
