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
    closed: Vec<Told>,
    cancelled: Vec<Told>,
    /// When the device began to fail, in the order in which that was known: the last word is right.
    onsets: Vec<Told>,
}

impl Order {
    pub fn new(told: Told, phase: &OrderPhase, component: Arc<str>) -> Self {
        let corrective = phase.class == OrderClass::Corrective;
        let (started, returned, closed, cancelled) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { opened: told, corrective, component, started, returned, closed, cancelled, onsets: Vec::new() }
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
            Phase::Closed => self.closed.push(told),
            Phase::Cancelled => self.cancelled.push(told),
            _ => {}
        }
    }

    /// A corrective order is one failure, unless it was cancelled (decision 24).
    pub fn is_failure(&self) -> bool {
        self.corrective && self.cancelled.is_empty()
    }

    /// With all that it was told. An order that never says when the device was back has it back when it was closed.
    pub fn failure(&self, claims: &[Told], turns: &[Turn]) -> Failure {
        let before = &turns[..turns.partition_point(|turn| turn.told.at <= self.opened.at)];
        let onset = onset_at(Timestamp::MAX, self.opened, claims, before);
        let last = |phases: &[Told]| phases.last().map(|told| told.at);
        let back = last(&self.returned).or_else(|| last(&self.closed)).or_else(|| last(&self.cancelled));
        Failure { onset, returned: back }
    }

    /// When the device could not be used: from onset to return, or while planned work was done.
    pub fn down(&self, Failure { onset, returned }: Failure, until: Timestamp) -> Option<Span> {
        let failed = self.is_failure().then_some(onset);
        let worked = || self.started.last().filter(|_| !self.corrective).map(|started| started.at);
        Span::new(failed.or_else(worked)?, returned.unwrap_or(until)).ok()
    }

    /// The same as it was known at each instant: from when on the order was known, or planned work had begun, and for some
    /// days beyond the return.
    pub fn known_down(&self, days: i64) -> Spans {
        let began = self.started.iter().map(|started| started.known_at).min();
        let Some(mut from) = (if self.corrective { Some(self.opened.known_at) } else { began }) else {
            return Spans::default();
        };
        let (mut down, mut until) = (Spans::default(), Timestamp::MAX);
        for (Told { at, known_at }, days) in self.endings(days) {
            down.add(from, until.min(known_at));
            (from, until) = (from.max(known_at), at.plus_micros(days * MICROS_PER_DAY));
        }
        down.add(from, until);
        down
    }

    /// What ends it, in the order in which that was known, and for how many days it is ill beyond that. Once its return is known,
    /// an order that is closed on paper says nothing more; of a cancelled one there was no illness.
    fn endings(&self, days: i64) -> Vec<(Told, i64)> {
        let back_known = self.returned.iter().map(|returned| returned.known_at).min().unwrap_or(Timestamp::MAX);
        let closed = self.closed.iter().filter(|closed| closed.known_at < back_known);
        let back = self.returned.iter().chain(closed).map(|told| (*told, days));
        let mut endings: Vec<(Told, i64)> = back.chain(self.cancelled.iter().map(|told| (*told, 0))).collect();
        endings.sort_by_key(|(told, _)| told.known_at);
        endings
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

    fn phase(phase: Phase) -> OrderPhase {
        OrderPhase {
            order: "o".into(),
            class: OrderClass::Corrective,
            phase,
            waiting_for: None,
            planned: None,
            cause: String::new(),
            text: "tube".into(),
        }
    }

    /// Opened at hour 0, which is known an hour later.
    fn corrective() -> Order {
        Order::new(told(0, 1), &phase(Phase::Opened), "tube".into())
    }

    fn spans(down: Spans) -> Vec<(Timestamp, Timestamp)> {
        down.iter().map(|span| (span.from, span.until)).collect()
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
        let mut order = corrective();
        order.tell(told(5, 900), &phase(Phase::ReturnedToService), &"tube".into());
        assert_eq!(spans(order.known_ill()), [(hour(1), hour(900))], "20 days after the return were over by then");
        order.tell(told(880, 950), &phase(Phase::ReturnedToService), &"tube".into());
        let again = hour(880).plus_micros(INFECTED_DAYS * MICROS_PER_DAY);
        assert_eq!(spans(order.known_ill()), [(hour(1), hour(900)), (hour(950), again)]);
        order.tell(told(940, 960), &phase(Phase::Closed), &"tube".into());
        assert_eq!(spans(order.known_ill()), [(hour(1), hour(900)), (hour(950), again)], "closed on paper");
    }

    #[test]
    fn a_cancelled_order_is_no_failure_and_makes_nobody_ill_from_when_on_that_is_known() {
        let mut order = corrective();
        assert_eq!(order.failure(&[], &[]), Failure { onset: hour(0), returned: None });
        order.tell(told(30, 40), &phase(Phase::Cancelled), &"tube".into());
        assert!(!order.is_failure());
        assert_eq!(order.down(order.failure(&[], &[]), hour(900)), None);
        assert_eq!(spans(order.known_ill()), [(hour(1), hour(40))]);
    }

    #[test]
    fn an_order_without_a_return_is_over_when_it_is_closed() {
        let mut order = corrective();
        order.tell(told(30, 31), &phase(Phase::Closed), &"tube".into());
        assert_eq!(order.failure(&[], &[]), Failure { onset: hour(0), returned: Some(hour(30)) });
        let well = hour(30).plus_micros(INFECTED_DAYS * MICROS_PER_DAY);
        assert_eq!(spans(order.known_ill()), [(hour(1), well)]);
        order.tell(told(20, 50), &phase(Phase::ReturnedToService), &"tube".into());
        assert_eq!(order.failure(&[], &[]).returned, Some(hour(20)), "the device was back before");
        let well = hour(20).plus_micros(INFECTED_DAYS * MICROS_PER_DAY);
        assert_eq!(spans(order.known_ill()), [(hour(1), well)]);
    }
}
