//! What a statement is made of, read from the views of a cut.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::human::{OrderClass, Party, Phase};
use medfleet_domain::id::Cause;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::statement::{Figure, OrderFact, Piece};
use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};
use medfleet_lake::SessionContext;

use crate::answer::{Answer, Line};
use crate::ask::ask;
use crate::error::KpiError;
use crate::question::Question;
use crate::registry::whole;

static DEVICE_VERSIONS: LazyLock<String> = LazyLock::new(|| whole("{device_versions}"));

/// One stretch of service of a device at one site.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub site: String,
    pub kind: DeviceKind,
    pub span: Span,
}

/// When and where a device was in service, latest first.
pub(super) async fn services(session: &SessionContext, device: &str) -> Result<Vec<Service>, KpiError> {
    let found = Answer::new(medfleet_lake::run(session, &DEVICE_VERSIONS, &[]).await?)?;
    let rows = found.read(|line| {
        let span = Span { from: line.time("from_us")?, until: line.some_time("until_us")?.unwrap_or(Timestamp::MAX) };
        let kind = DeviceKind::parse(&line.text("kind")?).map_err(KpiError::Name)?;
        Ok((line.text("device")?, line.flag("in_service")?, Service { site: line.text("site")?, kind, span }))
    })?;
    let own = rows.into_iter().filter(|(name, in_service, _)| name == device && *in_service);
    let mut services: Vec<Service> = own.map(|(_, _, service)| service).collect();
    services.sort_by_key(|service| std::cmp::Reverse(service.span));
    Ok(services)
}

/// The spans of a device with the records that made them.
pub async fn pieces(session: &SessionContext, question: &Question) -> Result<Vec<Piece>, KpiError> {
    ask(session, "pieces", question, |line| {
        Ok(Piece {
            span: Span { from: line.time("from_us")?, until: line.time("until_us")? },
            condition: word(line, "condition", "condition", Condition::parse)?,
            degradation: word(line, "degradation", "degradation", Degradation::parse)?,
            overrun: line.some_text("reason")?.as_deref() == Some("maintenance_overrun"),
            conflict: line.flag("conflict")?,
            cause: cause(line)?,
        })
    })
    .await
}

/// The phases of all orders of a device.
pub async fn order_facts(session: &SessionContext, question: &Question) -> Result<Vec<OrderFact>, KpiError> {
    ask(session, "order_phases", question, |line| {
        let waiting_for = line.some_text("waiting_for")?;
        Ok(OrderFact {
            order: line.text("work_order")?,
            class: OrderClass::parse(&line.text("class")?).map_err(KpiError::Name)?,
            phase: Phase::parse(&line.text("phase")?).map_err(KpiError::Name)?,
            waiting_for: waiting_for.map(|whom| Party::parse(&whom)).transpose().map_err(KpiError::Name)?,
            cause_code: line.some_text("cause_code")?.unwrap_or_default(),
            at: line.time("at_us")?,
            cause: cause(line)?,
        })
    })
    .await
}

/// A statement as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub device: String,
    pub site: String,
    pub statement: String,
    pub contract: String,
    pub period: Span,
    pub cut: i64,
    pub as_of: Timestamp,
    /// Partition of the log to the next offset that the cut had not read.
    pub offsets: BTreeMap<String, i64>,
    pub base_micros: i64,
    pub weighted_micros_bp: i64,
    pub unknown_micros: i64,
    pub conflict_micros_bp: i64,
    pub author: Option<String>,
    pub issued_at: Timestamp,
}

impl Issued {
    /// The figure as it was issued.
    pub const fn figure(&self) -> Figure {
        Figure {
            base_micros: self.base_micros,
            weighted_micros_bp: self.weighted_micros_bp,
            unknown_micros: self.unknown_micros,
            conflict_micros_bp: self.conflict_micros_bp,
        }
    }
}

/// The statement with which the period of one was last told: the newest of a later period whose cut knew of it, else it itself.
pub fn last_told<'a>(one: &'a Issued, all: &'a [Issued]) -> &'a Issued {
    let tells =
        |other: &&Issued| other.period.from >= one.period.until && other.cut > one.cut && other.as_of >= one.issued_at;
    all.iter().filter(tells).max_by_key(|other| other.cut).unwrap_or(one)
}

/// The first to be issued of those that tell of a day of a period or more. Midnights move by hours where a site's time zone was
/// corrected.
pub fn in_the_way<'a>(
    issued: &'a [Issued],
    device: &str,
    contract: &str,
    site: &str,
    period: Span,
) -> Option<&'a Issued> {
    let same = |one: &&Issued| one.device == device && one.contract == contract && one.site == site;
    let shares = |one: &&Issued| one.period.clip(period).is_some_and(|shared| shared.micros() >= MICROS_PER_DAY);
    issued.iter().filter(same).filter(shares).min_by_key(|one| (one.cut, one.period.from))
}

