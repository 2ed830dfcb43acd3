//! Labels: what became of the parts of a device, by what was known at an instant. What was voided is no label, what was corrected is
//! one as it was corrected, a cancelled order is no failure, and what a technician found counts from when it was said. Features hear
//! nothing of this: they count facts as they were told.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::alert::Finding;
use medfleet_domain::amend::Amendments;
use medfleet_domain::fact::{Amendment, Body};
use medfleet_domain::held::Held;
use medfleet_domain::human::{Asserted, Claimed, ComponentReplaced, OrderClass, OrderPhase, Phase};
use medfleet_domain::id::{Epoch, Seq};
use medfleet_domain::time::{Span, Timestamp};
use medfleet_risk::fate::{Failure, PartHistory, Spans};
use medfleet_risk::verdict::{Verdict, standing};

use super::Gathered;
use super::dated::Told;
use super::orders::{Order, Turn};

/// Of one device.
#[derive(Debug)]
pub struct Labels<'a> {
    watched: Span,
    /// By component, as orders tell them, in order of onset.
    failures: Vec<(Arc<str>, Failure)>,
    taken_out: Vec<(Arc<str>, Timestamp)>,
    down: Spans,
    verdicts: Vec<&'a Verdict>,
}

/// Whether a label may depend on such a fact.
pub fn are_made_of(body: &Body) -> bool {
    match body {
        Body::Order(_) | Body::ComponentReplaced(_) | Body::Amended(_) => true,
        Body::Asserted(asserted) => names_an_order(asserted),
        _ => false,
    }
}

fn names_an_order(asserted: &Asserted) -> bool {
    asserted.claim == Claimed::Down && asserted.order.is_some()
}

/// A name without case, and with one sign for all that is neither letter nor digit.
fn folded(name: &str) -> String {
    let sign = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(sign).collect()
}

fn opened(body: &Body) -> Option<&OrderPhase> {
    match body {
        Body::Order(phase) if phase.phase == Phase::Opened && phase.class == OrderClass::Corrective => Some(phase),
        _ => None,
    }
}

impl Gathered {
    pub(super) fn state(&mut self, held: Held) {
        let own = opened(&held.body);
        let instead = match &held.body {
            Body::Amended(amendment) => replaced_by(amendment).and_then(opened),
            _ => None,
        };
        for phase in own.into_iter().chain(instead) {
            self.components.insert(phase.text.as_str().into());
        }
        self.stated.push(held);
    }

    pub(super) fn judge(&mut self, mut verdict: Verdict) {
        if let Finding::OtherPart { part } = &mut verdict.finding {
            // Typed by hand: `Slip ring` is the `slip_ring` that orders name.
            let meant = self.components.iter().find(|known| folded(known) == folded(part));
            meant.map(|known| known.as_ref().clone_into(part));
        }
        if let Some((part, _)) = verdict.label() {
            self.components.insert(part.into());
        }
        self.verdicts.push(verdict);
    }

    /// What was known at an instant of what became of its parts.
    pub fn labels(&self, known: Timestamp) -> Labels<'_> {
        let stated = as_stated(&self.stated, known);
        let orders = orders(&stated, &self.turns_known(known));
        let own = |(order, failure): &(Order, Failure)| order.is_failure().then(|| (order.component.clone(), *failure));
        let mut failures: Vec<(Arc<str>, Failure)> = orders.iter().filter_map(own).collect();
        failures.sort_by_key(|(_, failure)| failure.onset);
        let watched = self.watched();
        let down = orders.iter().filter_map(|(order, failure)| order.down(*failure, watched.until)).collect();
        let verdicts = standing(&self.verdicts, known).collect();
        let taken_out = taken_out(&stated, &failures);
        Labels { watched, failures, taken_out, down, verdicts }
    }

    fn turns_known(&self, known: Timestamp) -> Vec<Turn> {
        self.turns.iter().filter(|turn| turn.told.known_at <= known).copied().collect()
    }

    /// Verdicts that say something of a part.
    pub fn labelled(&self) -> usize {
        standing(&self.verdicts, Timestamp::MAX).filter(|verdict| verdict.label().is_some()).count()
    }
}

