//! Questions with a period, asked as table functions: `SELECT * FROM uptime('2026-03-01', '2026-04-01')`.
//!
//! A function is a name, its arguments and where its rows come from: a `.sql` file, or figures that the KPI room makes of
//! several; over tables that show one user's sites at one cut. The arguments are constants, or parameters of a prepared
//! statement that are put in before it is planned.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use futures::FutureExt as _;
use medfleet_domain::time::{Span, Timestamp};
use medfleet_kpi::backdated;
use medfleet_kpi::comparison::By;
use medfleet_kpi::registry::{self, View};
use medfleet_kpi::scorecard::Group;
use medfleet_kpi::table::{by_word, listed};
use medfleet_kpi::{Question, Scope};
use medfleet_lake::Cut;

use crate::answer::Answer;
use crate::made::{Made, MadeRows};
use crate::origin::Origin;
use crate::refusal::Refusal;
use crate::refusal::sqlstate::INVALID_PARAMETER_VALUE;
use crate::sight::Tables;
use crate::text;

const QUARTER_MICROS: i64 = 900_000_000;
const DAY_MICROS: i64 = 86_400_000_000;
/// Thirteen months and a few days.
pub const PERIOD_DAYS_MAX: i64 = 400;

/// An argument by its name in `name => value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// The start of the period, included.
    Since,
    /// The end, excluded; never past the cut.
    Until,
    /// One instant; needed.
    Instant,
    /// What was known at an instant, instead of what is known now.
    AsOf,
    /// What had happened before an instant, by all that is known.
    At,
    /// What was appended before this instant was in time; the end of the period when left out.
    Closed,
    /// A narrowing to one name; left out or empty is all.
    Narrow(&'static str),
    /// Which devices stand together in one row.
    Group,
    /// What sites are compared by.
    By,
    /// One device; needed.
    Device,
}

impl Argument {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Since => "since",
            Self::Until => "until",
            Self::At | Self::Instant => "at",
            Self::AsOf => "as_of",
            Self::Closed => "closed",
            Self::Narrow(name) => name,
            // `group` is a word of SQL.
            Self::Group | Self::By => "by",
            Self::Device => "device",
        }
    }

    const fn is_needed(self) -> bool {
        matches!(self, Self::Since | Self::Until | Self::Instant | Self::Device)
    }
}

/// Where the rows of a function come from.
#[derive(Debug)]
pub enum Rows {
    /// A file over the tables.
    File(String),
    /// Figures that the KPI room makes of several views.
    Made(Made),
}

/// A question with a period, or about an instant.
#[derive(Debug)]
pub struct Kpi {
    pub name: &'static str,
    pub arguments: Vec<Argument>,
    pub rows: Rows,
    /// A period is taken down to whole multiples of this.
    grain_micros: i64,
}

impl Kpi {
    /// Whether what it sums depends on base hours.
    pub fn asks_hours(&self) -> bool {
        match &self.rows {
            Rows::File(sql) => sql.contains("base_micros("),
            Rows::Made(made) => *made != Made::Comparison,
        }
    }

    /// Whether its rows are about a period.
    pub fn has_period(&self) -> bool {
        self.arguments.contains(&Argument::Since)
    }

    /// Whether its rows are sums of a table of sums.
    pub fn is_rolled_up(&self) -> bool {
        self.name.starts_with("rollup_")
    }

    /// What one row of it means.
    pub fn one_row(&self) -> String {
        match &self.rows {
            Rows::File(sql) => text::meaning(sql),
            Rows::Made(made) => made.one_row().to_owned(),
        }
    }
}

