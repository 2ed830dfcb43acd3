//! Uptime by site and kind, from the running sums, or by device, from its intervals.

use std::collections::BTreeMap;

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::measure::Measure;
use crate::period::Period;

/// Some devices over a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UptimeRow {
    pub site: String,
    pub kind: String,
    /// Empty where a row is a site and kind.
    pub device: String,
    pub measure: Measure,
}

/// Which devices to ask about; empty is all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    pub site: &'a str,
    pub kind: &'a str,
    pub device: &'a str,
}

/// One row per site and kind.
pub async fn uptime(open: &OpenCut, period: Period) -> Result<Vec<UptimeRow>, ApiError> {
    if let Some(rows) = open.sums().uptime(open, period, None).await? {
        return Ok(rows);
    }
    let mut sums: BTreeMap<(String, String), Measure> = BTreeMap::new();
    for row in uptime_by_intervals(open, period, Scope::default()).await? {
        *sums.entry((row.site, row.kind)).or_default() += row.measure;
    }
    sums.retain(|_, measure| *measure != Measure::default());
    let row = |((site, kind), measure)| UptimeRow { site, kind, device: String::new(), measure };
    Ok(sums.into_iter().map(row).collect())
}

/// One row per device (and site and kind, where it moved).
pub async fn uptime_by_device(open: &OpenCut, period: Period, scope: Scope<'_>) -> Result<Vec<UptimeRow>, ApiError> {
    let mut rows = many_or_one(open, period, scope).await?;
    // There is a place for everything ever told, also where this period has nothing of it.
    rows.retain(|row| row.measure != Measure::default());
    Ok(rows)
}

/// One device's intervals are quickly read; of many, the sums are.
async fn many_or_one(open: &OpenCut, period: Period, scope: Scope<'_>) -> Result<Vec<UptimeRow>, ApiError> {
    if scope.device.is_empty() {
        let site = Some(scope.site).filter(|site| !site.is_empty());
        if let Some(mut rows) = open.sums().uptime_by_device(open, period, site).await? {
            rows.retain(|row| scope.kind.is_empty() || row.kind == scope.kind);
            return Ok(rows);
        }
    }
    uptime_by_intervals(open, period, scope).await
}

/// As [`uptime_by_device`], from the intervals themselves: the second way to the same figures.
pub async fn uptime_by_intervals(open: &OpenCut, period: Period, scope: Scope<'_>) -> Result<Vec<UptimeRow>, ApiError> {
    let rows = medfleet_kpi::ask::uptime(open.kpi().await?, &question(open, period, scope)).await?;
    let row = |of: medfleet_kpi::ask::Uptime| UptimeRow {
        site: of.site,
        kind: of.kind,
        device: of.device,
        measure: Measure::from(&of.measure),
    };
    Ok(rows.into_iter().map(row).collect())
}
