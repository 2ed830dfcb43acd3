//! The cuts that questions are asked of: the newest, followed as it moves, and those a page has pinned.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use datafusion::prelude::SessionContext;
use medfleet_domain::time::Timestamp;
use medfleet_lake::{Cut, ROLLUP_QUARTER_SQL, Reader, narrowed};
use medfleet_log::{EventLog, Partition, Topic};
use medfleet_runtime::Shutdown;
use tokio::sync::{OnceCell, watch};

use crate::error::ApiError;
use crate::heads::Heads;
use crate::live::LiveDevice;
use crate::meters::Meters;
use crate::problem::Problem;
use crate::query::{self, DeviceVersion, Site, Stated};
use crate::sums::{Known, Sums};

/// Cuts kept open, newest last: a page and its drill-downs ask the same one for a while.
const CUTS_KEPT: usize = 64;

/// Tables whose rows name their causes: an earlier state of them is the rows that were known then.
const CAUSED: [&str; 15] = [
    "facts",
    "intervals",
    "usage",
    "errors",
    "devices",
    "sites",
    "calendars",
    "heads",
    "verdicts",
    "orders",
    "maintenance",
    "components",
    "contracts",
    "statements",
    "scores",
];

/// One cut with its tables open, or as much of it as was known at an earlier instant.
pub struct OpenCut {
    pub cut: Cut,
    session: OnceCell<SessionContext>,
    since: Option<Since>,
    /// The same tables for the views of the KPI room.
    kpi: OnceCell<SessionContext>,
    sums: Arc<Sums>,
    heads: Arc<Heads>,
    earlier: Option<Earlier>,
    /// The cut that keeps what its states share.
    of: Option<Arc<OpenCut>>,
    /// What happened at this instant or later is left out.
    before: Option<Timestamp>,
    live: OnceCell<Arc<Vec<LiveDevice>>>,
    sites: OnceCell<Arc<Vec<Stated<Site>>>>,
    devices: OnceCell<Arc<Vec<Stated<DeviceVersion>>>>,
    /// Of these, the versions that stand.
    versions: OnceCell<Arc<Vec<DeviceVersion>>>,
}

/// What a cut has and an earlier one had not, and rows that both have in files that were merged.
struct Since {
    /// The earlier cut.
    number: i64,
    session: SessionContext,
}

/// An earlier state of knowledge: what was known before an instant of what a cut contains.
#[derive(Clone)]
struct Earlier {
    at: Timestamp,
    known: Known,
}

impl OpenCut {
    /// A cut with sums of its own.
    pub fn new(cut: Cut, session: SessionContext) -> Self {
        Self::sharing(cut, session, Arc::default(), Arc::default())
    }

    fn sharing(cut: Cut, session: SessionContext, sums: Arc<Sums>, heads: Arc<Heads>) -> Self {
        Self { session: OnceCell::new_with(Some(session)), ..Self::unread(cut, sums, heads) }
    }

    /// A cut of which nothing is open.
    fn unread(cut: Cut, sums: Arc<Sums>, heads: Arc<Heads>) -> Self {
        let (session, kpi, live, sites, devices, versions) = Default::default();
        let (since, earlier, of, before) = Default::default();
        Self { cut, session, since, kpi, sums, heads, earlier, of, before, live, sites, devices, versions }
    }

    /// The same cut with nothing open, seen in another way.
    fn unread_again(&self) -> Self {
        Self::unread(self.cut.clone(), Arc::clone(&self.sums), Arc::clone(&self.heads))
    }

    /// Takes over what was read of tables that have not changed since another cut.
    fn keep_what_stands(&mut self, before: &Self) {
        // Of a version that others had written ahead of the cut, each cut shows as much as lies below its own offsets.
        let exact = |table: &str| !self.cut.overfull.contains(table) && !before.cut.overfull.contains(table);
        let tables = (&self.cut.tables, &before.cut.tables);
        let same =
            |table: &str| exact(table) && tables.0.contains_key(table) && tables.0.get(table) == tables.1.get(table);
        let (sites, devices) = (same("sites"), same("devices"));
        if sites {
            self.sites = OnceCell::new_with(before.sites.get().cloned());
        }
        if devices {
            self.devices = OnceCell::new_with(before.devices.get().cloned());
            self.versions = OnceCell::new_with(before.versions.get().cloned());
        }
    }

