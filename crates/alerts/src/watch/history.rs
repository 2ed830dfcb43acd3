//! What was said of a subject lately, in the order of the moments it tells of, and what follows from all that was ever said: the
//! order of arrival does not matter, and what is taken back can be left out. What is older than what is kept stands for good.

use std::collections::BTreeMap;

use medfleet_domain::amend::Amendments;
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_domain::human::{Claimed, OrderClass, Phase, PmOutcome};
use medfleet_domain::id::{Epoch, Seq};
use medfleet_domain::time::{Day, Span, Timestamp};
use serde::{Deserialize, Serialize};

/// What alerts make of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// In this condition from then on.
    Shows(Condition),
    Claims(Claimed),
    Order {
        order: String,
        class: OrderClass,
        phase: Phase,
        planned: Option<Span>,
    },
    Maintained {
        order: Option<String>,
        due: Option<Day>,
    },
    Registered,
    Retired,
}

/// A word and which fact said it, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub identity: (Epoch, Seq),
    pub at: Timestamp,
    pub imported: bool,
    pub word: Word,
}

/// Work that is planned, and whether anybody has begun it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub window: Span,
    pub begun: bool,
}

/// What follows from words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The condition that began last, since when it has lasted without a break, and whether imports alone say so.
    pub condition: Option<Condition>,
    pub since: Option<Timestamp>,
    pub imported: bool,
    /// An open claim of down: since when, and whether an import made it.
    pub claimed_down: Option<(Timestamp, bool)>,
    /// An open claim of maintenance: since when, and the window that was planned for it.
    pub in_maintenance: Option<(Timestamp, Option<Span>)>,
    /// Corrective orders that are open, and when each was touched last.
    pub orders: BTreeMap<String, Timestamp>,
    /// Preventive orders that are not done.
    pub planned: BTreeMap<String, Plan>,
    pub returned_at: Option<Timestamp>,
    pub retired: bool,
}

/// Words in the order of the moments they tell of, over what followed from those that are kept no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    kept_max: usize,
    base: State,
    base_until: Timestamp,
    said: Vec<Said>,
    now: State,
}

impl Word {
    pub fn of(body: &Body) -> Option<Self> {
        Some(match body {
            Body::Began { condition, .. } => Self::Shows(*condition),
            Body::Stretch(stretch) => Self::Shows(stretch.condition),
            // A claim that says when it ends is a matter of the ledger.
            Body::Asserted(asserted) if asserted.until.is_none() => Self::Claims(asserted.claim),
            Body::Order(one) => {
                let (order, planned) = (one.order.clone(), one.planned);
                Self::Order { order, class: one.class, phase: one.phase, planned }
            }
            Body::PmDone(done) if done.outcome == PmOutcome::Completed => {
                Self::Maintained { order: done.order.clone(), due: done.due }
            }
            Body::Registered(_) => Self::Registered,
            Body::Retired(_) => Self::Retired,
            _ => return None,
        })
    }

    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Shows(Condition::UnscheduledDown))
    }

    /// Of one moment what ends something comes last.
    const fn rank(&self) -> u8 {
        match self {
            Self::Order { phase, .. } if is_done(*phase) => 2,
            Self::Maintained { .. } => 1,
            _ => 0,
        }
    }
}

const fn is_done(phase: Phase) -> bool {
    matches!(phase, Phase::ReturnedToService | Phase::Closed | Phase::Cancelled)
}

impl State {
    pub fn down_since(&self) -> Option<Timestamp> {
        self.since.filter(|_| self.condition == Some(Condition::UnscheduledDown))
    }

