//! History: the past of a simulated fleet as the runs of facts that agents, people and their systems would have written.
//!
//! It goes day by day, so that a reader meets each day once; what a cut link held back comes after facts that are younger.
//! At its end every device stands ready to live on, under real agents.

mod agents;
mod delivery;
mod people;
mod told;

use std::collections::BTreeMap;

use medfleet_domain::fact::{Fact, Run, Sealed};
use medfleet_domain::id::AgentId;
use medfleet_domain::time::{Span, Timestamp};

use crate::outages::{Outages, without};
use crate::plan::Plan;
use crate::truth::Living;
use agents::AgentTeller;
use delivery::Delivery;
use people::{DeviceClerk, site_runs};
use told::DeviceTeller;

/// Facts in one run of a history, at most: a log record stays far below its limit in bytes.
pub const MAX_RUN_FACTS: usize = 1_000;

/// How a fact becomes bytes: the wire's affair, not the simulator's.
pub type Seal = fn(Fact) -> Sealed;

/// The runs of one UTC day in the order they reach the log. Sites come with the first day.
#[derive(Debug)]
pub struct HistoryDay {
    pub span: Span,
    /// Of sites: what stands in the fleet's topic.
    pub fleet: Vec<Run>,
    /// Of devices and agents.
    pub facts: Vec<Run>,
}

/// Tells a plan's past from its start to `until`, day by day.
pub struct History {
    plan: Plan,
    seal: Seal,
    until: Timestamp,
    at: Timestamp,
    devices: Vec<Storyline>,
    agents: Vec<AgentTeller>,
    delivery: Delivery,
}

/// One device and the two who write about it.
struct Storyline {
    living: Living,
    teller: Option<DeviceTeller>,
    clerk: DeviceClerk,
}

impl History {
    pub fn new(plan: Plan, until: Timestamp, seal: Seal) -> Self {
        let outages = plan.outages(until);
        let lives: BTreeMap<AgentId, Vec<Span>> =
            plan.agents.iter().map(|agent| (agent.id.clone(), lives(&plan, &outages, &agent.id, until))).collect();
        let storyline = |device| {
            let teller = DeviceTeller::new(&plan, device, &lives, &outages);
            Storyline { living: Living::new(&plan, device), teller, clerk: DeviceClerk::new(&plan, device) }
        };
        Self {
            devices: plan.devices.iter().map(storyline).collect(),
            agents: plan.agents.iter().map(|agent| AgentTeller::new(&plan, agent, &lives)).collect(),
            delivery: Delivery::new(outages.links),
            at: plan.start,
            until,
            seal,
            plan,
        }
    }

    /// The next day's runs; None once everything is told.
    pub fn next_day(&mut self) -> Option<HistoryDay> {
        if self.at >= self.until {
            return None;
        }
        let span = Span { from: self.at, until: self.at.day().end().min(self.until) };
        let fleet = if self.at == self.plan.start { site_runs(&self.plan, self.seal) } else { Vec::new() };
        let mut written = Vec::new();
        let mut said = Vec::new();
        for line in &mut self.devices {
            let life = line.living.live_to(span.until);
            if let Some(teller) = &mut line.teller {
                written.extend(teller.tell(span, &life, self.seal));
            }
            said.extend(line.clerk.tell(span, &life, self.seal));
        }
        for agent in &mut self.agents {
            written.extend(agent.tell(span, self.seal));
        }
        let last = span.until >= self.until;
        // People's systems do not depend on a hospital's link to the agents.
        said.extend(self.delivery.order(written, span.until, last));
        self.at = span.until;
        Some(HistoryDay { span, fleet, facts: said })
    }

    /// The fleet as history leaves it, ready to live on.
    pub fn into_living(self) -> Vec<Living> {
        self.devices.into_iter().map(|line| line.living).collect()
    }
}

/// When an agent was alive.
fn lives(plan: &Plan, outages: &Outages, agent: &AgentId, until: Timestamp) -> Vec<Span> {
    let dead = outages.agents.get(agent).map_or(&[][..], Vec::as_slice);
    without(Span { from: plan.start, until }, dead)
}

#[cfg(test)]
mod tests;
