//! Facts about the fleet itself: sites and their calendars, each with the date it holds from.

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::kind::DeviceKind;
use crate::time::Day;

/// Calendar edges are multiples of this, so that quarter-hours never straddle one.
pub const CALENDAR_STEP_MINUTES: u16 = 15;
const MINUTES_PER_DAY: u16 = 24 * 60;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Site {
    pub title: String,
    /// IANA name.
    pub time_zone: String,
    pub region: String,
    /// Simulated, and labelled so wherever it is shown.
    pub demo: bool,
}

/// Base hours of a site, for one kind of equipment or for all, from a local day on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Calendar {
    pub kind: Option<DeviceKind>,
    pub valid_from: Day,
    pub hours: Vec<BaseHours>,
}

/// Minutes of a local weekday, `from..until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BaseHours {
    /// ISO: Monday 1 to Sunday 7.
    pub weekday: u8,
    pub from_minute: u16,
    pub until_minute: u16,
}

impl Calendar {
    pub fn check(&self) -> Result<(), Invalid> {
        check_hours(&self.hours)
    }
}

/// Hours run forward within a weekday, on quarter-hours.
pub fn check_hours(hours: &[BaseHours]) -> Result<(), Invalid> {
    for hours in hours {
        in_range("weekday", i64::from(hours.weekday), 1, 7)?;
        for (what, minute) in [("from_minute", hours.from_minute), ("until_minute", hours.until_minute)] {
            in_range(what, i64::from(minute), 0, i64::from(MINUTES_PER_DAY))?;
            if minute % CALENDAR_STEP_MINUTES != 0 {
                return Err(Invalid::Name {
                    what: "calendar edge",
                    value: minute.to_string(),
                    cure: "use a multiple of 15 minutes",
                });
            }
        }
        let low = i64::from(hours.from_minute) + 1;
        in_range("until_minute", i64::from(hours.until_minute), low, i64::from(MINUTES_PER_DAY))?;
    }
    Ok(())
}

fn in_range(what: &'static str, value: i64, low: i64, high: i64) -> Result<(), Invalid> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(Invalid::Range { what, value, low, high }) }
}
