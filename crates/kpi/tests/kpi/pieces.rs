//! Spans of a device and phases of its orders, each with the record that told it.

use medfleet_domain::human::{Claimed, Party, Phase};
use medfleet_kpi::registry::view;
use serde_json::Value;

use crate::given::{House, P, S, UD, question};

/// Rows of a view over 20 March, as they are shown.
async fn rows(house: &House, name: &str, now: &str) -> Vec<serde_json::Map<String, Value>> {
    let asked = question("03-20 10:00", "03-20 14:00", now).of_device("ct-7");
    let table = view(name).expect("there is such a view").table(&house.session().await, &asked).await;
    table.expect("the view answers").objects()
}

fn cells(row: &serde_json::Map<String, Value>, names: &[&str]) -> String {
    let text = |name: &&str| row[*name].as_str().map_or_else(|| row[*name].to_string(), str::to_owned);
    names.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn pieces_are_whole_spans_with_the_record_that_made_each_and_a_claim_reaches_beyond_the_edge() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", P, "03-20 09:30", "03-20 11:00");
    let heard = house.told_at;
    house.hears("ct-7", UD, "03-20 11:00", "03-20 12:00");
    house.hears("ct-7", S, "03-20 16:00", "03-20 17:00");
    house.claims("ct-7", "03-20 17:05", Claimed::Down, "03-20 11:30", Some("03-20 12:30"));
    let claim = house.told_at;
    house.claims("ct-7", "03-20 17:10", Claimed::Down, "03-20 17:00", None);
    let names = ["origin", "from_at", "until_at", "condition", "claim", "author", "log_offset"];
    let seen: Vec<String> = rows(&house, "pieces", "03-20 18:00").await.iter().map(|row| cells(row, &names)).collect();
    let at = |time: &str| format!("2026-03-20T{time}:00Z");
    let wanted = [
        // It began before the period and is not cut; half past nine is another hour.
        format!("ledger {} {} productive false null {heard}", at("10:00"), at("11:00")),
        format!("ledger {} {} unscheduled_down false null {claim}", at("11:00"), at("11:30")),
        format!("ledger {} {} unscheduled_down true kim {claim}", at("11:30"), at("12:00")),
        format!("ledger {} {} unscheduled_down true kim {claim}", at("12:00"), at("12:30")),
    ];
    assert_eq!(seen, wanted);
    let asked = question("03-20 16:30", "03-20 20:00", "03-20 18:00");
    let later = view("pieces").expect("there is such a view").table(&house.session().await, &asked).await;
    let later: Vec<String> = later.expect("it answers").objects().iter().map(|row| cells(row, &names[..5])).collect();
    let wanted = [
        format!("ledger {} {} standby false", at("16:00"), at("17:00")),
        format!("claim {} {} unscheduled_down true", at("17:00"), at("18:00")),
    ];
    assert_eq!(later, wanted, "an open claim is a span up to the cut");
}

#[tokio::test]
async fn every_phase_of_an_order_that_stands_is_a_row_with_the_record_that_told_it() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.order("ct-7", "wo-1", "03-20 11:30", Phase::Opened);
    let opened = house.told_at;
    let wrong = house.order("ct-7", "wo-1", "03-20 11:40", Phase::Arrived);
    house.voids("ct-7", "03-20 11:50", wrong);
    house.wait("ct-7", "wo-1", "03-20 12:00", Phase::WaitingStarted, Party::Parts);
    let waits = house.told_at;
    // Phases are of the order, whatever the period.
    house.order("ct-7", "wo-1", "03-25 09:00", Phase::ReturnedToService);
    let returned = house.told_at;
    let names = ["work_order", "class", "phase", "waiting_for", "at_at", "log_offset"];
    let seen: Vec<String> =
        rows(&house, "order_phases", "03-26 00:00").await.iter().map(|row| cells(row, &names)).collect();
    let wanted = [
        format!("wo-1 corrective opened null 2026-03-20T11:30:00Z {opened}"),
        format!("wo-1 corrective waiting_started parts 2026-03-20T12:00:00Z {waits}"),
        format!("wo-1 corrective returned_to_service null 2026-03-25T09:00:00Z {returned}"),
    ];
    assert_eq!(seen, wanted, "what was voided is none");
}
