//! The truth kept aside: what every device really did, what could be observed of it, and which failures lay behind.

mod summary;

use std::sync::Arc;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::Body;
use medfleet_domain::human::Claimed;
use medfleet_domain::time::{Span, Timestamp};
use serde::Serialize;

use crate::catalogue::Effect;
use crate::device::{DeviceSim, Event, Happening, Shown, Witness};
use crate::outages::united;
use crate::plan::{Plan, PlannedDevice};
pub use summary::{ConditionSeconds, DeviceTruth, TruthSummary};

/// A span of one true condition, and what the device shows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthSpan {
    pub span: Span,
    pub condition: Condition,
    pub degradation: Degradation,
    /// None while the device is dark.
    pub shown: Option<Shown>,
}

/// What a person said at `at` about the instant `of`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    pub at: Timestamp,
    pub of: Timestamp,
    pub body: Body,
}

/// The truth behind one failed part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureTruth {
    pub at: Timestamp,
    pub component: String,
    pub family: String,
    pub effect: Effect,
    pub order: String,
    pub witness: Witness,
}

/// One device's life up to an instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Life {
    pub spans: Vec<TruthSpan>,
    /// Errors and readings, as the device reports them.
    pub reported: Vec<(Timestamp, Body)>,
    pub said: Vec<Saying>,
    pub failures: Vec<FailureTruth>,
}

/// A device that lives on from call to call: history first, then the present.
#[derive(Debug, Clone)]
pub struct Living {
    sim: DeviceSim,
    /// The condition that goes on past the last call, from where it was last cut.
    open: Option<TruthSpan>,
}

/// One device's life from the plan's start to `until`.
pub fn simulate(plan: &Plan, device: &Arc<PlannedDevice>, until: Timestamp) -> Life {
    Living::new(plan, device).live_to(until)
}

impl Living {
    pub fn new(plan: &Plan, device: &Arc<PlannedDevice>) -> Self {
        Self { sim: DeviceSim::new(plan, device), open: None }
    }

    pub fn device(&self) -> &Arc<PlannedDevice> {
        self.sim.device()
    }

    /// What the device shows now; None while it is dark.
    pub fn shown(&self) -> Option<(Condition, Degradation)> {
        let shown = self.open.as_ref()?.shown.as_ref()?;
        Some((shown.condition, shown.degradation))
    }

    /// How old every component of the kind is, in its order and on the clock of its law.
    pub fn part_ages(&self) -> impl Iterator<Item = f64> {
        self.sim.part_ages()
    }

    /// When the next event happens.
    pub fn next_at(&mut self) -> Timestamp {
        self.sim.next_at()
    }

    /// The next event of a device that lives without end. The caller has taken over from the history.
    pub fn next_event(&mut self) -> Option<Event> {
        self.sim.next_before(Timestamp::MAX)
    }

    /// What happens up to `until`; the condition at that moment is cut there and goes on in the next call.
    pub fn live_to(&mut self, until: Timestamp) -> Life {
        let mut life = Life::default();
        while let Some(event) = self.sim.next_before(until) {
            self.take(event, &mut life);
        }
        self.close(until, &mut life);
        life
    }

    fn take(&mut self, event: Event, life: &mut Life) {
        let at = event.at;
        match event.what {
            Happening::Turned { condition, degradation, shown } => {
                self.close(at, life);
                let span = Span { from: at, until: at };
                self.open = Some(TruthSpan { span, condition, degradation, shown });
            }
            Happening::Reported(body) => life.reported.push((at, body)),
            Happening::Said { of, body } => life.said.push(Saying { at, of, body }),
            Happening::Failed { component, family, effect, order, witness } => {
                life.failures.push(FailureTruth { at, component, family, effect, order, witness });
            }
        }
    }

    /// Says the open span up to `at`, where it is not empty, and leaves the rest open.
    fn close(&mut self, at: Timestamp, life: &mut Life) {
        if let Some(open) = self.open.as_mut().filter(|open| open.span.from < at) {
            open.span.until = at;
            life.spans.push(open.clone());
            open.span.from = at;
        }
    }
}

impl Life {
    /// What of it lies within a span; what people said stays whole.
    fn within(&self, whole: Span) -> Self {
        let clipped = |lived: &TruthSpan| Some(TruthSpan { span: lived.span.clip(whole)?, ..lived.clone() });
        Self {
            spans: self.spans.iter().filter_map(clipped).collect(),
            reported: self.reported.iter().filter(|(at, _)| whole.contains(*at)).cloned().collect(),
            said: self.said.clone(),
            failures: self.failures.clone(),
        }
    }

    /// Where people's claims of down or maintenance, said before `until`, speak for the device whatever it shows.
    pub fn claimed(&self, until: Timestamp) -> Vec<Span> {
        let mut covered = Vec::new();
        let mut open: Vec<(Timestamp, bool)> = Vec::new();
        for saying in &self.said {
            let Body::Asserted(asserted) = &saying.body else { continue };
            match (asserted.claim, asserted.until) {
                (Claimed::Maintenance { .. }, Some(ends)) => covered.push(Span { from: saying.of, until: ends }),
                (claim, _) => open.push((saying.of, claim == Claimed::Down)),
            }
        }
        open.sort_by_key(|(from, _)| *from);
        for (index, (from, down)) in open.iter().enumerate() {
            let ends = open.get(index + 1).map_or(until, |next| next.0);
            if *down && *from < ends {
                covered.push(Span { from: *from, until: ends });
            }
        }
        united(covered)
    }
}
