//! Contracts as a cut has them: every version that stands, and which of them holds in a period.

use medfleet_domain::contract::{BasisPoints, ClockStart, ClockStop, Contract, ContractHours, Exclusion, PeriodLength};
use medfleet_domain::fleet::BaseHours;
use medfleet_domain::id::DeviceId;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Timestamp};
use medfleet_lake::SessionContext;

use crate::answer::Line;
use crate::ask::ask;
use crate::error::KpiError;
use crate::question::Question;

/// One version of a contract: what it says, and since when that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractVersion {
    pub site: String,
    pub contract: Contract,
    pub recorded_at: Timestamp,
}

/// Every version of every contract that stands, by site, number, first day and when it was recorded.
pub async fn contracts(session: &SessionContext) -> Result<Vec<ContractVersion>, KpiError> {
    let anything = Question::new(Timestamp::default(), Timestamp::default(), Timestamp::default());
    ask(session, "contract_versions", &anything, read).await
}

/// The terms of a whole period are those in force when it begins; where none are, those that begin first within it.
/// Of versions from the same day the one recorded last holds.
pub(super) fn in_force<'a>(versions: &[&'a ContractVersion], day: Day) -> Option<&'a ContractVersion> {
    let of_period = |version: &&&ContractVersion| {
        let (first, last) = version.contract.period_of(day);
        version.contract.valid_from < last && version.contract.valid_until.is_none_or(|until| until > first)
    };
    let newest = |from: Day| {
        let same = versions.iter().filter(|version| version.contract.valid_from == from);
        same.max_by_key(|version| version.recorded_at)
    };
    let starts: Vec<Day> = versions.iter().filter(of_period).map(|version| version.contract.valid_from).collect();
    let begun = starts.iter().copied().filter(|from| versions.iter().any(|one| *from <= one.contract.period_of(day).0));
    let from = begun.max().or_else(|| starts.iter().copied().min())?;
    newest(from).copied()
}

fn read(line: &Line<'_>) -> Result<ContractVersion, KpiError> {
    let points = |name| Ok::<_, KpiError>(BasisPoints(u16::try_from(line.int(name)?).unwrap_or(BasisPoints::WHOLE.0)));
    let day = |value: i64| Day(i32::try_from(value).unwrap_or_default());
    let listed = |text: Option<String>| text.map(|all| all.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let devices: Vec<String> = listed(line.some_text("devices")?);
    let exclusions: Vec<String> = listed(line.some_text("exclusions")?);
    let contract = Contract {
        number: line.text("contract")?,
        vendor: line.text("vendor")?,
        // No table holds it: it stands in the fact alone.
        phone: String::new(),
        kind: line.some_text("kind")?.map(|kind| DeviceKind::parse(&kind)).transpose().map_err(KpiError::Name)?,
        devices: devices.iter().map(|name| DeviceId::new(name)).collect::<Result<_, _>>().map_err(KpiError::Name)?,
        valid_from: day(line.int("valid_from_day")?),
        valid_until: line.some_int("valid_until_day")?.map(day),
        guarantee: points("guarantee_bp")?,
        period: PeriodLength::parse(&line.text("period")?).map_err(KpiError::Name)?,
        hours: hours(&line.text("hours")?)?,
        minor: points("minor_bp")?,
        partial: points("partial_bp")?,
        severe: points("severe_bp")?,
        exclusions: exclusions
            .iter()
            .map(|one| Exclusion::parse(one))
            .collect::<Result<_, _>>()
            .map_err(KpiError::Name)?,
        starts: ClockStart::parse(&line.text("clock_starts")?).map_err(KpiError::Name)?,
        stops: ClockStop::parse(&line.text("clock_stops")?).map_err(KpiError::Name)?,
    };
    Ok(ContractVersion { site: line.text("site")?, contract, recorded_at: line.time("recorded_us")? })
}

/// `of_site`, `around_the_clock`, or `weekday:from_minute-until_minute` with commas between.
fn hours(text: &str) -> Result<ContractHours, KpiError> {
    let one = |word: &str| {
        let (weekday, minutes) = word.split_once(':')?;
        let (from, until) = minutes.split_once('-')?;
        Some(BaseHours {
            weekday: weekday.parse().ok()?,
            from_minute: from.parse().ok()?,
            until_minute: until.parse().ok()?,
        })
    };
    Ok(match text {
        "of_site" => ContractHours::OfSite,
        "around_the_clock" => ContractHours::AroundTheClock,
        "" => ContractHours::Own(Vec::new()),
        own => {
            let hours: Option<Vec<BaseHours>> = own.split(',').map(one).collect();
            let wrong = || KpiError::Word { column: "hours", what: "list of hours", value: own.to_owned() };
            ContractHours::Own(hours.ok_or_else(wrong)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(from: Day, recorded: i64, guarantee: u16) -> ContractVersion {
        let contract = Contract {
            number: "SC-1".into(),
            vendor: String::new(),
            phone: String::new(),
            kind: None,
            devices: Vec::new(),
            valid_from: from,
            valid_until: None,
            guarantee: BasisPoints(guarantee),
            period: PeriodLength::Quarter,
            hours: ContractHours::OfSite,
            minor: BasisPoints(0),
            partial: BasisPoints(0),
            severe: BasisPoints(0),
            exclusions: Vec::new(),
            starts: ClockStart::Onset,
            stops: ClockStop::ReturnedToUse,
        };
        ContractVersion { site: "north".into(), contract, recorded_at: Timestamp(recorded) }
    }

    #[test]
    fn the_terms_at_the_beginning_of_a_period_hold_for_all_of_it() {
        let day = |month, date| Day::from_civil(2026, month, date);
        let all = [version(day(1, 1), 1, 1), version(day(2, 15), 2, 2), version(day(1, 1), 3, 3)];
        let refs: Vec<&ContractVersion> = all.iter().collect();
        let guarantee = |day| in_force(&refs, day).map(|version| version.contract.guarantee.0);
        assert_eq!(guarantee(day(3, 1)), Some(3), "the first quarter began under the first, as recorded last");
        assert_eq!(guarantee(day(5, 1)), Some(2));
        assert_eq!(guarantee(Day::from_civil(2025, 12, 1)), None);
        assert_eq!(in_force(&refs[1..2], day(3, 1)).map(|version| version.contract.guarantee.0), Some(2));
    }

    #[test]
    fn hours_are_read_as_they_were_written() {
        let own = hours("1:480-1020,6:540-720").expect("good hours");
        assert!(matches!(own, ContractHours::Own(hours) if hours.len() == 2 && hours[1].weekday == 6));
        assert!(hours("monday").is_err());
    }
}
