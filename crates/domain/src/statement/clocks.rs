//! The clocks and exclusions of a contract: when it answers for a trouble, as the facts of orders say.

use std::collections::{BTreeMap, BTreeSet};

use super::{Class, Given, OrderFact, Piece, weight};
use crate::condition::Condition;
use crate::contract::{BasisPoints, ClockStart, ClockStop, Exclusion};
use crate::human::{OrderClass, Party, Phase};
use crate::id::Cause;
use crate::spans::Spans;
use crate::time::{MICROS_PER_DAY, Span, Timestamp};

/// An order opened so long after a trouble began is still about it.
const REPORT_LATE_MAX_MICROS: i64 = MICROS_PER_DAY;

/// Causes of an order that are the facility's affair.
const FACILITY_CAUSES: [&str; 2] = ["facility", "network"];
/// Causes of an order that are the user's affair.
const USER_CAUSES: [&str; 3] = ["use", "user", "accessory"];

/// A stretch of time that an order's facts rule about.
#[derive(Debug)]
struct Ruled {
    span: Span,
    order: String,
    causes: BTreeSet<Cause>,
}

/// What holds for a trouble at an instant.
#[derive(Debug)]
pub(super) struct Ruling {
    pub class: Class,
    pub orders: BTreeSet<String>,
    pub causes: BTreeSet<Cause>,
}

#[derive(Debug)]
pub(super) struct Clocks {
    maintenance: Option<Exclusion>,
    excluded: Vec<(Exclusion, Ruled)>,
    /// The trouble, and for how long of it the clock runs. None: whenever there is trouble.
    running: Option<Vec<(Span, Ruled)>>,
}

/// The facts of one order, in time order.
struct Order<'a> {
    facts: Vec<&'a OrderFact>,
}

impl<'a> Order<'a> {
    /// Every order that was not cancelled.
    fn all(facts: &'a [OrderFact]) -> Vec<Self> {
        let mut by_name: BTreeMap<&str, Vec<&OrderFact>> = BTreeMap::new();
        for fact in facts {
            by_name.entry(&fact.order).or_default().push(fact);
        }
        let mut orders: Vec<Self> = by_name.into_values().map(|facts| Self { facts }).collect();
        orders.iter_mut().for_each(|order| order.facts.sort_by_key(|fact| (fact.at, fact.phase)));
        orders.retain(|order| order.first(&[Phase::Cancelled], Timestamp::MIN).is_none());
        orders
    }

    fn first(&self, phases: &[Phase], since: Timestamp) -> Option<&'a OrderFact> {
        self.facts.iter().find(|fact| phases.contains(&fact.phase) && fact.at >= since).copied()
    }

    fn opened(&self) -> Timestamp {
        self.facts[0].at
    }

    /// Returned to use, else closed on paper, else still open.
    fn ended(&self) -> Timestamp {
        let returned = self.first(&[Phase::ReturnedToService], Timestamp::MIN);
        let ended = returned.or_else(|| self.first(&[Phase::Closed], Timestamp::MIN));
        ended.map_or(Timestamp::MAX, |fact| fact.at)
    }

    fn is_about(&self, spell: Span) -> bool {
        let reported = self.opened() < spell.until || self.opened().0 - spell.from.0 <= REPORT_LATE_MAX_MICROS;
        reported && self.ended() > spell.from
    }

    fn has_cause(&self, codes: &[&str]) -> bool {
        self.facts.iter().any(|fact| codes.contains(&fact.cause_code.as_str()))
    }

    fn rules(&self, span: Span, by: &[&OrderFact]) -> Ruled {
        let causes = by.iter().map(|fact| fact.cause).collect();
        Ruled { span, order: self.facts[0].order.clone(), causes }
    }

    /// Waits for one party, each up to its end, the repair, or the end of the order.
    fn waits(&self, party: Party) -> Vec<Ruled> {
        let begins = self.facts.iter().filter(|f| f.phase == Phase::WaitingStarted && f.waiting_for == Some(party));
        let ruled = begins.filter_map(|begin| {
            let after = self.facts.iter().filter(|fact| fact.at >= begin.at);
            let mut ends = after.filter(|fact| match fact.phase {
                Phase::WaitingEnded => fact.waiting_for.is_none_or(|whom| whom == party),
                Phase::Repaired | Phase::ReturnedToService | Phase::Closed => true,
                _ => false,
            });
            let end = ends.next();
            let span = Span::new(begin.at, end.map_or(Timestamp::MAX, |fact| fact.at)).ok()?;
            let by: Vec<&OrderFact> = std::iter::once(*begin).chain(end.copied()).collect();
            Some(self.rules(span, &by))
        });
        ruled.collect()
    }
}

