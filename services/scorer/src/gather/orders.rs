//! Orders: what was said of a failure and of planned work, and when each word of it was known.

use std::sync::Arc;

use medfleet_domain::human::{OrderClass, OrderPhase, Phase};
use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Span, Timestamp};
use medfleet_risk::fate::{Failure, INFECTED_DAYS, Spans};

use super::dated::Told;
use super::{Gathered, Signal, Sort};

/// A device that was impaired so long before its order was opened failed then, and not when somebody wrote it down.
const ONSET_BEFORE_ORDER_MICROS: i64 = 24 * MICROS_PER_HOUR;

/// The device began to be impaired, or was whole again.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub told: Told,
    pub impaired: bool,
}

/// An order as its phases tell.
#[derive(Debug, Clone)]
pub struct Order {
    /// As the phase says that was known first.
    pub opened: Told,
    pub corrective: bool,
    pub component: Arc<str>,
    started: Vec<Told>,
    returned: Vec<Told>,
    /// When the device began to fail, in the order in which that was known: the last word is right.
    onsets: Vec<Told>,
}

impl Order {
    pub fn new(told: Told, phase: &OrderPhase, component: Arc<str>) -> Self {
        let corrective = phase.class == OrderClass::Corrective;
        let (started, returned, onsets) = (Vec::new(), Vec::new(), Vec::new());
        Self { opened: told, corrective, component, started, returned, onsets }
    }

    pub fn tell(&mut self, told: Told, phase: &OrderPhase, component: &Arc<str>) {
        if told.known_at < self.opened.known_at {
            self.opened = told;
            self.corrective = phase.class == OrderClass::Corrective;
            self.component = component.clone();
        }
        match phase.phase {
            Phase::RepairStarted => self.started.push(told),
            Phase::ReturnedToService => self.returned.push(told),
            _ => {}
        }
    }

    /// With all that was told; a failure is not one of what was known, but what became of it.
    pub fn failure(&self) -> Failure {
        let onset = self.onsets.last().map_or(self.opened.at, |onset| onset.at);
        Failure { onset, returned: self.returned.last().map(|returned| returned.at) }
    }

    /// When the device could not be used: from onset to return, or while planned work was done.
    pub fn down(&self, until: Timestamp) -> Option<Span> {
        let Failure { onset, returned } = self.failure();
        let from = if self.corrective { onset } else { self.started.last()?.at };
        Span::new(from, returned.unwrap_or(until)).ok()
    }

    /// The same as it was known at each instant: from when on the order was known, or planned work had begun, and for some
    /// days beyond the return.
    pub fn known_down(&self, days: i64) -> Spans {
        let began = self.started.iter().map(|started| started.known_at).min();
        let Some(mut from) = (if self.corrective { Some(self.opened.known_at) } else { began }) else {
            return Spans::default();
        };
        let mut returned = self.returned.clone();
        returned.sort_by_key(|returned| returned.known_at);
        let (mut down, mut until) = (Spans::default(), Timestamp::MAX);
        for Told { at, known_at } in returned {
            down.add(from, until.min(known_at));
            (from, until) = (from.max(known_at), at.plus_micros(days * MICROS_PER_DAY));
        }
        down.add(from, until);
        down
    }

    pub fn known_ill(&self) -> Spans {
        self.known_down(INFECTED_DAYS)
    }

    /// Onsets and returns of a failure, under the order's name: of its onsets the one known last counts.
    pub fn signals<'a>(&'a self, name: &'a Arc<str>) -> impl Iterator<Item = Signal> + 'a {
        let of = |sort: Sort| {
            move |told: &Told| Signal {
                sort,
                part: self.component.clone(),
                name: name.clone(),
                told: *told,
                amount: 1.0,
            }
        };
        let told = self.onsets.iter().map(of(Sort::Failed)).chain(self.returned.iter().map(of(Sort::Returned)));
        told.filter(|_| self.corrective)
    }
}

impl Gathered {
    /// When each failure began: the device's own word or a person's claim, if either lies before the order; else the order.
    pub(super) fn settle(&mut self) {
        self.turns.sort_by_key(|turn| turn.told.at);
        let none = Vec::new();
        for (name, order) in &mut self.orders {
            let turns = &self.turns[..self.turns.partition_point(|turn| turn.told.at <= order.opened.at)];
            order.onsets = onsets(order.opened, self.claims.get(name).unwrap_or(&none), turns);
        }
    }
}

/// The onset at each moment at which something was heard that may move it.
fn onsets(opened: Told, claims: &[Told], turns: &[Turn]) -> Vec<Told> {
    let words = claims.iter().chain(turns.iter().map(|turn| &turn.told)).map(|told| told.known_at);
    let mut moments: Vec<Timestamp> = words.filter(|known_at| *known_at > opened.known_at).collect();
    moments.push(opened.known_at);
    moments.sort_unstable();
    moments.dedup();
    let mut onsets: Vec<Told> = Vec::new();
    for moment in moments {
        let at = onset_at(moment, opened, claims, turns);
        if onsets.last().is_none_or(|before| before.at != at) {
            onsets.push(Told { at, known_at: moment });
        }
    }
    onsets
}

fn onset_at(moment: Timestamp, opened: Told, claims: &[Told], turns: &[Turn]) -> Timestamp {
    let known = turns.iter().rev().filter(|turn| turn.told.known_at <= moment);
    let impaired = known.take_while(|turn| turn.impaired).last().map(|turn| turn.told.at);
    let near = impaired.filter(|at| opened.at.micros() - at.micros() <= ONSET_BEFORE_ORDER_MICROS);
    let claimed = claims.iter().filter(|claim| claim.known_at <= moment).map(|claim| claim.at);
    near.into_iter().chain(claimed).fold(opened.at, Timestamp::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::Day;

    fn hour(hour: i64) -> Timestamp {
        Day(20_000).start().plus_micros(hour * MICROS_PER_HOUR)
    }

    fn told(at: i64, known_at: i64) -> Told {
        Told::new(hour(at), hour(known_at))
    }

    #[test]
    fn an_onset_moves_only_from_when_on_the_word_was_known() {
        let turns = [Turn { told: told(90, 90), impaired: true }, Turn { told: told(95, 130), impaired: false }];
        let found = onsets(told(100, 101), &[told(80, 120)], &turns);
        assert_eq!(found, [told(90, 101), told(80, 120)]);
        let found = onsets(told(100, 101), &[], &turns);
        assert_eq!(found, [told(90, 101), told(100, 130)], "it had been whole again before the order");
    }

    #[test]
    fn a_return_that_is_told_late_ends_the_illness_late() {
        let phase = |phase: Phase| OrderPhase {
            order: "o".into(),
            class: OrderClass::Corrective,
            phase,
            waiting_for: None,
            planned: None,
            cause: String::new(),
            text: "tube".into(),
        };
        let mut order = Order::new(told(0, 1), &phase(Phase::Opened), "tube".into());
        order.tell(told(5, 900), &phase(Phase::ReturnedToService), &"tube".into());
        let spans = |down: Spans| down.iter().map(|span| (span.from, span.until)).collect::<Vec<_>>();
        assert_eq!(spans(order.known_ill()), [(hour(1), hour(900))], "20 days after the return were over by then");
        order.tell(told(880, 950), &phase(Phase::ReturnedToService), &"tube".into());
        let again = hour(880).plus_micros(INFECTED_DAYS * MICROS_PER_DAY);
        assert_eq!(spans(order.known_ill()), [(hour(1), hour(900)), (hour(950), again)]);
    }
}
