//! Lives of parts: when each failed, was mended or was taken out, and how old it was on its own clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Span, Timestamp};
use medfleet_risk::fate::{Failure, PartHistory};
use medfleet_risk::voice::hazard::PartLife;

use super::{Gathered, Order, Signal, Sort};

/// A device that was impaired so long before its order was opened failed then, and not when somebody wrote it down.
const ONSET_BEFORE_ORDER_MICROS: i64 = 24 * MICROS_PER_HOUR;

/// One part of one device.
#[derive(Debug, Clone)]
pub struct Part {
    pub component: Arc<str>,
    /// The counter that tells its age; None for one that ages by the day.
    pub counter: Option<Arc<str>>,
    pub history: PartHistory,
}

impl Gathered {
    /// Components that have an order or a counter of their own here.
    pub fn components(&self) -> impl Iterator<Item = &Arc<str>> {
        self.components.iter()
    }

    /// All signals, failures and returns included.
    pub fn signals(&self) -> Vec<Signal> {
        let mut signals: Vec<Signal> = self.signals.iter().chain(self.sums.signals()).cloned().collect();
        for order in self.orders.values().filter(|order| order.corrective) {
            let part = &order.component;
            signals.push(Signal::new(Sort::Failed, part, "", onset(order), order.known, 1.0));
            if let Some((at, known)) = order.returned {
                signals.push(Signal::new(Sort::Returned, part, "", at, known, 1.0));
            }
        }
        signals
    }

    /// Failures of the device as a whole, in order of onset.
    pub fn failures(&self) -> Vec<Failure> {
        let corrective = self.orders.values().filter(|order| order.corrective);
        let mut failures: Vec<Failure> = corrective.map(|order| self.failure(order)).collect();
        failures.sort_by_key(|failure| failure.onset);
        failures
    }

    /// The part of this name, as far as the device was watched.
    pub fn part(&self, component: &Arc<str>) -> Option<Part> {
        let watched = self.watched()?;
        let own = self.orders.values().filter(|order| order.corrective && order.component == *component);
        let mut failures: Vec<Failure> = own.map(|order| self.failure(order)).collect();
        failures.sort_by_key(|failure| failure.onset);
        let mut taken_out = self.taken_out.get(component).cloned().unwrap_or_default();
        taken_out.sort_unstable();
        let history = PartHistory { watched, failures, taken_out, down: self.down(watched.until) };
        Some(Part { component: component.clone(), counter: self.counters.get(component).cloned(), history })
    }

    /// The lives of a part as they were known at `until`, on its own clock.
    pub fn lives(&self, part: &Part, group: u32, until: Timestamp) -> Vec<PartLife> {
        let Ok(watched) = Span::new(part.history.watched.from, part.history.watched.until.min(until)) else {
            return Vec::new();
        };
        let mut ends: BTreeMap<Timestamp, (Timestamp, bool)> = BTreeMap::new();
        for failure in &part.history.failures {
            ends.insert(failure.onset, (failure.returned.unwrap_or(watched.until), true));
        }
        for taken in &part.history.taken_out {
            ends.insert(*taken, (*taken, false));
        }
        let readings: Vec<(Timestamp, f64)> =
            part.counter.iter().flat_map(|counter| self.sums.readings(counter)).collect();
        let (mut from, mut lives) = (watched.from, Vec::new());
        for (end, (renewed, failed)) in ends.into_iter().filter(|(end, _)| *end < watched.until) {
            lives.extend(piece(from, end, failed, group, part, &readings));
            from = renewed.max(from);
        }
        lives.extend(piece(from, watched.until, false, group, part, &readings));
        lives
    }

    fn failure(&self, order: &Order) -> Failure {
        Failure { onset: onset(order), returned: order.returned.map(|(at, _)| at) }
    }

    /// The device's own word or a person's claim, if either was there before the order; else the order.
    pub(super) fn settle(&mut self) {
        self.turns.sort_by_key(|(at, _)| *at);
        for order in self.orders.values_mut() {
            let before = &self.turns[..self.turns.partition_point(|(at, _)| *at <= order.opened)];
            let impaired = before.iter().rev().take_while(|(_, impaired)| *impaired).last().map(|(at, _)| *at);
            let near = impaired.filter(|at| order.opened.micros() - at.micros() <= ONSET_BEFORE_ORDER_MICROS);
            order.onset = Some([near, order.claimed].into_iter().flatten().fold(order.opened, Timestamp::min));
        }
    }

    /// From onset to return, and while planned work was done.
    fn down(&self, until: Timestamp) -> Vec<Span> {
        let spans = self.orders.values().filter_map(|order| {
            let from = if order.corrective { onset(order) } else { order.started? };
            Span::new(from, order.returned.map_or(until, |(at, _)| at)).ok()
        });
        let mut spans: Vec<Span> = spans.collect();
        spans.sort_by_key(|span| (span.from, span.until));
        let mut united: Vec<Span> = Vec::new();
        for span in spans {
            match united.last_mut().filter(|last| span.from <= last.until) {
                Some(last) => last.until = last.until.max(span.until),
                None => united.push(span),
            }
        }
        united
    }
}

fn onset(order: &Order) -> Timestamp {
    order.onset.unwrap_or(order.opened)
}

/// One piece of a life; nothing where the clock did not move or was not read.
fn piece(
    from: Timestamp,
    until: Timestamp,
    failed: bool,
    group: u32,
    part: &Part,
    readings: &[(Timestamp, f64)],
) -> Option<PartLife> {
    let (entered, left) = if part.counter.is_some() {
        let read =
            &readings[readings.partition_point(|(at, _)| *at < from)..readings.partition_point(|(at, _)| *at <= until)];
        (read.first()?.1, read.last()?.1)
    } else {
        (0.0, (until.micros() - from.micros()) as f64 / MICROS_PER_DAY as f64)
    };
    (left > entered).then_some(PartLife { group, entered, left, failed })
}
