//! Answers what ledgers need from the past: the `facts` table at the version this worker last wrote, one query per kind of
//! need for as many subjects as ask. What is not flushed yet is in memory, and never asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use medfleet_domain::fact::digest;
use medfleet_domain::held::Held;
use medfleet_domain::id::{Epoch, Seq, Subject};
use medfleet_domain::ledger::{DaySet, Ledger};
use medfleet_domain::time::Day;
use medfleet_lake::rows::{FactRow, OriginalRow, TraceRow};
use medfleet_lake::{Cause, Reader, Row, SessionContext, TableVersion, run};

use crate::book::Memory;
use crate::error::ProcessorError;
use crate::lookahead::{Asked, Question};
use crate::told::held;

/// Runs of days named in one query; more are asked for in several.
const RANGES_PER_QUERY: usize = 16;
const TRACE: &str =
    "subject_kind, subject, epoch, seq, kind, day, cause_topic, cause_partition, cause_offset, cause_index";
const ORIGINAL: &str =
    "subject_kind, subject, epoch, seq, bytes, cause_topic, cause_partition, cause_offset, cause_index";
const DAILY: &str = "kind IN ('stretch', 'error', 'usage')";

/// Reads the `facts` table.
pub struct Archive {
    reader: Reader,
    /// Queries so far.
    pub queries: u64,
}

/// A fact's subject (by its place among those who ask) and identity.
type Key = (usize, i64, i64);

impl Archive {
    pub fn new(reader: Reader) -> Self {
        Self { reader, queries: 0 }
    }

    pub async fn open(&self, facts: &TableVersion) -> Result<SessionContext, ProcessorError> {
        Ok(self.reader.open(&BTreeMap::from([("facts".to_owned(), facts.clone())])).await?)
    }

    /// Looks everything up and tells the ledgers.
    pub async fn answer(
        &mut self,
        asked: &Asked,
        facts: &TableVersion,
        memory: &mut Memory,
    ) -> Result<(), ProcessorError> {
        let session = self.open(facts).await?;
        self.days(&session, asked, memory).await?;
        self.located(&session, asked, memory).await?;
        self.epochs(&session, asked, memory).await?;
        self.digests(&session, asked, memory).await
    }

    /// Whole days of facts, in the order in which they were told.
    async fn days(
        &mut self,
        session: &SessionContext,
        asked: &Asked,
        memory: &mut Memory,
    ) -> Result<(), ProcessorError> {
        let mut by_day: BTreeMap<Day, BTreeSet<&Subject>> = BTreeMap::new();
        for (subject, question) in &asked.of {
            for day in &question.needs.days {
                by_day.entry(*day).or_default().insert(subject);
            }
        }
        let askers = Askers::of(asked, |question| !question.needs.days.is_empty());
        let mut found: HashMap<(usize, Day), Vec<FactRow>> = HashMap::new();
        for (when, who) in spans(&by_day) {
            let sql = format!("SELECT * FROM facts WHERE verdict <> 'duplicate' AND {DAILY} AND {who} AND {when}");
            for row in self.rows::<FactRow>(session, &sql).await? {
                let Some((number, question)) = askers.find(&row.subject_kind, &row.subject, row.cause) else {
                    continue;
                };
                let day = Day(row.day.0);
                if question.needs.days.contains(&day) {
                    found.entry((number, day)).or_default().push(row);
                }
            }
        }
        for (number, (subject, question)) in askers.all.iter().enumerate() {
            for day in &question.needs.days {
                let mut rows = found.remove(&(number, *day)).unwrap_or_default();
                rows.sort_by_key(|row| row.cause);
                let facts: Vec<Held> = rows.iter().map(held).collect::<Result<_, _>>()?;
                ledger(memory, subject).supply_day(*day, facts);
            }
        }
        Ok(())
    }

