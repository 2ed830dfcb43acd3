//! What the KPI room is asked over a cut.

use medfleet_domain::contract::Contract;
use medfleet_kpi::Question;
use medfleet_kpi::comparison::Fleet;
use medfleet_kpi::statement::{ContractVersion, contracts};

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
