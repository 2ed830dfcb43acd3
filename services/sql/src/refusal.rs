//! Why a statement or a connection was refused: a SQLSTATE for programs, a message with the value and the cure for people.

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use pgwire::error::{ErrorInfo, PgWireError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub sqlstate: &'static str,
    pub message: String,
    pub cure: String,
    /// Ends the connection.
    pub fatal: bool,
}

pub mod sqlstate {
    //! The codes this endpoint answers with; names as in PostgreSQL's appendix A.
    pub const PROTOCOL_VIOLATION: &str = "08P01";
    pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub const DATA_EXCEPTION: &str = "22000";
    pub const DIVISION_BY_ZERO: &str = "22012";
    pub const INVALID_PARAMETER_VALUE: &str = "22023";
    pub const INVALID_TEXT_REPRESENTATION: &str = "22P02";
    pub const IN_FAILED_TRANSACTION: &str = "25P02";
    pub const IDLE_IN_TRANSACTION: &str = "25P03";
    pub const TLS_REQUIRED: &str = "28000";
    pub const INVALID_PASSWORD: &str = "28P01";
    pub const NO_SUCH_DATABASE: &str = "3D000";
    pub const NO_SUCH_CURSOR: &str = "34000";
    pub const SYNTAX_OR_ACCESS: &str = "42000";
    pub const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub const SYNTAX_ERROR: &str = "42601";
    pub const AMBIGUOUS_COLUMN: &str = "42702";
    pub const UNDEFINED_COLUMN: &str = "42703";
    pub const UNDEFINED_OBJECT: &str = "42704";
    pub const UNDEFINED_FUNCTION: &str = "42883";
    pub const UNDEFINED_TABLE: &str = "42P01";
    pub const OUT_OF_MEMORY: &str = "53200";
    pub const TOO_MANY_CONNECTIONS: &str = "53300";
    pub const LIMIT_EXCEEDED: &str = "53400";
    pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
    pub const TOO_MANY_COLUMNS: &str = "54011";
    pub const STATEMENT_TOO_COMPLEX: &str = "54001";
    pub const QUERY_CANCELED: &str = "57014";
    pub const SHUTDOWN: &str = "57P01";
    pub const CANNOT_CONNECT_NOW: &str = "57P03";
    pub const IDLE_SESSION: &str = "57P05";
    pub const SNAPSHOT_TOO_OLD: &str = "72000";
    pub const INTERNAL: &str = "XX000";
}
use sqlstate::*;

impl Refusal {
    pub fn new(sqlstate: &'static str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into(), cure: cure.into(), fatal: false }
    }

    pub fn fatal(sqlstate: &'static str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { fatal: true, ..Self::new(sqlstate, message, cure) }
    }

    /// What would change something: this endpoint only reads.
    pub fn read_only(what: &str) -> Self {
        let message = format!("{what} is refused: this endpoint only reads");
        Self::new(INSUFFICIENT_PRIVILEGE, message, "ask with SELECT; facts enter through agents, imports and the api")
    }

    pub fn unsupported(what: &str, cure: &str) -> Self {
        Self::new(FEATURE_NOT_SUPPORTED, format!("{what} is not supported"), cure)
    }

    /// A query that could not be planned or run. What names files of the server is logged, not told.
    pub fn of(error: &DataFusionError) -> Self {
        let root = error.find_root();
        let told = || plain(&root.strip_backtrace());
        match root {
            DataFusionError::SQL(parser, _) => Self::of_parser(parser),
            DataFusionError::SchemaError(schema, _) => Self::new(of_schema(schema), told(), ""),
            DataFusionError::Plan(text) => Self::new(of_plan(text), told(), ""),
            DataFusionError::NotImplemented(_) => Self::new(FEATURE_NOT_SUPPORTED, told(), ""),
            DataFusionError::ResourcesExhausted(_) => Self::new(
                OUT_OF_MEMORY,
                told(),
                "narrow the period or the devices, or let the server group before it joins",
            ),
            DataFusionError::ArrowError(arrow, _) => of_arrow(arrow, told()),
            DataFusionError::Execution(_) => Self::new(DATA_EXCEPTION, told(), ""),
            DataFusionError::Collection(all) => all.first().map_or_else(|| Self::internal(error), Self::of),
            DataFusionError::External(inner) => match inner.downcast_ref::<Self>() {
                Some(refusal) => refusal.clone(),
                None => Self::unreadable(error),
            },
            DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
                Self::unreadable(error)
            }
            _ => Self::internal(error),
        }
    }

    pub fn of_parser(error: &ParserError) -> Self {
        match error {
            ParserError::RecursionLimitExceeded => {
                Self::new(STATEMENT_TOO_COMPLEX, "the statement is nested too deeply", "split it with WITH")
            }
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => Self::new(SYNTAX_ERROR, text, ""),
        }
    }

    fn unreadable(error: &DataFusionError) -> Self {
        tracing::warn!(error = error as &dyn std::error::Error, "a statement could not read the tables");
        Self::new(
            SNAPSHOT_TOO_OLD,
            "the cut of this statement cannot be read any more",
            "end the transaction and ask again: a cut stays readable for one hour",
        )
    }

    fn internal(error: &DataFusionError) -> Self {
        tracing::warn!(error = error as &dyn std::error::Error, "a statement failed");
        Self::new(INTERNAL, "the statement failed inside the query engine", "the server's log says why")
    }
}

