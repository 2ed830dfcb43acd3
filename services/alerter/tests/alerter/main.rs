//! The alerter over an embedded log: what it decides, what it sends, and what a new life makes of an old one's work.

mod desk;
mod house;
mod messages;
mod risk;
mod sink;
