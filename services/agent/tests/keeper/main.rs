//! The keeper of the journal, through a whole agent.

mod full_journal;
mod given;
mod goodbye;
mod replay;
