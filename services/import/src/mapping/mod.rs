//! The mapping file: what the columns of each table mean. Read whole and refused whole before the first row. `docs/import.md`
//! explains every key.

mod parts;
mod text;
mod words;

use medfleet_domain::condition::{Condition, SourceKind};
use medfleet_domain::id::SiteId;
use medfleet_domain::kind::DeviceKind;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

pub use parts::{CounterPart, ErrorPart, IntervalPart, Known, MachinePart, MaintenancePart, OrderPart, Site, Until};
pub use text::{Columns, Template, Word};
pub use words::{Effect, Prevents, Shown};

use crate::times::{TimeRules, TimeText};

/// The only version of the mapping's language that is read.
const VERSION: u32 = 2;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    version: u32,
    pub source: SourceText,
    time: TimeText,
    /// None: the latest time in the tables.
    #[serde(default, deserialize_with = "crate::times::utc")]
    pub record_end: Option<medfleet_domain::time::Timestamp>,
    #[serde(default, rename = "site")]
    pub sites: Vec<SiteText>,
    pub unlisted: Option<UnlistedRule>,
    pub assume: Option<AssumeRule>,
    #[serde(rename = "table")]
    pub tables: Vec<Table>,
}

/// Who speaks. Everything imported under one name is one voice, which may change its mind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceText {
    pub name: String,
    #[serde(deserialize_with = "source_kind")]
    pub kind: SourceKind,
    pub export: Export,
    #[serde(default)]
    pub known_after_minutes: u32,
}

/// What the absence of a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// The files hold all that the source has to say: what they no longer say is withdrawn.
    Whole,
    /// The files hold a part: nothing is withdrawn.
    Part,
}

/// A site that the import defines; without `id` it is the pattern for every other one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteText {
    #[serde(default, deserialize_with = "site_id")]
    pub id: Option<SiteId>,
    pub title: Template,
    #[serde(deserialize_with = "crate::times::zone")]
    pub time_zone: chrono_tz::Tz,
    #[serde(default)]
    pub region: String,
}

/// What a device is taken to be that no row with `machine` names. Without this rule its rows are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlistedRule {
    pub site: Template,
    #[serde(default = "Word::other")]
    pub kind: Word<DeviceKind>,
}

/// A record of downtime leaves out the rest: between outages the device is taken to have been in this condition.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssumeRule {
    #[serde(deserialize_with = "up_condition")]
    pub condition: Condition,
}

/// One file, and what each of its rows says: any of the parts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub file: String,
    #[serde(default = "comma", deserialize_with = "ascii")]
    pub delimiter: u8,
    /// The id of the device, or one of its `aliases`.
    pub device: Template,
    /// Used when a cell of `device` is empty: a stream of its own, never in service.
    pub unassigned: Option<Template>,
    #[serde(default)]
    pub repeats: Repeats,
    time: Option<TimeText>,
    /// Another kind of witness than the source: a device's own log inside a maintenance system.
    #[serde(default, deserialize_with = "table_kind")]
    kind: Option<SourceKind>,
    /// A column with the time the row was entered.
    pub known: Option<Known>,
    pub machine: Option<MachinePart>,
    pub order: Option<OrderPart>,
    pub maintenance: Option<MaintenancePart>,
    pub error: Option<ErrorPart>,
    pub interval: Option<IntervalPart>,
    #[serde(default)]
    pub counters: Vec<CounterPart>,
    #[serde(skip)]
    pub times: TimeRules,
}

/// What becomes of a row that is equal to an earlier one in every cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    #[default]
    Refuse,
    Keep,
}

#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error("the mapping cannot be read")]
    Unreadable(#[source] Box<toml::de::Error>),
    #[error("the mapping is of version {version}: this medfleet reads version {VERSION}")]
    Version { version: u32 },
    #[error("the mapping names no table: add a [[table]]")]
    NoTable,
    #[error("the mapping has two tables for {file}: put their parts into one")]
    SameFile { file: String },
    #[error("table {file} says nothing: give it machine, order, maintenance, error, interval or counters")]
    SaysNothing { file: String },
    #[error("table {file}: {source}")]
    Time { file: String, source: crate::times::TimeTextError },
    #[error("column `{column}` of the mapping is not in the header of {file} ({header}): correct one of them")]
    NoColumn { file: String, column: String, header: String },
    #[error("{file} has two columns `{column}`: rename one of them")]
    SameColumn { file: String, column: String },
}

