//! The pipeline's tables as files have them.

use medfleet_kpi::table::{Cell, Figure, Table};

use super::Seen;
use crate::operator::{PartitionLag, Refusal};
use crate::pages::download::Sheet;
use crate::query::{AgentSeen, Gap, Receipts};

pub fn sheets(seen: &Seen) -> Vec<Sheet> {
    let in_tables = |refusal: &Refusal| seen.landed.contains(&(refusal.partition, refusal.offset));
    let refused: Vec<Refused> = seen.quarantine.newest.iter().map(|one| (one.clone(), in_tables(one))).collect();
    vec![
        Sheet::new("partitions", "one partition of the log beside what the tables have of it", partitions(&seen.lags)),
        Sheet::new("agents", "one agent, its newest heartbeat, and its receipts as of then", agents(&seen.agents)),
        Sheet::new(
            "gaps",
            "one life of one writer that lacks facts which its later facts name; the worst",
            gaps(seen.gaps.as_deref().unwrap_or_default()),
        ),
        Sheet::new("quarantine", "one payload that was refused for good; the newest", self::refused(&refused)),
    ]
}

/// An entry, and whether the tables have its facts by now.
type Refused = (Refusal, bool);

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
    let figures: [Figure<AgentSeen>; 9] = [
        Figure { name: "agent", unit: "text", meaning: "the agent", of: |one| Cell::text(&one.agent) },
        Figure { name: "site", unit: "text", meaning: "where it stands", of: |one| Cell::text(&one.site) },
        Figure {
            name: "seen_at",
            unit: "instant, UTC",
            meaning: "its newest heartbeat; the figures are as of then, and nothing where it did not say them",
            of: |one| Cell::Text(one.seen.to_string()),
        },
        Figure {
            name: "accepted_facts",
            unit: "count",
            meaning: "durable in its journal since that began",
            of: |one| said(one, |said| Some(said.accepted)),
        },
        Figure {
            name: "receipted_facts",
            unit: "count",
            meaning: "of these, known to be durable in the log or refused for good",
            of: |one| said(one, |said| Some(said.receipted)),
        },
        Figure {
            name: "waiting_facts",
            unit: "count",
            meaning: "of these, without a receipt",
            of: |one| said(one, |said| Some(said.waiting)),
        },
        Figure {
            name: "oldest_waiting_seconds",
            unit: "seconds",
            meaning: "how long the oldest of these had been known",
            of: |one| said(one, |said| said.oldest_waiting_seconds),
        },
        Figure {
            name: "journal_bytes",
            unit: "bytes",
            meaning: "its journal on disk",
            of: |one| said(one, |said| Some(said.journal_bytes)),
        },
        Figure {
            name: "journal_limit_bytes",
            unit: "bytes",
            meaning: "what that may take",
            of: |one| said(one, |said| Some(said.journal_limit_bytes)),
        },
    ];
    Table::of(&figures, rows)
}

fn said(one: &AgentSeen, of: fn(&Receipts) -> Option<i64>) -> Cell {
    one.receipts.as_ref().and_then(of).map_or(Cell::Nothing, Cell::Whole)
}

fn gaps(rows: &[Gap]) -> Table {
    let figures: [Figure<Gap>; 7] = [
        Figure {
            name: "subject_kind",
            unit: "text",
            meaning: "device, agent, site or place",
            of: |one| Cell::text(&one.subject_kind),
        },
        Figure { name: "subject", unit: "text", meaning: "whose facts", of: |one| Cell::text(&one.subject) },
        Figure { name: "site", unit: "text", meaning: "where it stands", of: |one| Cell::text(&one.site) },
        Figure {
            name: "agent",
            unit: "text",
            meaning: "who told of it",
            of: |one| Cell::text(one.agent.as_deref().unwrap_or_default()),
        },
        Figure { name: "epoch", unit: "number", meaning: "the writer's life", of: |one| Cell::Whole(one.epoch) },
        Figure { name: "missing", unit: "count", meaning: "facts that have not arrived", of: |one| count(one.missing) },
        Figure {
            name: "newest_at",
            unit: "instant, UTC",
            meaning: "when the log took its newest fact",
            of: |one| Cell::Text(one.newest.to_string()),
        },
    ];
    Table::of(&figures, rows)
}

fn refused(rows: &[Refused]) -> Table {
    let figures: [Figure<Refused>; 8] = [
        Figure {
            name: "partition",
            unit: "number",
            meaning: "of the quarantine",
            of: |(one, _)| count(one.partition.into()),
        },
        Figure { name: "offset", unit: "number", meaning: "of the entry", of: |(one, _)| count(one.offset) },
        Figure {
            name: "received_at",
            unit: "instant, UTC",
            meaning: "when it came",
            of: |(one, _)| Cell::Text(one.received_at.to_string()),
        },
        Figure { name: "reason", unit: "text", meaning: "why it was refused", of: |(one, _)| Cell::text(&one.reason) },
        Figure { name: "origin", unit: "text", meaning: "where it came from", of: |(one, _)| Cell::text(&one.origin) },
        Figure {
            name: "subject",
            unit: "text",
            meaning: "whose facts they are",
            of: |(one, _)| Cell::text(one.subject.as_deref().unwrap_or_default()),
        },
        Figure {
            name: "payload_bytes",
            unit: "bytes",
            meaning: "its size",
            of: |(one, _)| count(one.payload_bytes as u64),
        },
        Figure {
            name: "in_tables",
            unit: "yes or no",
            meaning: "whether its facts were driven in again and are in the tables",
            of: |(_, in_tables)| Cell::Flag(*in_tables),
        },
    ];
    Table::of(&figures, rows)
}
