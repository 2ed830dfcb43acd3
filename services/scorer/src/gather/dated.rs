//! What may be said anew: each word counts from the instant at which it was known, and no earlier.

use std::sync::Arc;

use medfleet_domain::fact::Fact;
use medfleet_domain::human::Registration;
use medfleet_domain::time::{Day, Timestamp};

/// What nobody has registered yet.
const UNKNOWN: &str = "unknown";

/// When something happened, and from when on that was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    pub at: Timestamp,
    pub known_at: Timestamp,
}

impl Told {
    /// Nothing can be known before it happens: a clock that says so is not believed.
    pub fn new(at: Timestamp, known_at: Timestamp) -> Self {
        Self { at, known_at: known_at.max(at) }
    }

    pub fn of(fact: &Fact) -> Self {
        Self::new(fact.at, fact.known_at)
    }
}

/// The first that was heard of a device: a late fact of an earlier day moves it back from then on.
#[derive(Debug)]
pub struct FirstSeen {
    /// By rising `known_at` and falling `at`.
    steps: Vec<Told>,
}

impl FirstSeen {
    pub fn new(told: Told) -> Self {
        Self { steps: vec![told] }
    }

    pub fn add(&mut self, told: Told) {
        let place = self.steps.partition_point(|step| step.known_at < told.known_at);
        let earlier = place.checked_sub(1).is_some_and(|before| self.steps[before].at <= told.at);
        let same = self.steps.get(place).is_some_and(|step| step.known_at == told.known_at && step.at <= told.at);
        if earlier || same {
            return;
        }
        let moot = self.steps[place..].iter().take_while(|step| step.at >= told.at).count();
        self.steps.splice(place..place + moot, [told]);
    }

    /// As all that was told says.
    pub fn at(&self) -> Timestamp {
        self.steps.last().map_or(Timestamp::MAX, |step| step.at)
    }

    pub fn known_from(&self) -> Timestamp {
        self.steps.first().map_or(Timestamp::MAX, |step| step.known_at)
    }

    pub fn steps(&self) -> &[Told] {
        &self.steps
    }
}

/// What the inventory stated of a device, in the order it was told.
#[derive(Debug, Default)]
pub struct Inventory {
    stated: Vec<(Told, Arc<str>, Option<Day>)>,
}

impl Inventory {
    pub fn state(&mut self, told: Told, registered: &Registration) {
        let make_model = format!("{} {}", registered.make, registered.model).into();
        self.stated.push((told, make_model, registered.in_service));
    }

    /// Make and model, each from when on it was known. Of what was known at an instant the statement of the latest date counts.
    pub fn make_models(&self, known_from: Timestamp) -> Vec<(Timestamp, Arc<str>)> {
        let mut by_knowledge: Vec<&(Told, Arc<str>, Option<Day>)> = self.stated.iter().collect();
        by_knowledge.sort_by_key(|(told, ..)| told.known_at);
        let mut known: Vec<(Timestamp, Arc<str>)> = vec![(known_from, UNKNOWN.into())];
        let mut newest = Timestamp::MIN;
        for (told, make_model, _) in by_knowledge {
            if told.at < newest {
                continue;
            }
            newest = told.at;
            known.retain(|(from, _)| *from < told.known_at);
            if known.last().is_none_or(|(_, before)| before != make_model) {
                known.push((told.known_at, make_model.clone()));
            }
        }
        known
    }

    /// When it went into service, as stated; a statement without a date says nothing of it.
    pub fn in_service(&self) -> impl Iterator<Item = (Told, Day)> {
        let dated = |(place, (told, _, day)): (usize, &(Told, Arc<str>, Option<Day>))| {
            let restated = |(later, _, day): &(Told, Arc<str>, Option<Day>)| later == told && day.is_some();
            day.filter(|_| !self.stated[place + 1..].iter().any(restated)).map(|day| (*told, day))
        };
        self.stated.iter().enumerate().filter_map(dated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: i32, known_at: i32) -> Told {
        Told::new(Day(at).start(), Day(known_at).start())
    }

    #[test]
    fn the_first_sign_is_at_each_instant_the_earliest_that_was_known() {
        let facts = [told(10, 10), told(12, 12), told(3, 20), told(5, 15), told(4, 20), told(9, 30), told(11, 11)];
        let mut seen = FirstSeen::new(facts[0]);
        facts.into_iter().for_each(|fact| seen.add(fact));
        assert_eq!(seen.steps(), [told(10, 10), told(5, 15), told(3, 20)]);
        assert_eq!((seen.at(), seen.known_from()), (Day(3).start(), Day(10).start()));
        seen.add(told(1, 10));
        assert_eq!(seen.steps(), [Told::new(Day(1).start(), Day(10).start())]);
    }

    #[test]
    fn a_make_and_model_counts_from_when_it_was_known_and_a_late_word_about_the_past_does_not_replace_a_newer() {
        let mut inventory = Inventory::default();
        let mut state = |told: Told, name: &str| inventory.stated.push((told, name.into(), None));
        state(told(20, 20), "b");
        state(told(5, 30), "a");
        state(told(20, 40), "c");
        let from = |day: i32, name: &str| (Day(day).start(), Arc::from(name));
        assert_eq!(inventory.make_models(Day(1).start()), [from(1, UNKNOWN), from(20, "b"), from(40, "c")]);
        assert_eq!(inventory.make_models(Day(20).start()), [from(20, "b"), from(40, "c")]);
    }
}
