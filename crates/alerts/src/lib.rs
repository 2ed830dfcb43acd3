//! Alerts: what is raised, for whom, and what became of it. Pure: no I/O, no clock; time comes with what is told.
//!
//! ```text
//! fact, request, tick ─► desk (rules · watch · suppression) ─► alert lives ─► route ─► delivery intents
//! ```
//! `rule` reads what is worth an alert, `watch` knows how each subject is, `desk` folds the log in order and opens one incident per
//! problem (its life is `medfleet_domain::alert`), `voices` says who is heard and who was misled, `route` says whom to wake and when,
//! `incident` an alert with those that are part of it, `delivery` keeps intents and outcomes. `trial` runs rules on given facts. Equal logs give equal alerts, with equal ids.

pub mod book;
pub mod delivery;
pub mod desk;
pub mod incident;
pub mod past;
pub mod route;
pub mod rule;
#[cfg(test)]
mod testing;
pub mod trial;
pub mod voices;
pub mod watch;

/// What keeps rules, routes or trials from being read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} cannot be read: correct the file")]
    Unreadable {
        what: &'static str,
        #[source]
        source: serde_yaml_ng::Error,
    },
    #[error("rule `{rule}`: {flaw}")]
    Rule { rule: String, flaw: String },
    #[error("route of {place}: {flaw}")]
    Route { place: String, flaw: String },
    #[error("trial `{trial}`: {flaw}")]
    Trial { trial: String, flaw: String },
}
