//! An outage and what it cost: what the device did in an hour before, times the base hours it was down.

use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Span, Timestamp};
use medfleet_kpi::Question;
use medfleet_kpi::ask::{self, Downtime};
use medfleet_kpi::hours::Hours;
use medfleet_lake::SessionContext;

use crate::error::ApiError;
use crate::pages::format::{decimal, hours};

/// The days before an outage from which the rate is taken.
pub const REFERENCE_DAYS: i64 = 28;
/// A rate over less time up would be chance.
const REFERENCE_HOURS_MIN: i64 = 20;
/// Counters that count what is done for patients, the best first. Hours and starts are none.
const EXAMS: [&str; 7] = ["exams", "cases", "exposures", "injections", "inferences", "cycles", "shocks"];

pub struct Outage {
    pub down: Downtime,
    /// Base hours within it.
    pub base_micros: i64,
    /// None: nothing counts exams, or too little was seen before.
    pub lost: Option<Lost>,
}

pub struct Lost {
    pub count: f64,
    counter: String,
    per_hour: f64,
    reference_micros: i64,
}

impl Outage {
    pub async fn of(session: &SessionContext, down: Downtime, now: Timestamp) -> Result<Self, ApiError> {
        let from = Timestamp(down.onset.0 - REFERENCE_DAYS * MICROS_PER_DAY);
        let span = Span { from: down.onset, until: down.until };
        let within = Span { from: from.plus_micros(-MICROS_PER_DAY), until: down.until.plus_micros(MICROS_PER_DAY) };
        let hours = Hours::read(session, within).await?;
        let base_micros = hours.base(&down.site, &down.kind).clip(span).micros();
        let before = Question::new(from, down.onset, now).of_device(&down.device);
        let up: i64 = ask::uptime(session, &before).await?.iter().map(|row| row.measure.base_up).sum();
        let gained = ask::cycles(session, &before).await?;
        let counted = EXAMS.iter().find_map(|name| {
            let of = gained.iter().filter(|one| one.counter == *name && one.component.is_none());
            of.max_by_key(|one| one.gained_milli)
        });
        let lost = counted.filter(|_| up >= REFERENCE_HOURS_MIN * MICROS_PER_HOUR).map(|one| {
            let per_hour = one.gained_milli as f64 / 1e3 / (up as f64 / MICROS_PER_HOUR as f64);
            let count = per_hour * base_micros as f64 / MICROS_PER_HOUR as f64;
            Lost { count, counter: one.counter.replace('_', " "), per_hour, reference_micros: up }
        });
        Ok(Self { down, base_micros, lost })
    }

    /// How the estimate was made.
    pub fn how(&self) -> String {
        match &self.lost {
            Some(lost) => format!(
                "{} {} a base hour up, over {}",
                decimal(lost.per_hour, 2),
                lost.counter,
                hours(lost.reference_micros)
            ),
            None => "no counter of exams, or too few hours seen before".to_owned(),
        }
    }
}
