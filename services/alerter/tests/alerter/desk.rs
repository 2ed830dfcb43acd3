//! What the desk decides over the log, and what it makes of a life before.

use medfleet_alerter::{AlerterError, DeskConfig};
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::{Change, Ending, Finding, Wish};
use medfleet_domain::condition::Condition;
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::time::Timestamp;
use medfleet_runtime::now_micros;

use super::house::{House, ct, error, only_alert, shows};

#[tokio::test]
async fn ten_thousand_errors_of_one_storm_are_one_alert_with_one_step() {
    let house = House::open().await;
    let at = Timestamp(now_micros());
    for part in 0..10 {
        let record = House::record(ct(), part, at, (0..1_000).map(|_| error()).collect());
        house.log.append(vec![record]).await.unwrap();
    }
    let desk = house.quick_desk();
    // Said last, it is heard after the storm.
    house.say(Subject::new(SubjectKind::Device, "mr-9").unwrap(), 0, error()).await;
    let book = house.book_when("two alerts", |book| book.cases().count() == 2).await;
    desk.stop().await;
    let steps: Vec<usize> = book.cases().map(|case| case.steps.len()).collect();
    assert_eq!(steps, [1, 1]);
}

#[tokio::test]
async fn a_life_goes_on_where_the_one_before_was_killed() {
    let house = House::open().await;
    house.say(ct(), 0, error()).await;
    for round in 0..5 {
        let desk = house.quick_desk();
        let expected = 1 + round;
        house.book_when("the alert", |book| book.cases().count() == expected).await;
        let other = Subject::new(SubjectKind::Device, &format!("ct-{}", round + 2)).unwrap();
        house.say(other, 0, error()).await;
        house.book_when("the next alert", |book| book.cases().count() == expected + 1).await;
        desk.kill().await;
    }
    let book = house.book().await;
    assert!(book.cases().all(|case| case.steps.len() == 1), "{book:#?}");
}

#[tokio::test]
async fn a_life_without_the_memory_of_the_one_before_says_nothing_twice() {
    let house = House::open().await;
    let desk = house.quick_desk();
    house.say(ct(), 0, error()).await;
    let book = house.book_when("the alert", |book| book.cases().count() == 1).await;
    let id = only_alert(&book);
    house.ask("r-1", id, Wish::Acknowledge).await;
    house.ask("r-2", id, Wish::Judge { finding: Finding::Confirmed }).await;
    house.book_when("the answers", |book| book.case(id).is_some_and(|case| case.answers.len() == 2)).await;
    desk.stop().await;
    std::fs::remove_dir_all(house.folder.path().join("alerter")).unwrap();
    let desk = house.quick_desk();
    house.say(ct(), 0, error()).await;
    house.ask("r-1", id, Wish::Acknowledge).await;
    house.ask("r-3", id, Wish::Resolve { reason: "fuse replaced".into() }).await;
    let book = house.book_when("the end", |book| book.case(id).is_some_and(|case| case.answer("r-3").is_some())).await;
    desk.stop().await;
    let changes: Vec<&str> = book.case(id).unwrap().steps.iter().map(|step| step.change.name()).collect();
    assert_eq!(changes, ["raised", "acknowledged", "judged", "resolved"]);
    assert_eq!(book.cases().count(), 1);
}

#[tokio::test]
async fn a_request_sent_again_is_decided_once_and_a_wrong_one_is_refused_in_words() {
    let house = House::open().await;
    let desk = house.quick_desk();
    house.say(ct(), 0, error()).await;
    let id = only_alert(&house.book_when("the alert", |book| book.cases().count() == 1).await);
    for _ in 0..3 {
        house.ask("r-1", id, Wish::Acknowledge).await;
    }
    house.ask("r-2", id, Wish::Acknowledge).await;
    let answered = |book: &medfleet_alerts::book::Book| book.case(id).is_some_and(|case| case.answer("r-2").is_some());
    let book = house.book_when("both answers", answered).await;
    desk.stop().await;
    let case = book.case(id).unwrap();
    assert_eq!((case.steps.len(), case.answers.len()), (2, 2));
    assert_eq!(case.answer("r-2").unwrap().refused.as_deref(), Some("kim has acknowledged it already"));
}