    /// The days of amended facts.
    async fn located(
        &mut self,
        session: &SessionContext,
        asked: &Asked,
        memory: &mut Memory,
    ) -> Result<(), ProcessorError> {
        let askers = Askers::of(asked, |question| !question.needs.located.is_empty());
        let ranges = askers.all.iter().flat_map(|(_, question)| &question.needs.located);
        let epochs: BTreeSet<i64> = ranges.map(|range| range.epoch.0.cast_signed()).collect();
        let mut days: HashMap<(usize, usize), BTreeSet<Day>> = HashMap::new();
        for row in self.traces::<TraceRow>(session, TRACE, &askers, &epochs, DAILY).await? {
            let Some((number, question)) = askers.find(&row.subject_kind, &row.subject, row.cause) else { continue };
            let (epoch, seq) = identity(row.epoch, row.seq);
            for (place, range) in question.needs.located.iter().enumerate() {
                if range.contains(epoch, seq) {
                    days.entry((number, place)).or_default().insert(Day(row.day.0));
                }
            }
        }
        for (number, (subject, question)) in askers.all.iter().enumerate() {
            for (place, range) in question.needs.located.iter().enumerate() {
                let days = days.remove(&(number, place)).unwrap_or_default();
                ledger(memory, subject).supply_located(*range, days.into_iter().collect());
            }
        }
        Ok(())
    }

    /// What was seen of forgotten epochs.
    async fn epochs(
        &mut self,
        session: &SessionContext,
        asked: &Asked,
        memory: &mut Memory,
    ) -> Result<(), ProcessorError> {
        let askers = Askers::of(asked, |question| !question.needs.epochs.is_empty());
        let wanted = askers.all.iter().flat_map(|(_, question)| &question.needs.epochs);
        let epochs: BTreeSet<i64> = wanted.map(|epoch| epoch.0.cast_signed()).collect();
        let mut seen: HashMap<(usize, Epoch), Vec<Seq>> = HashMap::new();
        for row in self.traces::<TraceRow>(session, TRACE, &askers, &epochs, "true").await? {
            let Some((number, _)) = askers.find(&row.subject_kind, &row.subject, row.cause) else { continue };
            let (epoch, seq) = identity(row.epoch, row.seq);
            seen.entry((number, epoch)).or_default().push(seq);
        }
        for (number, (subject, question)) in askers.all.iter().enumerate() {
            for epoch in &question.needs.epochs {
                let mut seqs = seen.remove(&(number, *epoch)).unwrap_or_default();
                seqs.sort_unstable();
                ledger(memory, subject).supply_epoch(*epoch, seqs);
            }
        }
        Ok(())
    }

    /// What facts told before hash to: sought on the days that the repeats name, and anywhere if not found there.
    async fn digests(
        &mut self,
        session: &SessionContext,
        asked: &Asked,
        memory: &mut Memory,
    ) -> Result<(), ProcessorError> {
        let askers = Askers::of(asked, |question| !question.needs.digests.is_empty());
        let mut sought: HashSet<Key> = HashSet::new();
        let mut by_day: BTreeMap<Day, BTreeSet<&Subject>> = BTreeMap::new();
        let mut epochs: BTreeSet<i64> = BTreeSet::new();
        for (number, (subject, question)) in askers.all.iter().enumerate() {
            for range in &question.needs.digests {
                let epoch = range.epoch.0.cast_signed();
                epochs.insert(epoch);
                sought.extend((range.first.0..=range.last.0).map(|seq| (number, epoch, seq.cast_signed())));
            }
            for day in &question.needs.told_days {
                by_day.entry(*day).or_default().insert(*subject);
            }
        }
        let mut supply = |rows: Vec<OriginalRow>, sought: &mut HashSet<Key>| {
            for row in rows {
                let Some((number, _)) = askers.find(&row.subject_kind, &row.subject, row.cause) else { continue };
                if sought.remove(&(number, row.epoch, row.seq)) {
                    let (epoch, seq) = identity(row.epoch, row.seq);
                    let digest = digest(row.bytes.as_deref().unwrap_or_default());
                    ledger(memory, askers.all[number].0).supply_digest(epoch, seq, digest);
                }
            }
        };
        for (when, who) in spans(&by_day) {
            let sql = format!("SELECT {ORIGINAL} FROM facts WHERE verdict <> 'duplicate' AND {who} AND {when}");
            supply(self.rows(session, &sql).await?, &mut sought);
        }
        if !sought.is_empty() {
            supply(self.traces(session, ORIGINAL, &askers, &epochs, "true").await?, &mut sought);
        }
        match sought.into_iter().next() {
            None => Ok(()),
            Some((_, epoch, seq)) => Err(ProcessorError::NotArchived { epoch, seq }),
        }
    }

