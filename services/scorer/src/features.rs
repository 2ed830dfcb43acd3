//! Features: what was known of every part at given instants, asked of DataFusion, beside what became of the part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, Float64Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_risk::backtest::DeviceFailures;
use medfleet_risk::column::Column;
use medfleet_risk::fate::Fate;
use medfleet_risk::frame::{Frame, Group, PartSort, Row};
use medfleet_risk::voice::hazard::PartLife;

use crate::Error;
use crate::gather::{Gathered, Gatherer, Part, Signal};
use crate::relations::{self, AskedPart};

/// The feature query, the same for one instant of now and for a year of nights.
pub const FEATURES_SQL: &str = include_str!("../sql/features.sql");
/// The column in which a query says what a model says of a row.
pub const SAID: &str = "said";
/// Devices asked about with one query, at most; a site is never split, for its devices are compared.
const DEVICES_MAX: usize = 150;

/// Parts × instants of one query, at most.
const ROWS_PER_QUERY: usize = 400_000;

/// The makers' limits of life counters, by kind and counter, in the counter's unit.
pub type LifeLimits = BTreeMap<(DeviceKind, Arc<str>), f64>;

/// What is asked of a fleet.
pub struct Question<'a> {
    pub instants: &'a [Timestamp],
    pub limits: &'a LifeLimits,
    /// Of the rows that teach nothing new, which to keep, and for how many each stands; all when it gives 1.
    pub keep: &'a (dyn Fn(&Asked) -> f64 + Sync),
    pub tense: Tense,
    /// Hears how many of how many steps are done.
    pub done: &'a (dyn Fn(usize, usize) + Sync),
}

/// Nobody wants to hear of steps.
pub const SILENTLY: &(dyn Fn(usize, usize) + Sync) = &|_, _| {};

/// Whether what came of an instant is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tense {
    /// Rows are examples: each has its fate.
    Past,
    /// Rows are to be scored: of what comes nothing is known.
    Present,
}

/// A row before it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub device: u32,
    pub group: u32,
    pub at: Timestamp,
    pub fate: Fate,
}

/// The fleet's parts by number, with what became of them.
pub struct Roll<'a> {
    devices: Vec<&'a Gathered>,
    groups: Vec<Group>,
    parts: Vec<(u32, u32, Part)>,
}

impl<'a> Roll<'a> {
    /// All parts of a sort that has failed so often before `until`: of the others nothing can be learned.
    pub fn of(gatherer: &'a Gatherer, until: Timestamp, failures_min: usize) -> Self {
        let mut failures: BTreeMap<PartSort, usize> = BTreeMap::new();
        for (_, device) in gatherer.devices() {
            for part in device.components().filter_map(|component| device.part(component)) {
                let before = part.history.failures.iter().filter(|failure| failure.onset < until).count();
                *failures.entry(PartSort { kind: device.kind, component: part.component }).or_default() += before;
            }
        }
        Self::of_sorts(gatherer, failures.into_iter().filter(|(_, count)| *count >= failures_min).map(|(sort, _)| sort))
    }