/// Every function: those with figures, the tables of facts and each view of the KPI room under their own names, and what is made of
/// them.
pub static KPIS: LazyLock<Vec<Kpi>> = LazyLock::new(|| {
    use Argument::{AsOf, At, By, Closed, Device, Group, Instant, Narrow, Since, Until};
    let narrowed = vec![Since, Until, Narrow("site"), Narrow("kind"), Narrow("device"), AsOf, At];
    let of = |name, arguments, rows| Kpi { name, arguments, rows, grain_micros: QUARTER_MICROS };
    let kpi = |name, arguments, sql: &str| of(name, arguments, Rows::File(sql.to_owned()));
    let own = [
        kpi("uptime", vec![Since, Until, AsOf, At], &text::UPTIME),
        kpi("uptime_by_device", narrowed, &text::UPTIME_BY_DEVICE),
        // Drawn and not divided, so to the very instant.
        Kpi { grain_micros: 1, ..kpi("timeline", vec![Device, Since, Until, AsOf, At], &text::TIMELINE) },
        kpi("devices_at", vec![Instant, AsOf], &text::DEVICES_AT),
    ];
    let seen = text::VIEWS.iter().filter(|(name, _)| text::SEEN.contains(name));
    let seen = seen.map(|(name, sql)| kpi(*name, vec![AsOf, At], sql));
    // `uptime_by_device` is that view, with its ratios; sizes are made beside the versions of terms.
    let views = registry::views().iter().filter(|view| !["uptime", backdated::VIEW].contains(&view.name));
    let of_view = |view: &View| kpi(view.name, arguments(view), &view.shown_sql());
    let carded = vec![Since, Until, Narrow("site"), Narrow("kind"), Narrow("device"), Group, AsOf, At];
    let dated = vec![Since, Until, Narrow("site"), Narrow("kind"), Narrow("device"), Closed, AsOf, At];
    let made = [
        of("scorecards", carded, Rows::Made(Made::Scorecards)),
        of(backdated::VIEW, dated, Rows::Made(Made::Backdated)),
        of("comparison", vec![Since, Until, Narrow("kind"), By, AsOf, At], Rows::Made(Made::Comparison)),
    ];
    own.into_iter().chain(seen).chain(views.map(of_view)).chain(made).collect()
});

/// The arguments of a view: what its file names.
fn arguments(view: &View) -> Vec<Argument> {
    let named = view.parameters();
    let has = |name: &str| named.contains(&name);
    let mut arguments = Vec::new();
    if ["from", "until", "from_day", "until_day"].into_iter().any(has) {
        arguments.extend([Argument::Since, Argument::Until]);
    }
    arguments.extend(["site", "kind", "device"].into_iter().filter(|name| has(name)).map(Argument::Narrow));
    if has("closed") {
        arguments.push(Argument::Closed);
    }
    arguments.extend([Argument::AsOf, Argument::At]);
    arguments
}

pub fn find(name: &str) -> Option<&'static Kpi> {
    KPIS.iter().find(|kpi| kpi.name == name)
}

/// A question over the tables of one cut.
#[derive(Debug)]
pub struct Function {
    pub kpi: &'static Kpi,
    pub tables: Arc<Tables>,
}

impl TableFunctionImpl for Function {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (kpi, tables) = (self.kpi, Arc::clone(&self.tables));
        let asked = asked(kpi, args.exprs(), &tables.cut)?;
        let sql = match &kpi.rows {
            Rows::File(sql) => sql,
            Rows::Made(made) => {
                return Ok(Arc::new(MadeRows::new(*made, Origin::of(kpi, &asked, &tables), tables, asked)));
            }
        };
        let answer = Answer::new(kpi, sql, tables, asked);
        // The tables are in memory as far as planning goes, so it never waits.
        let answer = answer.now_or_never();
        let answer = answer.unwrap_or_else(|| datafusion::common::exec_err!("planning {} waited", kpi.name))?;
        Ok(Arc::new(answer))
    }
}

/// A value of the statement. Only the schema is wanted of one that is not put in yet.
enum Given {
    Text(String),
    Micros(i64),
    Nothing,
    NotYet,
}

fn given(kpi: &Kpi, expr: &Expr) -> Result<Given> {
    let micros = |value: Option<i64>, factor: i64| value.and_then(|value| value.checked_mul(factor));
    let of = |value: Option<i64>| value.map_or(Given::Nothing, Given::Micros);
    Ok(match expr {
        Expr::Placeholder(_) => Given::NotYet,
        Expr::Cast(cast) => return given(kpi, &cast.expr),
        Expr::Literal(value, _) => match value {
            ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
                text.clone().map_or(Given::Nothing, Given::Text)
            }
            ScalarValue::Date32(day) => of(micros(day.map(i64::from), DAY_MICROS)),
            ScalarValue::TimestampSecond(at, _) => of(micros(*at, 1_000_000)),
            ScalarValue::TimestampMillisecond(at, _) => of(micros(*at, 1_000)),
            ScalarValue::TimestampMicrosecond(at, _) => of(*at),
            ScalarValue::TimestampNanosecond(at, _) => of(at.map(|at| at.div_euclid(1_000))),
            value if value.is_null() => Given::Nothing,
            value => return Err(wrong(kpi, &value.to_string(), "give a text, a date or a timestamp").into()),
        },
        other => return Err(wrong(kpi, &other.to_string(), "give a constant, or a parameter such as $1").into()),
    })
}

fn wrong(kpi: &Kpi, value: &str, cure: &str) -> Refusal {
    Refusal::new(INVALID_PARAMETER_VALUE, format!("{}() cannot take `{value}`", kpi.name), cure)
}

