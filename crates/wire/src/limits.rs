//! What a reader accepts at most. A writer that stays below these is never refused for size.

/// One MQTT message, before anything in it is read. A record or a quarantined payload made of one stays below the
/// megabyte that Kafka takes by default.
pub const BATCH_MAX_BYTES: usize = 512 << 10;
/// Runs in one batch.
pub const BATCH_MAX_RUNS: usize = 4_096;
/// Facts in one run, and so in one log record.
pub const RUN_MAX_FACTS: usize = 4_096;
/// One fact, as written.
pub const FACT_MAX_BYTES: usize = 16 << 10;
/// A log record holds one run of one batch, and what ingest noted about it. Writers without batches keep their runs as small.
pub const RECORD_MAX_BYTES: usize = BATCH_MAX_BYTES + (64 << 10);
/// A spooled fact names its subject, site and kind beside itself.
pub const SPOOLED_MAX_BYTES: usize = FACT_MAX_BYTES + (1 << 10);
/// One receipt: a fate for every run of the largest batch.
pub const RECEIPT_MAX_BYTES: usize = 1 << 20;
/// Fates in one receipt. There are more fates than runs where single facts were refused.
pub const RECEIPT_MAX_FATES: usize = 2 * BATCH_MAX_RUNS;
/// A quarantined payload is kept whole, with its origin and reason.
pub const QUARANTINED_MAX_BYTES: usize = BATCH_MAX_BYTES + (64 << 10);
/// One verdict.
pub const VERDICT_MAX_BYTES: usize = 16 << 10;
/// One record of the topic of alerts: a turn of the desk with its steps, or rules as they were written.
pub const ALERT_RECORD_MAX_BYTES: usize = 3 << 20;
/// One record of the topic of risk: a report of a model names every sort of part.
pub const RISK_RECORD_MAX_BYTES: usize = 3 << 20;
/// An MQTT topic, in its longest form.
pub const TOPIC_MAX_BYTES: usize = 256;
/// Seqs are stored as signed 64-bit columns.
pub const SEQ_MAX: u64 = i64::MAX as u64;
