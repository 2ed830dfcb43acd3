//! Failures of one device out of its downs, its orders and the times it worked: what `failures.sql` says, for whoever holds
//! these in memory. Pure.

use medfleet_domain::time::MICROS_PER_DAY;

use crate::ask::EpisodeClass;

/// What begins within seven days after the end of the failure before it is a repeat.
const REPEAT_WITHIN_MICROS: i64 = 7 * MICROS_PER_DAY;

/// One piece of unscheduled down that stands, no overrun of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Down<'a> {
    pub from: i64,
    pub until: i64,
    pub site: &'a str,
    /// By a person or a record.
    pub told: bool,
}

/// One corrective order that was not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order<'a> {
    pub name: &'a str,
    pub site: &'a str,
    pub opened: i64,
    /// Returned to service, else closed.
    pub finished: Option<i64>,
}

/// When the device worked.
pub trait Worked {
    /// Whether any time it worked began in `[from, until)`; without an end, at any time from then on.
    fn began_within(&self, from: i64, until: Option<i64>) -> bool;
    /// Whether it was in use when it was last seen to work, within the day before.
    fn in_use_before(&self, at: i64) -> bool;
}

/// One episode of trouble, wherever it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode<'a> {
    pub site: &'a str,
    pub class: EpisodeClass,
    pub onset: i64,
    pub ended: Option<i64>,
    pub down_micros: i64,
    pub in_use: bool,
    pub order: Option<&'a str>,
}

/// A run of down, as long as nothing says that the device worked in between.
#[derive(Debug, Clone, Copy)]
struct Trouble<'a> {
    site: &'a str,
    onset: i64,
    until: i64,
    down_micros: i64,
    told: bool,
    in_use: bool,
    recovered: bool,
}

/// Every episode of one device up to `now`, by onset.
pub fn episodes<'a>(downs: &mut [Down<'a>], orders: &[Order<'a>], worked: &impl Worked, now: i64) -> Vec<Episode<'a>> {
    downs.sort_unstable();
    let troubles = troubles(downs, worked);
    let mut of_order: Vec<Vec<&Trouble<'a>>> = vec![Vec::new(); orders.len()];
    let mut found = Vec::new();
    for trouble in &troubles {
        match order_of(trouble, orders) {
            Some(at) => of_order[at].push(trouble),
            None => found.push((alone(trouble), trouble.recovered && !trouble.told)),
        }
    }
    found.extend(orders.iter().zip(&of_order).map(|(order, troubles)| (under_order(order, troubles), false)));
    found.sort_by_key(|(one, _)| (one.onset, -one.down_micros));
    classed(found, now)
}

/// Downs that touch are one block: the ledger cuts at hours. Blocks between which it did not work are one trouble.
fn troubles<'a>(downs: &[Down<'a>], worked: &impl Worked) -> Vec<Trouble<'a>> {
    let mut blocks: Vec<Trouble<'a>> = Vec::new();
    for down in downs {
        let block = Trouble {
            site: down.site,
            onset: down.from,
            until: down.until,
            down_micros: down.until - down.from,
            told: down.told,
            in_use: false,
            recovered: false,
        };
        match blocks.last_mut() {
            Some(last) if last.until >= down.from => last.take_in(&block),
            _ => blocks.push(block),
        }
    }
    let mut troubles: Vec<Trouble<'a>> = Vec::new();
    for (nth, block) in blocks.iter().enumerate() {
        let recovered = worked.began_within(block.onset, blocks.get(nth + 1).map(|next| next.onset));
        match troubles.last_mut() {
            Some(last) if !last.recovered => {
                last.take_in(block);
                last.recovered = recovered;
            }
            _ => troubles.push(Trouble { recovered, in_use: worked.in_use_before(block.onset), ..*block }),
        }
    }
    troubles
}

impl<'a> Trouble<'a> {
    /// Another that follows belongs to this one. What moved in between is named by the site that comes first.
    fn take_in(&mut self, other: &Self) {
        self.until = self.until.max(other.until);
        self.down_micros += other.down_micros;
        self.told |= other.told;
        self.site = self.site.min(other.site);
    }
}

/// The order opened first of those that were open while it lasted, or were opened within a day after it began.
fn order_of(trouble: &Trouble<'_>, orders: &[Order<'_>]) -> Option<usize> {
    let latest = trouble.until.max(trouble.onset + MICROS_PER_DAY);
    let is_about =
        |order: &Order<'_>| order.opened < latest && order.finished.is_none_or(|finished| finished > trouble.onset);
    let about = orders.iter().enumerate().filter(|(_, order)| is_about(order));
    about.min_by_key(|(_, order)| (order.opened, order.name)).map(|(at, _)| at)
}

/// A class comes later, from what went before.
fn alone<'a>(trouble: &Trouble<'a>) -> Episode<'a> {
    Episode {
        site: trouble.site,
        class: EpisodeClass::Interrupt,
        onset: trouble.onset,
        ended: trouble.recovered.then_some(trouble.until),
        down_micros: trouble.down_micros,
        in_use: trouble.in_use,
        order: None,
    }
}

