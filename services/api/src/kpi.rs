//! What the KPI room is asked over a cut.

use std::collections::BTreeMap;

use datafusion::prelude::SessionContext;
use medfleet_domain::contract::Contract;
use medfleet_domain::time::{Day, MICROS_PER_DAY, Timestamp};
use medfleet_kpi::Question;
use medfleet_kpi::comparison::Fleet;
use medfleet_kpi::statement::{Adjustment, Asked, ContractVersion, Issued, Sheet, contracts, issued, statement};

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::period::Period;
use crate::query::{self, DeviceVersion, Scope};

/// The question about a period of a cut.
pub fn question(open: &OpenCut, period: Period, scope: Scope<'_>) -> Question {
    let question = Question::new(period.from, period.until, open.at());
    question.of_site(scope.site).of_kind(scope.kind).of_device(scope.device)
}

/// Works on the fleet of a question, away from the threads that answer others.
pub async fn compared<T: Send + 'static>(
    open: &OpenCut,
    question: &Question,
    work: impl FnOnce(&Fleet) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let fleet = query::fleet(open, question).await?;
    tokio::task::spawn_blocking(move || work(&fleet)).await.map_err(ApiError::Work)
}

/// Numbers of the contracts that cover a device where it is.
pub async fn contracts_of(open: &OpenCut, device: &DeviceVersion) -> Result<Vec<String>, ApiError> {
    let covers = |version: &&ContractVersion| version.site == device.site && covered(&version.contract, device);
    let all = contracts(open.kpi().await?).await?;
    let mut numbers: Vec<String> = all.iter().filter(covers).map(|version| version.contract.number.clone()).collect();
    numbers.dedup();
    Ok(numbers)
}

pub fn covered(contract: &Contract, device: &DeviceVersion) -> bool {
    contract.kind.is_none_or(|kind| kind.as_str() == device.kind)
        && (contract.devices.is_empty() || contract.devices.iter().any(|one| one.as_str() == device.device))
}

/// A contract statement beside what later facts made of the statements before it.
pub struct Told {
    pub sheet: Sheet,
    pub adjustments: Vec<Adjustment>,
    /// The statement that was issued for this period.
    pub issued: Option<Issued>,
}

/// Every statement of a device that was ever issued, oldest first.
pub async fn issued_of(open: &OpenCut, device: &str) -> Result<Vec<Issued>, ApiError> {
    let question = Question::new(Timestamp(0), Timestamp(MICROS_PER_DAY), open.at()).of_device(device);
    Ok(issued(open.kpi().await?, &question).await?)
}

/// The statement of a device under a contract for the period in which a day lies; None: no contract covers it. Once it is issued it stays
/// as it was: what came later is for the next one to tell.
pub async fn statement_of(open: &OpenCut, device: &str, contract: &str, day: Day) -> Result<Option<Told>, ApiError> {
    let (session, now) = (open.kpi().await?, open.at());
    let Some(sheet) = statement(session, Asked { device, contract, day, now }).await? else { return Ok(None) };
    let begins = sheet.statement.period.from;
    let mut of_contract = issued_of(open, device).await?;
    of_contract.retain(|one| one.contract == contract);
    if let Some(issued) = of_contract.iter().find(|one| one.period.from == begins).cloned() {
        return as_issued(open, issued, &of_contract).await;
    }
    let adjustments = adjustments(open, (session, now), &of_contract, begins).await?;
    Ok(Some(Told { sheet, adjustments, issued: None }))
}

/// The same without what it tells of other periods, of one of several devices whose issued statements are known.
pub async fn sheet_of(
    open: &OpenCut,
    device: &str,
    contract: &str,
    day: Day,
    issued: &[Issued],
) -> Result<Option<Sheet>, ApiError> {
    let now = open.at();
    let Some(sheet) = statement(open.kpi().await?, Asked { device, contract, day, now }).await? else {
        return Ok(None);
    };
    let mut own = issued.iter().filter(|one| one.device == device && one.contract == contract);
    let Some(one) = own.find(|one| one.period.from == sheet.statement.period.from) else {
        return Ok(Some(sheet));
    };
    over_period(&open.at_offsets(&one.offsets).await?, one, one.period.until).await
}

/// A statement as it was issued, and what it told of those before it, computed again from the cut that it pins.
pub async fn as_issued(open: &OpenCut, issued: Issued, of_contract: &[Issued]) -> Result<Option<Told>, ApiError> {
    let pinned = open.at_offsets(&issued.offsets).await?;
    let Some(sheet) = over_period(&pinned, &issued, issued.period.until).await? else { return Ok(None) };
    let before: Vec<Issued> = of_contract.iter().filter(|one| one.issued_at < issued.issued_at).cloned().collect();
    let adjustments = adjustments(open, (&pinned, issued.as_of), &before, issued.period.from).await?;
    Ok(Some(Told { sheet, adjustments, issued: Some(issued) }))
}

/// What changed in the periods of earlier statements since it was last told: by the statement itself, or by one of a later period that was
/// issued after it.
async fn adjustments(
    open: &OpenCut,
    (session, now): (&SessionContext, Timestamp),
    of_contract: &[Issued],
    begins: Timestamp,
) -> Result<Vec<Adjustment>, ApiError> {
    let earlier: Vec<&Issued> = of_contract.iter().filter(|one| one.period.until <= begins).collect();
    let mut pinned: BTreeMap<&str, SessionContext> = BTreeMap::new();
    let mut found = Vec::new();
    for one in &earlier {
        let tells = |other: &&&Issued| other.period.from >= one.period.until && other.issued_at > one.issued_at;
        let last = earlier.iter().filter(tells).max_by_key(|other| other.issued_at).unwrap_or(one);
        if !pinned.contains_key(last.statement.as_str()) {
            pinned.insert(&last.statement, open.at_offsets(&last.offsets).await?);
        }
        let then = over_period(&pinned[last.statement.as_str()], one, one.period.until).await?;
        let is = over_period(session, one, now).await?;
        let Some((then, is)) = then.zip(is) else { continue };
        found.extend(Adjustment::of((*one).clone(), &then, is));
    }
    Ok(found)
}

/// The statement of the period of one that was issued. The local day in its middle is the UTC day, or one beside it.
async fn over_period(session: &SessionContext, one: &Issued, now: Timestamp) -> Result<Option<Sheet>, ApiError> {
    let middle = Timestamp(one.period.from.0 + one.period.micros() / 2).day();
    for day in [middle, middle.next(), Day(middle.0 - 1)] {
        let asked = Asked { device: &one.device, contract: &one.contract, day, now };
        let sheet = statement(session, asked).await?;
        if sheet.as_ref().is_some_and(|sheet| sheet.statement.period.from == one.period.from) {
            return Ok(sheet);
        }
    }
    Ok(None)
}
