//! How words of the data files become domain values.

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Severity;
use medfleet_domain::kind::DeviceKind;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

pub fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<DeviceKind, D::Error> {
    DeviceKind::parse(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub fn condition<'de, D: Deserializer<'de>>(from: D) -> Result<Condition, D::Error> {
    let word = String::deserialize(from)?;
    Condition::parse(&word).ok_or_else(|| {
        D::Error::custom(format!(
            "`{word}` is no condition: use productive, standby, engineering, scheduled_down or unscheduled_down"
        ))
    })
}

pub fn severity<'de, D: Deserializer<'de>>(from: D) -> Result<Severity, D::Error> {
    let word = String::deserialize(from)?;
    Severity::parse(&word).ok_or_else(|| {
        D::Error::custom(format!("`{word}` is no severity: use info, warning, minor, major or critical"))
    })
}

pub fn some_severity<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Severity>, D::Error> {
    severity(from).map(Some)
}

/// Minutes after local midnight of an `HH:MM` text; `24:00` is the end of the day.
pub fn minute_of_day<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    let text = String::deserialize(from)?;
    parse_minute(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no time of day: write HH:MM")))
}

pub fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && total <= 24 * 60).then_some(total)
}