/// How a function is called, for those who called it otherwise.
pub fn usage(kpi: &Kpi) -> String {
    let written = kpi.arguments.iter().map(|argument| match argument.is_needed() {
        true => argument.name().to_owned(),
        false => format!("[{}]", argument.name()),
    });
    format!("call it as {}({})", kpi.name, written.collect::<Vec<_>>().join(", "))
}

/// What a call asks: the question, what was known, and where base hours may be asked for.
#[derive(Debug)]
pub struct Asked {
    pub question: Question,
    /// The one instant that a function is about.
    pub instant: Option<i64>,
    pub group: Group,
    pub by: By,
    /// What was known at an instant; None: all that the cut contains.
    pub as_of: Option<i64>,
    /// What had happened before an instant; None: everything.
    pub at: Option<i64>,
    pub hours_within: Span,
}

impl Asked {
    /// The `$names` of a file.
    pub fn params(&self) -> Vec<(&'static str, ScalarValue)> {
        let instant = self.instant.map(|at| ("at", ScalarValue::Int64(Some(at))));
        self.question.parameters().into_iter().chain(instant).collect()
    }
}

fn asked(kpi: &'static Kpi, exprs: &[Expr], cut: &Cut) -> Result<Asked> {
    if exprs.len() > kpi.arguments.len() {
        return Err(wrong(kpi, &format!("{} arguments", exprs.len()), &usage(kpi)).into());
    }
    let cut_at = cut.made_at.0;
    let (mut since, mut until, mut closed, mut as_of, mut at, mut of_instant) = (None, None, None, None, None, None);
    let (mut scope, mut group, mut by) = (Scope::default(), Group::default(), By::default());
    for (place, argument) in kpi.arguments.iter().enumerate() {
        let value = exprs.get(place).map_or(Ok(Given::Nothing), |expr| given(kpi, expr))?;
        if argument.is_needed() && matches!(value, Given::Nothing) {
            return Err(wrong(kpi, &format!("no {}", argument.name()), &usage(kpi)).into());
        }
        match argument {
            Argument::Since => since = Some(instant(kpi, value)?.unwrap_or(cut_at - DAY_MICROS)),
            Argument::Until => until = Some(instant(kpi, value)?.unwrap_or(cut_at)),
            Argument::Instant => of_instant = Some(instant(kpi, value)?.unwrap_or(cut_at)),
            Argument::AsOf => as_of = instant(kpi, value)?.filter(|at| *at < cut_at),
            Argument::At => at = instant(kpi, value)?.filter(|at| *at < cut_at),
            Argument::Closed => closed = instant(kpi, value)?,
            Argument::Narrow("site") => scope.site = words(kpi, value)?,
            Argument::Narrow("kind") => scope.kind = words(kpi, value)?,
            Argument::Narrow(_) | Argument::Device => scope.device = words(kpi, value)?,
            Argument::Group => group = one_of(kpi, &Group::WORDS, value)?,
            Argument::By => by = one_of(kpi, &By::WORDS, value)?,
        }
    }
    // Nothing can be known of what lies beyond, and what is open is open up to there.
    let known_until = [as_of, at].into_iter().flatten().fold(cut_at, Ord::min);
    let (from, until) = match (since, until) {
        (Some(since), Some(until)) => period(kpi, since, until, known_until)?,
        _ => (Timestamp(known_until - DAY_MICROS), Timestamp(known_until)),
    };
    let question = Question { scope, ..Question::new(from, until, Timestamp(known_until)) };
    let question = match closed {
        Some(closed) => question.closed_at(Timestamp(closed)),
        None => question,
    };
    let hours_within = Span { from: from.plus_micros(-2 * DAY_MICROS), until: until.plus_micros(2 * DAY_MICROS) };
    Ok(Asked { question, instant: of_instant, group, by, as_of, at, hours_within })
}

fn one_of<T: Copy>(kpi: &Kpi, all: &[(&str, T)], value: Given) -> Result<T> {
    let word = words(kpi, value)?;
    by_word(all, &word).ok_or_else(|| wrong(kpi, &word, &format!("use one of {}", listed(all))).into())
}

fn words(kpi: &Kpi, value: Given) -> Result<String> {
    match value {
        Given::Text(text) => Ok(text),
        Given::Nothing | Given::NotYet => Ok(String::new()),
        Given::Micros(at) => Err(wrong(kpi, &at.to_string(), "give a name as text").into()),
    }
}

