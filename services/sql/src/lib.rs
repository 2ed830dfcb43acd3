//! SQL over the Postgres wire: read-only, each session over views filtered to its user.
