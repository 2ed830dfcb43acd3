//! What the KPI room is asked over a cut.

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

/// The statement of a device under a contract for the period in which a day lies; None: no contract covers it.
pub async fn statement_of(open: &OpenCut, device: &str, contract: &str, day: Day) -> Result<Option<Told>, ApiError> {
    let asked = Asked { device, contract, day, now: open.at() };
    let Some(sheet) = statement(open.kpi().await?, asked).await? else { return Ok(None) };
    let of_contract: Vec<Issued> =
        issued_of(open, device).await?.into_iter().filter(|one| one.contract == contract).collect();
    let own = of_contract.iter().find(|one| one.period.from == sheet.statement.period.from).cloned();
    let adjustments = adjustments(open, &of_contract, &sheet).await?;
    Ok(Some(Told { sheet, adjustments, issued: own }))
}

/// What changed in the periods of earlier statements since the last of them was issued: it had the adjustments of all
/// before it.
async fn adjustments(open: &OpenCut, of_contract: &[Issued], sheet: &Sheet) -> Result<Vec<Adjustment>, ApiError> {
    let begins = sheet.statement.period.from;
    let earlier: Vec<&Issued> = of_contract.iter().filter(|one| one.period.until <= begins).collect();
    let Some(last) = earlier.iter().max_by_key(|one| (one.period.until, one.issued_at)) else {
        return Ok(Vec::new());
    };
    let pinned = open.at_offsets(&last.offsets).await?;
    let mut found = Vec::new();
    for one in earlier {
        let then = over_period(&pinned, one, one.period.until).await?;
        let now = over_period(open.kpi().await?, one, open.at()).await?;
        let Some((then, now)) = then.zip(now) else { continue };
        found.extend(Adjustment::of(one.clone(), &then, now));
    }
    Ok(found)
}

/// The statement as it was issued, computed again from the cut that it pins.
pub async fn as_issued(open: &OpenCut, issued: &Issued) -> Result<Option<Sheet>, ApiError> {
    let pinned = open.at_offsets(&issued.offsets).await?;
    over_period(&pinned, issued, issued.period.until).await
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
