//! Features: what was known of every part at given instants, asked of DataFusion, beside what became of the part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_risk::backtest::DeviceFailures;
use medfleet_risk::column::Column;
use medfleet_risk::fate::{Fate, PartHistory};
use medfleet_risk::frame::{Frame, Group, PartSort, Row};
use medfleet_risk::voice::hazard::PartLife;

use crate::Error;
use crate::archive::ints;
use crate::families::{FAMILIES, Families};
use crate::gather::{Cells, Counter, Gathered, Gatherer, Part, Signal};
use crate::relations::{self, AskedPart};

/// The feature query, the same for one instant of now and for a year of nights.
pub const FEATURES_SQL: &str = include_str!("../sql/features.sql");
/// The column in which a query says what a model says of a row.
pub const SAID: &str = "said";
/// Devices asked about with one query, at most, where they are asked about a year of nights; of fewer instants more of them. A
/// site is never split, for its devices are compared.
const DEVICES_MAX: usize = 150;
const INSTANTS_OF_A_YEAR: usize = 365;

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

/// The fleet's parts, with what became of them.
pub struct Roll<'a> {
    devices: Vec<&'a Gathered>,
    groups: Vec<Group>,
    /// In order of devices.
    parts: Vec<Enrolled<'a>>,
    /// Instants at which labels are closed: what became of an instant is what was known at the next of these.
    borders: Vec<Timestamp>,
}

/// One part, and the groups to which it belonged, each from an instant on: what was not registered yet has no make and model.
struct Enrolled<'a> {
    device: u32,
    of: &'a Gathered,
    groups: Vec<(Timestamp, u32)>,
    part: Part,
    /// As known at each border, and at last with all that is known.
    histories: Vec<PartHistory>,
}

impl Enrolled<'_> {
    fn group_at(&self, at: Timestamp) -> u32 {
        let known = self.groups.partition_point(|(from, _)| *from <= at);
        self.groups[known.saturating_sub(1)].1
    }

    fn history_at(&self, at: Timestamp, borders: &[Timestamp]) -> &PartHistory {
        &self.histories[borders.partition_point(|border| *border <= at)]
    }
}

