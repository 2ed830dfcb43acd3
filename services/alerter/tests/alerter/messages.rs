//! What is sent, what becomes of it, and what a kill between the two does.

use std::time::{Duration, Instant};

use medfleet_alerter::DeskConfig;
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

/// A device that reports an error and stands still calls people once, whatever is killed; they hear of its end once.
#[tokio::test]
async fn an_error_and_the_failure_that_follows_are_one_incident_and_one_call() {
    let (house, sink) = (House::open().await, Sink::open(200).await);
    let (desk, sender) = (house.quick_desk(), house.sender(&sink.url));
    house.say(ct(), 0, error()).await;
    let error_id = only_alert(&house.book_when("the message", delivered(1)).await);
    house.say(ct(), 150, shows(Condition::UnscheduledDown)).await;
    let is_part = |book: &Book| book.case(error_id).is_some_and(|case| case.alert.whole().is_some());
    house.book_when("one incident", is_part).await;
    desk.kill().await;
    sender.kill().await;
    std::fs::remove_dir_all(house.folder.path().join("alerter")).ok();
    let (desk, sender) = (house.quick_desk(), house.sender(&sink.url));
    house.say(ct(), 0, error()).await;
    // Said last: once that has been told, all before it has been decided.
    house.say(Subject::new(SubjectKind::Device, "mr-9").unwrap(), 0, error()).await;
    let book = house.book_when("the message of another device", delivered(2)).await;
    let open: Vec<&str> = book.cases().filter(|one| one.alert.is_open()).map(|one| &*one.alert.about.rule).collect();
    assert_eq!(open.len(), 2, "{book:#?}");
    assert!(open.contains(&"device-failed"), "{open:?}");
    assert_eq!(sink.taken().len(), 2, "nobody was called twice for ct-1");
    house.say(ct(), 0, shows(Condition::Standby)).await;
    house.book_when("word of the end", delivered(3)).await;
    sender.stop().await;
    desk.stop().await;
    let over = &sink.taken()[2].body;
    assert!(over.contains("alert.over") && over.contains(&error_id.to_string()), "{over}");
}

fn to(people: &str, route: &str) -> String {
    format!("people: {{ {people} }}\nroutes: [{{ name: all, {route} }}]\n")
}

#[tokio::test]
async fn what_nobody_takes_reaches_the_second_level_and_what_is_taken_does_not() {
    let house = House::open().await;
    let (kim, boss) = (Sink::open(200).await, Sink::open(200).await);
    let rules = "rules: [{ name: broken, when: device_error, urgency: page, says: broken, escalate_minutes: [0] }]\n";
    let desk = house.desk(DeskConfig { rules: rules.into(), tick_milliseconds: 100, ..DeskConfig::default() });
    let people = format!("kim: [{{ webhook: \"{}\" }}], boss: [{{ webhook: \"{}\" }}]", kim.url, boss.url);
    let sender = house.sender_by(&to(&people, "levels: [[{ people: [kim] }], [{ people: [boss] }]]"));
    house.say(ct(), 0, error()).await;
    let id = only_alert(&house.book_when("both levels", delivered(2)).await);
    house.ask("r-1", id, Wish::Acknowledge).await;
    house.ask("r-2", id, Wish::Resolve { reason: "fuse replaced".into() }).await;
    let book = house.book_when("the end, to both", delivered(4)).await;
    sender.stop().await;
    desk.stop().await;
    assert_eq!((kim.taken().len(), boss.taken().len()), (2, 2), "each was called once, and told of the end");
    assert!(boss.taken()[0].body.contains("\"level\":1"), "{}", boss.taken()[0].body);
    let changes: Vec<&str> = book.case(id).unwrap().steps.iter().map(|step| step.change.name()).collect();
    assert_eq!(changes, ["raised", "escalated", "acknowledged", "resolved"]);
}

#[tokio::test]
async fn in_quiet_hours_only_a_page_is_sent_and_what_can_wait_comes_with_their_end() {
    let (house, sink) = (House::open().await, Sink::open(200).await);
    let desk = house.quick_desk();
    let kim = format!("kim: [{{ webhook: \"{}\" }}]", sink.url);
    let sender =
        house.sender_by(&to(&kim, "levels: [[{ people: [kim] }]], quiet: { from: \"00:00\", until: \"24:00\" }"));
    house.say(Subject::new(SubjectKind::Device, "ct-2").unwrap(), 0, error()).await;
    house.book_when("the error", |book| book.cases().count() == 1).await;
    // Decided and told after it.
    house.say(ct(), 150, shows(Condition::UnscheduledDown)).await;
    house.book_when("the page", delivered(1)).await;
    sender.stop().await;
    assert!(sink.taken().len() == 1 && sink.taken()[0].body.contains("device/ct-1"), "{:?}", sink.taken());
    // The hours that are quiet have another end now.
    let sender = house.sender_by(&to(&kim, "levels: [[{ people: [kim] }]]"));
    house.book_when("what had waited", delivered(2)).await;
    sender.stop().await;
    desk.stop().await;
    assert!(sink.taken()[1].body.contains("device/ct-2"));
}

#[tokio::test]
async fn an_address_that_is_gone_is_asked_once_and_again_at_the_next_level() {
    let house = House::open().await;
    let (gone, boss) = (Sink::open(410).await, Sink::open(200).await);
    let desk = house.quick_desk();
    let people = format!("kim: [{{ webhook: \"{}\" }}], boss: [{{ webhook: \"{}\" }}]", gone.url, boss.url);
    let sender = house.sender_by(&to(&people, "levels: [[{ people: [kim, boss] }]]"));
    house.say(ct(), 0, error()).await;
    let given_up =
        |book: &Book| standings(book) == ["delivered", "given_up"] || standings(book) == ["given_up", "delivered"];
    let book = house.book_when("an end of both", given_up).await;
    let refused = book.outbox().messages().find(|message| message.given_up().is_some()).unwrap();
    assert!(refused.attempts == 1 && refused.given_up().unwrap().contains("410"), "{refused:?}");
    let id = only_alert(&book);
    house.ask("r-1", id, Wish::Resolve { reason: "fuse replaced".into() }).await;
    house.book_when("the end, to whom it had reached", delivered(2)).await;
    sender.stop().await;
    desk.stop().await;
    assert_eq!((gone.taken().len(), boss.taken().len()), (1, 2));
}
