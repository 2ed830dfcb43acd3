//! Uptime by site and kind, from the running sums, or by device, from its intervals.

use super::columns::Line;
use super::{UPTIME_DEVICES, ask, day, int, text};
use crate::cuts::OpenCut;
use crate::error::ApiError;
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
    open.sums().uptime(open, period, None).await
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
    open.sums().hours(open).await?.register(open.session().await?);
    let params = [
        ("from", int(period.from.0)),
        ("until", int(period.until.0)),
        ("from_day", day(period.first_day())),
        ("until_day", day(period.last_day())),
        ("site", text(scope.site)),
        ("kind", text(scope.kind)),
        ("device", text(scope.device)),
    ];
    ask(open, &UPTIME_DEVICES, &params, read).await
}

fn read(line: &Line<'_>) -> Result<UptimeRow, ApiError> {
    let measure = Measure {
        devices: line.int("devices")?,
        monitored: line.int("monitored")?,
        registered: line.int("registered")?,
        productive: line.int("productive")?,
        standby: line.int("standby")?,
        engineering: line.int("engineering")?,
        scheduled_down: line.int("scheduled_down")?,
        unscheduled_down: line.int("unscheduled_down")?,
        assumed: line.int("assumed")?,
        conflict: line.int("conflict")?,
        base_registered: line.int("base_registered")?,
        base_productive: line.int("base_productive")?,
        base_up: line.int("base_up")?,
        base_down: line.int("base_down")?,
    };
    Ok(UptimeRow { site: line.text("site")?, kind: line.text("kind")?, device: line.text("device")?, measure })
}
