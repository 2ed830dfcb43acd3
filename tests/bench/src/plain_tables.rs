//! The control of log to tables: decodes the same records and writes the same Parquet, as often and as sorted, without fold,
//! dedup, transactions and syncs. One row for a fact in `facts`, one for a stretch, sample or error in its table.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use medfleet_domain::fact::{Body, DeviceError, Fact, Run, Sample, Sealed, Stretch};
use medfleet_lake::rows::{ErrorRow, FactRow, IntervalRow, UsageRow};
use medfleet_lake::{Cause, Day, Row, Text, UtcMicros, flush_properties};
use medfleet_log::{EventLog, Partition, Topic};

const POLL_BYTES: usize = 8 * 1024 * 1024;
const PARTITION_COLUMN: &str = "day";

#[derive(Default)]
struct Rows {
    facts: Vec<FactRow>,
    intervals: Vec<IntervalRow>,
    usage: Vec<UsageRow>,
    errors: Vec<ErrorRow>,
    files: u64,
}

/// Answers how many rows `facts` got.
pub async fn write(log: &dyn EventLog, folder: &Path, flush_rows: usize) -> anyhow::Result<u64> {
    let mut from = Vec::new();
    let mut left = 0;
    for topic in [Topic::FLEET, Topic::FACTS] {
        for partition in 0..log.partitions(topic)? {
            let home = Partition::new(topic, partition);
            left += log.bounds(home).await?.end;
            from.push(home.at(0));
        }
    }
    let mut tail = log.tail(&from).await?;
    let (mut rows, mut written) = (Rows::default(), 0);
    while left > 0 {
        for batch in tail.poll(POLL_BYTES, Duration::from_secs(1)).await? {
            left -= batch.records.len() as u64;
            for record in &batch.records {
                let run = medfleet_wire::decode_record(&record.value)?.run;
                rows.take(&run, cause(batch.home, record.offset), record.appended_at_micros);
                if rows.len() >= flush_rows {
                    written += rows.flush(folder)?;
                }
            }
        }
    }
    Ok(written + rows.flush(folder)?)
}

fn cause(home: Partition, offset: u64) -> Cause {
    let topic = i8::from(home.topic == Topic::FLEET);
    Cause { topic, partition: home.partition.cast_signed(), offset: offset.cast_signed(), index: 0 }
}

impl Rows {
    fn len(&self) -> usize {
        self.facts.len() + self.intervals.len() + self.usage.len() + self.errors.len()
    }

    fn take(&mut self, run: &Run, cause: Cause, appended_at: i64) {
        let (subject, site) = (shared(run.subject.name()), shared(run.site.as_str()));
        let agent = run.agent.as_ref().map(|agent| shared(agent.as_str()));
        for (index, sealed) in (0..).zip(&run.facts) {
            let seq = run.first_seq.0.cast_signed() + i64::from(index);
            let head = Head { subject: &subject, site: &site, run, seq, cause: Cause { index, ..cause } };
            match &sealed.fact.body {
                Body::Stretch(stretch) => self.intervals.push(head.interval(&sealed.fact, stretch)),
                Body::Usage(sample) => self.usage.push(head.usage(&sealed.fact, sample)),
                Body::Error(error) => self.errors.push(head.error(&sealed.fact, error)),
                _ => {}
            }
            self.facts.push(head.fact(sealed, agent.clone(), appended_at));
        }
    }

    fn flush(&mut self, folder: &Path) -> anyhow::Result<u64> {
        let Self { facts, intervals, usage, errors, files } = std::mem::take(self);
        let (number, written) = (files, facts.len() as u64);
        self.files = files + 1;
        let at = |row: &FactRow| (row.day, row.subject.clone(), row.at, row.epoch, row.seq);
        put(folder, "facts", number, facts, at, |row| row.day)?;
        put(folder, "intervals", number, intervals, |row| (row.day, row.device.clone(), row.from_at), |row| row.day)?;
        let at = |row: &UsageRow| (row.day, row.device.clone(), row.counter.clone(), row.at);
        put(folder, "usage", number, usage, at, |row| row.day)?;
        put(folder, "errors", number, errors, |row| (row.day, row.device.clone(), row.at), |row| row.day)?;
        Ok(written)
    }
}