fn instant(kpi: &Kpi, value: Given) -> Result<Option<i64>> {
    match value {
        Given::Micros(at) => Ok(Some(at)),
        Given::Nothing | Given::NotYet => Ok(None),
        Given::Text(text) => {
            let cure = "write a day as 2026-03-01 or an instant as 2026-03-01T06:15:00Z";
            read_instant(text.trim()).map(Some).ok_or_else(|| wrong(kpi, &text, cure).into())
        }
    }
}

/// A UTC day, an instant with a zone, or a UTC instant without one.
fn read_instant(text: &str) -> Option<i64> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let local = || NaiveDateTime::parse_from_str(&text.replace('T', " "), "%Y-%m-%d %H:%M:%S%.f").ok();
    let zoned =
        || DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"));
    match zoned() {
        Ok(at) => Some(at.timestamp_micros()),
        Err(_) => Some(day().or_else(local)?.and_utc().timestamp_micros()),
    }
}

/// Whole quarter-hours, down from what was asked, and never past the cut; to the instant where nothing is divided. The
/// answer says which they are.
fn period(kpi: &Kpi, since: i64, until: i64, cut_at: i64) -> Result<(Timestamp, Timestamp)> {
    let whole = |at: i64| at.div_euclid(kpi.grain_micros) * kpi.grain_micros;
    let (from, until) = (whole(since), whole(until.min(cut_at)));
    let asked = || format!("{} to {}", shown(since), shown(until));
    if from >= until {
        return Err(wrong(kpi, &asked(), "the end must lie after the start, and the start before the cut").into());
    }
    if until - from > PERIOD_DAYS_MAX * DAY_MICROS {
        return Err(wrong(kpi, &asked(), "ask for at most 400 days at once").into());
    }
    Ok((Timestamp(from), Timestamp(until)))
}

fn shown(at: i64) -> String {
    DateTime::from_timestamp_micros(at).map_or_else(|| at.to_string(), |at| at.format("%FT%TZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-10T12:34:56Z.
    const CUT: i64 = 1_773_146_096_000_000;

    fn of(since: &str, until: &str) -> std::result::Result<String, String> {
        of_kpi("uptime", since, until)
    }

    fn of_kpi(name: &str, since: &str, until: &str) -> std::result::Result<String, String> {
        let kpi = find(name).unwrap();
        let at = |text| read_instant(text).ok_or_else(|| format!("{text}?"));
        let found = period(kpi, at(since)?, at(until)?, CUT).map_err(|error| Refusal::of(&error).message)?;
        Ok(format!("{} {}", found.0, found.1))
    }

    #[test]
    fn a_period_is_whole_quarter_hours_and_never_past_the_cut() {
        let march = "2026-03-01T00:00:00Z 2026-03-08T00:00:00Z";
        assert_eq!(of("2026-03-01", "2026-03-08"), Ok(march.to_owned()));
        let grafana = "2026-03-01T06:00:00Z 2026-03-10T12:30:00Z";
        assert_eq!(of("2026-03-01T06:07:08.123Z", "2026-04-01 00:00:00+02"), Ok(grafana.to_owned()));
        let drawn = "2026-03-01T06:07:08.123000Z 2026-03-10T12:34:56Z";
        assert_eq!(of_kpi("timeline", "2026-03-01T06:07:08.123Z", "2026-04-01"), Ok(drawn.to_owned()));
    }

    #[test]
    fn every_view_of_the_kpi_room_is_a_function_under_a_name_of_its_own() {
        let mut names: Vec<&str> = KPIS.iter().map(|kpi| kpi.name).collect();
        assert!(registry::views().iter().all(|view| names.contains(&view.name)), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KPIS.len());
        let written = |name| usage(find(name).unwrap());
        assert_eq!(written("failures"), "call it as failures(since, until, [site], [kind], [device], [as_of], [at])");
        assert_eq!(written("order_phases"), "call it as order_phases([site], [kind], [device], [as_of], [at])");
        assert_eq!(written("intervals"), "call it as intervals([as_of], [at])");
        assert_eq!(written("comparison"), "call it as comparison(since, until, [kind], [by], [as_of], [at])");
        assert!(
            find("downtimes").is_some_and(|kpi| !kpi.asks_hours())
                && find("uptime").is_some_and(|kpi| kpi.asks_hours())
        );
    }

    #[test]
    fn a_period_that_cannot_be_is_refused_with_its_value() {
        assert!(of("2026-03-12", "2026-03-13").unwrap_err().contains("2026-03-12"));
        assert!(of("2020-01-01", "2026-01-01").is_err());
        assert!(of("soon", "2026-01-01").is_err());
    }
}
