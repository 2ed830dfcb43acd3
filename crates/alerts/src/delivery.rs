//! Delivery: intent, attempt, outcome. Each is a fact; an attempt cut off between is made again under the id it had, and counted.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::alert::AlertId;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::message::{Channel, Intent, MessageId, Occasion, Outcome};
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use serde::{Deserialize, Serialize};

mod errand;

pub use errand::Errand;

use crate::incident::Incident;
use crate::route::{Routes, Wall};

/// Attempts of one message that an alert is over, at most.
pub const ATTEMPTS_MAX: u32 = 12;
/// Attempts of one message that asks for attention, at most: for a week, as long as its alert asks for it. A mail server that is away for a
/// morning takes nothing from anybody.
pub const CALL_ATTEMPTS_MAX: u32 = 12 + 7 * 24;
/// Pause after the first failed attempt; it doubles from one to the next, up to the longest.
const PAUSE_FIRST_MICROS: i64 = 5 * MICROS_PER_SECOND;
const PAUSE_LONGEST_MICROS: i64 = 3_600 * MICROS_PER_SECOND;
/// An attempt of which nothing more is heard has been cut off.
pub const ATTEMPT_MAX_MICROS: i64 = 60 * MICROS_PER_SECOND;

/// The reason of an outcome that the sender itself gives to a message it does not send.
const MOOT: &str = "moot: there was nothing to say any more";

/// The end of a message that is not sent.
pub fn moot() -> Outcome {
    Outcome::Refused { reason: MOOT.to_owned() }
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
    Due {
        at: Timestamp,
    },
    Sending {
        since: Timestamp,
    },
    Delivered,
    GivenUp {
        reason: String,
    },
    /// There was nothing to say any more.
    Moot,
}

/// All messages, as the facts about them have left them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outbox {
    messages: BTreeMap<MessageId, Message>,
    of_alert: BTreeMap<AlertId, Vec<MessageId>>,
    /// Neither delivered nor given up.
    open: BTreeSet<MessageId>,
}

impl Outbox {
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// What has to be said of an alert now and has not been: asked again at any time, it says nothing twice.
    pub fn wanting(&self, incident: &Incident<'_>, routes: &Routes, now: Timestamp, wall: Wall) -> Vec<Intent> {
        let alert = incident.alert;
        let called = |channel: &Channel| incident.parts.iter().any(|part| self.has_called(part, alert, channel));
        let recipients = routes.recipients(alert, now, wall).into_iter().filter(|(_, channel)| !called(channel));
        let told = recipients.map(|(person, channel)| {
            let level = self.level_told(alert, channel).unwrap_or(alert.escalations);
            (person.to_owned(), channel.clone(), Occasion::Attention { call: alert.calls, level })
        });
        let over = if alert.is_open() { Vec::new() } else { self.to_be_told_of_the_end(incident) };
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

    /// Who was told that it is there is told that it is over, once, however often they were told; also where it ended, came
    /// back and ended again before anything was said.
    fn to_be_told_of_the_end(&self, incident: &Incident<'_>) -> Vec<(String, Channel, Occasion)> {
        let alert = incident.alert;
        // Who was called for a part and not for the whole is told when that is over.
        let goes_on = |channel: &Channel| {
            incident.whole.is_some_and(|whole| whole.is_open() && self.has_called(alert, whole, channel))
        };
        let mut last: BTreeMap<&Channel, (Occasion, &str)> = BTreeMap::new();
        for Message { intent, .. } in self.of(alert.id).filter(|message| message.is_open() || message.is_delivered()) {
            let Occasion::Attention { call, level } = intent.occasion else { continue };
            let over = (Occasion::Over { call, level }, intent.person.as_str());
            last.entry(&intent.channel).and_modify(|held| *held = over.max(*held)).or_insert(over);
        }
        last.retain(|channel, _| !goes_on(channel));
        last.into_iter().map(|(channel, (over, person))| (person.to_owned(), channel.clone(), over)).collect()
    }

    /// Whether the call of a part has reached this channel, so that it need not be called for the whole. Alertmanager, which keeps alerts by
    /// their labels, is told of each.
    fn has_called(&self, part: &Alert, whole: &Alert, channel: &Channel) -> bool {
        let is_own = |message: &Message| {
            let Occasion::Attention { call, .. } = message.intent.occasion else { return false };
            call == part.calls && message.intent.channel == *channel
        };
        let reaches = |message: &Message| message.is_delivered() || matches!(message.state, State::Sending { .. });
        !matches!(channel, Channel::Alertmanager(_))
            && part.calls_for(whole)
            && self.of(part.id).any(|message| is_own(message) && reaches(message))
    }

    /// The level at which this channel has heard this call already: a higher level is no news to it.
    fn level_told(&self, alert: &Alert, channel: &Channel) -> Option<u8> {
        let heard = |message: &&Message| message.intent.channel == *channel && message.given_up().is_none();
        let of = self.of(alert.id).filter(heard);
        of.filter_map(|message| match message.intent.occasion {
            Occasion::Attention { call, level } if call == alert.calls => Some(level),
            _ => None,
        })
        .min()
    }

    /// It was decided to send this.
    pub fn intended(&mut self, intent: Intent, at: Timestamp) {
        if let Entry::Vacant(place) = self.messages.entry(intent.id) {
            self.of_alert.entry(intent.alert).or_default().push(intent.id);
            self.open.insert(intent.id);
            place.insert(Message { intent, attempts: 0, repeats: 0, state: State::Due { at } });
        }
    }

    /// Messages to be sent now: those that are due, and those whose attempt was cut off.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = &Message> {
        self.open().filter(move |message| match message.state {
            State::Due { at } => at <= now,
            State::Sending { since } => now.micros().saturating_sub(since.micros()) >= ATTEMPT_MAX_MICROS,
            State::Delivered | State::GivenUp { .. } | State::Moot => false,
        })
    }

