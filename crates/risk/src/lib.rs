//! Risk: how likely a part is to fail soon, said by three voices of which each must earn the right to be heard.
//!
//! `column` and `frame` say what a voice may look at, `fate` what became of it, `verdict` what technicians
//! say of that, `split` which past it may learn from. `voice` holds the rules, the pooled hazards and the trees; `calibration` turns
//! scores into probabilities, `figures` and `sipos` measure them, `gate` decides who speaks for a kind and part, `promotion` asks it
//! for all of them, `backtest` tells all of it. `scoreboard` and `raised` say what scores and alerts were worth while a model was in
//! use, `register` what the log tells of models. Pure: no I/O, no clock.

pub mod backtest;
pub mod calibration;
pub mod column;
pub mod fate;
pub mod figures;
pub mod frame;
pub mod gate;
pub mod horizon;
pub mod model;
pub mod promotion;
pub mod raised;
pub mod register;
pub mod report;
pub mod scoreboard;
pub mod sipos;
pub mod split;
pub mod verdict;
pub mod voice;

/// What keeps a model from being made, read or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} has no rows: widen the period or lower the shares of the split")]
    NoRows { what: &'static str },
    #[error("{slice} has {failures} failures: a voice that learns needs at least one, and one row without")]
    OneSided { slice: &'static str, failures: usize },
    #[error(
        "row of {found} values where {expected} columns are known: give every column of `Column::ALL` in its order"
    )]
    Width { found: usize, expected: usize },
    #[error("group {group} of {known}: name the group before its rows")]
    UnknownGroup { group: u32, known: usize },
    #[error("rules cannot be read: correct the file")]
    RulesUnreadable(#[source] Box<toml::de::Error>),
    #[error("rule `{rule}` names column `{column}`: use one of {known}")]
    UnknownColumn { rule: String, column: String, known: String },
    #[error(
        "rule `{rule}` names family `{family}` and column `{column}`, which counts no family: use one of {known}, or leave the family out"
    )]
    NoFamilyColumn { rule: String, family: String, column: String, known: String },
    #[error("rule `{rule}` names column `{column}`, which counts a family by name: say `family`")]
    NoFamily { rule: String, column: String },
    #[error("rule `{rule}` names a kind that is none")]
    UnknownKind {
        rule: String,
        #[source]
        source: medfleet_domain::Invalid,
    },
    #[error("rule `{rule}` has weight {weight}: give it more than 0 and less than 1")]
    Weight { rule: String, weight: f64 },
    #[error("the trees cannot be grown")]
    Trees(#[source] forust_ml::errors::ForustError),
    #[error("the model cannot be read: train it again with this version")]
    ModelUnreadable(#[source] serde_json::Error),
    #[error("the period of {days} days leaves no slice behind embargoes of {horizon_hours} h: give it more days")]
    Split { days: i64, horizon_hours: i64 },
}
