//! The pipeline's tables as files have them.

use medfleet_kpi::table::{Cell, Figure, Table};

use crate::operator::{PartitionLag, Quarantine, Refusal};
use crate::pages::download::Sheet;
use crate::query::AgentSeen;

pub fn sheets(lags: &[PartitionLag], agents: &[AgentSeen], quarantine: &Quarantine) -> Vec<Sheet> {
    vec![
        Sheet::new("partitions", "one partition of the log beside what the tables have of it", partitions(lags)),
        Sheet::new("agents", "one agent and its last sign of life", self::agents(agents)),
        Sheet::new("quarantine", "one payload that was refused for good; the newest", refused(&quarantine.newest)),
    ]
}

fn count(number: u64) -> Cell {
    Cell::count(number)
}

fn partitions(rows: &[PartitionLag]) -> Table {
    let figures: [Figure<PartitionLag>; 5] = [
        Figure { name: "partition", unit: "text", meaning: "topic/partition", of: |one| Cell::text(&one.partition) },
        Figure { name: "log_floor", unit: "number", meaning: "first offset held", of: |one| count(one.log_floor) },
        Figure { name: "log_end", unit: "number", meaning: "offset after the last", of: |one| count(one.log_end) },
        Figure { name: "in_tables", unit: "number", meaning: "the same in the tables", of: |one| count(one.in_tables) },
        Figure { name: "lag_records", unit: "count", meaning: "records waiting", of: |one| count(one.lag_records) },
    ];
    Table::of(&figures, rows)
}

fn agents(rows: &[AgentSeen]) -> Table {
    let figures: [Figure<AgentSeen>; 3] = [
        Figure { name: "agent", unit: "text", meaning: "the agent", of: |one| Cell::text(&one.agent) },
        Figure { name: "site", unit: "text", meaning: "where it stands", of: |one| Cell::text(&one.site) },
        Figure {
            name: "seen_at",
            unit: "instant, UTC",
            meaning: "its last sign of life",
            of: |one| Cell::Text(one.seen.to_string()),
        },
    ];
    Table::of(&figures, rows)
}

fn refused(rows: &[Refusal]) -> Table {
    let figures: [Figure<Refusal>; 7] = [
        Figure {
            name: "partition",
            unit: "number",
            meaning: "of the quarantine",
            of: |one| count(one.partition.into()),
        },
        Figure { name: "offset", unit: "number", meaning: "of the entry", of: |one| count(one.offset) },
        Figure {
            name: "received_at",
            unit: "instant, UTC",
            meaning: "when it came",
            of: |one| Cell::Text(one.received_at.to_string()),
        },
        Figure { name: "reason", unit: "text", meaning: "why it was refused", of: |one| Cell::text(&one.reason) },
        Figure { name: "origin", unit: "text", meaning: "where it came from", of: |one| Cell::text(&one.origin) },
        Figure {
            name: "subject",
            unit: "text",
            meaning: "whose facts they are",
            of: |one| Cell::text(one.subject.as_deref().unwrap_or_default()),
        },
        Figure { name: "payload_bytes", unit: "bytes", meaning: "its size", of: |one| count(one.payload_bytes as u64) },
    ];
    Table::of(&figures, rows)
}
