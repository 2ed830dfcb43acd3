//! What people and programs ask: pages, a REST API and live state over one pinned cut of the tables.
//!
//! A request meets its rooms in this order: `door` (TLS, connections) → `auth` and `guard` (who may ask) → `rest` or
//! `pages` → `cuts` (which state of the tables) → `query` (`.sql` over it, or
//! `sums` kept up to it, or `kpi` for the views of the KPI room) → `measure` and `timeline` (pure arithmetic).
//! Requests that change something become facts and leave through [`HumanDoor`]: nothing here writes a table.

mod alerts;
mod assets;
mod auth;
pub mod backtest;
pub mod board;
pub mod config;
mod cuts;
mod door;
mod error;
mod feed;
mod guard;
mod heads;
mod human;
mod kpi;
mod live;
pub mod measure;
mod meters;
mod models;
mod openapi;
pub mod operator;
mod pages;
mod period;
mod problem;
pub mod query;
mod rest;
mod scoreboard;
mod service;
mod statements;
mod sums;
pub mod timeline;

pub use auth::Token;
pub use config::ApiConfig;
pub use cuts::{Cuts, OpenCut};
pub use error::ApiError;
pub use human::{Accepted, HumanDoor, Refused};
pub use openapi::document as openapi_document;
pub use period::{Period, read_instant};
pub use service::{Bound, Service, serve};
