//! What the columns of a replayed file mean: a mapping turns one row into observations. Pure, but for reading the mapping file.

use std::collections::BTreeMap;
use std::path::Path;

use medfleet_domain::condition::{Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Sample, Severity, Source as Witness};
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_SECOND, Timestamp};
use serde::Deserialize;

use crate::error::AgentError;
use crate::observation::{Observation, Seen, Stated};
use crate::source::replay_file::Row;

/// The mapping file; `docs` of every key are in `agent.example.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    format: Format,
    #[serde(default = "comma")]
    delimiter: char,
    /// Column with the device's id.
    device: String,
    #[serde(deserialize_with = "super::device_kind")]
    kind: DeviceKind,
    time: TimeColumn,
    /// Column with the time the row could first be known; without it the row's own time is assumed.
    #[serde(default)]
    known_at: Option<TimeColumn>,
    #[serde(default)]
    condition: Option<ConditionColumn>,
    #[serde(default)]
    error: Option<ErrorColumns>,
    #[serde(default)]
    usage: Vec<UsageColumn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Csv,
    JsonLines,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeColumn {
    column: String,
    #[serde(default)]
    format: TimeFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TimeFormat {
    /// `2026-03-08T09:00:00Z`, with an offset if it is not UTC.
    #[default]
    Rfc3339,
    UnixSeconds,
    UnixMillis,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionColumn {
    column: String,
    /// From the file's words to `standby`, `productive`, `engineering`, `scheduled_down`, `unscheduled_down` or `lost`.
    words: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorColumns {
    code: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    component: Option<String>,
    family: String,
    #[serde(default = "warning")]
    severity: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsageColumn {
    column: String,
    counter: String,
    unit: String,
    #[serde(default)]
    component: String,
    #[serde(default)]
    modulus: Option<i64>,
}

fn comma() -> char {
    ','
}

fn warning() -> String {
    Severity::Warning.as_str().into()
}

impl Mapping {
    pub fn read(path: &Path) -> Result<Self, AgentError> {
        let text = std::fs::read_to_string(path).map_err(|source| AgentError::File {
            what: "mapping file",
            path: path.into(),
            source,
        })?;
        Self::parse(&text).map_err(|error| AgentError::Replay { path: path.into(), line: 0, why: error.to_string() })
    }

    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    pub fn is_json(&self) -> bool {
        self.format == Format::JsonLines
    }

    pub fn delimiter(&self) -> u8 {
        u8::try_from(self.delimiter).unwrap_or(b',')
    }

    /// What one row says; empty cells say nothing.
    pub fn observe(&self, row: &Row) -> Result<Vec<Observation>, String> {
        let device = cell(row, &self.device)
            .ok_or_else(|| format!("column {} is empty: every row needs a device", self.device))?;
        let subject = Subject::new(SubjectKind::Device, device).map_err(|error| error.to_string())?;
        let at = self
            .time
            .read(row)?
            .ok_or_else(|| format!("column {} is empty: every row needs a time", self.time.column))?;
        let known_at = self.known_at.as_ref().map_or(Ok(None), |column| column.read(row))?;
        let mut seen = Vec::new();
        if let Some(columns) = &self.error {
            seen.extend(columns.read(row)?);
        }
        if let Some(column) = &self.condition {
            seen.extend(column.read(row)?);
        }
        for column in &self.usage {
            seen.extend(column.read(row)?);
        }
        let source = Witness { kind: SourceKind::Gateway, name: "replay".into() };
        let observation = |seen| Observation {
            subject: subject.clone(),
            kind: self.kind,
            source: source.clone(),
            stated: Some(Stated { at, known_at, origin: None }),
            seen,
        };
        Ok(seen.into_iter().map(observation).collect())
    }
}

fn cell<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    row.get(column).map(String::as_str).filter(|text| !text.is_empty())
}

impl TimeColumn {
    fn read(&self, row: &Row) -> Result<Option<Timestamp>, String> {
        let Some(text) = cell(row, &self.column) else { return Ok(None) };
        let number = |scale: i64| text.parse::<i64>().ok().and_then(|number| number.checked_mul(scale)).map(Timestamp);
        let time = match self.format {
            TimeFormat::UnixSeconds => number(MICROS_PER_SECOND),
            TimeFormat::UnixMillis => number(1_000),
            TimeFormat::Rfc3339 => rfc3339(text),
        };
        time.map(Some)
            .ok_or_else(|| format!("`{text}` in column {} is no time of format {:?}", self.column, self.format))
    }
}

impl ConditionColumn {
    fn read(&self, row: &Row) -> Result<Option<Seen>, String> {
        let Some(word) = cell(row, &self.column) else { return Ok(None) };
        let name = self
            .words
            .get(word)
            .ok_or_else(|| format!("`{word}` in column {} is no word of the mapping: add it", self.column))?;
        if name == "lost" {
            return Ok(Some(Seen::Lost));
        }
        match Condition::parse(name) {
            Some(condition) if condition != Condition::Unknown => {
                Ok(Some(Seen::Condition { condition, degradation: Degradation::None }))
            }
            _ => Err(format!("`{name}` is no condition: correct the mapping of `{word}`")),
        }
    }
}

impl ErrorColumns {
    fn read(&self, row: &Row) -> Result<Option<Seen>, String> {
        let Some(code) = cell(row, &self.code) else { return Ok(None) };
        let severity = Severity::parse(&self.severity)
            .ok_or_else(|| format!("`{}` is no severity: correct the mapping", self.severity))?;
        let text = |column: &Option<String>| {
            column.as_deref().and_then(|column| cell(row, column)).unwrap_or_default().to_owned()
        };
        Ok(Some(Seen::Event(Body::Error(DeviceError {
            code: code.into(),
            family: self.family.clone(),
            severity,
            component: text(&self.component),
            cause_domain: String::new(),
            text: text(&self.text),
        }))))
    }
}

impl UsageColumn {
    fn read(&self, row: &Row) -> Result<Option<Seen>, String> {
        let Some(text) = cell(row, &self.column) else { return Ok(None) };
        let value_milli =
            thousandths(text).ok_or_else(|| format!("`{text}` in column {} is no number", self.column))?;
        let modulus_milli = self.modulus.map(|modulus| modulus.saturating_mul(1_000));
        let (counter, component, unit) = (self.counter.clone(), self.component.clone(), self.unit.clone());
        Ok(Some(Seen::Event(Body::Usage(Sample { counter, component, unit, value_milli, modulus_milli }))))
    }
}

/// A decimal number in thousandths, exact; further digits are cut.
fn thousandths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(if text.starts_with('-') { -millis } else { millis })
}

/// Reads `2026-03-08T09:00:00[.123][Z|+01:00]`, a space for the T allowed. Without an offset it is UTC.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let marks = |places: [(usize, &[u8]); 5]| {
        places.iter().all(|(place, allowed)| text.as_bytes().get(*place).is_some_and(|byte| allowed.contains(byte)))
    };
    if !marks([(4, b"-"), (7, b"-"), (10, b"T t"), (13, b":"), (16, b":")]) {
        return None;
    }
    let (year, month, date) = (text.get(0..4)?.parse::<i32>().ok()?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let day = Day::from_civil(year, month, date);
    if day.civil() != (year, month, date) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, offset) = fraction_and_offset(text.get(19..)?)?;
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second) - offset;
    Some(day.start().plus_seconds(seconds).plus_micros(fraction))
}

