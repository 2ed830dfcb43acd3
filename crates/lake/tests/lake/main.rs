//! The lake on a real disk: the commit protocol under faults, upkeep, cuts, rebuilds and rollups.

mod commits;
mod cuts;
mod durability;
mod faulty;
mod rig;
mod rollups;
mod tables;
mod upkeep;