impl Mapping {
    pub fn read(text: &str) -> Result<Self, MappingError> {
        let mut mapping: Self = toml::from_str(text).map_err(|error| MappingError::Unreadable(Box::new(error)))?;
        if mapping.version != VERSION {
            return Err(MappingError::Version { version: mapping.version });
        }
        if mapping.tables.is_empty() {
            return Err(MappingError::NoTable);
        }
        for nth in 0..mapping.tables.len() {
            let (before, rest) = mapping.tables.split_at_mut(nth);
            let table = &mut rest[0];
            let file = || table.file.clone();
            if before.iter().any(|other| other.file == table.file) {
                return Err(MappingError::SameFile { file: file() });
            }
            if !table.says_something() {
                return Err(MappingError::SaysNothing { file: file() });
            }
            let times = mapping.time.clone().overlaid(table.time.clone()).rules();
            table.times = times.map_err(|source| MappingError::Time { file: file(), source })?;
        }
        Ok(mapping)
    }

    /// Tables that only list machines go first, so that the others can name their machines by an alias.
    pub fn in_order(&self) -> impl Iterator<Item = usize> {
        let (lists, others): (Vec<usize>, Vec<usize>) =
            (0..self.tables.len()).partition(|nth| self.tables[*nth].only_lists_machines());
        lists.into_iter().chain(others)
    }

    /// What kind of witness speaks in the rows of a table.
    pub fn witness(&self, table: &Table) -> SourceKind {
        table.kind.unwrap_or(self.source.kind)
    }

    /// The definition of a site, if the mapping has one.
    pub fn site(&self, id: &SiteId) -> Option<&SiteText> {
        let named = self.sites.iter().find(|site| site.id.as_ref() == Some(id));
        named.or_else(|| self.sites.iter().find(|site| site.id.is_none()))
    }
}

impl Table {
    fn says_something(&self) -> bool {
        let parts = [self.order.is_some(), self.maintenance.is_some(), self.error.is_some(), self.interval.is_some()];
        self.machine.is_some() || parts.contains(&true) || !self.counters.is_empty()
    }

    pub fn only_lists_machines(&self) -> bool {
        let rows = [self.order.is_some(), self.maintenance.is_some(), self.error.is_some(), self.interval.is_some()];
        !rows.contains(&true) && self.counters.is_empty()
    }

    /// Refuses a file whose header lacks a column that the mapping names.
    pub fn fits(&self, header: &[String], unlisted: Option<&UnlistedRule>) -> Result<(), MappingError> {
        let mut columns = Columns::default();
        columns.fill([&self.device]).fill(&self.unassigned).add(self.known.iter().map(|known| &known.column));
        if self.machine.is_none()
            && let Some(rule) = unlisted
        {
            columns.fill([&rule.site]).choose([&rule.kind]);
        }
        self.machine.iter().for_each(|part| part.columns(&mut columns));
        self.order.iter().for_each(|part| part.columns(&mut columns));
        self.maintenance.iter().for_each(|part| part.columns(&mut columns));
        self.error.iter().for_each(|part| part.columns(&mut columns));
        self.interval.iter().for_each(|part| part.columns(&mut columns));
        self.counters.iter().for_each(|part| part.columns(&mut columns));
        for column in columns.0 {
            let file = self.file.clone();
            match header.iter().filter(|name| *name == column).count() {
                0 => return Err(MappingError::NoColumn { file, column: column.into(), header: header.join(", ") }),
                1 => {}
                _ => return Err(MappingError::SameColumn { file, column: column.into() }),
            }
        }
        Ok(())
    }
}

const fn comma() -> u8 {
    b','
}

fn ascii<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let character = char::deserialize(from)?;
    let no_delimiter = || D::Error::custom(format!("`{character}` is no delimiter: use one ASCII character"));
    u8::try_from(character).ok().filter(u8::is_ascii).ok_or_else(no_delimiter)
}

fn site_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SiteId>, D::Error> {
    SiteId::new(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
}

fn source_kind<'de, D: Deserializer<'de>>(from: D) -> Result<SourceKind, D::Error> {
    let word = String::deserialize(from)?;
    let known = SourceKind::parse(&word).filter(|kind| !matches!(kind, SourceKind::Assumed | SourceKind::Person));
    known.ok_or_else(|| {
        D::Error::custom(format!("`{word}` is no kind of source for an import: use record, device, gateway or derived"))
    })
}

fn table_kind<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SourceKind>, D::Error> {
    source_kind(from).map(Some)
}

fn up_condition<'de, D: Deserializer<'de>>(from: D) -> Result<Condition, D::Error> {
    let word = String::deserialize(from)?;
    let up = Condition::parse(&word).filter(|condition| condition.is_up());
    up.ok_or_else(|| D::Error::custom(format!("`{word}` cannot be assumed: use standby, productive or engineering")))
}
