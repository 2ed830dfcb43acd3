//! Starting the log of the process: for people on a terminal, one JSON object per line elsewhere, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::RuntimeError;

/// Names the variable that says what is logged, as in `info,medfleet_ingest=debug`.
pub const FILTER_VARIABLE: &str = "MEDFLEET_LOG";

/// Starts logging. `MEDFLEET_LOG` wins over `default_filter`.
pub fn start(default_filter: &str) -> Result<(), RuntimeError> {
    let filter = filter(std::env::var(FILTER_VARIABLE).ok(), default_filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = if stderr().is_terminal() {
        registry.with(fmt::layer().with_writer(stderr).with_target(false)).try_init()
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init()
    };
    started.map_err(|_| RuntimeError::LoggingTwice)
}

fn filter(chosen: Option<String>, default_filter: &str) -> Result<EnvFilter, RuntimeError> {
    let filter = chosen.unwrap_or_else(|| default_filter.to_owned());
    EnvFilter::try_new(&filter).map_err(|source| RuntimeError::LogFilter { filter, source })
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn the_variable_wins_and_a_malformed_filter_is_named() {
        assert_eq!(filter(Some("warn".into()), "info").unwrap().to_string(), "warn");
        assert_eq!(filter(None, "info").unwrap().to_string(), "info");
        assert!(filter(Some("medfleet=loudly".into()), "info").unwrap_err().to_string().contains("medfleet=loudly"));
    }
}
