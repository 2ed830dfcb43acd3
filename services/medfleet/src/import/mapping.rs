//! What the columns of a file of repairs mean: the mapping file, read whole and refused whole before the first row.

use std::collections::BTreeSet;

use medfleet_domain::condition::{Condition, SourceKind};
use medfleet_domain::human::OrderClass;
use medfleet_domain::kind::DeviceKind;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::reader::Row;
use super::times::TimeRules;

/// The only version of the mapping's language so far.
const VERSION: u32 = 1;

/// The keys are explained in `tests/fixtures/lanl/mapping.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    version: u32,
    pub source: SourceText,
    #[serde(default = "comma", deserialize_with = "ascii")]
    pub delimiter: u8,
    pub time: TimeRules,
    pub subject: SubjectText,
    pub site: SiteText,
    pub registered: RegisteredText,
    pub retired: Option<RetiredRule>,
    pub assume: Option<AssumeRule>,
    pub repair: RepairRule,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceText {
    #[serde(deserialize_with = "source_kind")]
    pub kind: SourceKind,
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectText {
    pub id: Template,
    pub unassigned: Option<Template>,
    pub site: Template,
    #[serde(deserialize_with = "device_kind")]
    pub kind: DeviceKind,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteText {
    pub title: Template,
    pub time_zone: String,
    pub region: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredText {
    pub make: Template,
    pub model: Template,
    pub serial: Template,
    pub department: Template,
    pub in_service: Option<InServiceRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InServiceRule {
    pub column: String,
    #[serde(default)]
    pub unknown: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetiredRule {
    pub column: String,
    #[serde(default)]
    pub never: Vec<String>,
    pub reason: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssumeRule {
    #[serde(deserialize_with = "up_condition")]
    pub condition: Condition,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairRule {
    pub order: Template,
    #[serde(deserialize_with = "order_class")]
    pub class: OrderClass,
    pub from: String,
    pub until: String,
    #[serde(default)]
    pub causes: Vec<String>,
    #[serde(default)]
    pub no_cause: String,
    #[serde(default)]
    pub known_after_minutes: u32,
    pub stated_minutes: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error("the mapping cannot be read")]
    Unreadable(#[source] Box<toml::de::Error>),
    #[error("the mapping is of version {version}: this medfleet reads version {VERSION}")]
    Version { version: u32 },
    #[error("column `{column}` of the mapping is not in the header ({header}): correct one of them")]
    NoColumn { column: String, header: String },
}

impl Mapping {
    pub fn read(text: &str) -> Result<Self, MappingError> {
        let mapping: Self = toml::from_str(text).map_err(|error| MappingError::Unreadable(Box::new(error)))?;
        if mapping.version != VERSION {
            return Err(MappingError::Version { version: mapping.version });
        }
        Ok(mapping)
    }

    /// Refuses a file whose header lacks a column that the mapping names.
    pub fn fits(&self, header: &[String]) -> Result<(), MappingError> {
        match self.columns().into_iter().find(|column| !header.iter().any(|name| name == column)) {
            None => Ok(()),
            Some(column) => Err(MappingError::NoColumn { column: column.into(), header: header.join(", ") }),
        }
    }

    fn columns(&self) -> BTreeSet<&str> {
        let Self { subject, site, registered, retired, repair, .. } = self;
        let told = [&subject.id, &subject.site, &site.title, &repair.order];
        let inventory = [&registered.make, &registered.model, &registered.serial, &registered.department];
        let templates = told.into_iter().chain(inventory).chain(&subject.unassigned);
        let months =
            registered.in_service.iter().map(|rule| &rule.column).chain(retired.iter().map(|rule| &rule.column));
        let of_row = [&repair.from, &repair.until].into_iter().chain(&repair.causes).chain(&repair.stated_minutes);
        templates.flat_map(Template::columns).chain(months.chain(of_row).map(String::as_str)).collect()
    }
}

/// Text in which `{Column}` is a cell and `{row}` the number of the row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(String),
    RowNumber,
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let unclosed = || format!("`{text}` opens a brace and does not close it: write {{Column}}");
            let (name, after) = after.split_once('}').ok_or_else(unclosed)?;
            parts.push(Part::Text(before.into()));
            parts.push(if name == "row" { Part::RowNumber } else { Part::Column(name.into()) });
            rest = after;
        }
        parts.push(Part::Text(rest.into()));
        Ok(Self(parts))
    }
}

impl Template {
    pub fn fill(&self, row: &Row<'_>) -> String {
        let say = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Column(column) => row.cell(column).to_owned(),
            Part::RowNumber => row.number.to_string(),
        };
        self.0.iter().map(say).collect()
    }

    /// A cell that it names is empty.
    pub fn has_blanks(&self, row: &Row<'_>) -> bool {
        self.columns().any(|column| row.cell(column).is_empty())
    }

    fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Column(name) = part { Some(name.as_str()) } else { None })
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

fn source_kind<'de, D: Deserializer<'de>>(from: D) -> Result<SourceKind, D::Error> {
    let word = String::deserialize(from)?;
    let known = SourceKind::parse(&word).filter(|kind| *kind != SourceKind::Assumed);
    known.ok_or_else(|| {
        D::Error::custom(format!("`{word}` is no kind of source for an import: use record, gateway or derived"))
    })
}

fn device_kind<'de, D: Deserializer<'de>>(from: D) -> Result<DeviceKind, D::Error> {
    DeviceKind::parse(&String::deserialize(from)?).map_err(D::Error::custom)
}

fn up_condition<'de, D: Deserializer<'de>>(from: D) -> Result<Condition, D::Error> {
    let word = String::deserialize(from)?;
    let up = Condition::parse(&word).filter(|condition| condition.is_up());
    up.ok_or_else(|| D::Error::custom(format!("`{word}` cannot be assumed: use standby, productive or engineering")))
}

fn order_class<'de, D: Deserializer<'de>>(from: D) -> Result<OrderClass, D::Error> {
    match String::deserialize(from)?.as_str() {
        "corrective" => Ok(OrderClass::Corrective),
        "preventive" => Ok(OrderClass::Preventive),
        "upgrade" => Ok(OrderClass::Upgrade),
        "inspection" => Ok(OrderClass::Inspection),
        word => {
            Err(D::Error::custom(format!("`{word}` is no class: use corrective, preventive, upgrade or inspection")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::tests::MAPPING;

    #[test]
    fn the_mapping_of_los_alamos_is_read_and_names_its_columns() {
        let mapping = Mapping::read(MAPPING).unwrap();
        let columns = mapping.columns();
        assert!(columns.contains("nodenumz") && columns.contains("Human Error") && columns.contains("Down Time"));
        assert!(!columns.contains("row"));
    }

    #[test]
    fn an_unknown_key_another_version_and_a_missing_column_are_refused() {
        let unknown = MAPPING.replace("ambiguous =", "ambigous =");
        assert!(matches!(Mapping::read(&unknown), Err(MappingError::Unreadable(_))));
        let newer = MAPPING.replace("version = 1", "version = 2");
        assert!(matches!(Mapping::read(&newer), Err(MappingError::Version { version: 2 })));
        let header = ["System".to_owned()];
        let refusal = Mapping::read(MAPPING).unwrap().fits(&header).unwrap_err().to_string();
        assert!(refusal.contains("not in the header (System)"), "{refusal}");
    }

    #[test]
    fn words_without_meaning_are_refused_with_the_words_that_have_one() {
        let cases = [
            ("condition = \"standby\"", "condition = \"scheduled_down\"", "standby"),
            ("kind = \"record\"", "kind = \"assumed\"", "record"),
            ("zone = \"America/Denver\"", "zone = \"Denver\"", "IANA"),
            ("class = \"corrective\"", "class = \"urgent\"", "inspection"),
            ("{row}", "{row", "brace"),
        ];
        for (right, wrong, cure) in cases {
            let Err(MappingError::Unreadable(source)) = Mapping::read(&MAPPING.replace(right, wrong)) else {
                panic!("{wrong} was taken")
            };
            assert!(source.to_string().contains(cure), "{source}");
        }
    }
}