#[tokio::test]
async fn another_desk_ends_the_first_and_nothing_is_said_twice() {
    let house = House::open().await;
    let first = house.quick_desk();
    house.say(ct(), 0, error()).await;
    house.book_when("the alert", |book| book.cases().count() == 1).await;
    let second = house.quick_desk();
    let ended = first.task.await.unwrap();
    assert!(matches!(ended, Err(AlerterError::Fenced { writer: "desk" })), "{ended:?}");
    house.say(Subject::new(SubjectKind::Device, "mr-9").unwrap(), 0, error()).await;
    let book = house.book_when("the second alert", |book| book.cases().count() == 2).await;
    second.stop().await;
    assert!(book.cases().all(|case| case.steps.len() == 1));
}

#[tokio::test]
async fn rules_are_kept_in_the_log_and_alerts_of_a_rule_that_is_gone_end() {
    let house = House::open().await;
    let desk = house.quick_desk();
    house.say(ct(), 0, error()).await;
    let id = only_alert(&house.book_when("the alert", |book| book.cases().count() == 1).await);
    desk.stop().await;
    assert_eq!(house.book().await.rules(), Some(Rules::embedded_text()));
    let rules = "rules: [{ name: failed, when: device_failed, urgency: page, says: down }]\n".to_owned();
    let desk = house.desk(DeskConfig { rules: rules.clone(), ..Default::default() });
    let book = house.book_when("the end", |book| book.case(id).is_some_and(|case| !case.alert.is_open())).await;
    desk.stop().await;
    assert_eq!(book.rules(), Some(rules.as_str()));
    let last = book.case(id).unwrap().steps.last().unwrap();
    assert!(matches!(&last.change, Change::Resolved { because: Ending::By { person, .. } } if person == "medfleet"));
}

#[tokio::test]
async fn rules_in_force_hold_though_the_memory_is_older() {
    let house = House::open().await;
    house.quick_desk().stop().await;
    let rules =
        "rules: [{ name: broken, when: device_error, severity: critical, urgency: page, says: broken }]\n".to_owned();
    let memory_folder = Some(house.folder.path().join("alerter"));
    let config = DeskConfig { rules: rules.clone(), memory_folder, ..DeskConfig::default() };
    let desk = house.desk(config.clone());
    house.book_when("the other rules", |book| book.rules() == Some(rules.as_str())).await;
    desk.kill().await;
    let desk = house.desk(config);
    house.say(ct(), 0, error()).await;
    let book = house.book_when("an alert", |book| book.cases().count() > 0).await;
    desk.stop().await;
    assert_eq!(book.cases().map(|case| &*case.alert.about.rule).collect::<Vec<_>>(), ["broken"]);
}

#[tokio::test]
async fn a_device_that_fails_and_works_again_is_raised_and_resolved() {
    let house = House::open().await;
    let desk = house.quick_desk();
    house.say(ct(), 600, shows(Condition::Productive)).await;
    house.say(ct(), 300, shows(Condition::UnscheduledDown)).await;
    let open = |book: &medfleet_alerts::book::Book| book.cases().any(|case| case.alert.is_open());
    let id = only_alert(&house.book_when("the failure", open).await);
    house.say(ct(), 0, shows(Condition::Standby)).await;
    let book = house.book_when("the end", |book| !open(book)).await;
    desk.stop().await;
    assert!(matches!(book.case(id).unwrap().alert.ended, Some((_, Ending::Over { .. }))));
}

#[tokio::test]
async fn an_older_memory_is_as_good_as_the_last() {
    let house = House::open().await;
    let first = house.quick_desk();
    house.say(ct(), 0, error()).await;
    house.book_when("the alert", |book| book.cases().count() == 1).await;
    first.stop().await;
    let path = house.folder.path().join("alerter/desk.memory");
    let kept = std::fs::read(&path).unwrap();
    let second = house.quick_desk();
    house.say(Subject::new(SubjectKind::Device, "mr-9").unwrap(), 0, error()).await;
    house.book_when("the second alert", |book| book.cases().count() == 2).await;
    second.stop().await;
    assert_ne!(kept, std::fs::read(&path).unwrap());
    std::fs::write(&path, kept).unwrap();
    let third = house.quick_desk();
    house.say(Subject::new(SubjectKind::Device, "us-3").unwrap(), 0, error()).await;
    let book = house.book_when("the third alert", |book| book.cases().count() == 3).await;
    third.stop().await;
    assert!(book.cases().all(|case| case.steps.len() == 1), "{book:#?}");
}
