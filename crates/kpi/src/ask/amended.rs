//! Typed rows of the views about what late records changed.

use medfleet_domain::time::{Day, Timestamp};
use medfleet_lake::SessionContext;

use super::ask;
use crate::answer::Line;
use crate::error::KpiError;
use crate::question::Question;

/// What late records of one day changed of a device's period, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub arrived: Day,
    pub reason: String,
    pub before: Spent,
    pub after: Spent,
    pub records: Records,
}

/// Microseconds in service, up and down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    pub in_service: i64,
    pub up: i64,
    pub down: i64,
}

/// Where in the log records stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Records {
    pub partition: i64,
    pub first: i64,
    pub last: i64,
}

impl Spent {
    /// Uptime of known time; None where nothing was known.
    pub fn uptime(&self) -> Option<f64> {
        let known = self.up + self.down;
        (known > 0).then(|| self.up as f64 / known as f64)
    }
}

impl Amended {
    /// Nothing had been told of that time before: the first telling amends nothing.
    pub fn is_first(&self) -> bool {
        let told = self.before.up != 0 || self.before.down != 0;
        !told && (self.before.in_service == 0 || self.before.in_service == self.after.in_service)
    }

    /// By how much time up or down moved, or else the time in service.
    pub fn size(&self) -> (i64, i64) {
        let moved = |of: fn(&Spent) -> i64| (of(&self.after) - of(&self.before)).abs();
        (moved(|spent| spent.up).max(moved(|spent| spent.down)), moved(|spent| spent.in_service))
    }
}

pub async fn amendments(session: &SessionContext, question: &Question) -> Result<Vec<Amended>, KpiError> {
    ask(session, "amendments", question, |line| {
        let spent = |when: &str| {
            let of = |what: &str| line.int(&format!("{what}_{when}_us"));
            Ok::<_, KpiError>(Spent { in_service: of("in_service")?, up: of("up")?, down: of("down")? })
        };
        Ok(Amended {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            arrived: arrived(line)?,
            reason: line.text("reason")?,
            before: spent("before")?,
            after: spent("after")?,
            records: records(line)?,
        })
    })
    .await
}

/// What late records changed of one repair or planned maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendedWork {
    pub device: String,
    pub site: String,
    pub kind: String,
    /// repair or maintenance.
    pub what: String,
    pub work_order: Option<String>,
    pub procedure: Option<String>,
    /// When the repair was requested, or the maintenance due.
    pub at: Timestamp,
    pub arrived: Day,
    pub reason: String,
    /// None: it did not count.
    pub before: Option<Stood>,
    pub after: Option<Stood>,
    pub records: Records,
}

/// How a repair or a planned maintenance stood when the period was closed. Clocks are those of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    pub state: String,
    pub response: Option<i64>,
    pub repair: Option<i64>,
    pub parts: Option<i64>,
    /// Waiting for anybody else.
    pub others: Option<i64>,
    pub turnaround: Option<i64>,
}

pub async fn amended_work(session: &SessionContext, question: &Question) -> Result<Vec<AmendedWork>, KpiError> {
    ask(session, "amended_work", question, |line| {
        let stood = |when: &str| {
            let of = |what: &str| line.some_int(&format!("{what}_{when}_us"));
            let state = line.some_text(&format!("state_{when}"))?;
            let stood = |state| {
                Ok::<_, KpiError>(Stood {
                    state,
                    response: of("response")?,
                    repair: of("repair")?,
                    parts: of("parts")?,
                    others: of("others")?,
                    turnaround: of("turnaround")?,
                })
            };
            state.map(stood).transpose()
        };
        Ok(AmendedWork {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            what: line.text("what")?,
            work_order: line.some_text("work_order")?,
            procedure: line.some_text("procedure")?,
            at: line.time("at_us")?,
            arrived: arrived(line)?,
            reason: line.text("reason")?,
            before: stood("before")?,
            after: stood("after")?,
            records: records(line)?,
        })
    })
    .await
}

/// What late records of one day changed of one counter's gain, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendedCounter {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub counter: String,
    pub component: Option<String>,
    pub unit: String,
    pub source: String,
    pub arrived: Day,
    pub reason: String,
    pub before_milli: i64,
    pub after_milli: i64,
    pub samples_before: i64,
    pub records: Records,
}

impl AmendedCounter {
    /// Nothing had been told of it before: the first telling amends nothing.
    pub const fn is_first(&self) -> bool {
        self.samples_before == 0
    }
}

pub async fn amended_counters(session: &SessionContext, question: &Question) -> Result<Vec<AmendedCounter>, KpiError> {
    ask(session, "amended_counters", question, |line| {
        Ok(AmendedCounter {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            counter: line.text("counter")?,
            component: line.some_text("component")?,
            unit: line.text("unit")?,
            source: line.text("source")?,
            arrived: arrived(line)?,
            reason: line.text("reason")?,
            before_milli: line.int("gained_before_milli")?,
            after_milli: line.int("gained_after_milli")?,
            samples_before: line.int("samples_before")?,
            records: records(line)?,
        })
    })
    .await
}

fn arrived(line: &Line<'_>) -> Result<Day, KpiError> {
    Ok(Day(i32::try_from(line.int("arrived_day")?).unwrap_or_default()))
}

fn records(line: &Line<'_>) -> Result<Records, KpiError> {
    Ok(Records {
        partition: line.int("log_partition")?,
        first: line.int("first_offset")?,
        last: line.int("last_offset")?,
    })
}

impl std::fmt::Display for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}:{}", self.partition, self.first),
            false => write!(f, "{}:{} to {}", self.partition, self.first, self.last),
        }
    }
}