impl Labels<'_> {
    /// What became of one part.
    pub fn history(&self, component: &str) -> PartHistory {
        let own = |(part, failure): &(Arc<str>, Failure)| (**part == *component).then_some(*failure);
        let taken = |(part, at): &(Arc<str>, Timestamp)| (**part == *component).then_some(*at);
        let history = PartHistory {
            watched: self.watched,
            failures: self.failures.iter().filter_map(own).collect(),
            taken_out: self.taken_out.iter().filter_map(taken).collect(),
            unseen: Vec::new(),
            down: self.down.clone(),
        };
        history.judged(component, self.verdicts.iter().copied())
    }

    /// Failures of the device as a whole, in order of onset.
    pub fn failures<'b>(&self, components: impl IntoIterator<Item = &'b Arc<str>>) -> Vec<Failure> {
        let of_parts = components.into_iter().flat_map(|component| self.history(component).failures);
        let mut failures: Vec<Failure> = of_parts.collect();
        failures.sort_by_key(|failure| failure.onset);
        failures
    }
}

fn replaced_by(amendment: &Amendment) -> Option<&Body> {
    amendment.replacement.as_ref().map(|new| &new.body)
}

/// What stood of all that was stated, each with when it was known first: the latest said wins.
fn as_stated(stated: &[Held], known: Timestamp) -> Vec<(Told, Body)> {
    let heard: Vec<&Held> = stated.iter().filter(|held| held.said_at <= known).collect();
    let mut amendments = Amendments::default();
    heard.iter().for_each(|held| amendments.insert_from(held));
    let told = |held: &Held, known_at: Timestamp| (Told::new(held.at, known_at), held.body.clone());
    if amendments.is_empty() {
        return heard.into_iter().map(|held| told(held, held.said_at)).collect();
    }
    let by_identity: BTreeMap<(Epoch, Seq), &Held> = heard.iter().map(|held| (held.identity(), *held)).collect();
    let at_hand = |identity: (Epoch, Seq)| by_identity.get(&identity).copied();
    amendments.trace(|epoch, seq| at_hand((epoch, seq)).is_some(), at_hand);
    let left = heard.iter().filter(|held| amendments.leaves(held)).map(|held| told(held, held.said_at));
    let corrected = amendments.corrected().map(|held| {
        let first = at_hand(held.identity()).map_or(held.said_at, |target| target.said_at);
        told(&held, first)
    });
    left.chain(corrected).collect()
}

/// Orders as their phases tell, each with its failure: whoever is impaired before its order failed then.
fn orders(stated: &[(Told, Body)], turns: &[Turn]) -> Vec<(Order, Failure)> {
    let (mut orders, mut claims): (BTreeMap<&str, Order>, BTreeMap<&str, Vec<Told>>) = Default::default();
    for (told, body) in stated {
        match body {
            Body::Order(phase) => {
                let part: Arc<str> = phase.text.as_str().into();
                let order = orders.entry(&phase.order).or_insert_with(|| Order::new(*told, phase, part.clone()));
                order.tell(*told, phase, &part);
            }
            Body::Asserted(Asserted { claim: Claimed::Down, order: Some(order), .. }) => {
                claims.entry(order).or_default().push(*told);
            }
            _ => {}
        }
    }
    let whole = |(name, order): (&str, Order)| {
        let claims = claims.get(name).map_or(&[][..], Vec::as_slice);
        let failure = order.failure(claims, turns);
        (order, failure)
    };
    orders.into_iter().map(whole).collect()
}

/// Taken out on plan, or by somebody who tells of no failure: nobody knows how long it would have lasted. In order.
fn taken_out(stated: &[(Told, Body)], failures: &[(Arc<str>, Failure)]) -> Vec<(Arc<str>, Timestamp)> {
    let mends = |replaced: &ComponentReplaced, at: Timestamp| {
        let under_repair = |failure: &Failure| failure.onset <= at && failure.returned.is_none_or(|back| at <= back);
        failures.iter().any(|(part, failure)| **part == *replaced.component && under_repair(failure))
    };
    let censored = |(told, body): &(Told, Body)| match body {
        Body::ComponentReplaced(replaced) if replaced.preventive || !mends(replaced, told.at) => {
            Some((Arc::from(replaced.component.as_str()), told.at))
        }
        _ => None,
    };
    let mut taken: Vec<(Arc<str>, Timestamp)> = stated.iter().filter_map(censored).collect();
    taken.sort_by_key(|(_, at)| *at);
    taken
}
