//! What is to be done with a message now: sent, dropped because there is nothing to say any more, or held for another.

use medfleet_domain::alert::AlertId;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::message::Occasion;
use medfleet_domain::time::Timestamp;

use super::{Message, Outbox, State};

/// What is to be done with a message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand<'a> {
    Send(&'a Message),
    /// It ends unsent.
    Drop(&'a Message),
}

impl Outbox {
    /// What is to be done now: nobody is told of what wants no attention any more, but for an attempt that was cut off, which may
    /// have reached somebody. That it is over is said after what it ends, and to nobody whom that did not reach.
    pub fn errands<'a>(
        &'a self,
        now: Timestamp,
        alert: impl Fn(AlertId) -> Option<&'a Alert>,
    ) -> impl Iterator<Item = Errand<'a>> {
        self.due(now).filter_map(move |message| {
            let wanted = match message.intent.occasion {
                Occasion::Attention { .. } if matches!(message.state, State::Sending { .. }) => true,
                Occasion::Attention { call, .. } => {
                    alert(message.intent.alert).is_some_and(|alert| alert.calls == call && alert.wants_attention(now))
                }
                Occasion::Over { call, .. } => self.has_reached(message, call)?,
            };
            Some(if wanted { Errand::Send(message) } else { Errand::Drop(message) })
        })
    }

    /// Whether anything of what this message ends has reached its address; None while that is not known.
    fn has_reached(&self, over: &Message, until: u32) -> Option<bool> {
        let same = |message: &&Message| message.intent.channel == over.intent.channel;
        let told = || self.of(over.intent.alert).filter(same);
        let ended_before = told().filter(|message| message.is_delivered()).filter_map(|message| {
            let Occasion::Over { call, .. } = message.intent.occasion else { return None };
            Some(call)
        });
        let ended_before = ended_before.max();
        let ends = |message: &&Message| match message.intent.occasion {
            Occasion::Attention { call, .. } => call <= until && ended_before.is_none_or(|before| call > before),
            Occasion::Over { .. } => false,
        };
        let ended: Vec<&Message> = told().filter(ends).collect();
        (!ended.iter().any(|message| message.is_open())).then(|| ended.iter().any(|message| message.is_delivered()))
    }
}