impl<'a> Roll<'a> {
    /// All parts of a sort that has failed so often before `until`, as was known then: of the others nothing can be learned.
    pub fn of(gatherer: &'a Gatherer, until: Timestamp, failures_min: usize) -> Self {
        let mut failures: BTreeMap<PartSort, usize> = BTreeMap::new();
        for (_, device) in gatherer.devices() {
            let known = device.labels(until);
            for component in device.components() {
                let failed = known.history(component).failures;
                let before = failed.iter().filter(|failure| failure.onset < until).count();
                *failures.entry(PartSort { kind: device.kind, component: component.clone() }).or_default() += before;
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
        let mut number = |group: Group| {
            *numbers.entry(group.clone()).or_insert_with(|| {
                groups.push(group);
                groups.len() as u32 - 1
            })
        };
        for (device, gathered) in (0..).zip(&devices) {
            let Some(components) = sorts.get(&gathered.kind) else { continue };
            let known = gathered.labels(Timestamp::MAX);
            for component in components {
                let group = |make_model| Group { kind: gathered.kind, make_model, component: component.clone() };
                let made = gathered.make_models().into_iter();
                let groups = made.map(|(from, make_model)| (from, number(group(make_model)))).collect();
                let histories = vec![known.history(component)];
                parts.push(Enrolled { device, of: gathered, groups, part: gathered.part(component), histories });
            }
        }
        Self { devices, groups, parts, borders: Vec::new() }
    }

    /// The same, where what became of an instant is judged by what was known at the next of these borders. Beyond the last, all that
    /// is known counts.
    pub fn closed_at(mut self, borders: Vec<Timestamp>) -> Self {
        for of_device in self.parts.chunk_by_mut(|one, next| one.device == next.device) {
            for border in borders.iter().rev() {
                let known = of_device[0].of.labels(*border);
                for one in &mut *of_device {
                    one.histories.insert(0, known.history(&one.part.component));
                }
            }
        }
        self.borders = borders;
        self
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
        let of_device = |parts: &[Enrolled<'_>]| {
            let known = parts[0].of.labels(until);
            let lives = |one: &Enrolled<'_>| {
                one.of.lives(&one.part, &known.history(&one.part.component), one.group_at(until), until)
            };
            parts.iter().flat_map(lives).collect::<Vec<_>>()
        };
        self.parts.chunk_by(|one, next| one.device == next.device).flat_map(of_device).collect()
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
        let chunks = self.chunks(question.instants.len());
        let cells = Cells::of(question.instants);
        for (done, chunk) in chunks.iter().enumerate() {
            let parts = self.register_parts(session, chunk, question, &cells)?;
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
    fn chunks(&self, instants: usize) -> Vec<BTreeSet<u32>> {
        let devices_max = DEVICES_MAX * (INSTANTS_OF_A_YEAR / instants.max(1)).max(1);
        let mut sites: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (number, device) in (0..).zip(&self.devices) {
            sites.entry(device.site.as_str()).or_default().push(number);
        }
        let mut chunks: Vec<BTreeSet<u32>> = Vec::new();
        for devices in sites.into_values() {
            match chunks.last_mut().filter(|chunk| chunk.len() + devices.len() <= devices_max) {
                Some(chunk) => chunk.extend(devices),
                None => chunks.push(devices.into_iter().collect()),
            }
        }
        chunks
    }

    /// Signals and parts of some devices, for the query to find. Answers how many parts, each make and model counted.
    fn register_parts(
        &self,
        session: &SessionContext,
        chunk: &BTreeSet<u32>,
        question: &Question<'_>,
        cells: &Cells,
    ) -> Result<usize, Error> {
        let told: Vec<(u32, Vec<Signal>)> =
            chunk.iter().map(|number| (*number, self.devices[*number as usize].signals(cells))).collect();
        let sites: BTreeSet<&str> = self.devices.iter().map(|device| device.site.as_str()).collect();
        let sites: BTreeMap<&str, i64> = sites.into_iter().zip(0..).collect();
        let own = self.parts.iter().filter(|one| chunk.contains(&one.device));
        let asked: Vec<AskedPart<'_>> = own.flat_map(|one| self.asked(one, &sites, question.limits)).collect();
        register(session, "signals", relations::signals(&told)?)?;
        register(session, "parts", relations::parts(&asked)?)?;
        Ok(asked.len())
    }

    /// A part under each of its groups.
    fn asked<'b>(
        &'b self,
        one: &'b Enrolled<'a>,
        sites: &BTreeMap<&str, i64>,
        limits: &LifeLimits,
    ) -> impl Iterator<Item = AskedPart<'b>> {
        let (device, counter) = (self.devices[one.device as usize], one.part.counter.as_ref());
        let limit = |counter: &Counter| limits.get(&(device.kind, counter.name.clone())).copied();
        let site = sites.get(device.site.as_str()).copied().unwrap_or_default();
        let (life, counted_from) = (counter.and_then(limit), counter.map(|counter| counter.known_at));
        let ends = one.groups.iter().skip(1).map(|(from, _)| *from).chain([Timestamp::MAX]);
        one.groups.iter().zip(ends).map(move |((known_from, group), known_until)| AskedPart {
            device: one.device,
            group: *group,
            site,
            component: &one.part.component,
            life,
            counted_from,
            known_from: *known_from,
            known_until,
        })
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
        let families = batch.column_by_name(FAMILIES).ok_or(Error::NoColumn { column: FAMILIES })?;
        let families = Families::read(families)?;
        let mut values = vec![f64::NAN; Column::COUNT];
        for place in 0..batch.num_rows() {
            let (device, group) = (devices.value(place) as u32, groups.value(place) as u32);
            let at = Timestamp(now.value(place));
            let fate = |one: &Enrolled<'_>| match question.tense {
                Tense::Past => one.history_at(at, &self.borders).fate(at),
                Tense::Present => Some(Fate::OPEN),
            };
            // An example is an instant at which a score would have been said.
            let spoken = |one: &&Enrolled<'_>| one.part.presence.speaks(at);
            let Some(fate) = self.part(device, group).filter(spoken).and_then(fate) else { continue };
            let weight = (question.keep)(&Asked { device, group, at, fate });
            if weight <= 0.0 {
                continue;
            }
            for (value, column) in values.iter_mut().zip(&columns) {
                *value = if column.is_null(place) { f64::NAN } else { column.value(place) };
            }
            frame.push_telling(Row { device, group, at, fate, weight }, &values, families.at(place))?;
            said.extend(answers.as_ref().map(|answers| answers.value(place)));
        }
        Ok(())
    }

    fn part(&self, device: u32, group: u32) -> Option<&Enrolled<'a>> {
        let first = self.parts.partition_point(|one| one.device < device);
        let own = self.parts[first..].iter().take_while(|one| one.device == device);
        own.filter(|one| one.groups.iter().any(|(_, own)| *own == group)).next()
    }
}

fn register(session: &SessionContext, name: &str, batch: RecordBatch) -> Result<(), Error> {
    session.deregister_table(name).map_err(Error::Query)?;
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(Error::Query)?;
    session.register_table(name, Arc::new(table)).map_err(Error::Query)?;
    Ok(())
}

fn floats(batch: &RecordBatch, column: &'static str) -> Result<Float64Array, Error> {
    let array = batch.column_by_name(column).ok_or(Error::NoColumn { column })?;
    Ok(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}
