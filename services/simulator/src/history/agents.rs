//! What agents tell of themselves: that they started, and that they live.

use std::collections::BTreeMap;

use medfleet_domain::fact::Body;
use medfleet_domain::id::{AgentId, Seq, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_HOUR, Span, Timestamp};

use super::Seal;
use super::delivery::{Dispatch, Draft};
use super::told::{WriterLife, machine_fact, opening, writer_lives};
use crate::plan::{Plan, PlannedAgent};

/// Agents say more often that they live; of the past only one heartbeat an hour is kept.
const KEPT_HEARTBEAT_MICROS: i64 = MICROS_PER_HOUR;

pub struct AgentTeller {
    agent: PlannedAgent,
    lives: Vec<WriterLife>,
}

impl AgentTeller {
    pub fn new(plan: &Plan, agent: &PlannedAgent, lives: &BTreeMap<AgentId, Vec<Span>>) -> Self {
        let spans = lives.get(&agent.id).map_or(&[][..], Vec::as_slice);
        Self { agent: agent.clone(), lives: writer_lives(plan, &agent.id, spans) }
    }

    pub fn tell(&mut self, day: Span, seal: Seal) -> Vec<Dispatch> {
        let mut dispatches = Vec::new();
        for index in 0..self.lives.len() {
            let life = self.lives[index];
            let Some(span) = life.span.clip(day) else { continue };
            let mut drafts = Vec::new();
            if life.written == 0 {
                drafts.push(opening(&self.lives[..index], span.from));
            }
            drafts.extend(
                heartbeats(span)
                    .map(|at| Draft { said: at, fact: machine_fact(at, at, Body::Heartbeat(None), "agent") }),
            );
            self.lives[index].written += drafts.len() as u64;
            dispatches.push(Dispatch {
                subject: Subject::agent(&self.agent.id),
                site: self.agent.site.clone(),
                kind: DeviceKind::Other,
                agent: Some(self.agent.id.clone()),
                epoch: life.epoch,
                first_seq: Seq(life.written + 1),
                facts: drafts.into_iter().map(|draft| (draft.said, seal(draft.fact))).collect(),
            });
        }
        dispatches
    }
}

/// One at the end of every hour, and one at the end of the span: the last sign of life.
fn heartbeats(span: Span) -> impl Iterator<Item = Timestamp> {
    let first = (span.from.micros().div_euclid(KEPT_HEARTBEAT_MICROS) + 1) * KEPT_HEARTBEAT_MICROS;
    let hours = (first..span.until.micros()).step_by(KEPT_HEARTBEAT_MICROS as usize).map(Timestamp);
    hours.chain([span.until])
}
