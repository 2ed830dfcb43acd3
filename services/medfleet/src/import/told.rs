//! What one source told before: read from the log itself, and below its floor from the archive, so that no other memory can
//! disagree with them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context as _;
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use medfleet_domain::fact::Run;
use medfleet_domain::id::{Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_import::{Told, epoch};
use medfleet_lake::rows::FactRow;
use medfleet_lake::schema::table;
use medfleet_lake::{Lake, Reader, ReaderLimits, Row as _, stream};
use medfleet_log::{EventLog, Partition, Record, Topic, read_to_end};

/// Epochs named in one query of the archive.
const EPOCHS_PER_QUERY: usize = 1_000;

/// The subjects of an import, and the epoch in which its source speaks of each.
struct Wanted {
    by_key: HashMap<String, Epoch>,
    by_epoch: HashMap<Epoch, Subject>,
}

/// Everything this source said of these subjects, as the log and the archive hold it.
pub async fn before(
    log: &dyn EventLog,
    lake: &Lake,
    source: &str,
    subjects: BTreeSet<Subject>,
) -> anyhow::Result<BTreeMap<Subject, Told>> {
    let named = |subject: &Subject| (subject.key(), epoch(source, subject));
    let by_key: HashMap<String, Epoch> = subjects.iter().map(named).collect();
    let by_epoch = subjects.into_iter().map(|subject| (epoch(source, &subject), subject)).collect();
    let wanted = Wanted { by_key, by_epoch };
    let mut homes = Vec::new();
    for topic in [Topic::FLEET, Topic::FACTS] {
        homes.extend((0..log.partitions(topic)?).map(|partition| Partition::new(topic, partition)));
    }
    let style = ProgressStyle::with_template("reading what was told before [{bar:30}] {percent} %")?;
    let bar = ProgressBar::new(homes.len() as u64).with_style(style);
    let mut told = BTreeMap::new();
    let mut trimmed = false;
    for home in &homes {
        trimmed |= log.bounds(*home).await?.floor > 0;
    }
    if trimmed {
        archived(lake, &wanted, &mut told).await.context("cannot read from the archive what was told before")?;
    }
    for home in homes {
        let floor = log.bounds(home).await?.floor;
        read_to_end(log, home.at(floor), |record| hear(home, &record, &wanted, &mut told)).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(told)
}

fn hear(home: Partition, record: &Record, wanted: &Wanted, told: &mut BTreeMap<Subject, Told>) -> anyhow::Result<bool> {
    let epoch = std::str::from_utf8(&record.key).ok().and_then(|key| wanted.by_key.get(key));
    if let Some(epoch) = epoch {
        let read = medfleet_wire::decode_record(&record.value);
        let read = read.with_context(|| format!("{} cannot be read", home.at(record.offset)))?;
        if read.run.epoch == *epoch {
            told.entry(read.run.subject.clone()).or_default().hear(&read.run);
        }
    }
    Ok(true)
}

/// Facts that the log may have lost by now. What it still holds is heard again, which changes nothing.
async fn archived(lake: &Lake, wanted: &Wanted, told: &mut BTreeMap<Subject, Told>) -> anyhow::Result<()> {
    let definition = table("facts").context("there is no table of facts")?;
    let Some(facts) = lake.current(definition).await? else { return Ok(()) };
    let version = facts.newest_version().await?;
    let reader = Reader::new(lake.clone(), ReaderLimits::default())?;
    let session = reader.open(&BTreeMap::from([("facts".to_owned(), version)])).await?;
    let epochs: Vec<i64> = wanted.by_epoch.keys().map(|epoch| epoch.0.cast_signed()).collect();
    for some in epochs.chunks(EPOCHS_PER_QUERY) {
        let named = some.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        // In the order of seqs, since a void comes after what it takes back.
        let sql = format!("SELECT * FROM facts WHERE verdict = 'new' AND epoch IN ({named}) ORDER BY epoch, seq");
        let mut batches = stream(&session, &sql).await?;
        while let Some(batch) = batches.next().await {
            for row in FactRow::from_batch(&batch?)? {
                let Some(subject) = wanted.by_epoch.get(&Epoch(row.epoch.cast_unsigned())) else { continue };
                let run = alone(subject, &row)?;
                told.entry(subject.clone()).or_default().hear(&run);
            }
        }
    }
    Ok(())
}

/// An archived fact as a run of its own.
fn alone(subject: &Subject, row: &FactRow) -> anyhow::Result<Run> {
    let unreadable = || format!("fact {} of {subject} cannot be read", row.seq);
    let fact = medfleet_wire::unseal(row.bytes.clone().unwrap_or_default()).with_context(unreadable)?;
    Ok(Run {
        subject: subject.clone(),
        epoch: Epoch(row.epoch.cast_unsigned()),
        first_seq: Seq(row.seq.cast_unsigned()),
        site: SiteId::new(&row.site)?,
        kind: DeviceKind::parse(&row.device_kind)?,
        agent: None,
        facts: vec![fact],
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use medfleet_domain::time::{Span, Timestamp};
    use medfleet_import::{Files, Mapping, Plan};
    use medfleet_ingest::judge::EARLIEST_PLAUSIBLE;
    use medfleet_ingest::{Admitter, Meters};
    use medfleet_log::Profile;
    use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
    use medfleet_log::topics::street;
    use medfleet_processor::{ProcessorConfig, Worker};
    use medfleet_runtime::{Metrics, Shutdown, now_micros};

    use super::*;

    fn export() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/cmms")
    }

    /// What one import sends into a log that may have heard others; the errors' file is cut to some rows.
    async fn import(log: &Arc<dyn EventLog>, lake: &Lake, error_rows: usize) -> BTreeMap<Subject, Told> {
        let mapping = Mapping::read(&std::fs::read_to_string(export().join("mapping.toml")).unwrap()).unwrap();
        let file = |name: &String| (name.clone(), std::fs::read(export().join(name)).unwrap());
        let mut files: Files = mapping.tables.iter().map(|table| file(&table.file)).collect();
        let errors = files.get_mut("errors.csv").unwrap();
        let some: Vec<&[u8]> = errors.split_inclusive(|byte| *byte == b'\n').take(error_rows + 1).collect();
        *errors = some.concat();
        let now = Timestamp(now_micros());
        let plan = Plan::of(&files, &mapping, Span { from: EARLIEST_PLAUSIBLE.start(), until: now }).unwrap();
        let subjects: BTreeSet<Subject> = plan.subjects().collect();
        let admitter = Admitter::new(Arc::clone(log), Meters::new(&Metrics::default()).unwrap());
        admitter.learn_sites().await.unwrap();
        let told = before(&**log, lake, "cmms", subjects.clone()).await.unwrap();
        let mut telling = plan.telling(told);
        admitter.runs(telling.sites(now), now).await.unwrap();
        while let Some(runs) = telling.next_window() {
            admitter.runs(runs, now).await.unwrap();
        }
        admitter.runs(telling.withdrawals(now), now).await.unwrap();
        before(&**log, lake, "cmms", subjects).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_archive_alone_says_what_the_log_says_withdrawals_included() {
        let folder = tempfile::tempdir().unwrap();
        let log =
            EmbeddedLog::open(EmbeddedConfig::new(folder.path().join("log")), &street(Profile::Dev).unwrap()).await;
        let log: Arc<dyn EventLog> = Arc::new(log.unwrap());
        let lake = Lake::open_local(folder.path()).await.unwrap();
        import(&log, &lake, 200).await;
        let by_log = import(&log, &lake, 40).await;
        let config =
            ProcessorConfig { snapshot_folder: folder.path().join("snapshots"), ..ProcessorConfig::until_idle() };
        let meters = medfleet_processor::Meters::new(&Metrics::default(), &config).unwrap();
        Worker::new(Arc::clone(&log), lake.clone(), config, meters).run(&Shutdown::new()).await.unwrap();

        let subjects: Vec<Subject> = by_log.keys().cloned().collect();
        let by_key = HashMap::new();
        let by_epoch = subjects.into_iter().map(|subject| (epoch("cmms", &subject), subject)).collect();
        let mut by_archive = BTreeMap::new();
        let wanted = Wanted { by_key, by_epoch };
        archived(&lake, &wanted, &mut by_archive).await.unwrap();
        assert!(by_archive == by_log, "the archive remembers something else");
        let wanted = Wanted {
            by_key: wanted.by_epoch.iter().map(|(epoch, subject)| (subject.key(), *epoch)).collect(),
            by_epoch: wanted.by_epoch,
        };
        for (topic, partition) in [Topic::FLEET, Topic::FACTS]
            .into_iter()
            .flat_map(|topic| (0..log.partitions(topic).unwrap()).map(move |partition| (topic, partition)))
        {
            let home = Partition::new(topic, partition);
            read_to_end(&*log, home.at(0), |record| hear(home, &record, &wanted, &mut by_archive)).await.unwrap();
        }
        assert!(by_archive == by_log, "what the log repeats was counted again");
    }
}
