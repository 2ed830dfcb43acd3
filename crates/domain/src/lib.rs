//! What is true: identities, time, facts, the day fold, counters, claims and requests. Pure: no I/O, no clock, no async.

pub mod alert;
pub mod amend;
pub mod binder;
pub mod claim;
pub mod condition;
pub mod contract;
pub mod dedup;
pub mod entry;
pub mod fact;
pub mod fleet;
pub mod fold;
pub mod held;
pub mod human;
pub mod id;
pub mod kind;
pub mod ledger;
pub mod local;
pub mod order;
pub mod risk;
pub mod spans;
pub mod statement;
pub mod time;
pub mod usage;

/// Version of the fold and of its precedence table. Rows of another version live in another table.
pub const FOLD_VERSION: u32 = 2;

/// A value that the domain refuses, with the reason and the cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("`{value}` is no {what}: {cure}")]
    Name { what: &'static str, value: String, cure: &'static str },
    #[error("span from {from} to {until} is empty or runs backwards: swap or drop it")]
    Span { from: time::Timestamp, until: time::Timestamp },
    #[error("stretch from {from} to {until} crosses UTC midnight: cut it at the hour or the day")]
    CrossesMidnight { from: time::Timestamp, until: time::Timestamp },
    #[error("{what} {value} is outside {low}..={high}: correct it at the source")]
    Range { what: &'static str, value: i64, low: i64, high: i64 },
    #[error("{what} is missing: every {of} needs it")]
    Missing { what: &'static str, of: &'static str },
}
