//! Delivery: intent, attempt, outcome. Each is a fact; an attempt cut off between is made again under the id it had, and counted.

use std::collections::BTreeMap;
use std::fmt;

use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use serde::{Deserialize, Serialize};

use crate::life::{Alert, AlertId};
use crate::route::{Channel, Routes, Wall};

/// Attempts of one message, at most.
pub const ATTEMPTS_MAX: u32 = 12;
/// Pause after the first failed attempt; it doubles from one to the next, up to the longest.
const PAUSE_FIRST_MICROS: i64 = 5 * MICROS_PER_SECOND;
const PAUSE_LONGEST_MICROS: i64 = 3_600 * MICROS_PER_SECOND;
/// An attempt of which nothing more is heard has been cut off.
pub const ATTEMPT_MAX_MICROS: i64 = 60 * MICROS_PER_SECOND;

/// Hash of what the message says to whom: a repeat has the id of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub u64);

impl MessageId {
    fn of(alert: AlertId, occasion: Occasion, channel: &Channel) -> Self {
        let (Occasion::Attention { life, level } | Occasion::Over { life, level }) = occasion;
        let over = u8::from(matches!(occasion, Occasion::Over { .. }));
        let (sort, address) = match channel {
            Channel::Email(address) => (0, address),
            Channel::Webhook(address) => (1, address),
            Channel::Alertmanager(address) => (2, address),
        };
        let mut bytes = alert.0.to_le_bytes().to_vec();
        bytes.extend(life.to_le_bytes());
        bytes.extend([level, over, sort]);
        bytes.extend(address.as_bytes());
        Self(twox_hash::XxHash3_64::oneshot(&bytes))
    }

    /// `Message-ID` of an e-mail (RFC 5322).
    pub fn email(self, domain: &str) -> String {
        format!("<{self}@{domain}>")
    }

    /// `webhook-id` of Standard Webhooks.
    pub fn webhook(self) -> String {
        format!("msg_{self}")
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a message is about: the how-manieth life of the alert, and the level it had reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Occasion {
    Attention { life: u32, level: u8 },
    Over { life: u32, level: u8 },
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub id: MessageId,
    pub alert: AlertId,
    pub occasion: Occasion,
    pub person: String,
    pub channel: Channel,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Delivered,
    /// It may go better later.
    Failed {
        reason: String,
    },
    /// It will never be taken: a wrong address, a request that the receiver calls wrong.
    Refused {
        reason: String,
    },
}

/// What is known of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub intent: Intent,
    pub attempts: u32,
    /// Attempts that were cut off and made again.
    pub repeats: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Due { at: Timestamp },
    Sending { since: Timestamp },
    Delivered,
    GivenUp { reason: String },
}

/// All messages, as the facts about them have left them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outbox {
    messages: BTreeMap<MessageId, Message>,
}

impl Outbox {
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// What has to be said of an alert now and has not been: asked again at any time, it says nothing twice.
    pub fn wanting(&self, alert: &Alert, routes: &Routes, now: Timestamp, wall: Wall) -> Vec<Intent> {
        let (life, level) = (alert.reopened, alert.escalations);
        let told = routes.recipients(alert, now, wall).into_iter().map(|(person, channel)| {
            let occasion =
                Occasion::Attention { life, level: self.level_told(alert.id, life, channel).unwrap_or(level) };
            (person.to_owned(), channel.clone(), occasion)
        });
        // Who was told that it is there is told that it is over.
        let of_life = self.messages.values().filter(|message| message.intent.alert == alert.id && !alert.is_open());
        let over = of_life.filter_map(|message| match message.intent.occasion {
            Occasion::Attention { life: told, level } if told == life => {
                let intent = &message.intent;
                Some((intent.person.clone(), intent.channel.clone(), Occasion::Over { life, level }))
            }
            _ => None,
        });
        let intent = |(person, channel, occasion): (String, Channel, Occasion)| {
            let id = MessageId::of(alert.id, occasion, &channel);
            Intent { id, alert: alert.id, occasion, person, channel }
        };
        let mut wanting: Vec<Intent> =
            told.chain(over).map(intent).filter(|intent| !self.messages.contains_key(&intent.id)).collect();
        wanting.sort_by_key(|intent| intent.id);
        wanting.dedup_by_key(|intent| intent.id);
        wanting
    }