/// Without the engine's own prefix, which tells nothing to a reader.
fn plain(text: &str) -> String {
    let known =
        ["Error during planning: ", "Execution error: ", "Schema error: ", "Arrow error: ", "Resources exhausted: "];
    known.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text).to_owned()
}

fn of_schema(error: &SchemaError) -> &'static str {
    match error {
        SchemaError::FieldNotFound { .. } => UNDEFINED_COLUMN,
        SchemaError::AmbiguousReference { .. } => AMBIGUOUS_COLUMN,
        _ => SYNTAX_OR_ACCESS,
    }
}

fn of_plan(text: &str) -> &'static str {
    let missing = text.contains("not found") || text.contains("not exist");
    match text {
        _ if text.starts_with("Invalid function") || missing && text.contains("function") => UNDEFINED_FUNCTION,
        _ if missing && (text.starts_with("table") || text.contains("table '")) => UNDEFINED_TABLE,
        _ if text.starts_with("failed to resolve") => UNDEFINED_TABLE,
        _ if text.contains("not supported") => INSUFFICIENT_PRIVILEGE,
        _ => SYNTAX_OR_ACCESS,
    }
}

fn of_arrow(error: &ArrowError, told: String) -> Refusal {
    let code = match error {
        ArrowError::DivideByZero => DIVISION_BY_ZERO,
        ArrowError::CastError(_) | ArrowError::ParseError(_) => INVALID_TEXT_REPRESENTATION,
        ArrowError::MemoryError(_) | ArrowError::OffsetOverflowError(_) => PROGRAM_LIMIT_EXCEEDED,
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(error) => return Refusal::of(error),
            None => INTERNAL,
        },
        _ => DATA_EXCEPTION,
    };
    Refusal::new(code, told, "")
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for PgWireError {
    fn from(refusal: Refusal) -> Self {
        let severity = if refusal.fatal { "FATAL" } else { "ERROR" };
        let mut info = ErrorInfo::new(severity.to_owned(), refusal.sqlstate.to_owned(), refusal.message);
        info.severity_nonlocalized = Some(severity.to_owned());
        info.hint = (!refusal.cure.is_empty()).then_some(refusal.cure);
        Self::UserError(Box::new(info))
    }
}

impl From<Refusal> for DataFusionError {
    fn from(refusal: Refusal) -> Self {
        Self::External(Box::new(refusal))
    }
}

impl From<&DataFusionError> for Refusal {
    fn from(error: &DataFusionError) -> Self {
        Self::of(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_engine_gets_its_code_and_loses_its_prefix() {
        let refused = Refusal::of(&DataFusionError::Plan("table 'medfleet.public.secrets' not found".into()));
        assert_eq!(
            (refused.sqlstate, refused.message.as_str()),
            (UNDEFINED_TABLE, "table 'medfleet.public.secrets' not found")
        );
        let inner = DataFusionError::ResourcesExhausted("Failed to allocate".into());
        assert_eq!(Refusal::of(&inner.context("while sorting")).sqlstate, OUT_OF_MEMORY);
        let own = DataFusionError::from(Refusal::new(QUERY_CANCELED, "late", "again"));
        assert_eq!(Refusal::of(&own).sqlstate, QUERY_CANCELED);
    }

    #[test]
    fn a_path_of_the_server_is_not_told() {
        let error = DataFusionError::IoError(std::io::Error::other("/var/lib/medfleet/lake/x.parquet"));
        let refused = Refusal::of(&error);
        assert!(!refused.message.contains("/var") && !refused.cure.contains("/var"));
    }
}