fn under_order<'a>(order: &Order<'a>, troubles: &[&Trouble<'a>]) -> Episode<'a> {
    let first = troubles.iter().map(|one| one.onset).min();
    let last = troubles.iter().map(|one| one.until).max();
    Episode {
        site: order.site,
        class: EpisodeClass::Failure,
        onset: first.map_or(order.opened, |first| first.min(order.opened)),
        ended: order.finished.map(|finished| last.map_or(finished, |last| last.max(finished))),
        down_micros: troubles.iter().map(|one| one.down_micros).sum(),
        in_use: troubles.iter().any(|one| one.in_use),
        order: Some(order.name),
    }
}

/// Interrupts, which are marked, are followed by nothing and follow nothing.
fn classed<'a>(found: Vec<(Episode<'a>, bool)>, now: i64) -> Vec<Episode<'a>> {
    let mut ended_before: Option<i64> = None;
    let classed = |(mut one, interrupt): (Episode<'a>, bool)| {
        let is_repeat = ended_before.is_some_and(|ended| one.onset - ended <= REPEAT_WITHIN_MICROS);
        one.class = match (interrupt, is_repeat) {
            (true, _) => EpisodeClass::Interrupt,
            (false, true) => EpisodeClass::Repeat,
            (false, false) => EpisodeClass::Failure,
        };
        if !interrupt {
            ended_before = ended_before.max(Some(one.ended.unwrap_or(now)));
        }
        one
    };
    found.into_iter().map(classed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = MICROS_PER_DAY / 24;
    const NOW: i64 = 100 * 24;

    /// Times it worked, in hours, and whether in use.
    struct Times(Vec<(i64, bool)>);

    impl Worked for Times {
        fn began_within(&self, from: i64, until: Option<i64>) -> bool {
            self.0.iter().any(|(at, _)| at * HOUR >= from && until.is_none_or(|until| at * HOUR < until))
        }

        fn in_use_before(&self, at: i64) -> bool {
            let before = self.0.iter().filter(|(one, _)| (at - MICROS_PER_DAY..at).contains(&(one * HOUR)));
            before.max().is_some_and(|(_, in_use)| *in_use)
        }
    }

    fn down(from: i64, until: i64, told: bool) -> Down<'static> {
        Down { from: from * HOUR, until: until * HOUR, site: "north", told }
    }

    fn order(name: &'static str, opened: i64, finished: Option<i64>) -> Order<'static> {
        let hour = |at: i64| at * HOUR;
        Order { name, site: "north", opened: hour(opened), finished: finished.map(hour) }
    }

    fn said(
        downs: &[Down<'static>],
        orders: &[Order<'static>],
        worked: &[(i64, bool)],
    ) -> Vec<(EpisodeClass, i64, i64)> {
        let found = episodes(&mut downs.to_vec(), orders, &Times(worked.to_vec()), NOW * HOUR);
        found.iter().map(|one| (one.class, one.onset / HOUR, one.down_micros / HOUR)).collect()
    }

    #[test]
    fn reboots_under_one_order_are_one_failure_and_one_that_mended_itself_is_an_interrupt() {
        let downs = [down(10, 11, false), down(12, 13, false), down(14, 15, false), down(40, 41, false)];
        let worked = [(9, true), (11, false), (13, false), (15, false), (41, false)];
        let found = said(&downs, &[order("wo", 10, Some(16))], &worked);
        assert_eq!(found, [(EpisodeClass::Failure, 10, 3), (EpisodeClass::Interrupt, 40, 1)]);
    }

    #[test]
    fn silence_ends_no_failure_however_long_it_lasts() {
        let downs = [down(10, 11, false), down(900, 901, false)];
        assert_eq!(said(&downs, &[], &[(9, false)]), [(EpisodeClass::Failure, 10, 2)]);
        assert_eq!(said(&downs, &[], &[(800, false)]).len(), 2);
    }

    #[test]
    fn what_begins_within_seven_days_is_a_repeat_and_after_them_a_failure() {
        let week = 7 * 24;
        let downs = [down(10, 11, true), down(11 + week, 12 + week, true), down(400, 401, true)];
        let worked = [(11, false), (12 + week, false), (401, false)];
        let classes: Vec<EpisodeClass> = said(&downs, &[], &worked).into_iter().map(|one| one.0).collect();
        assert_eq!(classes, [EpisodeClass::Failure, EpisodeClass::Repeat, EpisodeClass::Failure]);
    }

    #[test]
    fn an_order_without_downtime_is_a_failure_and_use_is_that_before_the_first_down() {
        assert_eq!(said(&[], &[order("wo", 5, None)], &[]), [(EpisodeClass::Failure, 5, 0)]);
        let downs = &mut [down(10, 11, true), down(11, 12, true)];
        let found = episodes(downs, &[], &Times(vec![(8, false), (9, true), (12, false)]), NOW * HOUR);
        assert!(found.len() == 1 && found[0].in_use && found[0].ended == Some(12 * HOUR), "{found:?}");
    }
}