    /// The level at which this channel has heard of this life already: a higher level is no news to it.
    fn level_told(&self, alert: AlertId, life: u32, channel: &Channel) -> Option<u8> {
        let of = self
            .messages
            .values()
            .filter(|message| message.intent.alert == alert && message.intent.channel == *channel);
        of.filter_map(|message| match message.intent.occasion {
            Occasion::Attention { life: told, level } if told == life => Some(level),
            _ => None,
        })
        .min()
    }

    /// It was decided to send this.
    pub fn intended(&mut self, intent: Intent, at: Timestamp) {
        let id = intent.id;
        let message = Message { intent, attempts: 0, repeats: 0, state: State::Due { at } };
        self.messages.entry(id).or_insert(message);
    }

    /// Messages to be sent now: those that are due, and those whose attempt was cut off.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = &Message> {
        self.messages.values().filter(move |message| match message.state {
            State::Due { at } => at <= now,
            State::Sending { since } => now.micros() - since.micros() >= ATTEMPT_MAX_MICROS,
            State::Delivered | State::GivenUp { .. } => false,
        })
    }

    /// An attempt begins.
    pub fn attempted(&mut self, id: MessageId, at: Timestamp) {
        let Some(message) = self.messages.get_mut(&id).filter(|message| message.is_open()) else { return };
        message.attempts += 1;
        if matches!(message.state, State::Sending { .. }) {
            message.repeats += 1;
        }
        message.state = State::Sending { since: at };
    }

    /// An attempt has ended.
    pub fn ended(&mut self, id: MessageId, outcome: &Outcome, at: Timestamp) {
        let Some(message) = self.messages.get_mut(&id).filter(|message| message.is_open()) else { return };
        message.state = match outcome {
            Outcome::Delivered => State::Delivered,
            Outcome::Refused { reason } => State::GivenUp { reason: reason.clone() },
            Outcome::Failed { reason } if message.attempts >= ATTEMPTS_MAX => State::GivenUp { reason: reason.clone() },
            Outcome::Failed { .. } => State::Due { at: at.plus_micros(pause_micros(id, message.attempts)) },
        };
    }
}

impl Message {
    pub const fn is_delivered(&self) -> bool {
        matches!(self.state, State::Delivered)
    }

    /// Why it was given up, if it was.
    pub fn given_up(&self) -> Option<&str> {
        match &self.state {
            State::GivenUp { reason } => Some(reason),
            _ => None,
        }
    }

    const fn is_open(&self) -> bool {
        matches!(self.state, State::Due { .. } | State::Sending { .. })
    }
}