/// Microseconds and the offset from UTC in seconds.
fn fraction_and_offset(rest: &str) -> Option<(i64, i64)> {
    let digits =
        rest.strip_prefix('.').map_or("", |rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(""));
    let micros = if digits.is_empty() { 0 } else { format!("{digits:0<6}").get(..6)?.parse().ok()? };
    let zone = if rest.starts_with('.') { rest.get(1 + digits.len()..)? } else { rest };
    match zone {
        "" | "Z" | "z" => Some((micros, 0)),
        _ => {
            let sign = match zone.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
            let is_offset = hours < 24 && minutes < 60;
            is_offset.then(|| (micros, sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_offset_and_fraction() {
        let read = |text| rfc3339(text).map(|time| time.to_string());
        assert_eq!(read("2026-03-08T09:00:00Z").as_deref(), Some("2026-03-08T09:00:00Z"));
        assert_eq!(read("2026-03-08 09:00:00").as_deref(), Some("2026-03-08T09:00:00Z"));
        assert_eq!(read("2026-03-08T00:30:00.25+01:00").as_deref(), Some("2026-03-07T23:30:00.250000Z"));
        for bad in [
            "2026-02-30T09:00:00Z",
            "2026-03-08",
            "2026-03-08T25:00:00Z",
            "2026-03-08T09:00:00+",
            "2026-03-08T09:00:00+99:00",
            "2026-03-08T09:00:00+9223372036854775807:00",
            "2026-03-08T09:00:00é",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_become_exact_thousandths() {
        let cases = [
            ("12", Some(12_000)),
            ("0.5", Some(500)),
            ("-1.25", Some(-1_250)),
            ("1.2345", Some(1_234)),
            ("x", None),
            ("1.x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    #[test]
    fn a_row_becomes_what_its_mapping_says() {
        let mapping: Mapping = toml::from_str(
            "format = 'csv'\ndevice = 'asset'\nkind = 'ct'\n[time]\ncolumn = 'at'\n[condition]\ncolumn = 'state'\n\
             words = { idle = 'standby', gone = 'lost' }\n[[usage]]\ncolumn = 'scans'\ncounter = 'scans'\nunit = 'scan'\n",
        )
        .unwrap();
        let row = |state: &str, scans: &str| -> Row {
            [("asset", "ct-1"), ("at", "2026-03-08T09:00:00Z"), ("state", state), ("scans", scans)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into()
        };
        let seen = mapping.observe(&row("idle", "7")).unwrap();
        assert!(matches!(seen[0].seen, Seen::Condition { condition: Condition::Standby, .. }));
        assert!(matches!(&seen[1].seen, Seen::Event(Body::Usage(sample)) if sample.value_milli == 7_000));
        assert_eq!(mapping.observe(&row("gone", "")).unwrap()[0].seen, Seen::Lost);
        assert!(mapping.observe(&row("odd", "")).unwrap_err().contains("odd"));
    }
}
