//! Running sums over the ledger: what the fleet and its sites are asked about again and again, added up once.
//!
//! `hours` says which microseconds are base hours; `causes` what is known up to where; `entry` what one row tells; `days`
//! keeps sums by day; `service` what of them does not count, as a device was not in service; `outages` what failures are counted by; `book` holds them all and answers; here they follow the cuts. A cut is reached by adding the entries
//! whose cause the one before did not contain: the ledger is a Z-set, so adding is all there is to it. An earlier state is
//! the same sums less what was not known then.

mod answer;
mod book;
mod causes;
mod days;
mod devices;
mod entry;
mod fleet;
mod grouped;
mod heard;
mod held;
mod hours;
mod names;
mod outages;
mod read;
mod seats;
mod service;
mod sites;
mod small;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use futures::StreamExt as _;
use medfleet_domain::time::{Day, MICROS_PER_HOUR, Timestamp};
use medfleet_lake::run;

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::period::Period;
use crate::query::UptimeRow;
use answer::{Days, Question};
use book::Book;
use entry::Entry;
use held::Held;
use read::Columns;
use small::Small;

pub use causes::{CauseKey, Known};
pub use hours::BaseHours;

/// The sums of one process, at the newest cut that was asked for.
#[derive(Default)]
pub struct Sums {
    state: RwLock<State>,
    /// One reader follows the cuts at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Where the sums stand; None before the first cut.
    stand: Option<Arc<Stand>>,
    book: Book,
    held: Held,
}

/// The cut that the sums have reached.
struct Stand {
    number: i64,
    known: Known,
    /// Generation and version of every table.
    tables: BTreeMap<String, medfleet_lake::TableVersion>,
    session: SessionContext,
}

impl Sums {
    /// Uptime by site and kind, as a cut has it; None where the intervals must be asked, as there are too many changes of
    /// service, or the calendar was another then.
    pub async fn uptime(
        &self,
        open: &OpenCut,
        period: Period,
        site: Option<&str>,
    ) -> Result<Option<Vec<UptimeRow>>, ApiError> {
        let rows = self.ask(open, period, site, |book, question, days, held| {
            book.answer(question, days, held.iter().flat_map(|day| day.iter()))
        });
        Ok(rows.await?.unwrap_or(Some(Vec::new())))
    }

    /// Uptime by device, of one site or of all; None where the intervals must be asked, as a calendar was another then.
    pub async fn uptime_by_device(
        &self,
        open: &OpenCut,
        period: Period,
        site: Option<&str>,
    ) -> Result<Option<Vec<UptimeRow>>, ApiError> {
        let rows = self.ask(open, period, site, |book, question, days, held| {
            book.devices(question, days, held.iter().flat_map(|day| day.iter()))
        });
        Ok(rows.await?.flatten())
    }

