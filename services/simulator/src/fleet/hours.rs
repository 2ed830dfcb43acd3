//! Opening times in the fleet file: `08:00-17:00`.

use medfleet_domain::fleet::CALENDAR_STEP_MINUTES;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::catalogue::parse_minute;

pub fn range<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(u16, u16)>, D::Error> {
    let text = String::deserialize(from)?;
    let parsed = text.split_once('-').and_then(|(from, until)| Some((parse_minute(from)?, parse_minute(until)?)));
    let fits = |minute: u16| minute % CALENDAR_STEP_MINUTES == 0;
    match parsed {
        Some((from, until)) if from < until && fits(from) && fits(until) => Ok(Some((from, until))),
        _ => Err(D::Error::custom(format!("`{text}` is no opening time: write HH:MM-HH:MM on quarter-hours"))),
    }
}
