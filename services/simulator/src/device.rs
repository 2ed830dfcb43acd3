//! One device's life, event by event: use, wear, failures, repairs and maintenance, drawn from its own stream of chance.

mod agenda;
mod event;
mod failing;
mod living;
mod meters;
mod parts;
mod repair;
mod upkeep;

use std::collections::VecDeque;
use std::sync::Arc;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::Body;
use medfleet_domain::time::{MICROS_PER_HOUR, Timestamp};

use crate::chance::Chance;
use crate::plan::{Plan, PlannedDevice};
use agenda::{Agenda, Step};
pub use event::{Event, Happening, Shown, Witness};
use meters::Meters;
use parts::Part;
use repair::Episode;

const SECONDS_PER_HOUR: f64 = 3_600.0;

/// What a device is busy with. Only `Idle`, `InUse` and `Qa` wear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Idle,
    InUse,
    Qa,
    /// Stands still for a moment and recovers by itself.
    Stopped,
    Maintenance {
        overrun: bool,
    },
    Down,
}

impl Activity {
    const fn condition(self) -> Condition {
        match self {
            Self::Idle => Condition::Standby,
            Self::InUse => Condition::Productive,
            Self::Qa => Condition::Engineering,
            Self::Maintenance { overrun: false } => Condition::ScheduledDown,
            Self::Stopped | Self::Down | Self::Maintenance { overrun: true } => Condition::UnscheduledDown,
        }
    }

    /// What the device itself shows: it knows nothing of planned windows.
    const fn shown(self) -> Condition {
        match self {
            Self::Maintenance { .. } => Condition::ScheduledDown,
            other => other.condition(),
        }
    }

    const fn is_powered(self) -> bool {
        self.condition().is_up()
    }
}

/// A device that lives from event to event, without end. Equal plans give equal lives, however far one looks.
#[derive(Debug, Clone)]
pub struct DeviceSim {
    device: Arc<PlannedDevice>,
    chance: Chance,
    now: Timestamp,
    activity: Activity,
    degradation: Degradation,
    meters: Meters,
    parts: Vec<Part>,
    agenda: Agenda,
    episode: Option<Episode>,
    orders: u32,
    /// What stood last in a `Turned` event.
    told: Option<Happening>,
    happened: VecDeque<Event>,
}

impl DeviceSim {
    /// A device at the plan's start: idle, with parts and counters as worn as its years in service make likely.
    pub fn new(plan: &Plan, device: &Arc<PlannedDevice>) -> Self {
        let mut chance = Chance::of(plan.seed, "life", device.id.as_str());
        let mut meters = Meters::aged(device, &mut chance);
        let parts: Vec<Part> =
            device.kind.components.iter().map(|part| Part::aged(part, device, &mut chance)).collect();
        for (part, component) in parts.iter().zip(&device.kind.components) {
            meters.show_age(part, &component.name);
        }
        let mut sim = Self {
            device: device.clone(),
            chance,
            now: plan.start,
            activity: Activity::Idle,
            degradation: Degradation::None,
            meters,
            parts,
            agenda: Agenda::default(),
            episode: None,
            orders: 0,
            told: None,
            happened: VecDeque::new(),
        };
        sim.tell();
        sim.begin();
        sim
    }

    pub fn device(&self) -> &Arc<PlannedDevice> {
        &self.device
    }

    /// How old every component is on the clock of its law. Nobody in a hospital knows that.
    pub fn part_ages(&self) -> impl Iterator<Item = f64> {
        self.parts.iter().map(|part| part.age)
    }

    /// When the next event happens.
    pub fn next_at(&mut self) -> Timestamp {
        self.fill().at
    }

    /// The next event, if it happens before `until`.
    pub fn next_before(&mut self, until: Timestamp) -> Option<Event> {
        if self.fill().at >= until {
            return None;
        }
        self.happened.pop_front()
    }

    fn fill(&mut self) -> &Event {
        while self.happened.is_empty() {
            self.step();
        }
        &self.happened[0]
    }

    /// Goes to whatever comes first: the next step of the agenda, or a part that reaches a mark of its life.
    fn step(&mut self) {
        let due = self.agenda.next_at();
        match self.next_mark() {
            Some((at, part)) if at <= due => {
                self.pass(at);
                self.reach_mark(part);
            }
            _ => {
                let (at, step) = self.agenda.pop(self.now);
                self.pass(at);
                self.perform(step);
            }
        }
    }

    fn pass(&mut self, at: Timestamp) {
        let hours = (at.micros() - self.now.micros()) as f64 / MICROS_PER_HOUR as f64;
        self.now = at;
        if hours > 0.0 && self.activity.is_powered() {
            let productive = self.activity == Activity::InUse;
            let grown = self.meters.pass(hours, productive);
            for part in &mut self.parts {
                part.age += grown.of(part.clock);
            }
        }
    }

    /// The part that reaches its next mark first, at the pace of the present activity.
    fn next_mark(&self) -> Option<(Timestamp, usize)> {
        if !self.activity.is_powered() {
            return None;
        }
        let pace = self.meters.pace(self.activity == Activity::InUse);
        let reach = |(index, part): (usize, &Part)| {
            let left = part.next_mark()? - part.age;
            let per_hour = pace.of(part.clock);
            let seconds = match (left <= 0.0, per_hour > 0.0) {
                (true, _) => 0,
                (false, true) => (left / per_hour * SECONDS_PER_HOUR).ceil() as i64,
                (false, false) => return None,
            };
            Some((self.now.plus_seconds(seconds), index))
        };
        self.parts.iter().enumerate().filter_map(reach).min()
    }

    fn turn(&mut self, activity: Activity) {
        self.activity = activity;
        self.tell();
    }

    /// Says how the device is, if that has changed.
    fn tell(&mut self) {
        let dark = self.activity == Activity::Down && self.episode.as_ref().is_some_and(|open| open.is_dark());
        let knows = self.episode.as_ref().is_none_or(|open| open.witness != Witness::Person);
        let shown = (!dark).then(|| Shown {
            condition: self.activity.shown(),
            degradation: if knows { self.degradation } else { Degradation::None },
            word: self.device.kind.word(self.activity.shown()).to_owned(),
        });
        let turned = Happening::Turned { condition: self.activity.condition(), degradation: self.degradation, shown };
        if self.told.as_ref() != Some(&turned) {
            self.told = Some(turned.clone());
            self.happen(turned);
        }
    }

    fn happen(&mut self, what: Happening) {
        self.happened.push_back(Event { at: self.now, what });
    }

    /// A person or their system says something about `of`, now.
    fn say(&mut self, of: Timestamp, body: Body) {
        self.happen(Happening::Said { of, body });
    }

    fn say_later(&mut self, at: Timestamp, of: Timestamp, body: Body) {
        self.agenda.put(at, Step::Say { of, body: Box::new(body) });
    }

    fn next_order(&mut self) -> String {
        self.orders += 1;
        format!("WO-{}-{}", self.device.id, self.orders)
    }
}

#[cfg(test)]
mod tests;
