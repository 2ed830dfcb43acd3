//! What is sent, what becomes of it, and what a kill between the two does.

use std::time::{Duration, Instant};

use medfleet_alerts::book::Book;
use medfleet_alerts::delivery::Message;
use medfleet_domain::alert::Wish;
use medfleet_domain::condition::Condition;
use medfleet_domain::id::{Subject, SubjectKind};

use super::house::{House, ct, error, only_alert, shows};
use super::sink::Sink;

fn standings(book: &Book) -> Vec<&'static str> {
    book.outbox().messages().map(Message::standing).collect()
}

fn delivered(count: usize) -> impl Fn(&Book) -> bool {
    move |book| standings(book).iter().filter(|standing| **standing == "delivered").count() == count
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn who_is_told_that_it_is_there_is_told_that_it_is_over() {
    let (house, sink) = (House::open().await, Sink::open(204).await);
    let (desk, sender) = (house.quick_desk(), house.sender(&sink.url));
    house.say(ct(), 0, error()).await;
    let id = only_alert(&house.book_when("the message", delivered(1)).await);
    house.ask("r-1", id, Wish::Resolve { reason: "fuse replaced".into() }).await;
    house.book_when("the second message", delivered(2)).await;
    desk.stop().await;
    sender.stop().await;
    let kinds: Vec<bool> = sink.taken().iter().map(|post| post.body.contains("alert.over")).collect();
    assert_eq!(kinds, [false, true]);
    assert!(sink.taken()[0].headers["webhook-signature"].starts_with("v1,"));
}

#[tokio::test]
async fn a_kill_between_send_and_outcome_repeats_the_message_under_its_id() {
    let (house, sink) = (House::open().await, Sink::open(0).await);
    let desk = house.quick_desk();
    house.say(ct(), 0, error()).await;
    for kill in 1..=3 {
        let sender = house.sender(&sink.url);
        until("the attempt", || sink.taken().len() == kill).await;
        sender.kill().await;
    }
    sink.answer.send_replace(200);
    let sender = house.sender(&sink.url);
    let book = house.book_when("the message", delivered(1)).await;
    sender.stop().await;
    desk.stop().await;
    let ids = sink.ids();
    assert!(ids.len() == 4 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let message = book.outbox().messages().next().unwrap();
    assert_eq!((message.attempts, message.repeats), (4, 3));
}

#[tokio::test]
async fn one_message_at_a_time_is_under_way_to_an_address() {
    let (house, sink) = (House::open().await, Sink::open(0).await);
    let (desk, sender) = (house.quick_desk(), house.sender(&sink.url));
    for name in ["ct-1", "ct-2", "ct-3"] {
        house.say(Subject::new(SubjectKind::Device, name).unwrap(), 0, error()).await;
    }
    house.book_when("three intents", |book| book.outbox().messages().count() == 3).await;
    until("the attempt", || sink.taken().len() == 1).await;
    let book = house.book().await;
    assert_eq!(standings(&book).iter().filter(|standing| **standing == "sending").count(), 1);
    sink.answer.send_replace(200);
    house.book_when("all messages", delivered(3)).await;
    sender.stop().await;
    desk.stop().await;
    assert_eq!(sink.taken().len(), 3);
}

#[tokio::test]
async fn a_day_off_the_net_that_ends_wakes_nobody_for_yesterday() {
    let (house, sink) = (House::open().await, Sink::open(200).await);
    let (desk, sender) = (house.quick_desk(), house.sender(&sink.url));
    let hours = |hours: i64| hours * 3_600;
    // Newest first, then what lies behind: a failure that ended, and errors.
    house.say(ct(), 0, shows(Condition::Productive)).await;
    house.say(ct(), hours(20), error()).await;
    house.say(ct(), hours(18), shows(Condition::UnscheduledDown)).await;
    house.say(ct(), hours(12), shows(Condition::Standby)).await;
    let book = house.book_when("both alerts", |book| book.cases().count() == 2).await;
    assert!(book.cases().all(|case| case.alert.late), "{book:#?}");
    // What happens now still wakes people, so the sender is at work.
    house.say(Subject::new(SubjectKind::Device, "ct-2").unwrap(), 0, error()).await;
    let book = house.book_when("the message", delivered(1)).await;
    sender.stop().await;
    desk.stop().await;
    assert_eq!(book.outbox().messages().count(), 1);
    assert!(sink.taken()[0].body.contains("device/ct-2"));
}