    /// Drops what is known of messages about an alert.
    pub fn forget(&mut self, alert: AlertId) {
        for id in self.of_alert.remove(&alert).into_iter().flatten() {
            self.messages.remove(&id);
            self.open.remove(&id);
        }
    }

    /// Messages about an alert, oldest first.
    pub fn of(&self, alert: AlertId) -> impl Iterator<Item = &Message> {
        self.of_alert.get(&alert).into_iter().flatten().filter_map(|id| self.messages.get(id))
    }

    /// Messages that are neither delivered nor given up.
    pub fn open(&self) -> impl Iterator<Item = &Message> {
        self.open.iter().filter_map(|id| self.messages.get(id))
    }

    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// The sender begins a new life: what it had begun to send was cut off, and is due.
    pub fn cut_off(&mut self) {
        for id in &self.open {
            let Some(message) = self.messages.get_mut(id) else { continue };
            if let State::Sending { since } = &mut message.state {
                *since = Timestamp::MIN;
            }
        }
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
            Outcome::Refused { reason } if reason == MOOT => State::Moot,
            Outcome::Refused { reason } => State::GivenUp { reason: reason.clone() },
            Outcome::Failed { reason } if message.attempts >= message.attempts_max() => {
                State::GivenUp { reason: reason.clone() }
            }
            Outcome::Failed { .. } => State::Due { at: at.plus_micros(pause_micros(id, message.attempts)) },
        };
        if !message.is_open() {
            self.open.remove(&id);
        }
    }
}

impl Message {
    pub const fn is_delivered(&self) -> bool {
        matches!(self.state, State::Delivered)
    }

    /// An attempt was begun by a life of the sender that is over.
    pub fn is_cut_off(&self) -> bool {
        matches!(self.state, State::Sending { since } if since == Timestamp::MIN)
    }

    /// Delivered, given_up, moot, sending or due: for whoever looks at it.
    pub const fn standing(&self) -> &'static str {
        match self.state {
            State::Delivered => "delivered",
            State::GivenUp { .. } => "given_up",
            State::Moot => "moot",
            State::Sending { .. } => "sending",
            State::Due { .. } => "due",
        }
    }

    /// Why it was given up, if it was.
    pub fn given_up(&self) -> Option<&str> {
        match &self.state {
            State::GivenUp { reason } => Some(reason),
            _ => None,
        }
    }

    const fn attempts_max(&self) -> u32 {
        match self.intent.occasion {
            Occasion::Attention { .. } => CALL_ATTEMPTS_MAX,
            Occasion::Over { .. } => ATTEMPTS_MAX,
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
mod tests;
