//! What a session may set and show: the few settings that drivers send, each with the values it can have here. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use datafusion::sql::sqlparser::ast::{ContextModifier, Expr, Set, Value};

use crate::refusal::Refusal;
use crate::refusal::sqlstate::{INVALID_PARAMETER_VALUE, UNDEFINED_OBJECT};

/// PostgreSQL's version whose dialect and catalogue are spoken here.
pub const SERVER_VERSION: &str = "15.0 (medfleet)";
const SERVER_VERSION_NUMBER: &str = "150000";
const VALUE_MAX_BYTES: usize = 1_024;

/// Which values a setting can take.
#[derive(Clone, Copy)]
enum Rule {
    /// Kept and shown; it changes nothing here.
    Free,
    /// One of these, compared without case.
    OneOf(&'static [&'static str]),
    /// Milliseconds, or with a unit; never longer than the endpoint's own limit.
    Timeout,
    Fixed,
}

const UTC: &[&str] = &["utc", "etc/utc", "gmt", "z", "+00:00", "+00", "0", "default"];
const ON: &[&str] = &["on", "true", "1", "yes"];

/// Name as it is asked for, name as drivers are told it (empty: they are not), value at the start, rule.
const KNOWN: [(&str, &str, &str, Rule); 26] = [
    ("application_name", "application_name", "", Rule::Free),
    ("bytea_output", "", "hex", Rule::OneOf(&["hex"])),
    ("client_encoding", "client_encoding", "UTF8", Rule::OneOf(&["utf8", "utf-8", "unicode", "default"])),
    ("client_min_messages", "", "notice", Rule::Free),
    ("datestyle", "DateStyle", "ISO, MDY", Rule::OneOf(&["iso", "iso, mdy", "iso, dmy", "iso, ymd", "default"])),
    ("default_transaction_isolation", "", "repeatable read", Rule::Free),
    ("default_transaction_read_only", "default_transaction_read_only", "on", Rule::OneOf(ON)),
    ("extra_float_digits", "", "1", Rule::Free),
    ("idle_in_transaction_session_timeout", "", "0", Rule::Free),
    ("idle_session_timeout", "", "0", Rule::Free),
    ("in_hot_standby", "in_hot_standby", "on", Rule::Fixed),
    ("integer_datetimes", "integer_datetimes", "on", Rule::Fixed),
    ("intervalstyle", "IntervalStyle", "postgres", Rule::OneOf(&["postgres", "default"])),
    ("is_superuser", "is_superuser", "off", Rule::Fixed),
    ("lock_timeout", "", "0", Rule::Free),
    ("max_identifier_length", "", "63", Rule::Fixed),
    ("search_path", "", "public", Rule::Free),
    ("server_encoding", "server_encoding", "UTF8", Rule::Fixed),
    ("server_version", "server_version", SERVER_VERSION, Rule::Fixed),
    ("server_version_num", "", SERVER_VERSION_NUMBER, Rule::Fixed),
    ("session_authorization", "session_authorization", "", Rule::Fixed),
    ("standard_conforming_strings", "standard_conforming_strings", "on", Rule::OneOf(ON)),
    ("statement_timeout", "", "", Rule::Timeout),
    ("timezone", "TimeZone", "UTC", Rule::OneOf(UTC)),
    ("transaction_isolation", "", "repeatable read", Rule::Free),
    ("transaction_read_only", "", "on", Rule::OneOf(ON)),
];

/// A change that the rules allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Keep {
        name: &'static str,
        value: String,
    },
    /// None is the endpoint's own limit.
    StatementTimeout(Option<Duration>),
    ResetAll,
    /// Such as the isolation level, which is always that of one cut.
    Nothing,
}

/// One session's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    changed: BTreeMap<&'static str, String>,
    user: String,
    limit: Duration,
    pub statement_timeout: Duration,
}

impl Settings {
    pub fn new(user: &str, limit: Duration) -> Self {
        Self { changed: BTreeMap::new(), user: user.to_owned(), limit, statement_timeout: limit }
    }

    /// Takes a change in; the name and value that the driver is to be told, if it is to be told.
    pub fn apply(&mut self, change: &Change) -> Option<(&'static str, String)> {
        match change {
            Change::Keep { name, value } => {
                self.changed.insert(name, value.clone());
                let told = KNOWN.iter().find(|known| known.0 == *name).map(|known| known.1);
                return told.filter(|told| !told.is_empty()).map(|told| (told, value.clone()));
            }
            Change::StatementTimeout(asked) => self.statement_timeout = asked.unwrap_or(self.limit).min(self.limit),
            Change::ResetAll => *self = Self::new(&self.user, self.limit),
            Change::Nothing => {}
        }
        None
    }

    pub fn show(&self, name: &str) -> Result<String, Refusal> {
        let name = canonical(&[name.to_lowercase()]);
        let (name, _, initial, _) = known(&name)?;
        Ok(match *name {
            "statement_timeout" => format!("{}ms", self.statement_timeout.as_millis()),
            "session_authorization" => self.user.clone(),
            _ => self.changed.get(name).cloned().unwrap_or_else(|| (*initial).to_owned()),
        })
    }

    /// What a driver is told at the start.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let told = KNOWN.iter().filter(|known| !known.1.is_empty());
        told.map(|known| (known.1, self.show(known.0).unwrap_or_default()))
    }
}

/// The name of a setting that is written in words.
pub fn canonical(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["time", "zone"] | ["time zone"] => "timezone".to_owned(),
        ["transaction", "isolation", "level"] => "transaction_isolation".to_owned(),
        ["session", "authorization"] => "session_authorization".to_owned(),
        words => words.join("_"),
    }
}