impl Clocks {
    pub fn of(given: &Given<'_>) -> Self {
        let contract = given.contract;
        let orders = Order::all(given.orders);
        let spells = spells(given);
        let both = contract.excludes(Exclusion::MaintenanceFromBoth).then_some(Exclusion::MaintenanceFromBoth);
        let only = contract.excludes(Exclusion::MaintenanceFromDowntime).then_some(Exclusion::MaintenanceFromDowntime);
        let mut excluded = Vec::new();
        for order in &orders {
            let whole = || order_and_its_spells(order, &spells);
            let mut exclude = |what: Exclusion, ruled: Vec<Ruled>| {
                if contract.excludes(what) {
                    excluded.extend(ruled.into_iter().map(|one| (what, one)));
                }
            };
            exclude(Exclusion::Facility, order.waits(Party::Facility));
            exclude(Exclusion::User, order.waits(Party::User));
            if order.has_cause(&FACILITY_CAUSES) {
                exclude(Exclusion::Facility, whole());
            }
            if order.has_cause(&USER_CAUSES) {
                exclude(Exclusion::User, whole());
            }
            if order.facts.iter().any(|fact| fact.class == OrderClass::Upgrade) {
                exclude(Exclusion::Upgrade, whole());
            }
        }
        let always = contract.starts == ClockStart::Onset && contract.stops == ClockStop::ReturnedToUse;
        let running = || {
            let pairs = spells.iter().flat_map(|spell| orders.iter().map(move |order| (*spell, order)));
            let about = pairs.filter(|(spell, order)| order.is_about(*spell));
            let clocks = about.filter_map(|(spell, order)| {
                let ruled = clock(contract.starts, contract.stops, spell, order)?;
                Some((spell, ruled))
            });
            clocks.collect()
        };
        Self { maintenance: both.or(only), excluded, running: (!always).then(running) }
    }

    /// The instants at which a ruling may change.
    pub fn edges(&self) -> impl Iterator<Item = Timestamp> + '_ {
        let running = self.running.iter().flatten().map(|(_, ruled)| ruled);
        let ruled = self.excluded.iter().map(|(_, ruled)| ruled).chain(running);
        ruled.flat_map(|ruled| [ruled.span.from, ruled.span.until])
    }

    pub fn at(&self, at: Timestamp, piece: &Piece) -> Ruling {
        let ruling = |class, by: &[&Ruled]| Ruling {
            class,
            orders: by.iter().map(|ruled| ruled.order.clone()).collect(),
            causes: by.iter().flat_map(|ruled| ruled.causes.iter().copied()).collect(),
        };
        if let Some((what, by)) = self.excluded.iter().find(|(_, ruled)| ruled.span.contains(at)) {
            return ruling(Class::Excluded(*what), &[by]);
        }
        if piece.condition == Condition::ScheduledDown {
            return ruling(self.maintenance.map_or(Class::Counted, Class::Excluded), &[]);
        }
        let Some(running) = self.running.as_ref().filter(|_| !piece.overrun) else {
            return ruling(Class::Counted, &[]);
        };
        let of_trouble = running.iter().filter(|(spell, _)| spell.contains(at)).map(|(_, ruled)| ruled);
        let by: Vec<&Ruled> = of_trouble.clone().filter(|ruled| ruled.span.contains(at)).collect();
        if !by.is_empty() {
            return ruling(Class::Counted, &by);
        }
        let stopped: Vec<&Ruled> = of_trouble.filter(|ruled| ruled.span.until <= at).collect();
        ruling(if stopped.is_empty() { Class::BeforeClock } else { Class::AfterClock }, &stopped)
    }
}

/// Troubles of the device: runs of pieces that weigh something, which silence does not end and a sound piece does.
fn spells(given: &Given<'_>) -> Vec<Span> {
    let mut pieces: Vec<&Piece> = given.pieces.iter().collect();
    pieces.sort_by_key(|piece| piece.span);
    let mut spells: Vec<Span> = Vec::new();
    let mut ongoing = false;
    for piece in pieces {
        if piece.condition == Condition::Unknown || piece.condition == Condition::ScheduledDown {
            continue;
        }
        let troubled = weight(given.contract, piece) > BasisPoints(0);
        match spells.last_mut() {
            Some(last) if troubled && ongoing => last.until = last.until.max(piece.span.until),
            _ if troubled => spells.push(piece.span),
            _ => {}
        }
        ongoing = troubled;
    }
    spells
}

fn order_and_its_spells(order: &Order<'_>, spells: &[Span]) -> Vec<Ruled> {
    let life = Span::new(order.opened(), order.ended()).ok();
    let about = spells.iter().copied().filter(|spell| order.is_about(*spell));
    Spans::of(life.into_iter().chain(about)).iter().map(|span| order.rules(span, &order.facts)).collect()
}

/// The part of a trouble for which the clock runs under one order.
fn clock(starts: ClockStart, stops: ClockStop, spell: Span, order: &Order<'_>) -> Option<Ruled> {
    let begin = match starts {
        ClockStart::Onset => None,
        ClockStart::Reported => Some(order.first(&[Phase::Opened], Timestamp::MIN)?),
        ClockStart::VendorCalled => Some(order.first(&[Phase::VendorCalled], Timestamp::MIN)?),
    };
    let from = begin.map_or(spell.from, |fact| fact.at.max(spell.from));
    let end = match stops {
        ClockStop::Arrived => order.first(&[Phase::Arrived], from),
        ClockStop::RemoteConnected => order.first(&[Phase::RemoteConnected, Phase::Arrived], from),
        ClockStop::Repaired => order.first(&[Phase::Repaired], from),
        ClockStop::ReturnedToUse => None,
    };
    let until = end.map_or(spell.until, |fact| fact.at.min(spell.until));
    let by: Vec<&OrderFact> = begin.into_iter().chain(end).collect();
    Span::new(from, until).ok().map(|span| order.rules(span, &by))
}