    /// Facts of these epochs of all who ask, wherever they lie in time.
    async fn traces<R: Row>(
        &mut self,
        session: &SessionContext,
        columns: &str,
        askers: &Askers<'_>,
        epochs: &BTreeSet<i64>,
        condition: &str,
    ) -> Result<Vec<R>, ProcessorError> {
        if epochs.is_empty() {
            return Ok(Vec::new());
        }
        let epochs: Vec<String> = epochs.iter().map(i64::to_string).collect();
        let who = named(askers.all.iter().map(|(subject, _)| *subject));
        let sql = format!(
            "SELECT {columns} FROM facts WHERE verdict <> 'duplicate' AND {condition} AND {who} AND epoch IN ({})",
            epochs.join(", ")
        );
        self.rows(session, &sql).await
    }

    async fn rows<R: Row>(&mut self, session: &SessionContext, sql: &str) -> Result<Vec<R>, ProcessorError> {
        self.queries += 1;
        let mut rows = Vec::new();
        for batch in run(session, sql, &[]).await? {
            rows.extend(R::from_batch(&batch)?);
        }
        Ok(rows)
    }
}

/// Those who ask for one kind of thing.
struct Askers<'a> {
    all: Vec<(&'a Subject, &'a Question)>,
    numbers: HashMap<(&'a str, &'a str), usize>,
}

impl<'a> Askers<'a> {
    fn of(asked: &'a Asked, asks: impl Fn(&Question) -> bool) -> Self {
        let all: Vec<_> = asked.of.iter().filter(|(_, question)| asks(question)).collect();
        let numbers =
            all.iter().zip(0..).map(|((subject, _), number)| ((subject.kind.as_str(), subject.name()), number));
        Self { numbers: numbers.collect(), all }
    }

    /// Who asks for this row, if it does and may see it.
    fn find(&self, kind: &str, name: &str, cause: Cause) -> Option<(usize, &'a Question)> {
        let number = *self.numbers.get(&(kind, name))?;
        let question = self.all[number].1;
        (cause.offset.cast_unsigned() < question.below).then_some((number, question))
    }
}

fn ledger<'a>(memory: &'a mut Memory, subject: &Subject) -> &'a mut Ledger {
    memory.ledgers.entry(subject.clone()).or_default()
}

const fn identity(epoch: i64, seq: i64) -> (Epoch, Seq) {
    (Epoch(epoch.cast_unsigned()), Seq(seq.cast_unsigned()))
}

/// Conditions on days and subjects that together name everything asked for, some runs of days in each. Files are pruned by
/// the days; what a pair of them names too much is dropped when it is read.
fn spans(by_day: &BTreeMap<Day, BTreeSet<&Subject>>) -> Vec<(String, String)> {
    let mut days = DaySet::default();
    by_day.keys().for_each(|day| days.insert(*day));
    let ranges: Vec<(Day, Day)> = days.ranges().collect();
    let condition = |ranges: &[(Day, Day)]| {
        let date = |day: Day| format!("arrow_cast({}, 'Date32')", day.0);
        let when = ranges.iter().map(|(first, last)| format!("day BETWEEN {} AND {}", date(*first), date(*last)));
        let who: BTreeSet<_> =
            ranges.iter().flat_map(|(first, last)| by_day.range(*first..=*last)).flat_map(|(_, who)| who).collect();
        (format!("({})", when.collect::<Vec<_>>().join(" OR ")), named(who.into_iter().copied()))
    };
    ranges.chunks(RANGES_PER_QUERY).map(condition).collect()
}

/// Names are safe in SQL: the domain admits no quote in them.
fn named<'a>(subjects: impl Iterator<Item = &'a Subject>) -> String {
    let names: BTreeSet<String> = subjects.map(|subject| format!("'{}'", subject.name())).collect();
    format!("subject IN ({})", names.into_iter().collect::<Vec<_>>().join(", "))
}
