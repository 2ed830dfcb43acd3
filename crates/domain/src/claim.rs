//! People's claims as a step function of time: open claims follow each other, bounded ones lie over them, the worst wins.

use serde::{Deserialize, Serialize};

use crate::condition::Degradation;
use crate::human::Claimed;
use crate::id::SiteId;
use crate::kind::DeviceKind;
use crate::time::{Span, Timestamp};

/// A claim as it stands after amendments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    pub from: Timestamp,
    pub until: Option<Timestamp>,
    pub said_at: Timestamp,
    pub claimed: Claimed,
    pub author: String,
    pub site: SiteId,
    pub kind: DeviceKind,
}

/// What a claim does at an instant, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    Partial(Degradation),
    Maintenance,
    /// Maintenance beyond its planned window.
    Overrun,
    Down,
}

/// All claims of a device that stand, with the questions the fold asks of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Sorted by (from, said_at, content).
    all: Vec<Claim>,
}

impl Claims {
    pub fn new(mut all: Vec<Claim>) -> Self {
        all.sort_by(|a, b| (a.from, a.said_at, a).cmp(&(b.from, b.said_at, b)));
        Self { all }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The claim in force at this instant and what it does; the worst wins, then the latest to begin.
    pub fn at(&self, at: Timestamp) -> Option<(Force, &Claim)> {
        let begun = &self.all[..self.all.partition_point(|claim| claim.from <= at)];
        let open = begun.iter().rev().find(|claim| claim.until.is_none());
        let bounded = begun.iter().filter(|claim| claim.until.is_some_and(|until| at < until));
        let mut worst: Option<(Force, &Claim)> = None;
        for claim in open.into_iter().chain(bounded) {
            let Some(force) = force_at(claim, at) else { continue };
            let wins = worst.is_none_or(|(held, by)| (held, by) < (force, claim));
            if wins {
                worst = Some((force, claim));
            }
        }
        worst
    }

    /// The instants at which the step function may change, unsorted. The end of a planned window is one only
    /// while its claim lasts: elsewhere it would cut days that the claim does not touch.
    pub fn edges(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.all.iter().enumerate().flat_map(|(nth, claim)| {
            let planned = match claim.claimed {
                Claimed::Maintenance { planned } => planned.map(|window| window.until),
                _ => None,
            };
            let next_open = || self.all[nth + 1..].iter().find(|other| other.until.is_none());
            let lasts = |at: &Timestamp| {
                let until = claim.until.or_else(|| next_open().map(|other| other.from));
                claim.from < *at && until.is_none_or(|until| *at < until)
            };
            [Some(claim.from), claim.until, planned.filter(lasts)].into_iter().flatten()
        })
    }

    /// The latest instant a claim itself has reached: an edge not after its saying.
    pub fn reach(&self) -> Option<Timestamp> {
        let reached = |claim: &Claim| {
            let ends = [Some(claim.from), claim.until].into_iter().flatten();
            ends.filter(|edge| *edge <= claim.said_at).max()
        };
        self.all.iter().filter_map(reached).max()
    }

    /// What is claimed from `edge` on, as spans without an end where the claim is open.
    pub fn beyond(&self, edge: Timestamp) -> Vec<(Timestamp, Option<Timestamp>, Force, &Claim)> {
        let mut steps: Vec<_> = self.edges().filter(|at| *at > edge).chain([edge]).collect();
        steps.sort_unstable();
        steps.dedup();
        let ends = steps.iter().skip(1).copied().map(Some).chain([None]);
        let forced = steps
            .iter()
            .zip(ends)
            .filter_map(|(&from, until)| self.at(from).map(|(force, claim)| (from, until, force, claim)));
        forced.collect()
    }

    /// Claims of this set that the other lacks.
    pub fn unlike<'a>(&'a self, other: &'a Claims) -> impl Iterator<Item = &'a Claim> {
        self.all.iter().filter(|claim| !other.all.contains(claim))
    }

    /// The part of time whose claims change when `claim` comes or goes.
    pub fn shadow(&self, claim: &Claim, horizon: Timestamp) -> Option<Span> {
        let next_open = || self.all.iter().find(|other| other.until.is_none() && other.from > claim.from);
        let until = claim.until.or_else(|| next_open().map(|other| other.from)).unwrap_or(horizon);
        Span::new(claim.from, until.min(horizon)).ok()
    }
}

fn force_at(claim: &Claim, at: Timestamp) -> Option<Force> {
    match claim.claimed {
        Claimed::Usable => None,
        Claimed::Partial(class) => Some(Force::Partial(class)),
        Claimed::Maintenance { planned: Some(window) } if at >= window.until => Some(Force::Overrun),
        Claimed::Maintenance { .. } => Some(Force::Maintenance),
        Claimed::Down => Some(Force::Down),
    }
}
