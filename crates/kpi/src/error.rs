//! What can go wrong when a number is asked for.

use medfleet_lake::LakeError;

#[derive(Debug, thiserror::Error)]
pub enum KpiError {
    #[error("a view could not be asked")]
    Lake(#[from] LakeError),
    #[error("the query engine refused an empty table")]
    Engine(#[source] datafusion::error::DataFusionError),
    #[error("a column could not be read")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("column `{column}` is missing, null or of another type: the `.sql` file and its reader disagree")]
    Column { column: String },
    #[error("column `{column}` holds `{value}`, which is no {what}: the row was not written by this program")]
    Word { column: &'static str, what: &'static str, value: String },
    #[error("a row holds a name that the domain does not know")]
    Name(#[source] medfleet_domain::Invalid),
    #[error("an archived fact cannot be read")]
    Fact(#[source] medfleet_wire::Refusal),
    #[error("there is no view `{name}`: use one of {known}")]
    NoView { name: String, known: String },
    #[error("`{zone}` of site `{site}` is no time zone: define the site again with an IANA name")]
    Zone { site: String, zone: String },
}
