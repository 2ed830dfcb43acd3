//! A world whose hazards are known: parts of one sort degrade before they fail and say so by errors; those of another fail without
//! memory and without warning. Hard use brings errors as well, and means nothing.

use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use medfleet_risk::backtest::DeviceFailures;
use medfleet_risk::column::Column;
use medfleet_risk::fate::{Failure, Fate, PartHistory, Spans};
use medfleet_risk::frame::{Frame, Group, Row};
use medfleet_risk::voice::hazard::PartLife;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

pub const TELLING: &str = "pump";
pub const MEMORYLESS: &str = "board";

/// Chances per day.
const DEGRADES: f64 = 0.008;
const FAILS_HEALTHY: f64 = 0.0006;
const FAILS_DEGRADED: f64 = 0.16;
const FAILS_MEMORYLESS: f64 = 0.004;
const USED_HARD: f64 = 0.02;
const USED_HARD_DAYS: i32 = 9;
/// Errors per day.
const ERRORS_HEALTHY: f64 = 0.05;
const ERRORS_HARD: f64 = 1.5;
const ERRORS_DEGRADED: f64 = 3.5;

/// What happened to one part, day by day.
struct Days {
    errors: Vec<u32>,
    hours: Vec<f64>,
    states: Vec<bool>,
}

#[derive(Clone)]
pub struct World {
    pub frame: Frame,
    pub lives: Vec<PartLife>,
    pub failures: DeviceFailures,
    pub period: Span,
    /// Of each row, the true chance of failing within a week.
    pub oracle: Vec<f64>,
}

impl World {
    pub fn new(seed: u64, devices: u32, days: i32) -> Self {
        let group = |component: &str| Group {
            kind: DeviceKind::Ventilator,
            make_model: "made up".into(),
            component: component.into(),
        };
        let mut world = Self {
            frame: Frame::new(vec![group(TELLING), group(MEMORYLESS)]),
            lives: Vec::new(),
            failures: DeviceFailures::new(),
            period: Span { from: Day(0).start(), until: Day(days).start() },
            oracle: Vec::new(),
        };
        let mut chance = StdRng::seed_from_u64(seed);
        for device in 0..devices {
            for group in [0, 1] {
                world.live(device, group, days, &mut chance);
            }
        }
        world
    }

    fn live(&mut self, device: u32, group: u32, days: i32, chance: &mut StdRng) {
        let (mut degraded, mut hard_until) = (false, 0);
        let (mut errors, mut hours, mut states) = (Vec::new(), Vec::new(), Vec::new());
        let mut failures: Vec<Failure> = Vec::new();
        for day in 0..days {
            let telling = group == 0;
            degraded |= telling && chance.random::<f64>() < DEGRADES;
            states.push(degraded);
            if chance.random::<f64>() < USED_HARD {
                hard_until = day + USED_HARD_DAYS;
            }
            let hard = day < hard_until;
            hours.push(if hard { 16.0 } else { 6.0 });
            let rate = match (degraded, hard) {
                (true, _) => ERRORS_DEGRADED,
                (false, true) => ERRORS_HARD,
                (false, false) => ERRORS_HEALTHY,
            };
            errors.push(poisson(rate, chance));
            let hazard = match (telling, degraded) {
                (false, _) => FAILS_MEMORYLESS,
                (true, true) => FAILS_DEGRADED,
                (true, false) => FAILS_HEALTHY,
            };
            if chance.random::<f64>() < hazard {
                let onset = Day(day).start().plus_micros(MICROS_PER_DAY / 2);
                failures.push(Failure { onset, returned: Some(onset.plus_micros(MICROS_PER_DAY / 8)) });
                degraded = false;
            }
        }
        self.tell(device, group, &Days { errors, hours, states }, failures);
    }

