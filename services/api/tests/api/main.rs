//! The api over made-up fleets: what the `.sql` files say, what pages and programs get, who is let in.

mod board;
mod facts;
mod fleet;
mod fuzz;
mod http;
mod kpi;
mod pages;
mod pipeline;
mod snapshot;
mod sql;
