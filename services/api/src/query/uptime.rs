//! Uptime by site and kind, or by device.

use medfleet_lake::ScalarValue;

use super::columns::Line;
use super::{UPTIME, UPTIME_DEVICES, ask, day, int, text};
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
    ask(open, &UPTIME, &bounds(period), read).await
}

/// One row per device (and site and kind, where it moved).
pub async fn uptime_by_device(open: &OpenCut, period: Period, scope: Scope<'_>) -> Result<Vec<UptimeRow>, ApiError> {
    let mut params = bounds(period);
    params.extend([
        ("from_day", day(period.first_day())),
        ("until_day", day(period.last_day())),
        ("site", text(scope.site)),
        ("kind", text(scope.kind)),
        ("device", text(scope.device)),
    ]);
    ask(open, &UPTIME_DEVICES, &params, read).await
}

fn bounds(period: Period) -> Vec<(&'static str, ScalarValue)> {
    // A local day may lie in the month before its UTC day.
    let (year, month, _) = medfleet_domain::time::Day(period.first_day().0 - 1).civil();
    let month = medfleet_domain::time::Day::from_civil(year, month, 1);
    vec![("from", int(period.from.0)), ("until", int(period.until.0)), ("from_month", day(month))]
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
