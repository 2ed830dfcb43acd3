//! Questions with a period, asked as table functions: `SELECT * FROM uptime('2026-03-01', '2026-04-01')`.
//!
//! A function is a name, its arguments and a `.sql` file, run over tables that show one user's sites at one cut. The
//! arguments are constants, or parameters of a prepared statement that are put in before it is planned.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider, view::ViewTable};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use futures::FutureExt as _;
use medfleet_lake::Cut;

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
    /// One instant.
    At,
    /// What was known at an instant, instead of what is known now.
    AsOf,
    /// A narrowing to one name; left out or empty is all.
    Narrow(&'static str),
    /// One device; needed.
    Device,
}

impl Argument {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Since => "since",
            Self::Until => "until",
            Self::At => "at",
            Self::AsOf => "as_of",
            Self::Narrow(name) => name,
            Self::Device => "device",
        }
    }

    const fn is_needed(self) -> bool {
        !matches!(self, Self::Narrow(_) | Self::AsOf)
    }
}

/// A question with a period.
#[derive(Debug)]
pub struct Kpi {
    pub name: &'static str,
    pub arguments: &'static [Argument],
    pub sql: &'static LazyLock<String>,
}

pub const KPIS: [Kpi; 4] = [
    Kpi { name: "uptime", arguments: &[Argument::Since, Argument::Until, Argument::AsOf], sql: &text::UPTIME },
    Kpi {
        name: "uptime_by_device",
        arguments: &[
            Argument::Since,
            Argument::Until,
            Argument::Narrow("site"),
            Argument::Narrow("kind"),
            Argument::Narrow("device"),
            Argument::AsOf,
        ],
        sql: &text::UPTIME_BY_DEVICE,
    },
    Kpi {
        name: "timeline",
        arguments: &[Argument::Device, Argument::Since, Argument::Until, Argument::AsOf],
        sql: &text::TIMELINE,
    },
    Kpi { name: "devices_at", arguments: &[Argument::At, Argument::AsOf], sql: &text::DEVICES_AT },
];

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
        let Asked { params, as_of } = asked(self.kpi, args.exprs(), &self.tables.cut)?;
        let planned = async {
            match as_of {
                Some(at) => self.tables.as_of(at).await?.plan(self.kpi.sql, &params).await,
                None => self.tables.plan(self.kpi.sql, &params).await,
            }
        };
        // The tables are in memory as far as planning goes, so it never waits.
        let planned = planned.now_or_never();
        let planned = planned.unwrap_or_else(|| datafusion::common::exec_err!("planning {} waited", self.kpi.name))?;
        Ok(Arc::new(ViewTable::new(planned, None)))
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