/// Every statement issued of the devices asked about, oldest first.
pub async fn issued(session: &SessionContext, question: &Question) -> Result<Vec<Issued>, KpiError> {
    ask(session, "issued_statements", question, |line| {
        let offsets = line.text("offsets")?;
        let wrong = || KpiError::Word { column: "offsets", what: "map of offsets", value: offsets.clone() };
        Ok(Issued {
            device: line.text("device")?,
            site: line.text("site")?,
            statement: line.text("statement")?,
            contract: line.text("contract")?,
            period: Span { from: line.time("period_from_us")?, until: line.time("period_until_us")? },
            cut: line.int("pinned_cut")?,
            as_of: line.time("as_of_us")?,
            offsets: serde_json::from_str(&offsets).map_err(|_| wrong())?,
            base_micros: line.int("base_us")?,
            weighted_micros_bp: line.int("weighted_us_bp")?,
            unknown_micros: line.int("unknown_us")?,
            conflict_micros_bp: line.int("conflict_us_bp")?,
            author: line.some_text("author")?,
            issued_at: line.time("issued_us")?,
        })
    })
    .await
}

fn cause(line: &Line<'_>) -> Result<Cause, KpiError> {
    let partition = u32::try_from(line.int("log_partition")?).unwrap_or_default();
    Ok(Cause { partition, offset: line.int("log_offset")?.cast_unsigned() })
}

fn word<T>(
    line: &Line<'_>,
    column: &'static str,
    what: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, KpiError> {
    let value = line.text(column)?;
    parse(&value).ok_or(KpiError::Word { column, what, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_month(month: i64, cut: i64, as_of: i64, issued_at: i64) -> Issued {
        Issued {
            device: "ct-1".into(),
            site: "north".into(),
            statement: format!("SC-1-{month}"),
            contract: "SC-1".into(),
            period: Span { from: Timestamp(month * 30), until: Timestamp(month * 30 + 30) },
            cut,
            as_of: Timestamp(as_of),
            offsets: BTreeMap::new(),
            base_micros: 0,
            weighted_micros_bp: 0,
            unknown_micros: 0,
            conflict_micros_bp: 0,
            author: None,
            issued_at: Timestamp(issued_at),
        }
    }

    /// May once told of February, and March, issued after it, told the same again.
    #[test]
    fn a_period_is_told_from_where_any_later_one_left_it() {
        let [february, may, march] = [of_month(2, 10, 100, 101), of_month(5, 20, 200, 201), of_month(3, 30, 300, 301)];
        let all = [february.clone(), may.clone(), march.clone()];
        assert_eq!(last_told(&february, &all).statement, march.statement, "the newest that knew of it");
        assert_eq!(last_told(&february, &all[..2]).statement, may.statement);
        assert_eq!(last_told(&march, &all).statement, march.statement, "May was issued before it");
    }

    /// A page that was opened before the other was issued knew nothing of it, whichever button was pressed first.
    #[test]
    fn a_statement_tells_nothing_of_one_that_its_cut_did_not_know() {
        let (march, april) = (of_month(3, 101, 1_010, 1_011), of_month(4, 100, 1_000, 1_020));
        let all = [march.clone(), april];
        assert_eq!(last_told(&march, &all).statement, march.statement);
        let next_cut = of_month(4, 102, 1_010, 1_020);
        assert_eq!(
            last_told(&march, &[march.clone(), next_cut]).statement,
            march.statement,
            "its fact came after the cut"
        );
    }

    #[test]
    fn days_that_a_statement_tells_of_are_in_the_way_of_another() {
        let day = |day: i64| Timestamp(day * MICROS_PER_DAY);
        let issued = |site: &str, from, until, cut| Issued {
            site: site.into(),
            period: Span { from: day(from), until: day(until) },
            ..of_month(from, cut, 0, 0)
        };
        let all = [issued("north", 31, 59, 2), issued("north", 0, 31, 1), issued("south", 59, 90, 3)];
        let found = |from, until| {
            let period = Span { from: day(from), until: day(until) };
            in_the_way(&all, "ct-1", "SC-1", "north", period).map(|one| &*one.statement)
        };
        assert_eq!((found(0, 90), found(31, 90), found(58, 60)), (Some("SC-1-0"), Some("SC-1-31"), Some("SC-1-31")));
        assert_eq!((found(59, 90), found(90, 181)), (None, None), "next to each other, and of another site");
        let an_hour_earlier = Span { from: Timestamp(day(59).0 - MICROS_PER_DAY / 24), until: day(90) };
        assert_eq!(in_the_way(&all, "ct-1", "SC-1", "north", an_hour_earlier), None, "its midnights have moved");
        let of = |device, contract| in_the_way(&all, device, contract, "north", all[0].period);
        assert!(of("ct-2", "SC-1").is_none() && of("ct-1", "SC-2").is_none());
    }
}
