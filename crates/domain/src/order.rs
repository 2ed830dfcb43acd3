//! Requests against one device's stream: `decide` may refuse and changes nothing, `evolve` never refuses.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::fact::Body;
use crate::human::{OrderClass, OrderPhase, Party, Phase, Registration, Retirement};

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
    OrderOpened { order: String, class: OrderClass },
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
    /// Class and furthest phase of every order.
    orders: BTreeMap<String, (OrderClass, Phase)>,
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
            Ask::OpenOrder { order, class, .. } => {
                self.in_service()?;
                match self.orders.get(order) {
                    Some(_) => Err(Refusal::OrderExists { order: order.clone() }),
                    None => Ok(Decision::OrderOpened { order: order.clone(), class: *class }),
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
            Decision::OrderOpened { order, class } => {
                self.orders.insert(order.clone(), (*class, Phase::Opened));
            }
            Decision::OrderAdvanced { order, phase } => self.reach(order, OrderClass::Corrective, *phase),
        }
    }

    /// Takes in what a system of record states outright.
    pub fn observe(&mut self, body: &Body) {
        match body {
            Body::Registered(registration) => self.evolve(&Decision::Registered((**registration).clone())),
            Body::Retired(_) => self.retired = true,
            Body::Order(phase) => self.reach(&phase.order, phase.class, phase.phase),
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
            Some(&(_, phase)) if rank(wanted) < rank(phase) || rank(phase) == rank(Phase::Closed) => {
                Err(Refusal::Backwards { order: order.into(), phase, wanted })
            }
            Some(_) => Ok(Decision::OrderAdvanced { order: order.into(), phase: wanted }),
        }
    }

    /// The class of an order is that of its first word.
    fn reach(&mut self, order: &str, class: OrderClass, phase: Phase) {
        let (_, reached) = self.orders.entry(order.into()).or_insert((class, phase));
        if rank(*reached) <= rank(phase) {
            *reached = phase;
        }
    }

    /// What a granted request states about its subject, as a system of record would.
    pub fn stated(&self, decision: &Decision, ask: &Ask) -> Option<Body> {
        let phase = |order: &String, class, phase, waiting_for, text: &str| {
            let (order, cause, text) = (order.clone(), String::new(), text.to_owned());
            Body::Order(OrderPhase { order, class, phase, waiting_for, planned: None, cause, text })
        };
        Some(match (decision, ask) {
            (Decision::Registered(registration), _) => Body::Registered(Box::new(registration.clone())),
            (_, Ask::Retire { reason }) => Body::Retired(Retirement { reason: reason.clone() }),
            (_, Ask::OpenOrder { order, class, text }) => phase(order, *class, Phase::Opened, None, text),
            (_, Ask::AdvanceOrder { order, phase: reached, waiting_for }) => {
                let (class, _) = self.orders.get(order)?;
                phase(order, *class, *reached, *waiting_for, "")
            }
            (_, Ask::Register(_)) => return None,
        })
    }
}

/// People come, call a vendor and wait in any order and any number of times, so those phases share a rank.
const fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Opened => 0,
        Phase::Assigned => 1,
        Phase::VendorCalled | Phase::RemoteConnected | Phase::Arrived => 2,
        Phase::RepairStarted | Phase::WaitingStarted | Phase::WaitingEnded => 2,
        Phase::Repaired => 3,
        Phase::ReturnedToService => 4,
        Phase::Closed | Phase::Cancelled => 5,
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