    /// Puts a question to the sums, with the entries of the days that it reads; None while there are no sums.
    async fn ask<T>(
        &self,
        open: &OpenCut,
        period: Period,
        site: Option<&str>,
        answer: impl Fn(&Book, &Question<'_>, &Days, &[Arc<Vec<Entry>>]) -> T,
    ) -> Result<Option<T>, ApiError> {
        self.reach(open).await?;
        loop {
            let Some(stand) = self.read().stand.clone() else { return Ok(None) };
            let earlier = (stand.number != open.cut.number).then(|| Known::of(&open.cut.offsets));
            let known = open.known().or(earlier.as_ref());
            let question = Question { period, known, before: open.before(), site, base: true };
            let days = self.read().book.days(&question);
            let mut held = Vec::with_capacity(days.read.len());
            for day in &days.read {
                held.push(self.day(&stand, *day).await?);
            }
            let state = self.read();
            if state.stands_at(&stand) {
                return Ok(Some(answer(&state.book, &question, &days, &held)));
            }
        }
    }

    /// What was appended before an instant, as far as this cut goes.
    pub async fn known_at(&self, open: &OpenCut, at: Timestamp) -> Result<Known, ApiError> {
        self.reach(open).await?;
        let all = Known::of(&open.cut.offsets);
        let on_the_hour = at.0 % MICROS_PER_HOUR == 0;
        let hour_end = if on_the_hour { at } else { at.next_hour() };
        let mut known = match self.read().book.appended_before(hour_end) {
            Some(known) => known.meet(&all),
            None => all,
        };
        if on_the_hour {
            return Ok(known);
        }
        // The sums know it to the hour; the archive says which records of the hour itself came later.
        let instant = |at: Timestamp| format!("arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')", at.0);
        let sql = format!(
            "SELECT cause_topic, cause_partition, MIN(cause_offset) AS cause_offset FROM facts \
             WHERE appended_at >= {} AND appended_at < {} GROUP BY cause_topic, cause_partition",
            instant(at),
            instant(hour_end)
        );
        for batch in run(open.session().await?, &sql, &[]).await? {
            let columns = Columns(&batch);
            let cause = columns.causes()?;
            (0..batch.num_rows()).for_each(|row| known.stop_at(cause(row)));
        }
        Ok(known)
    }

    /// The base hours of every site, as a cut has them.
    pub async fn hours(&self, open: &OpenCut) -> Result<BaseHours, ApiError> {
        self.reach(open).await?;
        let state = self.read();
        let moved_on = state.stand.as_ref().is_some_and(|stand| stand.number != open.cut.number);
        let earlier = moved_on.then(|| Known::of(&open.cut.offsets));
        Ok(state.book.hours(open.known().or(earlier.as_ref())))
    }

    /// Moves the sums on to a cut, if it is newer than the one they stand at.
    pub async fn reach(&self, open: &OpenCut) -> Result<(), ApiError> {
        if self.read().stand.as_ref().is_some_and(|stand| stand.number >= open.cut.number) {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let before = self.read().stand.clone();
        if before.as_ref().is_some_and(|stand| stand.number >= open.cut.number) {
            return Ok(());
        }
        let stand = Arc::new(Stand {
            number: open.cut.number,
            known: Known::of(&open.cut.offsets),
            tables: open.cut.tables.clone(),
            session: open.session().await?.clone(),
        });
        let spelled = self.read().book.is_spelled_past(open.at().day());
        match before.filter(|before| spelled && before.leads_to(&stand)) {
            Some(before) => self.advance(&before, stand, open).await,
            None => self.begin(stand, open.at().day()).await,
        }
    }

    /// Adds everything there is.
    async fn begin(&self, stand: Arc<Stand>, today: Day) -> Result<(), ApiError> {
        let started = std::time::Instant::now();
        let mut book = Book::default();
        let session = &stand.session;
        let small = Small::read(session, "").await?;
        small.add_to(&mut book, &stand.known, today)?;
        // Downs come first: they say of which days working times are kept.
        outages::read::Rows::read(session, "").await?.add_to(&mut book)?;
        let (mut rows, mut held) = (0, Held::default());
        let mut stream =
            medfleet_lake::query(session, read::INTERVALS, &[]).await?.execute_stream().await.map_err(broken)?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(broken)?;
            rows += batch.num_rows();
            let entries = numbered(&mut book, &batch)?;
            book.add_intervals(&entries);
            held.collect(&entries);
            tokio::task::yield_now().await;
        }
        book.arrange();
        tracing::info!(rows, milliseconds = started.elapsed().as_millis(), "added up the ledger");
        *self.write() = State { stand: Some(stand), book, held: held.collected() };
        Ok(())
    }

    /// Adds what the cut before did not contain.
    async fn advance(&self, before: &Stand, stand: Arc<Stand>, open: &OpenCut) -> Result<(), ApiError> {
        let (session, since, today) = (&stand.session, open.since(before.number).await?, open.at().day());
        let beyond = before.known.beyond_sql(&stand.known);
        let small = Small::read(since, &beyond).await?;
        let intervals = run(since, &format!("{} WHERE {beyond}", read::INTERVALS), &[]).await?;
        let outages = outages::read::Rows::read(since, &beyond).await?;
        let fresh = outages.fresh(&self.read().book, small.claims())?;
        let earlier = outages::read::worked(session, &fresh, &before.known).await?;
        let edges = small.edges()?;
        let at_edges = outages::read::told_on(session, &edges, &before.known).await?;
        let changed = small.sites()?;
        // The sums of a site whose calendar changed are added up anew.
        let anew = if changed.is_empty() { Vec::new() } else { run(session, &of_sites(&changed), &[]).await? };
        let mut state = self.write();
        small.add_to(&mut state.book, &stand.known, today)?;
        outages.add_to(&mut state.book)?;
        for batch in &earlier {
            let entries = numbered(&mut state.book, batch)?;
            state.book.add_worked_earlier(&entries, &fresh);
        }
        let mut kept = Vec::new();
        for batch in &at_edges {
            kept.extend(numbered(&mut state.book, batch)?);
        }
        state.book.keep_at_edges(&kept, &edges);
        for batch in &intervals {
            let entries = numbered(&mut state.book, batch)?;
            state.book.add_intervals(&entries);
            state.held.add(&entries);
        }
        if !changed.is_empty() {
            state.book.forget_told(&changed);
            for batch in &anew {
                let entries = numbered(&mut state.book, batch)?;
                state.book.add_told(&entries);
            }
        }
        state.book.arrange();
        state.stand = Some(stand);
        Ok(())
    }

    /// The entries of one day, as far as the sums have come.
    async fn day(&self, stand: &Arc<Stand>, day: Day) -> Result<Arc<Vec<Entry>>, ApiError> {
        if let Some(held) = self.read().held.day(day) {
            return Ok(held);
        }
        let sql = format!("{} WHERE day = arrow_cast({}, 'Date32')", read::INTERVALS, day.0);
        let batches = run(&stand.session, &sql, &[]).await?;
        let entries = {
            let state = self.read();
            let names = state.book.known_names();
            let mut entries = Vec::new();
            for batch in &batches {
                entries.extend(read::entries(batch, |site, kind, device| names.find(site, kind, device))?);
            }
            Arc::new(entries)
        };
        let mut state = self.write();
        if state.stands_at(stand) {
            state.held.hold(day, Arc::clone(&entries));
        }
        Ok(entries)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stand {
    /// Whether a later cut contains what this one does, and in the same tables.
    fn leads_to(&self, later: &Self) -> bool {
        let same = |name: &str| {
            let generation = |stand: &Self| stand.tables.get(name).map(|version| version.generation.clone());
            generation(self) == generation(later)
        };
        !self.known.is_empty()
            && self.known.within(&later.known)
            && ["intervals", "devices", "heads", "facts", "orders"].into_iter().all(same)
    }
}

impl State {
    fn stands_at(&self, stand: &Arc<Stand>) -> bool {
        self.stand.as_ref().is_some_and(|here| Arc::ptr_eq(here, stand))
    }
}

fn numbered(book: &mut Book, batch: &RecordBatch) -> Result<Vec<Entry>, ApiError> {
    let names = book.names();
    read::entries(batch, |site, kind, device| Some(names.find_or_add(site, kind, device)))
}

/// All intervals of some sites. Names are safe in SQL: the domain admits no quote in them.
fn of_sites(sites: &BTreeSet<String>) -> String {
    let names: Vec<String> = sites.iter().map(|site| format!("'{site}'")).collect();
    format!("{} WHERE site IN ({})", read::INTERVALS, names.join(", "))
}

fn broken(source: datafusion::error::DataFusionError) -> ApiError {
    ApiError::Query(source)
}
