//! Why something written is not taken in, and what becomes of it.

use medfleet_domain::Invalid;

/// A reason to refuse. Each names the offending value, and [`Refusal::code`] is its label in metrics and receipts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{what} cannot be decoded: send the bytes as they were encoded, whole")]
    Undecodable {
        what: &'static str,
        #[source]
        source: prost::DecodeError,
    },
    #[error("{what} of {bytes} bytes is over the limit of {limit}: cut it smaller")]
    Oversized { what: &'static str, bytes: usize, limit: usize },
    #[error("{count} {what} are over the limit of {limit}: send fewer at a time")]
    TooMany { what: &'static str, count: usize, limit: usize },
    #[error("schema {found} says something that schema {known} does not know: upgrade the reader")]
    NewerSchema { found: u32, known: u32 },
    #[error("site `{site}` is not defined: define the site, then it is taken in")]
    UnknownSite { site: String },
    #[error("{field} has the value {value}, which this schema does not know: correct it at the source")]
    UnknownValue { field: &'static str, value: String },
    #[error("{what} says nothing that this schema knows: give it a body")]
    UnknownBody { what: &'static str },
    #[error("{field} is missing: every {of} needs it")]
    MissingField { field: &'static str, of: &'static str },
    #[error("{field} is invalid")]
    InvalidValue {
        field: &'static str,
        #[source]
        source: Invalid,
    },
    #[error("a stretch crosses UTC midnight")]
    CrossesMidnight {
        #[source]
        source: Invalid,
    },
    #[error("a correction replaces a fact by another correction: amend the original fact instead")]
    NestedAmendment,
    #[error("run has no facts: send it with at least one")]
    EmptyRun,
    #[error("first seq is 0: seqs start at 1")]
    SeqZero,
    #[error("run of {count} facts from seq {first} passes the last possible seq: open a new epoch")]
    SeqOverflow { first: u64, count: usize },
    #[error("topic `{topic}` is not in the grammar medfleet/v1/SITE/SHARD/AGENT/batch or …/receipt")]
    TopicUnknown { topic: String },
    #[error("topic says {what} `{topic}` but the batch says `{batch}`: publish on the batch's own topic")]
    TopicDisagrees { what: &'static str, topic: String, batch: String },
    #[error("run names {what} `{run}` but its batch is of `{batch}`: an agent speaks for itself and its site only")]
    ForeignRun { what: &'static str, run: String, batch: String },
}

/// What becomes of refused facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Kept by the writer and tried again: the reader has to change, not the fact.
    Held,
    /// Into quarantine, whole; trying again would end the same way.
    Poison,
}

impl Refusal {
    /// Every code there is, in the order of the variants: the closed set of the metric label `reason`.
    pub const CODES: [&'static str; 17] = [
        "undecodable",
        "oversized",
        "too_many",
        "newer_schema",
        "unknown_site",
        "unknown_value",
        "unknown_body",
        "missing_field",
        "invalid_value",
        "crosses_midnight",
        "nested_amendment",
        "empty_run",
        "seq_zero",
        "seq_overflow",
        "topic_unknown",
        "topic_disagrees",
        "foreign_run",
    ];

    pub const fn code(&self) -> &'static str {
        match self {
            Self::Undecodable { .. } => "undecodable",
            Self::Oversized { .. } => "oversized",
            Self::TooMany { .. } => "too_many",
            Self::NewerSchema { .. } => "newer_schema",
            Self::UnknownSite { .. } => "unknown_site",
            Self::UnknownValue { .. } => "unknown_value",
            Self::UnknownBody { .. } => "unknown_body",
            Self::MissingField { .. } => "missing_field",
            Self::InvalidValue { .. } => "invalid_value",
            Self::CrossesMidnight { .. } => "crosses_midnight",
            Self::NestedAmendment => "nested_amendment",
            Self::EmptyRun => "empty_run",
            Self::SeqZero => "seq_zero",
            Self::SeqOverflow { .. } => "seq_overflow",
            Self::TopicUnknown { .. } => "topic_unknown",
            Self::TopicDisagrees { .. } => "topic_disagrees",
            Self::ForeignRun { .. } => "foreign_run",
        }
    }

    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::NewerSchema { .. } | Self::UnknownSite { .. } => Disposition::Held,
            _ => Disposition::Poison,
        }
    }

    /// The same refusal, given the schema its bytes were written in. A word that is unknown here may be known to a newer
    /// writer: then the reader is behind, and the facts are held. In the reader's own schema it is a mistake.
    pub(crate) fn under_schema(self, found: u32) -> Self {
        let vocabulary = matches!(self, Self::UnknownValue { .. } | Self::UnknownBody { .. });
        if vocabulary && found > crate::SCHEMA_VERSION {
            return Self::NewerSchema { found, known: crate::SCHEMA_VERSION };
        }
        self
    }

    /// A refusal of the domain, told about `field`.
    pub(crate) fn invalid(field: &'static str) -> impl FnOnce(Invalid) -> Self {
        move |source| match source {
            Invalid::CrossesMidnight { .. } => Self::CrossesMidnight { source },
            source => Self::InvalidValue { field, source },
        }
    }
}
