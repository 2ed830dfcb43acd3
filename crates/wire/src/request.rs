//! Requests, as they travel in their subject's stream.

use medfleet_domain::human::{OrderClass, Party, Phase};
use medfleet_domain::order::{Ask, REQUEST_ID_MAX_BYTES, Request};
use pb::requested::Ask as Wire;

use crate::pb;
use crate::read::text;
use crate::refusal::Refusal;
use crate::word::{Word, number_or_unsaid};

impl From<&Request> for pb::Requested {
    fn from(request: &Request) -> Self {
        let ask = match &request.ask {
            Ask::Register(registration) => Wire::Register(registration.into()),
            Ask::Retire { reason } => Wire::Retire(pb::Retired { reason: reason.clone() }),
            Ask::OpenOrder { order, class, text } => {
                Wire::OpenOrder(pb::OpenOrder { order: order.clone(), class: class.number(), text: text.clone() })
            }
            Ask::AdvanceOrder { order, phase, waiting_for } => Wire::AdvanceOrder(pb::AdvanceOrder {
                order: order.clone(),
                phase: phase.number(),
                waiting_for: number_or_unsaid(*waiting_for),
            }),
        };
        Self { id: request.id.clone(), author: request.author.clone(), ask: Some(ask) }
    }
}

impl TryFrom<pb::Requested> for Request {
    type Error = Refusal;

    fn try_from(wire: pb::Requested) -> Result<Self, Refusal> {
        let ask = match wire.ask.ok_or(Refusal::UnknownBody { what: "request" })? {
            Wire::Register(registered) => Ask::Register(registered.try_into()?),
            Wire::Retire(retired) => Ask::Retire { reason: retired.reason },
            Wire::OpenOrder(open) => Ask::OpenOrder {
                order: text("order", "request to open an order", open.order)?,
                class: OrderClass::required("class", "request to open an order", open.class)?,
                text: open.text,
            },
            Wire::AdvanceOrder(advance) => Ask::AdvanceOrder {
                order: text("order", "request to advance an order", advance.order)?,
                phase: Phase::required("phase", "request to advance an order", advance.phase)?,
                waiting_for: Party::read("waiting_for", advance.waiting_for)?,
            },
        };
        Ok(Self { id: request_id(wire.id)?, author: wire.author, ask })
    }
}

pub(crate) fn request_id(id: String) -> Result<String, Refusal> {
    if id.len() > REQUEST_ID_MAX_BYTES {
        return Err(Refusal::Oversized { what: "request id", bytes: id.len(), limit: REQUEST_ID_MAX_BYTES });
    }
    text("id", "request", id)
}
