//! The one maker of cuts where several workers share the log: advances the rollups from cut to cut and names versions.
//!
//! A worker commits `facts` after its other tables, so the offsets that `facts` has reached are the lowest over all
//! tables. The versions read afterwards hold everything below those offsets, and rows of workers that are further:
//! readers leave these out by their causes. Rollups have no causes; they hold exactly what lies below the cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use medfleet_domain::fact::Body;
use medfleet_lake::rows::SiteRow;
use medfleet_lake::{
    Cut, Lake, Origin, Outcome, Reader, ReaderLimits, Restored, Row as _, SessionContext, Table, TableVersion,
    TableWriter, Txn, UtcMicros, appended_max, below_sql, narrow, reached, restore, run, run_over_batch,
};
use medfleet_log::{EventLog, Partition, Tail, Topic};
use medfleet_runtime::{Shutdown, now_micros};
use uuid::Uuid;

use crate::chronicle;
use crate::error::ProcessorError;
use crate::flush::{Cuts, ROLLUPS, TABLES, app_id, definition, zoned};
use crate::meters::Meters;
use crate::worker::{RESTORE_PAUSE, origin, partitions};

const POLL_BYTES: usize = 1024 * 1024;
const POLL_WAIT: Duration = Duration::from_millis(50);

/// Next offset of every partition, as a cut names them: `topic/partition`.
type Offsets = BTreeMap<String, i64>;

/// Makes cuts over tables that others write. There is one: another is fenced by the `txn` of the cuts.
pub struct CutMaker {
    log: Arc<dyn EventLog>,
    lake: Lake,
    every: Duration,
    meters: Meters,
}

/// One life between two restores.
struct Office {
    homes: Vec<(Partition, String)>,
    facts: Table,
    rollups: Vec<Rollup>,
    cuts: Cuts,
    /// Offsets of the last cut.
    last: Offsets,
    appended_max: BTreeMap<String, UtcMicros>,
    fleet: Box<dyn Tail>,
    zones: BTreeMap<String, String>,
    reader: Reader,
}

struct Rollup {
    name: &'static str,
    sql: &'static str,
    writer: TableWriter,
    reached: Offsets,
}

impl CutMaker {
    pub fn new(log: Arc<dyn EventLog>, lake: Lake, every: Duration, meters: Meters) -> Self {
        Self { log, lake, every, meters }
    }

