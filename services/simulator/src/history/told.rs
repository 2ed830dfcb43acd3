//! What an agent tells of one device: conditions as they begin, stretches as they end or the hour turns, errors and readings.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, Fact, Source, Stretch};
use medfleet_domain::id::{AgentId, Epoch, Seq, SeqRange, Subject};
use medfleet_domain::time::{Span, Timestamp};

use super::Seal;
use super::delivery::{Dispatch, Draft};
use crate::outages::{Outages, united, without};
use crate::plan::{Plan, PlannedDevice};
use crate::truth::{Life, TruthSpan};

/// One life of an agent, and where a subject's stream stands in it.
#[derive(Debug, Clone, Copy)]
pub struct WriterLife {
    pub span: Span,
    pub epoch: Epoch,
    pub written: u64,
}

/// The lives of an agent as a subject's stream sees them. All its subjects share the epochs.
pub fn writer_lives(plan: &Plan, agent: &AgentId, lives: &[Span]) -> Vec<WriterLife> {
    let life = |(ordinal, span): (usize, &Span)| {
        let parts = [&plan.seed.to_le_bytes()[..], b"agent life", agent.as_str().as_bytes(), &ordinal.to_le_bytes()];
        WriterLife { span: *span, epoch: Epoch::derived(&parts), written: 0 }
    };
    lives.iter().enumerate().map(life).collect()
}

/// The first fact of a life names the one before it that wrote anything.
pub fn opening(earlier: &[WriterLife], at: Timestamp) -> Draft {
    let wrote = earlier.iter().rev().find(|life| life.written > 0);
    let previous = wrote.map(|life| SeqRange { epoch: life.epoch, first: Seq(1), last: Seq(life.written) });
    Draft { said: at, fact: machine_fact(at, at, Body::Opened { previous }, "agent") }
}

pub fn machine_fact(at: Timestamp, known_at: Timestamp, body: Body, name: &str) -> Fact {
    let source = Source { kind: SourceKind::Device, name: name.to_owned() };
    Fact { at, known_at, known_assumed: false, clock: Clock::Synchronised, source, body }
}

pub struct DeviceTeller {
    device: Arc<PlannedDevice>,
    agent: AgentId,
    lives: Vec<WriterLife>,
    silences: Vec<Span>,
    /// What was seen last, up to when.
    seen: Option<(Condition, Degradation, Timestamp)>,
}

impl DeviceTeller {
    /// None for a device that no agent watches.
    pub fn new(
        plan: &Plan,
        device: &Arc<PlannedDevice>,
        lives: &BTreeMap<AgentId, Vec<Span>>,
        outages: &Outages,
    ) -> Option<Self> {
        let agent = device.agent.clone()?;
        let spans = lives.get(&agent).map_or(&[][..], Vec::as_slice);
        let silences = united(outages.devices.get(&device.id).cloned().unwrap_or_default());
        Some(Self { lives: writer_lives(plan, &agent, spans), device: device.clone(), agent, silences, seen: None })
    }

    /// The facts of one day, life by life.
    pub fn tell(&mut self, day: Span, life: &Life, seal: Seal) -> Vec<Dispatch> {
        let mut dispatches = Vec::new();
        for index in 0..self.lives.len() {
            let Some(span) = self.lives[index].span.clip(day) else { continue };
            let mut drafts = self.drafts(span, life);
            if drafts.is_empty() {
                continue;
            }
            if self.lives[index].written == 0 {
                let at = drafts[0].said;
                drafts.insert(0, opening(&self.lives[..index], at));
            }
            let first = Seq(self.lives[index].written + 1);
            self.lives[index].written += drafts.len() as u64;
            dispatches.push(Dispatch {
                subject: Subject::device(&self.device.id),
                site: self.device.site.clone(),
                kind: self.device.kind.kind,
                agent: Some(self.agent.clone()),
                epoch: self.lives[index].epoch,
                first_seq: first,
                facts: drafts.into_iter().map(|draft| (draft.said, seal(draft.fact))).collect(),
            });
        }
        dispatches
    }

    /// What is seen of the device within one life and day, in the order it is said.
    fn drafts(&mut self, span: Span, life: &Life) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for seen in without(span, &self.silences) {
            for lived in &life.spans {
                if let Some(part) = lived.span.clip(seen) {
                    self.see(part, lived, &mut drafts);
                }
            }
            let heard = life.reported.iter().filter(|(at, _)| seen.contains(*at));
            drafts.extend(heard.map(|(at, body)| self.draft(*at, *at, body.clone())));
        }
        drafts.sort_by_key(|draft| draft.said);
        drafts
    }

    fn see(&mut self, part: Span, lived: &TruthSpan, drafts: &mut Vec<Draft>) {
        let Some(shown) = &lived.shown else {
            self.seen = None;
            return;
        };
        let now = (shown.condition, shown.degradation, part.from);
        if self.seen != Some(now) {
            let body = Body::Began { condition: shown.condition, degradation: shown.degradation };
            drafts.push(self.draft(part.from, part.from, body));
        }
        self.seen = Some((shown.condition, shown.degradation, part.until));
        let mut from = part.from;
        while from < part.until {
            let until = from.next_hour().min(part.until);
            let stretch = Stretch { until, condition: shown.condition, degradation: shown.degradation };
            drafts.push(self.draft(from, until, Body::Stretch(stretch)));
            from = until;
        }
    }

    fn draft(&self, at: Timestamp, said: Timestamp, body: Body) -> Draft {
        Draft { said, fact: machine_fact(at, said, body, self.device.kind.kind.as_str()) }
    }
}
