//! The endpoint over the wire, as a Postgres client meets it: who is let in, what is answered, what is refused.

mod attack;
mod chronicle;
mod clients;
mod dashboards;
mod figures;
mod limits;
mod login;
mod made;
mod memory;
mod papers;
mod rig;
mod scope;