/// One file for each day, in the table's order, without the column that the folder names.
fn put<R: Row, K: Ord>(
    folder: &Path,
    table: &str,
    number: u64,
    mut rows: Vec<R>,
    order: impl Fn(&R) -> K,
    day: impl Fn(&R) -> Day,
) -> anyhow::Result<()> {
    rows.sort_by_cached_key(order);
    for rows in rows.chunk_by(|one, next| day(one) == day(next)) {
        let batch = without_partition(&R::to_batch(rows)?)?;
        let place = folder.join(table).join(format!("{PARTITION_COLUMN}={}", day(&rows[0]).0));
        fs::create_dir_all(&place)?;
        let file = File::create_new(place.join(format!("{number:06}.parquet")))?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(flush_properties()))?;
        writer.write(&batch)?;
        writer.close()?;
    }
    Ok(())
}

fn without_partition(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let kept: Vec<usize> =
        (0..batch.num_columns()).filter(|column| batch.schema().field(*column).name() != PARTITION_COLUMN).collect();
    Ok(batch.project(&kept)?)
}

fn shared(text: &str) -> Text {
    Text::from(Arc::<str>::from(text))
}

fn some(text: &str) -> Option<Text> {
    (!text.is_empty()).then(|| shared(text))
}

/// What the rows of one fact have in common.
struct Head<'a> {
    subject: &'a Text,
    site: &'a Text,
    run: &'a Run,
    seq: i64,
    cause: Cause,
}

impl Head<'_> {
    fn fact(&self, sealed: &Sealed, agent: Option<Text>, appended_at: i64) -> FactRow {
        let fact = &sealed.fact;
        FactRow {
            subject_kind: self.run.subject.kind.as_str().into(),
            subject: self.subject.clone(),
            epoch: self.run.epoch.0.cast_signed(),
            seq: self.seq,
            kind: fact.body.name().into(),
            at: UtcMicros(fact.at.0),
            known_at: UtcMicros(fact.known_at.0),
            known_assumed: fact.known_assumed,
            day: Day(fact.at.day().0),
            site: self.site.clone(),
            device_kind: self.run.kind.as_str().into(),
            agent,
            source_kind: fact.source.kind.as_str().into(),
            clock: fact.clock.as_str().into(),
            verdict: "new".into(),
            suspect: false,
            bytes: Some(sealed.bytes.clone()),
            content_hash: None,
            appended_at: UtcMicros(appended_at),
            cause: self.cause,
        }
    }

    fn interval(&self, fact: &Fact, stretch: &Stretch) -> IntervalRow {
        IntervalRow {
            device: self.subject.clone(),
            site: self.site.clone(),
            kind: self.run.kind.as_str().into(),
            day: Day(fact.at.day().0),
            from_at: UtcMicros(fact.at.0),
            until_at: UtcMicros(stretch.until.0),
            condition: stretch.condition.as_str().into(),
            degradation: stretch.degradation.as_str().into(),
            source_kind: fact.source.kind.as_str().into(),
            weight: 1,
            cause: self.cause,
            ..IntervalRow::default()
        }
    }

    fn usage(&self, fact: &Fact, sample: &Sample) -> UsageRow {
        UsageRow {
            device: self.subject.clone(),
            site: self.site.clone(),
            kind: self.run.kind.as_str().into(),
            day: Day(fact.at.day().0),
            counter: shared(&sample.counter),
            component: some(&sample.component),
            unit: shared(&sample.unit),
            source: shared(&fact.source.name),
            at: UtcMicros(fact.at.0),
            value_milli: sample.value_milli,
            increment_milli: sample.value_milli,
            step: "counted".into(),
            epoch: self.run.epoch.0.cast_signed(),
            seq: self.seq,
            weight: 1,
            cause: self.cause,
        }
    }

    fn error(&self, fact: &Fact, error: &DeviceError) -> ErrorRow {
        ErrorRow {
            device: self.subject.clone(),
            site: self.site.clone(),
            kind: self.run.kind.as_str().into(),
            day: Day(fact.at.day().0),
            at: UtcMicros(fact.at.0),
            code: shared(&error.code),
            family: some(&error.family),
            severity: error.severity.as_str().into(),
            component: some(&error.component),
            cause_domain: some(&error.cause_domain),
            text: some(&error.text),
            epoch: self.run.epoch.0.cast_signed(),
            seq: self.seq,
            weight: 1,
            cause: self.cause,
        }
    }
}
