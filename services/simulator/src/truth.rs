//! The truth kept aside: what every device really did, what could be observed of it, and which failures lay behind.

mod summary;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::Body;
use medfleet_domain::human::Claimed;
use medfleet_domain::time::{Span, Timestamp};
use serde::Serialize;

use crate::catalogue::Effect;
use crate::device::{DeviceSim, Event, Happening, Shown, Witness};
use crate::outages::united;
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

/// Lives a device on to `until`. The device stands ready to go on from there.
pub fn simulate(sim: &mut DeviceSim, until: Timestamp) -> Life {
    let mut life = Life::default();
    while let Some(event) = sim.next_before(until) {
        life.take(event);
    }
    life.close(until);
    life
}

impl Life {
    fn take(&mut self, event: Event) {
        let at = event.at;
        match event.what {
            Happening::Turned { condition, degradation, shown } => {
                self.close(at);
                // Open until the next turn closes it.
                let span = Span { from: at, until: Timestamp::MAX };
                self.spans.push(TruthSpan { span, condition, degradation, shown });
            }
            Happening::Reported(body) => self.reported.push((at, body)),
            Happening::Said { of, body } => self.said.push(Saying { at, of, body }),
            Happening::Failed { component, family, effect, order, witness } => {
                self.failures.push(FailureTruth { at, component, family, effect, order, witness });
            }
        }
    }

    /// Ends the open span; one that would be empty never was.
    fn close(&mut self, at: Timestamp) {
        if let Some(last) = self.spans.last_mut() {
            last.span.until = at;
            if last.span.from >= at {
                self.spans.pop();
            }
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
