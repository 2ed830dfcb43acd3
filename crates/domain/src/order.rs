//! Requests against one device's stream: `decide` may refuse and changes nothing, `evolve` never refuses.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::fact::Body;
use crate::human::{OrderClass, Party, Phase, Registration};

/// Longest request id (an idempotency key).
pub const REQUEST_ID_MAX_BYTES: usize = 128;

/// Something a person asks for. It is decided in log order, never at the door.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Request {
    pub id: String,
    pub author: String,
    pub ask: Ask,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ask {
    Register(Registration),
    Retire { reason: String },
    OpenOrder { order: String, class: OrderClass, text: String },
    AdvanceOrder { order: String, phase: Phase, waiting_for: Option<Party> },
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Decision {
    Registered(Registration),
    Retired,
    OrderOpened { order: String },
    OrderAdvanced { order: String, phase: Phase },
}

impl Decision {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Registered(_) => "registered",
            Self::Retired => "retired",
            Self::OrderOpened { .. } => "order_opened",
            Self::OrderAdvanced { .. } => "order_advanced",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("already registered with serial `{serial}`: retire that device first, or correct its registration")]
    OtherSerial { serial: String },
    #[error("not registered: register the device first")]
    NotRegistered,
    #[error("retired: a retired device takes no new orders")]
    Retired,
    #[error("order `{order}` is already open: advance it instead")]
    OrderExists { order: String },
    #[error("order `{order}` is unknown: open it first")]
    OrderUnknown { order: String },
    #[error("order `{order}` is {phase:?} already: {wanted:?} would go backwards")]
    Backwards { order: String, phase: Phase, wanted: Phase },
}

/// What has to be remembered of a device's stream to judge requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stewardship {
    serial: Option<String>,
    retired: bool,
    orders: BTreeMap<String, Phase>,
}

impl Stewardship {
    /// Judges a request against everything that stands in the log before it. Changes nothing.
    pub fn decide(&self, request: &Request) -> Result<Decision, Refusal> {
        match &request.ask {
            Ask::Register(registration) => match &self.serial {
                Some(serial) if *serial != registration.serial && !self.retired => {
                    Err(Refusal::OtherSerial { serial: serial.clone() })
                }
                _ => Ok(Decision::Registered(registration.clone())),
            },
            Ask::Retire { .. } => self.in_service().map(|()| Decision::Retired),
            Ask::OpenOrder { order, .. } => {
                self.in_service()?;
                match self.orders.get(order) {
                    Some(_) => Err(Refusal::OrderExists { order: order.clone() }),
                    None => Ok(Decision::OrderOpened { order: order.clone() }),
                }
            }
            Ask::AdvanceOrder { order, phase, .. } => self.advance(order, *phase),
        }
    }

    /// Takes a decision in. Never judges: it has already happened.
    pub fn evolve(&mut self, decision: &Decision) {
        match decision {
            Decision::Registered(registration) => {
                self.serial = Some(registration.serial.clone());
                self.retired = false;
            }
            Decision::Retired => self.retired = true,
            Decision::OrderOpened { order } => {
                self.orders.insert(order.clone(), Phase::Opened);
            }
            Decision::OrderAdvanced { order, phase } => self.reach(order, *phase),
        }
    }

    /// Takes in what a system of record states outright.
    pub fn observe(&mut self, body: &Body) {
        match body {
            Body::Registered(registration) => self.evolve(&Decision::Registered(registration.clone())),
            Body::Retired(_) => self.retired = true,
            Body::Order(phase) => self.reach(&phase.order, phase.phase),
            _ => {}
        }
    }

    fn in_service(&self) -> Result<(), Refusal> {
        match (&self.serial, self.retired) {
            (None, _) => Err(Refusal::NotRegistered),
            (_, true) => Err(Refusal::Retired),
            _ => Ok(()),
        }
    }

    fn advance(&self, order: &str, wanted: Phase) -> Result<Decision, Refusal> {
        match self.orders.get(order) {
            None => Err(Refusal::OrderUnknown { order: order.into() }),
            Some(&phase) if rank(wanted) < rank(phase) || rank(phase) == rank(Phase::Closed) => {
                Err(Refusal::Backwards { order: order.into(), phase, wanted })
            }
            Some(_) => Ok(Decision::OrderAdvanced { order: order.into(), phase: wanted }),
        }
    }

    fn reach(&mut self, order: &str, phase: Phase) {
        let reached = self.orders.entry(order.into()).or_insert(phase);
        if rank(*reached) <= rank(phase) {
            *reached = phase;
        }
    }
}

/// Waiting may start and end any number of times during repair, so those phases share a rank.
const fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Opened => 0,
        Phase::Assigned => 1,
        Phase::Arrived => 2,
        Phase::RepairStarted | Phase::WaitingStarted | Phase::WaitingEnded => 3,
        Phase::Repaired => 4,
        Phase::ReturnedToService => 5,
        Phase::Closed | Phase::Cancelled => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(ask: Ask) -> Request {
        Request { id: "r-1".into(), author: "kim".into(), ask }
    }

    fn open(order: &str) -> Ask {
        Ask::OpenOrder { order: order.into(), class: OrderClass::Corrective, text: String::new() }
    }

    fn advance(order: &str, phase: Phase) -> Ask {
        Ask::AdvanceOrder { order: order.into(), phase, waiting_for: None }
    }

    fn registered() -> Stewardship {
        Stewardship { serial: Some("SN-1".into()), ..Stewardship::default() }
    }

    /// Given what happened, when this is asked, then that is decided.
    fn when(given: &[Ask], asked: Ask) -> Result<&'static str, Refusal> {
        let mut life = registered();
        for request in given {
            let decision = life.decide(&ask(request.clone())).expect("the given requests are granted");
            life.evolve(&decision);
        }
        life.decide(&ask(asked)).map(|decision| decision.name())
    }

    #[test]
    fn an_order_goes_forward_only() {
        assert_eq!(when(&[], open("wo-1")), Ok("order_opened"));
        assert_eq!(when(&[open("wo-1")], advance("wo-1", Phase::Repaired)), Ok("order_advanced"));
        let back = when(&[open("wo-1"), advance("wo-1", Phase::Repaired)], advance("wo-1", Phase::Arrived));
        assert!(matches!(back, Err(Refusal::Backwards { .. })));
        let waits = [open("wo-1"), advance("wo-1", Phase::WaitingStarted), advance("wo-1", Phase::WaitingEnded)];
        assert_eq!(when(&waits, advance("wo-1", Phase::WaitingStarted)), Ok("order_advanced"));
    }

    #[test]
    fn a_refused_request_says_what_to_do() {
        assert_eq!(when(&[], advance("wo-9", Phase::Closed)), Err(Refusal::OrderUnknown { order: "wo-9".into() }));
        assert_eq!(when(&[open("wo-1")], open("wo-1")), Err(Refusal::OrderExists { order: "wo-1".into() }));
        assert_eq!(Stewardship::default().decide(&ask(open("x"))), Err(Refusal::NotRegistered));
        assert_eq!(when(&[Ask::Retire { reason: String::new() }], open("wo-2")), Err(Refusal::Retired));
    }
}