/// The `$names` of a file out of the arguments of a call, and what was known.
struct Asked {
    params: Vec<(&'static str, ScalarValue)>,
    as_of: Option<i64>,
}

fn asked(kpi: &'static Kpi, exprs: &[Expr], cut: &Cut) -> Result<Asked> {
    if exprs.len() > kpi.arguments.len() {
        return Err(wrong(kpi, &format!("{} arguments", exprs.len()), &usage(kpi)).into());
    }
    let cut_at = cut.made_at.0;
    let (mut since, mut until, mut as_of) = (None, None, None);
    let mut params = vec![("cut", ScalarValue::Int64(Some(cut.number)))];
    for (place, argument) in kpi.arguments.iter().enumerate() {
        let value = exprs.get(place).map_or(Ok(Given::Nothing), |expr| given(kpi, expr))?;
        if argument.is_needed() && matches!(value, Given::Nothing) {
            return Err(wrong(kpi, &format!("no {}", argument.name()), &usage(kpi)).into());
        }
        match argument {
            Argument::Since => since = Some(instant(kpi, value)?.unwrap_or(cut_at - DAY_MICROS)),
            Argument::Until => until = Some(instant(kpi, value)?.unwrap_or(cut_at)),
            Argument::At => {
                params.push(("at", ScalarValue::Int64(Some(instant(kpi, value)?.unwrap_or(cut_at)))));
            }
            Argument::AsOf => as_of = instant(kpi, value)?.filter(|at| *at < cut_at),
            Argument::Narrow(name) => params.push((name, ScalarValue::Utf8(Some(words(kpi, value)?)))),
            Argument::Device => params.push(("device", ScalarValue::Utf8(Some(words(kpi, value)?)))),
        }
    }
    if let (Some(since), Some(until)) = (since, until) {
        // Nothing can be known of what lies beyond.
        params.extend(period(kpi, since, until, as_of.unwrap_or(cut_at))?);
    }
    Ok(Asked { params, as_of })
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

/// Whole quarter-hours, down from what was asked, and never past the cut. The answer says which they are.
fn period(kpi: &Kpi, since: i64, until: i64, cut_at: i64) -> Result<Vec<(&'static str, ScalarValue)>> {
    let quarter = |at: i64| at.div_euclid(QUARTER_MICROS) * QUARTER_MICROS;
    let (from, until) = (quarter(since), quarter(until.min(cut_at)));
    let asked = || format!("{} to {}", shown(since), shown(until));
    if from >= until {
        return Err(wrong(kpi, &asked(), "the end must lie after the start, and the start before the cut").into());
    }
    if until - from > PERIOD_DAYS_MAX * DAY_MICROS {
        return Err(wrong(kpi, &asked(), "ask for at most 400 days at once").into());
    }
    let day = |at: i64| ScalarValue::Date32(i32::try_from(at.div_euclid(DAY_MICROS)).ok());
    let micros = |at| ScalarValue::Int64(Some(at));
    Ok(vec![
        ("from", micros(from)),
        ("until", micros(until)),
        ("from_day", day(from)),
        ("until_day", day(until - 1)),
        // A local day may lie in the month before its UTC day.
        ("from_month", day(month_of(from - DAY_MICROS))),
    ])
}

fn month_of(at: i64) -> i64 {
    let day = DateTime::from_timestamp_micros(at).map(|at| at.date_naive()).unwrap_or_default();
    let first = day.with_day(1).and_then(|day| day.and_hms_opt(0, 0, 0)).unwrap_or_default();
    first.and_utc().timestamp_micros()
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
        let kpi = &KPIS[0];
        let at = |text| read_instant(text).ok_or_else(|| format!("{text}?"));
        let found = period(kpi, at(since)?, at(until)?, CUT).map_err(|error| Refusal::of(&error).message)?;
        let micros = |name: &str| match &found.iter().find(|(found, _)| *found == name).unwrap().1 {
            ScalarValue::Int64(Some(at)) => shown(*at),
            ScalarValue::Date32(Some(day)) => shown(i64::from(*day) * DAY_MICROS),
            other => panic!("{other}"),
        };
        Ok(format!("{} {} {}", micros("from"), micros("until"), micros("from_month")))
    }

    #[test]
    fn a_period_is_whole_quarter_hours_and_never_past_the_cut() {
        let march = "2026-03-01T00:00:00Z 2026-03-08T00:00:00Z 2026-02-01T00:00:00Z";
        assert_eq!(of("2026-03-01", "2026-03-08"), Ok(march.to_owned()));
        let grafana = "2026-03-01T06:00:00Z 2026-03-10T12:30:00Z 2026-02-01T00:00:00Z";
        assert_eq!(of("2026-03-01T06:07:08.123Z", "2026-04-01 00:00:00+02"), Ok(grafana.to_owned()));
    }

    #[test]
    fn a_period_that_cannot_be_is_refused_with_its_value() {
        assert!(of("2026-03-12", "2026-03-13").unwrap_err().contains("2026-03-12"));
        assert!(of("2020-01-01", "2026-01-01").is_err());
        assert!(of("soon", "2026-01-01").is_err());
    }
}
