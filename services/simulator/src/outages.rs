//! Outages of single devices, of agents and of a hospital's link: seeded windows, continuing for as long as one looks.

use std::collections::BTreeMap;

use medfleet_domain::id::{AgentId, DeviceId, SiteId};
use medfleet_domain::time::{Span, Timestamp};

use crate::chance::Chance;
use crate::fleet::OutageLaw;
use crate::plan::Plan;

const SECONDS_PER_MINUTE: f64 = 60.0;
const SECONDS_PER_DAY: f64 = 86_400.0;
/// No outage is shorter: below this nobody would notice.
const SHORTEST_OUTAGE_S: i64 = 60;

/// The windows of one subject, in time order and apart, without end.
#[derive(Debug, Clone)]
pub struct Windows {
    law: OutageLaw,
    chance: Chance,
    at: Timestamp,
}

impl Windows {
    pub fn new(seed: u64, purpose: &str, name: &str, law: OutageLaw, start: Timestamp) -> Self {
        Self { law, chance: Chance::of(seed, purpose, name), at: start }
    }
}

impl Iterator for Windows {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        // Whole seconds, like everything in the truth: sums stay exact.
        let gap_s = (self.chance.exponential(self.law.mean_gap_days) * SECONDS_PER_DAY).ceil() as i64;
        let length_s = (self.chance.spread(self.law.minutes) * SECONDS_PER_MINUTE).ceil() as i64;
        let from = self.at.plus_seconds(gap_s);
        self.at = from.plus_seconds(length_s.max(SHORTEST_OUTAGE_S));
        Some(Span { from, until: self.at })
    }
}

impl Plan {
    /// Windows in which one device says nothing, though its agent listens.
    pub fn device_silences(&self, device: &DeviceId) -> Windows {
        Windows::new(self.seed, "device silent", device.as_str(), self.outages.device_silent, self.start)
    }

    /// Windows in which an agent is dead: nothing is observed.
    pub fn agent_outages(&self, agent: &AgentId) -> Windows {
        Windows::new(self.seed, "agent down", agent.as_str(), self.outages.agent_down, self.start)
    }

    /// Windows in which a hospital's link is cut: facts wait in the agents' journals and arrive afterwards.
    pub fn link_outages(&self, site: &SiteId) -> Windows {
        Windows::new(self.seed, "wan down", site.as_str(), self.outages.wan_down, self.start)
    }

    pub fn outages(&self, until: Timestamp) -> Outages {
        let heard = self.devices.iter().filter(|device| device.agent.is_some());
        Outages {
            devices: heard.map(|device| (device.id.clone(), before(self.device_silences(&device.id), until))).collect(),
            agents: self
                .agents
                .iter()
                .map(|agent| (agent.id.clone(), before(self.agent_outages(&agent.id), until)))
                .collect(),
            links: self
                .sites
                .iter()
                .map(|site| (site.id.clone(), before(self.link_outages(&site.id), until)))
                .collect(),
        }
    }
}

/// All windows that begin before an instant; the last one may reach past it.
#[derive(Debug, Clone, Default)]
pub struct Outages {
    pub devices: BTreeMap<DeviceId, Vec<Span>>,
    pub agents: BTreeMap<AgentId, Vec<Span>>,
    pub links: BTreeMap<SiteId, Vec<Span>>,
}

impl Outages {
    /// When nothing was observed of a device: its own silence and its agent's death, united.
    pub fn blind(&self, device: &DeviceId, agent: Option<&AgentId>) -> Vec<Span> {
        let own = self.devices.get(device).into_iter().flatten();
        let agents = agent.and_then(|agent| self.agents.get(agent)).into_iter().flatten();
        united(own.chain(agents).copied().collect())
    }
}

fn before(windows: Windows, until: Timestamp) -> Vec<Span> {
    windows.take_while(|window| window.from < until).collect()
}

/// Spans in order and apart, covering what the given ones cover.
pub fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut apart: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => apart.push(span),
        }
    }
    apart
}

/// The parts of `span` that none of `holes` covers. `holes` are in order and apart.
pub fn without(span: Span, holes: &[Span]) -> Vec<Span> {
    let mut left = Vec::new();
    let mut from = span.from;
    for hole in holes.iter().filter_map(|hole| hole.clip(span)) {
        if from < hole.from {
            left.push(Span { from, until: hole.from });
        }
        from = hole.until;
    }
    if from < span.until {
        left.push(Span { from, until: span.until });
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::{Day, MICROS_PER_DAY};

    fn span(from: i64, until: i64) -> Span {
        Span { from: Timestamp(from), until: Timestamp(until) }
    }

    #[test]
    fn all_three_sorts_of_outage_occur_within_three_weeks() {
        let start = Day::from_civil(2026, 3, 1).start();
        let outages = Plan::demo(1, start).expect("sound").outages(start.plus_micros(21 * MICROS_PER_DAY));
        let count = |windows: Vec<usize>| windows.into_iter().sum::<usize>();
        assert!(count(outages.devices.values().map(Vec::len).collect()) > 100);
        assert!(count(outages.agents.values().map(Vec::len).collect()) > 10);
        assert!(count(outages.links.values().map(Vec::len).collect()) > 3);
    }

    #[test]
    fn windows_continue_where_they_were() {
        let start = Day::from_civil(2026, 3, 1).start();
        let plan = Plan::demo(1, start).expect("sound");
        let site = &plan.sites[0].id;
        let short = plan.outages(start.plus_micros(21 * MICROS_PER_DAY));
        let long = plan.outages(start.plus_micros(60 * MICROS_PER_DAY));
        assert!(long.links[site].starts_with(&short.links[site]));
    }

    #[test]
    fn spans_unite_and_leave_gaps() {
        assert_eq!(united(vec![span(5, 9), span(1, 3), span(2, 4), span(9, 10)]), [span(1, 4), span(5, 10)]);
        assert_eq!(without(span(0, 12), &[span(1, 4), span(5, 10)]), [span(0, 1), span(4, 5), span(10, 12)]);
        assert_eq!(without(span(2, 3), &[span(1, 4)]), []);
    }
}