    fn take(&mut self, said: &Said) {
        let at = said.at;
        match &said.word {
            Word::Shows(condition) if self.condition == Some(*condition) => self.imported &= said.imported,
            Word::Shows(condition) => {
                (self.condition, self.since, self.imported) = (Some(*condition), Some(at), said.imported);
            }
            Word::Claims(Claimed::Down) => {
                let (_, imported) = self.claimed_down.get_or_insert((at, said.imported));
                *imported &= said.imported;
                self.in_maintenance = None;
            }
            Word::Claims(Claimed::Usable) => (self.claimed_down, self.in_maintenance) = (None, None),
            Word::Claims(Claimed::Maintenance { planned }) => self.in_maintenance = Some((at, *planned)),
            Word::Claims(Claimed::Partial(_)) => {}
            Word::Order { order, class, phase, planned } => self.order(at, (order, *class), *phase, *planned),
            Word::Maintained { order, due } => self.maintained(at, order.as_ref(), *due),
            Word::Registered => self.retired = false,
            Word::Retired => self.retired = true,
        }
    }

    fn order(&mut self, at: Timestamp, (order, class): (&String, OrderClass), phase: Phase, planned: Option<Span>) {
        match (class, is_done(phase)) {
            (OrderClass::Corrective, false) => {
                self.orders.insert(order.clone(), at);
            }
            (OrderClass::Corrective, true) => {
                let was_open = self.orders.remove(order).is_some();
                if was_open && phase != Phase::Cancelled {
                    self.returned_at = self.returned_at.max(Some(at));
                }
            }
            (_, true) => {
                self.planned.remove(order);
            }
            (_, false) => {
                let begun = !matches!(phase, Phase::Opened | Phase::Assigned);
                match (self.planned.get_mut(order), planned) {
                    (Some(plan), window) => {
                        plan.window = window.unwrap_or(plan.window);
                        plan.begun |= begun;
                    }
                    (None, Some(window)) => {
                        self.planned.insert(order.clone(), Plan { window, begun });
                    }
                    (None, None) => {}
                }
            }
        }
    }

    /// Work that names no order is what was due on its day, or else what has been due for longest.
    fn maintained(&mut self, at: Timestamp, order: Option<&String>, due: Option<Day>) {
        let meant = |plan: &Plan| due.is_some_and(|day| plan.window.days().any(|of_window| of_window == day));
        let begun = self.planned.iter().filter(|(_, plan)| meant(plan) || plan.window.from <= at);
        let longest = begun.min_by_key(|(_, plan)| (!meant(plan), plan.window.until));
        if let Some(done) = order.cloned().or_else(|| longest.map(|(order, _)| order.clone())) {
            self.planned.remove(&done);
        }
    }
}

impl History {
    pub fn keeping(kept_max: usize) -> Self {
        let (base, now) = (State::default(), State::default());
        Self { kept_max, base, base_until: Timestamp::MIN, said: Vec::new(), now }
    }

    pub const fn now(&self) -> &State {
        &self.now
    }

    pub fn said(&self, identity: (Epoch, Seq)) -> Option<&Said> {
        self.said.iter().find(|said| said.identity == identity)
    }

    /// Takes a word in, once. One that is older than what is kept changes nothing any more.
    pub fn hear(&mut self, said: Said) {
        if said.at < self.base_until || self.said(said.identity).is_some() {
            return;
        }
        let place = self.said.partition_point(|other| order(other) < order(&said));
        self.said.insert(place, said);
        if place + 1 == self.said.len() {
            self.now.take(&self.said[place]);
        } else {
            self.fold(&self.said.clone());
        }
        if self.said.len() > self.kept_max {
            let oldest = self.said.remove(0);
            self.base.take(&oldest);
            self.base_until = oldest.at;
        }
    }

    /// Leaves out what amendments speak for, and takes in what they put in its place.
    pub fn amend(&mut self, amendments: &Amendments, corrected: Vec<Said>) {
        let stands = |said: &&Said| !amendments.speaks_for(said.identity);
        let mut standing: Vec<Said> = self.said.iter().filter(stands).cloned().collect();
        standing.extend(corrected.into_iter().filter(|said| said.at >= self.base_until));
        standing.sort_by(|a, b| order(a).cmp(&order(b)));
        self.fold(&standing);
    }

    fn fold(&mut self, standing: &[Said]) {
        self.now = self.base.clone();
        standing.iter().for_each(|said| self.now.take(said));
    }
}

fn order(said: &Said) -> impl Ord + use<> {
    (said.at, said.word.rank(), said.identity)
}
