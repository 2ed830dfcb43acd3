//! What the outbox does with messages that fail, are cut off, or have nothing to say any more.

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
    let wanting = outbox.wanting(&Incident::alone(alert), &routes(), at(0), NOON);
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
    let again = outbox.wanting(&Incident::alone(&alert), &routes(), at(600), NOON);
    assert_eq!((again.len(), again[0].id == first[0].id), (1, false));
    outbox.intended(again[0].clone(), at(600));
    assert_eq!(outbox.wanting(&Incident::alone(&alert), &routes(), at(700), NOON), []);
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

/// An alert about an error of the CT that was raised so many seconds before the CT's failure at noon, and became part of that.
fn error_before(failure: &Alert, seconds: i64) -> Alert {
    let (mut error, raised_at) = (raised(), failure.raised_at.plus_seconds(-seconds));
    error.about.rule = "device-error".into();
    error.id = AlertId(11);
    (error.raised_at, error.called_at) = (raised_at, raised_at);
    error
}

#[test]
fn who_was_called_for_an_error_a_moment_ago_is_not_called_for_its_failure_and_hears_its_end_with_that() {
    let told = |seconds: i64, outcome: Outcome| {
        let (mut outbox, mut failure) = (Outbox::default(), raised());
        let mut error = error_before(&failure, seconds);
        let first = ask(&mut outbox, &error).remove(0);
        outbox.attempted(first.id, at(0));
        outbox.ended(first.id, &outcome, at(0));
        error.evolve(&Change::Resolved { because: Ending::PartOf(failure.id) }, failure.raised_at);
        let whole = |outbox: &Outbox, failure: &Alert, error: &Alert| {
            let incident = Incident { parts: vec![error], ..Incident::alone(failure) };
            outbox.wanting(&incident, &routes(), at(0), NOON).into_iter().map(|one| one.person).collect::<Vec<_>>()
        };
        let part = |outbox: &Outbox, failure: &Alert, error: &Alert| {
            let incident = Incident { whole: Some(failure), ..Incident::alone(error) };
            outbox.wanting(&incident, &routes(), at(0), NOON).len()
        };
        let called = (whole(&outbox, &failure, &error), part(&outbox, &failure, &error));
        failure.evolve(&Change::Escalated { level: 1 }, at(0));
        let escalated = whole(&outbox, &failure, &error);
        failure.evolve(&Change::Resolved { because: Ending::Over { at: at(0) } }, at(0));
        (called, escalated, part(&outbox, &failure, &error))
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(told(120, Outcome::Delivered), ((names(&[]), 0), names(&["boss"]), 1));
    let failed = Outcome::Failed { reason: "451".into() };
    assert_eq!(told(120, failed).0.0, ["kim"], "nobody has heard of the error");
    assert_eq!(told(3_600, Outcome::Delivered).0, (names(&["kim"]), 1), "an hour later it has become worse");
}
