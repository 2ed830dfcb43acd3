//! A fleet that does not exist: fifteen kinds of equipment in six invented hospitals, living by seeded chance.
//!
//! `catalogue` and `fleet` are data, `plan` draws the fleet, `device` lives one device's life, `outages` says when nobody could look,
//! `truth` keeps what really happened, `history` tells it as agents and people would have reported it, and `live` goes on from there.
//! Pure: no I/O, no clock; the caller brings seed and time.

pub mod catalogue;
pub mod chance;
pub mod device;
pub mod error;
pub mod fleet;
pub mod history;
pub mod live;
pub mod local;
pub mod outages;
pub mod plan;
pub mod truth;

pub use error::Error;