    /// The same cut as far as it was known before an instant.
    pub async fn as_of(self: &Arc<Self>, at: Timestamp) -> Result<Self, ApiError> {
        let known = self.sums.known_at(self, at).await?;
        let (earlier, of) = (Some(Earlier { at, known }), Some(Arc::clone(self)));
        Ok(Self { earlier, of, ..self.unread_again() })
    }

    /// The same, of what had happened before an instant. Sums and lists are shared: they are asked up to there.
    pub async fn happened(self: &Arc<Self>, before: Timestamp) -> Result<Self, ApiError> {
        // The sums are moved on by the whole tables.
        self.sums.reach(self.whole()).await?;
        let session = medfleet_kpi::happened(self.session().await?, before).await?;
        let (session, before) = (OnceCell::new_with(Some(session)), Some(before));
        let (earlier, of) = (self.earlier.clone(), Some(Arc::clone(self.of.as_ref().unwrap_or(self))));
        Ok(Self { session, earlier, of, before, ..self.unread_again() })
    }

    /// Its tables; those of an earlier state hold the rows whose cause was known, and are opened when first asked for.
    pub async fn session(&self) -> Result<&SessionContext, ApiError> {
        let narrow = || async {
            match self.whole().session.get().zip(self.known()) {
                Some((whole, known)) => as_known(whole, known).await,
                // A cut itself has its session from the beginning, so nobody comes here.
                None => Ok::<_, ApiError>(SessionContext::new()),
            }
        };
        self.session.get_or_try_init(narrow).await
    }

    /// Tables with all rows of this cut that an earlier one, by its number, does not contain. Others may be among them.
    pub(crate) async fn since(&self, number: i64) -> Result<&SessionContext, ApiError> {
        match &self.since {
            Some(since) if since.number == number => Ok(&since.session),
            _ => self.session().await,
        }
    }

    /// Its tables with base hours, and an empty one for each that it does not hold: what views of the KPI room ask.
    pub async fn kpi(&self) -> Result<&SessionContext, ApiError> {
        let furnish = || async {
            let session = self.session().await?;
            medfleet_kpi::furnish(session)?;
            let own = SessionContext::new_with_state(session.state());
            self.sums.hours(self).await?.register(&own);
            Ok(own)
        };
        self.kpi.get_or_try_init(furnish).await
    }

    /// The tables as far as another cut had read the log. Base hours are not part of it.
    pub async fn at_offsets(&self, offsets: &BTreeMap<String, i64>) -> Result<SessionContext, ApiError> {
        let whole = self.whole();
        as_known(whole.kpi().await?, &Known::of(offsets)).await
    }

    /// The time of the cut, or the earlier instant it is asked about.
    pub fn at(&self) -> Timestamp {
        let instants = [self.as_of_instant(), self.before].into_iter().flatten();
        instants.fold(self.made_at(), Ord::min)
    }

    /// What happened then or later is left out, where that was asked for.
    pub const fn before(&self) -> Option<Timestamp> {
        self.before
    }

    pub const fn made_at(&self) -> Timestamp {
        Timestamp(self.cut.made_at.0)
    }

    pub fn as_of_instant(&self) -> Option<Timestamp> {
        self.earlier.as_ref().map(|earlier| earlier.at)
    }

    /// What is known, where that is less than the cut contains.
    pub fn known(&self) -> Option<&Known> {
        self.earlier.as_ref().map(|earlier| &earlier.known)
    }

    pub(crate) fn heads(&self) -> &Heads {
        &self.heads
    }

    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Every site as last defined.
    pub async fn sites(&self) -> Result<Vec<Site>, ApiError> {
        let whole = self.whole();
        let read = || async { query::read_sites(whole).await.map(Arc::new) };
        let stated = whole.sites.get_or_try_init(read).await?;
        Ok(query::newest_sites(query::standing(stated.iter(), self.known())))
    }

