//! SQL over the Postgres wire: read-only, each session over views filtered to its user.
//!
//! A connection meets its rooms in this order: `service` (the door) → `connection` (TLS, messages and their time) →
//! `frames` (how long a message may be) → `login` and `scram` (who asks) → `protocol` → `guard` and `settings` (what may
//! be said) → `session`, `portal` and `cursor` → `prepared`, `subqueries` and `calls` (planned over one cut) → `bounds` (how much it may make) → `desk`, `sight`, `kpi`, `answer`, `made`, `origin` and `catalog`
//! (what that user sees of it) → `rows` (out, as far as the limits go).

mod answer;
mod as_of;
mod bounds;
mod calls;
mod catalog;
mod config;
mod connection;
mod cursor;
mod decisions;
mod desk;
mod error;
mod frames;
mod functions;
mod guard;
mod house;
mod kpi;
mod login;
mod made;
mod memory;
mod meters;
mod origin;
mod portal;
mod prepared;
mod protocol;
mod rates;
mod refusal;
mod rows;
mod run;
mod scram;
mod service;
mod session;
mod settings;
mod sight;
mod subqueries;
mod text;
mod users;

pub use config::{Limits, SqlConfig};
pub use desk::Lag;
pub use error::SqlError;
pub use service::{Bound, Service};
pub use users::{Scope, User, Users};
