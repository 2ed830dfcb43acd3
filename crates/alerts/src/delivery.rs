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
    pub fn wanting(&self, alert: &Alert, routes: &Routes, now: Timestamp, wall: Wall) -> Vec<Intent> {
        let told = routes.recipients(alert, now, wall).into_iter().map(|(person, channel)| {
            let level = self.level_told(alert, channel).unwrap_or(alert.escalations);
            (person.to_owned(), channel.clone(), Occasion::Attention { call: alert.calls, level })
        });
        let over = if alert.is_open() { Vec::new() } else { self.to_be_told_of_the_end(alert) };
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
    fn to_be_told_of_the_end(&self, alert: &Alert) -> Vec<(String, Channel, Occasion)> {
        let mut last: BTreeMap<&Channel, (Occasion, &str)> = BTreeMap::new();
        for Message { intent, .. } in self.of(alert.id).filter(|message| message.is_open() || message.is_delivered()) {
            let Occasion::Attention { call, level } = intent.occasion else { continue };
            let over = (Occasion::Over { call, level }, intent.person.as_str());
            last.entry(&intent.channel).and_modify(|held| *held = over.max(*held)).or_insert(over);
        }
        last.into_iter().map(|(channel, (over, person))| (person.to_owned(), channel.clone(), over)).collect()
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
mod tests {
    use super::*;
    use medfleet_domain::alert::{Change, Ending};

    use crate::route::tests::{NOON, ROUTES};
    use crate::testing::raised;

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
        alert.evolve(&Change::Reopened { began: at(20), late: false, fact: None, score: None }, at(20));
        let again = ask(&mut outbox, &alert);
        assert_eq!((again.len(), again[0].id == first[0].id), (1, false));
    }

    #[test]
    fn what_ended_came_back_and_ended_before_anything_was_said_is_over_for_who_heard_of_it_first() {
        let (mut outbox, mut alert) = (Outbox::default(), raised());
        let first = ask(&mut outbox, &alert);
        alert.evolve(&Change::Resolved { because: Ending::Over { at: at(10) } }, at(10));
        alert.evolve(&Change::Reopened { began: at(20), late: false, fact: None, score: None }, at(20));
        alert.evolve(&Change::Resolved { because: Ending::Over { at: at(30) } }, at(30));
        let over = ask(&mut outbox, &alert);
        let Occasion::Attention { call, level } = first[0].occasion else { panic!("{first:?}") };
        assert_eq!(over.iter().map(|intent| intent.occasion).collect::<Vec<_>>(), [Occasion::Over { call, level }]);
        assert_eq!(ask(&mut outbox, &alert), [], "once");
    }

    #[test]
    fn a_snooze_ends_in_being_told_again_and_the_end_is_told_once() {
        let (mut outbox, mut alert) = (Outbox::default(), raised());
        let first = ask(&mut outbox, &alert);
        alert.evolve(&Change::Snoozed { until: at(600), by: "kim".into() }, at(0));
        assert_eq!(ask(&mut outbox, &alert), [], "it sleeps");
        let again = outbox.wanting(&alert, &routes(), at(600), NOON);
        assert_eq!((again.len(), again[0].id == first[0].id), (1, false));
        outbox.intended(again[0].clone(), at(600));
        assert_eq!(outbox.wanting(&alert, &routes(), at(700), NOON), []);
        alert.evolve(&Change::Resolved { because: Ending::Over { at: at(800) } }, at(800));
        assert_eq!(ask(&mut outbox, &alert).len(), 1);
        assert_eq!(ask(&mut outbox, &alert), []);
    }

    fn send_all(outbox: &mut Outbox, alert: &Alert, now: Timestamp) -> Vec<Occasion> {
        let mut sent = Vec::new();
        loop {
            let errands: Vec<(bool, Intent)> = outbox
                .errands(now, |_| Some(alert))
                .map(|errand| match errand {
                    Errand::Send(message) => (true, message.intent.clone()),
                    Errand::Drop(message) => (false, message.intent.clone()),
                })
                .collect();
            if errands.is_empty() {
                return sent;
            }
            for (send, Intent { id, occasion, .. }) in errands {
                if send {
                    outbox.attempted(id, now);
                    sent.push(occasion);
                }
                outbox.ended(id, &if send { Outcome::Delivered } else { moot() }, now);
            }
        }
    }

    #[test]
    fn nobody_is_told_of_what_was_taken_or_ended_before_it_was_sent_nor_that_it_is_over() {
        for change in [
            Change::Acknowledged { by: "lee".into() },
            Change::Snoozed { until: at(9_000), by: "lee".into() },
            Change::Resolved { because: Ending::Over { at: at(10) } },
        ] {
            let (mut outbox, mut alert) = (Outbox::default(), raised());
            let id = ask(&mut outbox, &alert)[0].id;
            alert.evolve(&change, at(10));
            ask(&mut outbox, &alert);
            assert_eq!(send_all(&mut outbox, &alert, at(20)), [], "{change:?}");
            assert_eq!(outbox.message(id).map(Message::standing), Some("moot"));
            alert.evolve(&Change::Resolved { because: Ending::Over { at: at(30) } }, at(30));
            assert_eq!((ask(&mut outbox, &alert), send_all(&mut outbox, &alert, at(40))), (vec![], vec![]));
        }
    }

    #[test]
    fn that_it_is_over_is_said_after_that_it_is_there_whatever_their_ids() {
        let over = Occasion::Over { call: 0, level: 0 };
        let (mut outbox, mut alert) = (Outbox::default(), raised());
        let id = ask(&mut outbox, &alert)[0].id;
        outbox.attempted(id, at(1));
        alert.evolve(&Change::Resolved { because: Ending::Over { at: at(10) } }, at(10));
        assert_eq!(ask(&mut outbox, &alert).iter().map(|intent| intent.occasion).collect::<Vec<_>>(), [over]);
        assert_eq!(outbox.errands(at(20), |_| Some(&alert)).count(), 0, "the first is under way");
        let mut failed = outbox.clone();
        failed.ended(id, &Outcome::Refused { reason: "410 Gone".into() }, at(21));
        assert_eq!(send_all(&mut failed, &alert, at(22)), [], "it reached nobody");
        outbox.ended(id, &Outcome::Delivered, at(21));
        assert_eq!(send_all(&mut outbox, &alert, at(22)), [over]);
    }

    #[test]
    fn an_attempt_that_was_cut_off_is_made_again_though_the_alert_is_over() {
        let (mut outbox, mut alert) = (Outbox::default(), raised());
        let id = ask(&mut outbox, &alert)[0].id;
        outbox.attempted(id, at(1));
        alert.evolve(&Change::Resolved { because: Ending::Over { at: at(10) } }, at(10));
        outbox.cut_off();
        let sent = send_all(&mut outbox, &alert, at(20));
        assert_eq!(sent, [Occasion::Attention { call: 0, level: 0 }]);
        assert_eq!(outbox.message(id).map(|message| message.repeats), Some(1));
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
    fn what_an_earlier_life_of_the_sender_had_begun_is_due_at_once() {
        let mut outbox = Outbox::default();
        let id = ask(&mut outbox, &raised())[0].id;
        outbox.attempted(id, at(1));
        outbox.cut_off();
        assert_eq!(outbox.due(at(2)).count(), 1);
        outbox.attempted(id, at(2));
        assert_eq!(outbox.message(id).map(|message| message.repeats), Some(1));
    }

    /// Pauses of a message whose every attempt fails, until it is given up or this moment.
    fn fail(outbox: &mut Outbox, id: MessageId, until: Timestamp) -> Vec<i64> {
        let (mut now, mut pauses) = (at(0), Vec::new());
        while outbox.message(id).expect("known").given_up().is_none() {
            let due = (0..).map(|step| now.plus_seconds(step)).find(|now| outbox.due(*now).count() == 1);
            let due = due.expect("it comes due");
            if due > until {
                break;
            }
            pauses.push(due.micros() - now.micros());
            outbox.attempted(id, due);
            outbox.ended(id, &Outcome::Failed { reason: "connection refused".into() }, due);
            now = due;
        }
        pauses
    }

    #[test]
    fn pauses_grow_and_end_in_giving_up_with_the_reason() {
        let mut outbox = Outbox::default();
        let id = ask(&mut outbox, &raised())[0].id;
        let pauses = fail(&mut outbox, id, Timestamp::MAX);
        assert_eq!(pauses.len(), CALL_ATTEMPTS_MAX as usize);
        assert!(pauses[1] >= PAUSE_FIRST_MICROS / 2 && pauses[11] >= PAUSE_LONGEST_MICROS / 2, "{pauses:?}");
        let days = pauses.iter().sum::<i64>() / (24 * PAUSE_LONGEST_MICROS);
        assert!((4..=7).contains(&days), "{days} days");
        assert_eq!(outbox.message(id).and_then(Message::given_up), Some("connection refused"));
    }

    /// A pager that was away for three hours once lost all its calls.
    #[test]
    fn who_could_not_be_reached_for_a_day_is_called_as_long_as_the_alert_asks() {
        let mut outbox = Outbox::default();
        let alert = raised();
        let id = ask(&mut outbox, &alert)[0].id;
        fail(&mut outbox, id, at(24 * 3_600));
        let later = at(26 * 3_600);
        let case = |of: AlertId| (of == alert.id).then_some(&alert);
        let calls = |errand: Errand<'_>| matches!(errand, Errand::Send(message) if message.intent.id == id);
        assert!(outbox.errands(later, case).any(calls));
    }

    #[test]
    fn an_address_that_refused_for_good_is_tried_again_at_the_next_level() {
        let mut outbox = Outbox::default();
        let mut alert = raised();
        let first = ask(&mut outbox, &alert);
        for intent in &first {
            outbox.attempted(intent.id, at(1));
            outbox.ended(intent.id, &Outcome::Refused { reason: "410 Gone".into() }, at(1));
        }
        alert.evolve(&Change::Escalated { level: 1 }, at(900));
        let again = ask(&mut outbox, &alert);
        let channels = |intents: &[Intent]| intents.iter().map(|one| one.channel.clone()).collect::<BTreeSet<_>>();
        assert!(channels(&first).is_subset(&channels(&again)), "{again:?}");
    }
}
