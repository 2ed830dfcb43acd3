//! The fleet that sites are compared in: out of memory, or from the tables where memory does not hold it.

use medfleet_kpi::Question;
use medfleet_kpi::comparison::Fleet;

use crate::cuts::OpenCut;
use crate::error::ApiError;

pub async fn fleet(open: &OpenCut, question: &Question) -> Result<Fleet, ApiError> {
    match fleet_in_memory(open, question).await? {
        Some(fleet) => Ok(fleet),
        None => Ok(Fleet::read(open.kpi().await?, question).await?),
    }
}

/// None where the tables must be asked.
pub async fn fleet_in_memory(open: &OpenCut, question: &Question) -> Result<Option<Fleet>, ApiError> {
    open.sums().fleet(open, question).await
}