    /// Makes cuts until asked to end, and a last one then.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        loop {
            match self.live(shutdown).await {
                Err(ProcessorError::Fenced { table }) => {
                    self.meters.fences.inc();
                    tracing::warn!(table, "another maker of cuts is at work, restoring");
                }
                Err(ProcessorError::Log(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "the log is away, no cuts meanwhile");
                }
                other => return other,
            }
            if shutdown.unless_requested(tokio::time::sleep(RESTORE_PAUSE)).await.is_none() {
                return Ok(());
            }
        }
    }

    async fn live(&self, shutdown: &Shutdown) -> Result<(), ProcessorError> {
        let mut office = self.open().await?;
        loop {
            let goes_on = shutdown.unless_requested(tokio::time::sleep(self.every)).await.is_some();
            if office.cut(&*self.log, &self.lake).await? {
                self.meters.cuts.inc();
            }
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn open(&self) -> Result<Office, ProcessorError> {
        let origin = origin(&*self.log);
        let mut homes = Vec::new();
        for topic in [Topic::FACTS, Topic::FLEET] {
            homes.extend(partitions(&*self.log, topic)?.map(|home| (home, app_id(&origin.log, home))));
        }
        let reader = Reader::new(self.lake.clone(), ReaderLimits::default())?;
        let last = reader.newest_cut().await?.unwrap_or_default();
        for name in TABLES {
            self.lake.current_or_create(definition(name)?, &origin).await?;
        }
        let mut rollups = Vec::new();
        for (name, sql) in ROLLUPS {
            rollups.push(Rollup::open(&self.lake, &origin, &homes, name, sql).await?);
        }
        let mut floors = Vec::new();
        for home in partitions(&*self.log, Topic::FLEET)? {
            floors.push(home.at(self.log.bounds(home).await?.floor));
        }
        Ok(Office {
            facts: self.lake.current_or_create(definition("facts")?, &origin).await?,
            rollups,
            cuts: Cuts::open(&self.lake, &origin).await?,
            last: last.offsets,
            appended_max: last.appended_max,
            fleet: self.log.tail(&floors).await?,
            zones: zones(&reader, &self.lake).await?,
            homes,
            reader,
        })
    }
}

impl Office {
    /// Makes a cut where the tables have moved; tells whether it did.
    async fn cut(&mut self, log: &dyn EventLog, lake: &Lake) -> Result<bool, ProcessorError> {
        let txns = reached(&self.facts, apps(&self.homes)).await?;
        let next = |(home, app): &(Partition, String)| Some((home.to_string(), *txns.get(app)?));
        let offsets: Offsets = self.homes.iter().filter_map(next).collect();
        // A worker that had the log to itself may have died with its rollups ahead of its facts: wait for the facts.
        let behind = |one: &Rollup| one.reached.iter().any(|(home, at)| offsets.get(home).is_none_or(|next| next < at));
        if offsets == self.last || self.rollups.iter().any(behind) {
            return Ok(false);
        }
        self.learn_zones(log).await?;
        let mut tables = BTreeMap::new();
        for name in TABLES.into_iter().filter(|name| ROLLUPS.iter().all(|(rollup, _)| rollup != name)) {
            let Some(table) = lake.current(definition(name)?).await? else { continue };
            tables.insert(name.to_owned(), self.reader.newest_version(&table).await?);
        }
        let of_facts = |name: &&String| !chronicle::TABLES.contains(&name.as_str());
        let overfull: BTreeSet<String> = tables.keys().filter(of_facts).cloned().collect();
        self.note_appended(&tables, &offsets).await?;
        for rollup in &mut self.rollups {
            rollup.advance(&self.reader, &tables, &offsets, &self.homes, &self.zones).await?;
            tables.insert(rollup.name.to_owned(), rollup.writer.version());
        }
        let (made_at, appended_max) = (UtcMicros(now_micros()), self.appended_max.clone());
        self.cuts.write(Cut { number: 0, made_at, offsets: offsets.clone(), tables, overfull, appended_max }).await?;
        self.last = offsets;
        Ok(true)
    }

    /// Reads the fleet topic to its end: a site is defined there before its first fact is in the log.
    async fn learn_zones(&mut self, log: &dyn EventLog) -> Result<(), ProcessorError> {
        for at in self.fleet.cursors() {
            let end = log.bounds(at.home()).await?.end;
            while self.fleet.cursors().iter().any(|now| now.home() == at.home() && now.offset < end) {
                for record in self.fleet.poll(POLL_BYTES, POLL_WAIT).await?.into_iter().flat_map(|batch| batch.records)
                {
                    let read = medfleet_wire::decode_record(&record.value).map_err(|source| {
                        ProcessorError::Record { place: at.home().at(record.offset).to_string(), source }
                    })?;
                    for sealed in &read.run.facts {
                        if let Body::SiteDefined(site) = &sealed.fact.body {
                            let zone = self.zones.entry(read.run.subject.name().to_owned());
                            zone.or_insert_with(|| site.time_zone.clone());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps the greatest append time of every partition, out of the facts that the new cut adds.
    async fn note_appended(
        &mut self,
        tables: &BTreeMap<String, TableVersion>,
        offsets: &Offsets,
    ) -> Result<(), ProcessorError> {
        let session = between(&self.reader, tables, "facts", &self.last, offsets).await?;
        for (home, at) in appended_max(&session).await? {
            let newest = self.appended_max.entry(home).or_insert(at);
            *newest = (*newest).max(at);
        }
        Ok(())
    }
}

impl Rollup {
    async fn open(
        lake: &Lake,
        origin: &Origin,
        homes: &[(Partition, String)],
        name: &'static str,
        sql: &'static str,
    ) -> Result<Self, ProcessorError> {
        let table = lake.current_or_create(definition(name)?, origin).await?;
        let Restored { writer, txns } = restore(&table, origin, apps(homes)).await?;
        let reached = homes.iter().filter_map(|(home, app)| Some((home.to_string(), *txns.get(app)?))).collect();
        Ok(Self { name, sql, writer, reached })
    }

    /// Adds what the intervals between its own offsets and the new ones say.
    async fn advance(
        &mut self,
        reader: &Reader,
        tables: &BTreeMap<String, TableVersion>,
        offsets: &Offsets,
        homes: &[(Partition, String)],
        zones: &BTreeMap<String, String>,
    ) -> Result<(), ProcessorError> {
        let session = between(reader, tables, "intervals", &self.reached, offsets).await?;
        let zones = [("sites", zoned(zones)?)];
        let rows = run_over_batch(&session, self.sql, &zones, definition(self.name)?).await?;
        let txn = |(home, app): &(Partition, String)| Some(Txn::new(app, *offsets.get(&home.to_string())?));
        let txns: Vec<Txn> = homes.iter().filter_map(txn).collect();
        match self.writer.flush(&rows, &txns, Uuid::new_v4()).await? {
            Outcome::Committed(_) => self.reached.clone_from(offsets),
            Outcome::Fenced(_) => return Err(ProcessorError::Fenced { table: self.name }),
        }
        Ok(())
    }
}

fn apps(homes: &[(Partition, String)]) -> Vec<String> {
    homes.iter().map(|(_, app)| app.clone()).collect()
}

/// A session that sees of one table only what was caused from some offsets up to others.
async fn between(
    reader: &Reader,
    tables: &BTreeMap<String, TableVersion>,
    name: &str,
    from: &Offsets,
    until: &Offsets,
) -> Result<SessionContext, ProcessorError> {
    let one = tables.iter().filter(|(table, _)| *table == name).map(|(table, at)| (table.clone(), at.clone()));
    let session = reader.open(&one.collect()).await?;
    let condition = format!("({}) AND NOT ({})", below_sql(until), below_sql(from));
    narrow(&session, name, &condition).await?;
    Ok(session)
}

/// Zones that the tables know: the fleet topic may have been trimmed.
async fn zones(reader: &Reader, lake: &Lake) -> Result<BTreeMap<String, String>, ProcessorError> {
    let Some(table) = lake.current(definition("sites")?).await? else { return Ok(BTreeMap::new()) };
    let version = reader.newest_version(&table).await?;
    let session = reader.open(&BTreeMap::from([("sites".to_owned(), version)])).await?;
    let sql = "SELECT * FROM sites WHERE weight > 0 ORDER BY cause_partition, cause_offset, cause_index";
    let mut zones = BTreeMap::new();
    for batch in run(&session, sql, &[]).await? {
        for row in SiteRow::from_batch(&batch)? {
            zones.entry(row.site.to_string()).or_insert_with(|| row.time_zone.to_string());
        }
    }
    Ok(zones)
}
