//! The numbers: every KPI is one `.sql` file and a typed entry in the registry; ratios, intervals and rankings are pure.
//!
//! ```text
//! registry::views() -> &[View]                    what there is: name, parameters, columns with units and meaning
//! View::plan(session, &Question) -> DataFrame     one view over one cut; `as_of` and `at` are a matter of the session
//! happened(session, at)                           the tables up to an instant: what had happened before it
//! ask::{failures, repairs, …}(session, &Question) the same files as typed rows
//! episodes                                        failures of one device out of what is in memory
//! scorecard · comparison · statement · backdated  what is made of several views
//! figures · table                                 each figure with its name, unit and meaning
//! measure · stats                                 ratios, rates, rankings over those rows, without a session
//! ```
//!
//! A view sums microseconds and counts; it never divides. Whoever shows a ratio keeps both of its parts.

pub mod answer;
mod apart;
pub mod ask;
pub mod backdated;
pub mod comparison;
pub mod episodes;
mod error;
pub mod figures;
mod furnish;
mod happened;
pub mod hours;
pub mod measure;
mod question;
pub mod registry;
pub mod scorecard;
pub mod statement;
pub mod stats;
pub mod table;

pub use error::KpiError;
pub use furnish::furnish;
pub use happened::happened;
pub use question::{Question, Scope};
pub use registry::{Column, Unit, View};
