//! From a figure down to its facts and their places in the log.

use medfleet_domain::fact::{Amendment, Body, Replacement};
use medfleet_domain::human::{Claimed, Phase};
use medfleet_kpi::ask::{Evidence, evidence};

use crate::given::{House, S, at, question};

#[tokio::test]
async fn from_a_span_down_to_its_facts_and_their_places_in_the_log() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 08:00", "03-20 12:00");
    let stretches = house.told_at;
    house.claims("ct-7", "03-20 12:30", Claimed::Down, "03-20 10:30", Some("03-20 11:30"));
    let claim = house.told_at;
    let asked = question("03-20 10:30", "03-20 11:30", "03-21 00:00").of_device("ct-7");
    let found = evidence(&house.session().await, &asked).await.expect("the view answers");
    let seen: Vec<(&str, i64)> = found.iter().map(|one| (one.fact.body.name(), one.log_offset)).collect();
    // Ten to eleven and eleven to twelve, told third and fourth of the four hours.
    let hours = [("stretch", stretches as i64 - 1), ("stretch", stretches as i64)];
    assert_eq!(seen, [hours[0], hours[1], ("asserted", claim as i64)]);
    let caused: Vec<&str> = found.iter().filter(|one| one.is_cause).map(|one| one.fact.body.name()).collect();
    assert_eq!(caused, ["asserted"], "the claim made the rows what they are");
    assert!(matches!(&found[2].fact.body, Body::Asserted(asserted) if asserted.author == "kim"));
}

#[tokio::test]
async fn from_a_repair_down_to_all_that_was_told_of_its_order_and_not_of_others() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.order("ct-7", "wo-1", "03-18 09:00", Phase::Opened);
    house.order("ct-7", "wo-1", "03-20 11:00", Phase::RepairStarted);
    let void = house.order("ct-7", "wo-1", "03-20 11:30", Phase::Arrived);
    house.order("ct-7", "wo-1", "03-22 10:00", Phase::ReturnedToService);
    house.order("ct-7", "wo-2", "03-21 09:00", Phase::Opened);
    house.order("ct-8", "wo-3", "03-20 11:00", Phase::Opened);
    house.voids("ct-7", "03-23 08:00", void);
    let asked = question("03-20 10:00", "03-20 12:00", "03-25 00:00").of_device("ct-7");
    let found = evidence(&house.session().await, &asked).await.expect("the view answers");
    let phase = |one: &Evidence| match &one.fact.body {
        Body::Order(order) => Some((order.order.clone(), order.phase)),
        _ => None,
    };
    let told: Vec<(String, Phase)> = found.iter().filter_map(phase).collect();
    let of = |phase| ("wo-1".to_owned(), phase);
    assert_eq!(told, [of(Phase::Opened), of(Phase::RepairStarted), of(Phase::ReturnedToService)]);
    assert!(found.iter().all(|one| one.is_cause && one.log_offset > 0), "each with its place in the log");
    // Of its void nothing is left, and nothing else was told then.
    let voided = question("03-20 11:15", "03-20 12:00", "03-25 00:00").of_device("ct-7");
    assert_eq!(evidence(&house.session().await, &voided).await.expect("the view answers"), []);
    let later = question("03-23 10:00", "03-24 12:00", "03-25 00:00").of_device("ct-7");
    assert_eq!(evidence(&house.session().await, &later).await.expect("the view answers"), []);
}

#[tokio::test]
async fn what_was_corrected_is_evidence_beside_its_correction_where_it_lies_now() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let target = house.order("ct-7", "wo-1", "03-18 09:00", Phase::Opened);
    let asked = question("03-18 08:00", "03-18 10:00", "03-25 00:00").of_device("ct-7");
    let told = evidence(&house.session().await, &asked).await.expect("the view answers");
    let body = told[0].fact.body.clone();
    let (author, reason) = ("kim".into(), "wrong day".into());
    let replacement = Some(Replacement { at: at("03-20 11:00"), body });
    house.says(
        "ct-7",
        "03-21 08:00",
        "03-21 08:00",
        Body::Amended(Box::new(Amendment { target, replacement, author, reason })),
    );
    let mut names = Vec::new();
    for (from, until) in [("03-18 08:00", "03-18 10:00"), ("03-20 10:00", "03-20 12:00")] {
        let asked = question(from, until, "03-25 00:00").of_device("ct-7");
        let found = evidence(&house.session().await, &asked).await.expect("the view answers");
        names.push(found.iter().map(|one| one.fact.body.name()).collect::<Vec<_>>());
    }
    assert_eq!(names, [vec![], vec!["order", "corrected"]]);
}