    /// The versions of devices that `keeps` keeps. One that had not ended before the instant asked about was still true.
    pub async fn devices(&self, keeps: impl Fn(&DeviceVersion) -> bool) -> Result<Vec<DeviceVersion>, ApiError> {
        let whole = self.whole();
        let read = || async { query::read_versions(whole).await.map(Arc::new) };
        let stated = whole.devices.get_or_try_init(read).await?;
        // One that is cut short may be kept although the whole one would not.
        let may_be =
            |version: &DeviceVersion| self.before.map_or_else(|| keeps(version), |before| version.from < before);
        let mut found = match self.known() {
            Some(_) => query::standing(stated.iter().filter(|stated| may_be(&stated.row)), self.known()),
            None => {
                let stand = async || Arc::new(query::standing(stated.iter(), None));
                let all = whole.versions.get_or_init(stand).await;
                all.iter().filter(|version| may_be(version)).cloned().collect()
            }
        };
        if let Some(before) = self.before {
            found.iter_mut().for_each(|version| version.until = version.until.filter(|until| *until < before));
            found.retain(keeps);
        }
        Ok(found)
    }

    /// Greatest append time of anything the cut contains.
    pub fn newest_appended(&self) -> Option<Timestamp> {
        let newest = self.cut.appended_max.values().map(|at| Timestamp(at.0)).max();
        newest.map(|newest| self.as_of_instant().map_or(newest, |at| newest.min(at)))
    }

    /// Every device as it is at the time of the cut. The present is the present, whatever was known earlier.
    pub async fn live(&self) -> Result<Arc<Vec<LiveDevice>>, ApiError> {
        let whole = self.whole();
        let ask = || async { query::live(whole).await.map(Arc::new) };
        whole.live.get_or_try_init(ask).await.cloned()
    }

    /// The cut that keeps what its earlier states share.
    fn whole(&self) -> &Self {
        self.of.as_deref().unwrap_or(self)
    }
}

/// A session over as much of a cut's tables as was known. Rollups have no cause: the quarter-hours that views ask are
/// added up anew.
async fn as_known(whole: &SessionContext, known: &Known) -> Result<SessionContext, ApiError> {
    let session = narrowed(whole, &CAUSED, &known.to_sql()).await?;
    let quarters = medfleet_lake::query(&session, ROLLUP_QUARTER_SQL, &[]).await?.into_view();
    session.register_table("rollup_quarter", quarters).map_err(ApiError::Query)?;
    Ok(session)
}

/// The newest cut and the ones that came before.
pub struct Cuts {
    reader: Reader,
    newest: watch::Sender<Option<Arc<OpenCut>>>,
    kept: Mutex<VecDeque<Arc<OpenCut>>>,
    sums: Arc<Sums>,
    heads: Arc<Heads>,
    /// Earlier states of the newest cuts, newest asked last.
    earlier: Mutex<VecDeque<Arc<OpenCut>>>,
}

impl Cuts {
    pub fn new(reader: Reader) -> Self {
        let (kept, sums, heads, earlier) = Default::default();
        Self { reader, newest: watch::Sender::new(None), kept, sums, heads, earlier }
    }

    pub fn newest(&self) -> Option<Arc<OpenCut>> {
        self.newest.borrow().clone()
    }