    fn tell(&mut self, device: u32, group: u32, days: &Days, failures: Vec<Failure>) {
        let Days { errors, hours, states } = days;
        let history = PartHistory {
            watched: self.period,
            failures,
            taken_out: Vec::new(),
            unseen: Vec::new(),
            down: Spans::default(),
        };
        let learned_until = self.period.from.plus_micros((self.period.micros() as f64 * 0.55) as i64);
        let mut entered = self.period.from;
        for failure in history.failures.iter().filter(|failure| failure.onset < learned_until) {
            self.lives.push(life(group, entered, failure.onset, true));
            entered = failure.onset;
        }
        self.lives.push(life(group, entered, learned_until, false));
        for day in 30..errors.len() {
            let at = Day(day as i32).start();
            let Some(fate) = history.fate(at) else { continue };
            let sum = |days: usize| f64::from(errors[day - days..day].iter().sum::<u32>());
            let mut values = vec![f64::NAN; Column::COUNT];
            let mut set = |column: Column, value: f64| values[column.index()] = value;
            let counts = [
                (Column::PartErrors1d, 1),
                (Column::PartErrors3d, 3),
                (Column::PartErrors7d, 7),
                (Column::PartErrors14d, 14),
                (Column::PartErrors30d, 30),
                (Column::AllErrors1d, 1),
                (Column::AllErrors7d, 7),
            ];
            counts.into_iter().for_each(|(column, days)| set(column, sum(days)));
            let failed = history
                .failures
                .iter()
                .map(|failure| failure.onset.day().0)
                .filter(|failed| *failed < day as i32)
                .max();
            let of_this_life =
                |days: usize| failed.map_or(sum(days), |failed| sum(days.min(day - 1 - failed as usize)));
            let counts = [
                (Column::LifeErrors1d, 1),
                (Column::LifeErrors2d, 2),
                (Column::LifeErrors3d, 3),
                (Column::LifeErrors5d, 5),
                (Column::LifeErrors7d, 7),
                (Column::LifeErrors10d, 10),
                (Column::LifeErrors14d, 14),
                (Column::LifeErrors20d, 20),
                (Column::LifeErrors30d, 30),
            ];
            counts.into_iter().for_each(|(column, days)| set(column, of_this_life(days)));
            if let Some(failed) = failed {
                set(Column::DaysSincePartFailure, f64::from(day as i32 - failed) - 0.5);
            }
            set(Column::ProductiveHours7d, hours[day - 7..day].iter().sum());
            set(Column::PartAge, day as f64);
            set(Column::PartPacePerDay, 1.0);
            set(Column::DeviceAgeDays, f64::from(device % 50) * 40.0 + day as f64);
            let row = Row { device, group, at, fate, weight: 1.0 };
            self.frame.push(row, &values).expect("all columns are given");
            // The state of the day before is what the morning finds.
            self.oracle.push(week(group, states[day - 1]));
        }
        self.failures.entry(device).or_default().extend(history.failures);
        self.failures.entry(device).or_default().sort_by_key(|failure| failure.onset);
    }

    /// The same rows, of which none from this instant on fails.
    pub fn fateless_from(mut self, from: Timestamp) -> Self {
        self.retell(|row| {
            let told = row.at.plus_micros(row.fate.failed_after.unwrap_or_default());
            let spared = Fate { failed_after: None, watched_for: 30 * MICROS_PER_DAY };
            if told >= from && row.fate.failed_after.is_some() { spared } else { row.fate }
        });
        self
    }

    /// The same rows, with fates that belong to other rows.
    pub fn shuffled(mut self) -> Self {
        let mut fates: Vec<Fate> = self.frame.rows().iter().map(|row| row.fate).collect();
        fates.shuffle(&mut StdRng::seed_from_u64(99));
        let mut fates = fates.into_iter();
        self.retell(|_| fates.next().expect("one for each row"));
        self
    }

    fn retell(&mut self, mut fate: impl FnMut(&Row) -> Fate) {
        let mut retold = Frame::new(self.frame.groups().to_vec());
        for (row, told) in self.frame.rows().iter().enumerate() {
            let values: Vec<f64> = Column::ALL.iter().map(|column| self.frame.value(row, *column)).collect();
            retold.push(Row { fate: fate(told), ..*told }, &values).expect("as wide as before");
        }
        self.frame = retold;
    }
}

fn life(group: u32, entered: Timestamp, left: Timestamp, failed: bool) -> PartLife {
    let days = (left.micros() - entered.micros()) as f64 / MICROS_PER_DAY as f64;
    PartLife { group, entered: 0.0, left: days, failed }
}

/// The chance of failing within seven days, from a state at their beginning.
fn week(group: u32, degraded: bool) -> f64 {
    if group == 1 {
        return 1.0 - (1.0 - FAILS_MEMORYLESS).powi(7);
    }
    let (mut healthy, mut ill) = if degraded { (0.0, 1.0) } else { (1.0, 0.0) };
    for _ in 0..7 {
        (healthy, ill) = (healthy * (1.0 - DEGRADES), ill + healthy * DEGRADES);
        (healthy, ill) = (healthy * (1.0 - FAILS_HEALTHY), ill * (1.0 - FAILS_DEGRADED));
    }
    1.0 - healthy - ill
}

fn poisson(mean: f64, chance: &mut StdRng) -> u32 {
    let (limit, mut product, mut count) = ((-mean).exp(), 1.0, 0);
    loop {
        product *= chance.random::<f64>();
        if product <= limit {
            return count;
        }
        count += 1;
    }
}
