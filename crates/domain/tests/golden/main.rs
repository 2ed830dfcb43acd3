//! The golden cases at the level of the fold: facts in, seconds out.

#[path = "../archive/mod.rs"]
mod archive;
mod binding;
mod claims;
mod contracts;
mod counters;
mod given;
mod identity;
mod memory;
mod notes;
mod observation;
#[path = "../street/mod.rs"]
mod street;
