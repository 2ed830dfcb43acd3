//! Statistics over counts, durations and exposures: pure functions, tested against scipy and against GOLDEN's figures.

pub mod bootstrap;
pub mod cohort;
pub mod compare;
mod edgeworth;
pub mod gamma;
pub mod ranking;
pub mod rate;
pub mod shrink;
pub mod survival;
pub mod trend;