    /// All parts of these sorts.
    pub fn of_sorts(gatherer: &'a Gatherer, wanted: impl IntoIterator<Item = PartSort>) -> Self {
        let devices: Vec<&Gathered> = gatherer.devices().map(|(_, device)| device).collect();
        let mut sorts: BTreeMap<DeviceKind, BTreeSet<Arc<str>>> = BTreeMap::new();
        for sort in wanted {
            sorts.entry(sort.kind).or_default().insert(sort.component);
        }
        let (mut groups, mut numbers, mut parts) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (number, device) in (0..).zip(&devices) {
            for component in sorts.get(&device.kind).into_iter().flatten() {
                let Some(part) = device.part(component) else { continue };
                let group =
                    Group { kind: device.kind, make_model: device.make_model.clone(), component: component.clone() };
                let group = *numbers.entry(group.clone()).or_insert_with(|| {
                    groups.push(group);
                    groups.len() as u32 - 1
                });
                parts.push((number, group, part));
            }
        }
        Self { devices, groups, parts }
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn count(&self) -> usize {
        self.parts.len()
    }

    pub fn sorts(&self) -> BTreeSet<PartSort> {
        self.groups.iter().map(Group::sort).collect()
    }

    /// The lives of all parts as they were known at `until`.
    pub fn lives(&self, until: Timestamp) -> Vec<PartLife> {
        let lives =
            |(device, group, part): &(u32, u32, Part)| self.devices[*device as usize].lives(part, *group, until);
        self.parts.iter().flat_map(lives).collect()
    }

    pub fn failures(&self) -> DeviceFailures {
        (0..).zip(&self.devices).map(|(number, device)| (number, device.failures())).collect()
    }

    /// The frame of all examples at the instants: of parts in repair, and of instants when nobody watched, there is none.
    pub async fn frame(&self, session: &SessionContext, question: &Question<'_>) -> Result<Frame, Error> {
        self.frame_by(session, question, FEATURES_SQL).await
    }

    /// The same by another query: how a test plants a leak.
    pub async fn frame_by(&self, session: &SessionContext, question: &Question<'_>, sql: &str) -> Result<Frame, Error> {
        Ok(self.said_by(session, question, sql).await?.0)
    }

    /// The frame, and what the query says of each row in a column [`SAID`] of its own, if it has one.
    pub async fn said_by(
        &self,
        session: &SessionContext,
        question: &Question<'_>,
        sql: &str,
    ) -> Result<(Frame, Vec<f64>), Error> {
        let (mut frame, mut said) = (Frame::new(self.groups.clone()), Vec::new());
        let chunks = self.chunks();
        for (done, chunk) in chunks.iter().enumerate() {
            let parts = self.register_parts(session, chunk, question)?;
            for instants in question.instants.chunks((ROWS_PER_QUERY / parts.max(1)).max(1)) {
                register(session, "instants", relations::instants(instants)?)?;
                let answer = session.sql(sql).await.map_err(Error::Query)?;
                for batch in answer.collect().await.map_err(Error::Query)? {
                    self.take(&batch, question, &mut frame, &mut said)?;
                }
            }
            (question.done)(done + 1, chunks.len());
        }
        Ok((frame, said))
    }

    /// Kind, make and model, and component of every group, for a query that asks a model.
    pub fn register_groups(&self, session: &SessionContext) -> Result<(), Error> {
        register(session, "groups", relations::groups(&self.groups)?)
    }

    /// Devices in chunks of whole sites.
    fn chunks(&self) -> Vec<BTreeSet<u32>> {
        let mut sites: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (number, device) in (0..).zip(&self.devices) {
            sites.entry(device.site.as_str()).or_default().push(number);
        }
        let mut chunks: Vec<BTreeSet<u32>> = Vec::new();
        for devices in sites.into_values() {
            match chunks.last_mut().filter(|chunk| chunk.len() + devices.len() <= DEVICES_MAX) {
                Some(chunk) => chunk.extend(devices),
                None => chunks.push(devices.into_iter().collect()),
            }
        }
        chunks
    }

    /// Signals and parts of some devices, for the query to find. Answers how many parts.
    fn register_parts(
        &self,
        session: &SessionContext,
        chunk: &BTreeSet<u32>,
        question: &Question<'_>,
    ) -> Result<usize, Error> {
        let told: Vec<(u32, Vec<Signal>)> =
            chunk.iter().map(|number| (*number, self.devices[*number as usize].signals())).collect();
        let sites: BTreeSet<&str> = self.devices.iter().map(|device| device.site.as_str()).collect();
        let site = |device: &Gathered| sites.iter().position(|site| *site == device.site.as_str()).unwrap_or_default();
        let asked: Vec<AskedPart<'_>> = self
            .parts
            .iter()
            .filter(|(number, ..)| chunk.contains(number))
            .map(|(number, group, part)| {
                let device = self.devices[*number as usize];
                let limit = |counter: &Arc<str>| question.limits.get(&(device.kind, counter.clone())).copied();
                AskedPart {
                    device: *number,
                    group: *group,
                    site: site(device) as i64,
                    component: &part.component,
                    counter: part.counter.as_deref(),
                    life: part.counter.as_ref().and_then(limit),
                    first_seen: device.first_seen,
                    in_service: device.in_service.map_or(device.first_seen, |day| day.start()),
                }
            })
            .collect();
        register(session, "signals", relations::signals(&told)?)?;
        register(session, "parts", relations::parts(&asked)?)?;
        Ok(asked.len())
    }

    fn take(
        &self,
        batch: &RecordBatch,
        question: &Question<'_>,
        frame: &mut Frame,
        said: &mut Vec<f64>,
    ) -> Result<(), Error> {
        let answers = batch.column_by_name(SAID).map(|_| floats(batch, SAID)).transpose()?;
        let (devices, groups, now) = (ints(batch, "device")?, ints(batch, "part_group")?, ints(batch, "now")?);
        let columns = Column::ALL.iter().map(|column| floats(batch, column.as_str())).collect::<Result<Vec<_>, _>>()?;
        let mut values = vec![f64::NAN; Column::COUNT];
        for place in 0..batch.num_rows() {
            let (device, group) = (devices.value(place) as u32, groups.value(place) as u32);
            let at = Timestamp(now.value(place));
            let fate = |part: &Part| match question.tense {
                Tense::Past => part.history.fate(at),
                Tense::Present => part.history.open(at),
            };
            let Some(fate) = self.part(device, group).and_then(fate) else { continue };
            let weight = (question.keep)(&Asked { device, group, at, fate });
            if weight <= 0.0 {
                continue;
            }
            for (value, column) in values.iter_mut().zip(&columns) {
                *value = if column.is_null(place) { f64::NAN } else { column.value(place) };
            }
            frame.push(Row { device, group, at, fate, weight }, &values)?;
            said.extend(answers.as_ref().map(|answers| answers.value(place)));
        }
        Ok(())
    }

    fn part(&self, device: u32, group: u32) -> Option<&Part> {
        let at = self.parts.binary_search_by_key(&device, |(number, ..)| *number).ok()?;
        let first = self.parts[..at].iter().rposition(|(number, ..)| *number != device).map_or(0, |before| before + 1);
        let own = self.parts[first..].iter().take_while(|(number, ..)| *number == device);
        own.filter(|(_, known, _)| *known == group).map(|(.., part)| part).next()
    }
}

fn register(session: &SessionContext, name: &str, batch: RecordBatch) -> Result<(), Error> {
    session.deregister_table(name).map_err(Error::Query)?;
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(Error::Query)?;
    session.register_table(name, Arc::new(table)).map_err(Error::Query)?;
    Ok(())
}

fn ints(batch: &RecordBatch, column: &'static str) -> Result<Int64Array, Error> {
    let array = batch.column_by_name(column).ok_or(Error::NoColumn { column })?;
    Ok(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn floats(batch: &RecordBatch, column: &'static str) -> Result<Float64Array, Error> {
    let array = batch.column_by_name(column).ok_or(Error::NoColumn { column })?;
    Ok(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}