fn known(name: &str) -> Result<&'static (&'static str, &'static str, &'static str, Rule), Refusal> {
    let missing = || {
        let cure = "leave it out: only what drivers send can be set, see docs/sql.md";
        Refusal::new(UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""), cure)
    };
    KNOWN.iter().find(|known| known.0 == name).ok_or_else(missing)
}

pub fn reset(name: &str) -> Result<Change, Refusal> {
    let (name, _, initial, rule) = known(&name.to_lowercase())?;
    Ok(match rule {
        Rule::Timeout => Change::StatementTimeout(None),
        _ => Change::Keep { name, value: (*initial).to_owned() },
    })
}

/// What one SET asks for.
pub fn change(set: &Set) -> Result<Change, Refusal> {
    match set {
        Set::SingleAssignment { scope: Some(ContextModifier::Local), .. } => {
            Err(Refusal::unsupported("SET LOCAL", "use SET: it holds for the session"))
        }
        Set::SingleAssignment { variable, values, .. } => {
            let words: Vec<String> = values.iter().map(word).collect();
            assign(&variable.to_string().to_lowercase(), &words.join(", "))
        }
        Set::SetTimeZone { value, .. } => assign("timezone", &word(value)),
        Set::SetNames { charset_name, .. } => assign("client_encoding", &charset_name.value),
        Set::SetTransaction { modes, .. } => {
            let writes = modes.iter().any(|mode| mode.to_string().eq_ignore_ascii_case("read write"));
            if writes { Err(Refusal::read_only("READ WRITE")) } else { Ok(Change::Nothing) }
        }
        Set::SetRole { .. } | Set::SetSessionAuthorization(_) => Err(Refusal::read_only("SET ROLE or AUTHORIZATION")),
        other => Err(Refusal::unsupported(&other.to_string(), "set one name at a time")),
    }
}

/// A setting at the start of a connection, as drivers send it.
pub fn assign(name: &str, value: &str) -> Result<Change, Refusal> {
    let (name, _, _, rule) = known(name)?;
    let value = value.trim();
    let refuse = |cure: String| {
        let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
        Err(Refusal::new(INVALID_PARAMETER_VALUE, message, cure))
    };
    match rule {
        _ if value.len() > VALUE_MAX_BYTES => refuse(format!("use at most {VALUE_MAX_BYTES} bytes")),
        Rule::Free => Ok(Change::Keep { name, value: value.to_owned() }),
        Rule::OneOf(values) if values.contains(&value.to_lowercase().as_str()) => {
            let value = if value.eq_ignore_ascii_case("default") { "" } else { value };
            if value.is_empty() { reset(name) } else { Ok(Change::Keep { name, value: value.to_owned() }) }
        }
        Rule::OneOf(_) if *name == "timezone" => {
            refuse("times are told in UTC; shift them with AT TIME ZONE, or use local_day(at, zone)".to_owned())
        }
        Rule::OneOf(values) => refuse(format!("it can be {}", values.join(" or "))),
        Rule::Timeout => match milliseconds(value) {
            Some(0) => Ok(Change::StatementTimeout(None)),
            Some(count) => Ok(Change::StatementTimeout(Some(Duration::from_millis(count)))),
            None => refuse("write milliseconds, or a number with ms, s or min".to_owned()),
        },
        Rule::Fixed => Err(Refusal::read_only(&format!("changing {name}"))),
    }
}

fn milliseconds(value: &str) -> Option<u64> {
    if value.eq_ignore_ascii_case("default") {
        return Some(0);
    }
    let units = [("ms", 1), ("min", 60_000), ("s", 1_000), ("h", 3_600_000)];
    let (digits, factor) =
        units.iter().find_map(|(unit, factor)| Some((value.strip_suffix(unit)?, *factor))).unwrap_or((value, 1));
    digits.trim().parse::<u64>().ok()?.checked_mul(factor)
}

fn word(value: &Expr) -> String {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        Expr::Identifier(name) => name.value.clone(),
        Expr::Interval(_) => value.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn a_timeout_can_be_shortened_and_never_lifted() {
        let mut settings = Settings::new("ann", LIMIT);
        for (asked, shown) in [("500", "500ms"), ("2s", "2000ms"), ("1min", "30000ms"), ("0", "30000ms")] {
            settings.apply(&assign("statement_timeout", asked).unwrap());
            assert_eq!(settings.show("statement_timeout").unwrap(), shown, "{asked}");
        }
        assert_eq!(assign("statement_timeout", "soon").unwrap_err().sqlstate, "22023");
    }

    #[test]
    fn what_is_not_known_not_possible_or_not_ones_own_is_refused() {
        assert_eq!(assign("datafusion.execution.batch_size", "1").unwrap_err().sqlstate, "42704");
        assert_eq!(assign("timezone", "Europe/Berlin").unwrap_err().sqlstate, "22023");
        assert_eq!(assign("client_encoding", "latin1").unwrap_err().sqlstate, "22023");
        assert_eq!(assign("default_transaction_read_only", "off").unwrap_err().sqlstate, "22023");
        assert_eq!(assign("is_superuser", "on").unwrap_err().sqlstate, "42501");
    }

    #[test]
    fn a_reset_brings_the_start_back() {
        let mut settings = Settings::new("ann", LIMIT);
        let told = settings.apply(&assign("application_name", "psql").unwrap());
        assert_eq!(told, Some(("application_name", "psql".to_owned())));
        settings.apply(&reset("application_name").unwrap());
        assert_eq!(settings.show("APPLICATION_NAME").unwrap(), "");
        assert_eq!(settings.show("session_authorization").unwrap(), "ann");
        assert!(settings.told().any(|(name, value)| name == "is_superuser" && value == "off"));
    }
}