    /// Hears of every newer cut; may skip some when they come fast.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<OpenCut>>> {
        self.newest.subscribe()
    }

    /// The cut with this number, or the newest.
    pub async fn find(&self, number: Option<i64>) -> Result<Arc<OpenCut>, Problem> {
        let Some(number) = number else { return self.newest().ok_or_else(Problem::no_cut) };
        if let Some(open) = lock(&self.kept).iter().find(|open| open.cut.number == number) {
            return Ok(Arc::clone(open));
        }
        let cure = "leave `cut` out for the newest; a cut opens by number for one hour";
        let gone = || Problem::not_found("cut", &number.to_string(), cure);
        let cut = self.reader.cut(number).await.map_err(ApiError::from)?.ok_or_else(gone)?;
        let session = self.reader.open_cut(&cut).await.map_err(|error| {
            tracing::debug!(cut = number, %error, "an old cut cannot be opened");
            gone()
        })?;
        Ok(self.keep(OpenCut::sharing(cut, session, Arc::clone(&self.sums), Arc::clone(&self.heads))))
    }

    /// A cut as far as it was known before an instant; the cut itself when that is all of it.
    pub async fn as_of(&self, open: Arc<OpenCut>, at: Timestamp) -> Result<Arc<OpenCut>, ApiError> {
        if at > open.at() {
            return Ok(open);
        }
        let same = |one: &Arc<OpenCut>| one.cut.number == open.cut.number && one.as_of_instant() == Some(at);
        if let Some(found) = lock(&self.earlier).iter().find(|one| same(one)) {
            return Ok(Arc::clone(found));
        }
        let earlier = Arc::new(open.as_of(at).await?);
        push(&self.earlier, Arc::clone(&earlier));
        Ok(earlier)
    }

    /// A cut as far as things had happened before an instant; the cut itself when that is all of it.
    pub async fn happened(&self, open: Arc<OpenCut>, before: Timestamp) -> Result<Arc<OpenCut>, ApiError> {
        if before >= open.at() { Ok(open) } else { Ok(Arc::new(open.happened(before).await?)) }
    }

    /// A cut as far as it was known before one instant and things had happened before another, where either is said.
    pub async fn seen(
        &self,
        mut open: Arc<OpenCut>,
        as_of: Option<Timestamp>,
        at: Option<Timestamp>,
    ) -> Result<Arc<OpenCut>, ApiError> {
        if let Some(as_of) = as_of {
            open = self.as_of(open, as_of).await?;
        }
        if let Some(at) = at {
            open = self.happened(open, at).await?;
        }
        Ok(open)
    }

    /// Looks for a newer cut and opens it.
    pub async fn advance(&self) -> Result<(), ApiError> {
        let Some(cut) = self.reader.newest_cut().await? else { return Ok(()) };
        if self.newest().is_some_and(|open| open.cut.number >= cut.number) {
            return Ok(());
        }
        let session = self.reader.open_cut(&cut).await?;
        let mut open = OpenCut::sharing(cut, session, Arc::clone(&self.sums), Arc::clone(&self.heads));
        if let Some(before) = self.newest() {
            open.keep_what_stands(&before);
            let session = self.reader.open_since(&open.cut, &before.cut).await?;
            open.since = Some(Since { number: before.cut.number, session });
        }
        let open = Arc::new(open);
        // Whoever asks what the devices are now finds it read; should that fail here, the next one to ask reads it.
        let asked = Arc::clone(&open);
        let present = tokio::spawn(async move { asked.live().await.map(drop) });
        let reached = self.sums.reach(&open).await;
        match present.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "heads cannot be read"),
            Err(error) => tracing::error!(%error, "reading heads ended early"),
        }
        reached?;
        push(&self.kept, Arc::clone(&open));
        self.newest.send_replace(Some(open));
        Ok(())
    }

    fn keep(&self, open: OpenCut) -> Arc<OpenCut> {
        let open = Arc::new(open);
        push(&self.kept, Arc::clone(&open));
        open
    }
}

type Kept = Mutex<VecDeque<Arc<OpenCut>>>;

fn lock(kept: &Kept) -> MutexGuard<'_, VecDeque<Arc<OpenCut>>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps one more; the one kept longest goes.
fn push(kept: &Kept, open: Arc<OpenCut>) {
    let mut kept = lock(kept);
    kept.push_back(open);
    if kept.len() > CUTS_KEPT {
        kept.pop_front();
    }
}

/// Follows the newest cut until the end. A look that fails is counted and tried again: pages go on with the last cut.
pub async fn follow(cuts: Arc<Cuts>, log: Arc<dyn EventLog>, every: Duration, meters: Meters, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.unless_requested(ticks.tick()).await.is_some() {
        if let Err(error) = cuts.advance().await {
            meters.cut_failures.inc();
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for a newer cut, keeping the last");
        }
        let Some(open) = cuts.newest() else { continue };
        meters.cut_age_seconds.set((query::now().0 - open.made_at().0) / 1_000_000);
        match lag_records(&open.cut, log.as_ref()).await {
            Ok(lag) => meters.log_lag_records.set(lag),
            Err(error) => tracing::debug!(%error, "the log does not say how far it reaches"),
        }
    }
}

/// Records in the log that a cut does not contain.
pub async fn lag_records(cut: &Cut, log: &dyn EventLog) -> Result<i64, ApiError> {
    let mut lag = 0;
    for topic in [Topic::FACTS, Topic::FLEET] {
        for partition in 0..log.partitions(topic)? {
            let home = Partition::new(topic, partition);
            let bounds = log.bounds(home).await?;
            let contained = cut.offsets.get(&home.to_string()).copied().unwrap_or(bounds.floor.cast_signed());
            lag += (bounds.end.cast_signed() - contained).max(0);
        }
    }
    Ok(lag)
}
