//! Contracts as they were told, with what no table holds: whom to call.

use medfleet_domain::contract::Contract;
use medfleet_domain::fact::Body;
use medfleet_kpi::KpiError;

use super::{CONTRACTS_TOLD, ask, text};
use crate::cuts::OpenCut;
use crate::error::ApiError;

/// Versions that stand at a site; the one that begins last, and of those from the same day the one recorded last, comes first.
pub async fn contracts_told(open: &OpenCut, site: &str) -> Result<Vec<Contract>, ApiError> {
    let told = ask(open, &CONTRACTS_TOLD, &[("site", text(site))], |line| {
        Ok(medfleet_wire::decode_fact(line.bytes("bytes")?).map_err(KpiError::Fact)?.fact.body)
    })
    .await?;
    let contract = |body| match body {
        Body::ContractDefined(contract) => Some(*contract),
        Body::Amended(amendment) => match amendment.replacement?.body {
            Body::ContractDefined(contract) => Some(*contract),
            _ => None,
        },
        _ => None,
    };
    Ok(told.into_iter().filter_map(contract).collect())
}