/// Doubles from attempt to attempt; the id decides where between half and all of it, so that many messages do not come at once.
fn pause_micros(id: MessageId, attempts: u32) -> i64 {
    let doubled = PAUSE_FIRST_MICROS.saturating_mul(1_i64 << attempts.saturating_sub(1).min(20));
    let whole = doubled.min(PAUSE_LONGEST_MICROS);
    let mut bytes = id.0.to_le_bytes().to_vec();
    bytes.extend(attempts.to_le_bytes());
    let jitter = twox_hash::XxHash3_64::oneshot(&bytes) % (whole as u64 / 2);
    whole / 2 + jitter as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::tests::raised;
    use crate::life::{Change, Ending};
    use crate::route::tests::{NOON, ROUTES};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn routes() -> Routes {
        Routes::read(ROUTES).expect("sound")
    }

    /// An outbox that has been asked about this alert, and what it wanted.
    fn ask(outbox: &mut Outbox, alert: &Alert) -> Vec<Intent> {
        let wanting = outbox.wanting(alert, &routes(), at(0), NOON);
        for intent in &wanting {
            outbox.intended(intent.clone(), at(0));
        }
        wanting
    }

    #[test]
    fn nothing_is_said_twice_and_who_heard_of_it_hears_that_it_is_over() {
        let (mut outbox, mut alert) = (Outbox::default(), raised());
        assert_eq!(ask(&mut outbox, &alert).len(), 1);
        assert_eq!(ask(&mut outbox, &alert), []);
        alert.evolve(&Change::Escalated { level: 1 }, at(900));
        let second: Vec<String> = ask(&mut outbox, &alert).into_iter().map(|intent| intent.person).collect();
        assert_eq!(second, ["boss"], "kim knows already");
        alert.evolve(&Change::Resolved { because: Ending::Over { at: at(950) } }, at(960));
        let mut over: Vec<String> = ask(&mut outbox, &alert).into_iter().map(|intent| intent.person).collect();
        over.sort();
        assert_eq!(over, ["boss", "kim"]);
        assert_eq!(ask(&mut outbox, &alert), []);
    }

    #[test]
    fn a_reopened_alert_is_news_again() {
        let (mut outbox, mut alert) = (Outbox::default(), raised());
        let first = ask(&mut outbox, &alert);
        alert.evolve(&Change::Resolved { because: Ending::Over { at: at(10) } }, at(10));
        ask(&mut outbox, &alert);
        alert.evolve(&Change::Reopened { began: at(20), late: false, fact: None }, at(20));
        let again = ask(&mut outbox, &alert);
        assert_eq!((again.len(), again[0].id == first[0].id), (1, false));
    }

    #[test]
    fn an_attempt_that_was_cut_off_is_repeated_under_its_id_and_counted() {
        let mut outbox = Outbox::default();
        let id = ask(&mut outbox, &raised())[0].id;
        outbox.attempted(id, at(1));
        assert_eq!(outbox.due(at(2)).count(), 0, "it is under way");
        assert_eq!(outbox.due(at(61)).map(|message| message.intent.id).collect::<Vec<_>>(), [id]);
        outbox.attempted(id, at(61));
        outbox.ended(id, &Outcome::Delivered, at(62));
        let message = outbox.message(id).expect("known");
        assert_eq!((message.attempts, message.repeats, message.is_delivered()), (2, 1, true));
        assert_eq!(outbox.due(at(9_999)).count(), 0);
    }

    #[test]
    fn pauses_grow_and_end_in_giving_up_with_the_reason() {
        let mut outbox = Outbox::default();
        let id = ask(&mut outbox, &raised())[0].id;
        let (mut now, mut pauses) = (at(0), Vec::new());
        while outbox.message(id).expect("known").given_up().is_none() {
            let due = (0..).map(|step| now.plus_seconds(step)).find(|now| outbox.due(*now).count() == 1);
            let due = due.expect("it comes due");
            pauses.push(due.micros() - now.micros());
            outbox.attempted(id, due);
            outbox.ended(id, &Outcome::Failed { reason: "connection refused".into() }, due);
            now = due;
        }
        assert_eq!(pauses.len(), ATTEMPTS_MAX as usize);
        assert!(pauses[1] >= PAUSE_FIRST_MICROS / 2 && pauses[11] >= PAUSE_LONGEST_MICROS / 2, "{pauses:?}");
        assert_eq!(outbox.message(id).and_then(Message::given_up), Some("connection refused"));
    }

    #[test]
    fn ids_go_into_both_sorts_of_header() {
        let id = MessageId(0xab);
        assert_eq!(id.email("medfleet.example"), "<00000000000000ab@medfleet.example>");
        assert_eq!(id.webhook(), "msg_00000000000000ab");
    }
}
