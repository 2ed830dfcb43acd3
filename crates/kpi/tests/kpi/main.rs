//! KPI views over what the processor's own fold makes of facts: facts in, figures out.

mod amendments;
mod evidence;
mod failures;
mod given;
mod pieces;
mod registry;
mod scores;
mod statements;
mod time;
mod waits;
mod work;
