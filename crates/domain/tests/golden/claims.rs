//! Golden cases about what people claim: down, usable, maintenance, and what they take back.

use medfleet_domain::entry::{Reason, Row};
use medfleet_domain::fact::Body;
use medfleet_domain::human::{Claimed, OrderClass, OrderPhase, Phase};
use medfleet_domain::id::Epoch;

use crate::given::{Device, P, S, SD, Seconds, UD, Writer, at, claimed, span, stretch};

fn failed_at_ten() -> Device {
    let mut device = Device::new();
    device.hears(S, "09:00", "10:00");
    device.hears(UD, "10:00", "10:20");
    device
}

#[test]
fn golden_03_an_asserted_down_outlives_silence_until_it_is_returned_to_use() {
    let mut device = failed_at_ten();
    device.claims("10:30", Claimed::Down, "10:00", None);
    let at_noon = device.view();
    assert_eq!(at_noon.seconds("09:00", "12:00").unscheduled_down, 1_200, "rows up to the edge");
    assert_eq!(at_noon.head_seconds(UD, "12:00"), 6_000, "the head from there on");
    device.claims("14:30", Claimed::Usable, "14:30", None);
    device.hears(S, "14:00", "15:00");
    let seconds = device.view().seconds("09:00", "15:00");
    let expected =
        Seconds { standby: 3_600 + 1_800, up: 5_400, unscheduled_down: 16_200, conflict: 1_800, ..Seconds::default() };
    assert_eq!(seconds, expected, "coverage is whole");
    assert_eq!(device.view().head_seconds(UD, "20:00"), 0);
}

#[test]
fn golden_04_use_seen_while_claimed_down_is_flagged_and_widens_the_bounds() {
    let mut device = failed_at_ten();
    device.claims("10:30", Claimed::Down, "10:00", None);
    device.hears(P, "14:00", "14:30");
    device.claims("14:30", Claimed::Usable, "14:30", None);
    device.hears(S, "14:30", "15:00");
    let seconds = device.view().seconds("09:00", "15:00");
    assert_eq!((seconds.unscheduled_down, seconds.conflict), (16_200, 1_800));
    assert_eq!((seconds.up + seconds.conflict, seconds.up), (7_200, 5_400), "best and worst");
}

#[test]
fn golden_08_a_claim_on_the_wrong_asset_is_taken_back_and_stays_readable() {
    let mut device = Device::new();
    device.hears(S, "09:00", "10:00");
    let wrong = device.claims("12:05", Claimed::Down, "10:00", Some("12:00"));
    let at_one = device.view();
    device.voids("15:00", wrong, "lee", "wrong asset");
    assert_eq!(at_one.seconds("09:00", "13:00").unscheduled_down, 7_200);
    assert_eq!(device.view().seconds("09:00", "13:00").unscheduled_down, 0);
    let said = device.records.last().map(|run| &run.facts[0].fact.body);
    let readable = matches!(said, Some(Body::Amended(one)) if one.author == "lee" && one.reason == "wrong asset");
    assert!(readable && device.last.iter().all(|entry| entry.weight < 0 || !matches!(entry.row, Row::Interval(_))));
}

#[test]
fn golden_08_said_before_the_edge_the_head_supplies_what_rows_have_not_reached() {
    let mut device = Device::new();
    device.hears(S, "09:00", "10:00");
    let wrong = device.claims("10:05", Claimed::Down, "10:00", Some("12:00"));
    let at_one = device.view();
    assert_eq!(at_one.seconds("09:00", "13:00").unscheduled_down, 0);
    assert_eq!(at_one.head_seconds(UD, "13:00"), 7_200);
    device.voids("15:00", wrong, "lee", "wrong asset");
    assert_eq!(device.view().head_seconds(UD, "16:00"), 0);
}

#[test]
fn golden_12_maintenance_is_scheduled_within_its_window_and_an_overrun_beyond() {
    let mut device = Device::new();
    let order = |phase| {
        Body::Order(OrderPhase {
            order: "pm-1".into(),
            class: OrderClass::Preventive,
            phase,
            waiting_for: None,
            planned: Some(span("14:00", "16:00")),
            cause: String::new(),
            text: String::new(),
        })
    };
    device.says(Writer::Person, "-19 08:00", "-19 08:00", order(Phase::Opened));
    device.hears(S, "13:00", "14:00");
    let performed = Claimed::Maintenance { planned: Some(span("14:00", "16:00")) };
    let claim = device.claims("17:10", performed, "14:10", Some("17:00"));
    device.says(Writer::Person, "+14 09:00", "+14 09:00", order(Phase::Closed));
    let view = device.view();
    let seconds = view.seconds("-19 00:00", "+14 12:00");
    assert_eq!((seconds.scheduled_down, seconds.unscheduled_down), (6_600, 3_600));
    let overrun = view.intervals().into_iter().find(|row| row.condition == UD).map(|row| (row.span, row.reason));
    assert_eq!(overrun, Some((span("16:00", "17:00"), Reason::MaintenanceOverrun)), "no failure");
    device.corrects("+14 10:00", claim, "13:50", claimed(performed, Some("17:00")));
    let seconds = device.view().seconds("00:00", "+1 00:00");
    assert_eq!((seconds.scheduled_down, seconds.standby), (7_200 + 600, 3_000), "begun early is scheduled too");
}

#[test]
fn golden_12_maintenance_during_an_asserted_down_is_down() {
    let mut device = Device::new();
    device.hears(S, "13:00", "14:00");
    device.claims("14:00", Claimed::Down, "14:00", None);
    let performed = Claimed::Maintenance { planned: Some(span("14:00", "16:00")) };
    device.claims("17:10", performed, "14:10", Some("17:00"));
    let seconds = device.view().seconds("14:00", "17:00");
    assert_eq!((seconds.scheduled_down, seconds.unscheduled_down), (0, 10_800));
}

#[test]
fn golden_19_a_weekend_down_spans_three_silent_midnights() {
    let mut device = Device::new();
    device.hears(S, "21:00", "22:00");
    device.claims("22:00", Claimed::Down, "22:00", None);
    let on_sunday = device.view();
    assert_eq!(on_sunday.seconds("22:00", "+2 18:00").unscheduled_down, 0);
    assert_eq!(on_sunday.head_seconds(UD, "+2 18:00"), 44 * 3_600);
    device.claims("+3 12:00", Claimed::Usable, "+3 12:00", None);
    let view = device.view();
    let seconds = view.seconds("22:00", "+3 18:00");
    assert_eq!((seconds.unscheduled_down, seconds.up, seconds.silent), (62 * 3_600, 0, 6 * 3_600));
    assert_eq!(view.intervals().iter().filter(|row| row.condition == UD).count(), 4, "cut at three midnights");
    assert_eq!(view.head_seconds(UD, "+3 18:00"), 0);
}

/// A day of facts, a claim voided next day, another claim moved to another day.
fn amended_history() -> Device {
    let mut device = Device::new();
    device.hears(S, "09:00", "12:00");
    let voided = device.claims("10:05", Claimed::Down, "10:00", Some("11:00"));
    let moved = device.claims("11:30", Claimed::Down, "11:00", Some("11:30"));
    let mistaken = device.hears(P, "+1 09:00", "+1 10:00");
    device.hears(S, "+1 10:00", "+1 11:00");
    device.voids("+1 12:00", voided, "lee", "wrong asset");
    device.corrects("+1 12:05", moved, "+1 10:00", claimed(Claimed::Down, Some("+1 10:30")));
    device.corrects("+1 12:10", mistaken, "+2 09:00", stretch(SD, at("+2 10:00")));
    device
}

#[test]
fn golden_19b_voids_and_corrections_say_the_same_in_any_order_of_arrival() {
    let device = amended_history();
    let seconds = device.view().seconds("00:00", "+3 00:00");
    let expected = (3 * 3_600 + 1_800, 1_800, 3_600, 0);
    let (standby, down) = (seconds.standby, seconds.unscheduled_down);
    assert_eq!((standby, down, seconds.scheduled_down, seconds.productive), expected);
    let same = |epoch: Epoch| epoch;
    assert_eq!(Device::retold(device.records.iter().rev(), same).view(), device.view(), "voids before targets");
    for cut in 1..device.records.len() {
        let (first, then) = device.records.split_at(cut);
        assert_eq!(Device::retold(then.iter().chain(first), same).view(), device.view(), "rotated at {cut}");
    }
}

#[test]
fn golden_19b_renaming_every_epoch_changes_no_number() {
    let device = amended_history();
    for salt in 1..20u64 {
        let renamed = Device::retold(&device.records, |epoch| Epoch::derived(&[&(epoch.0 ^ salt).to_le_bytes()]));
        assert_eq!(renamed.view(), device.view());
    }
}

#[test]
fn golden_19b_a_void_taken_back_restores_what_it_voided() {
    let mut device = Device::new();
    let heard = device.hears(P, "09:00", "10:00");
    let before = device.view();
    device.hears(S, "+4 09:00", "+4 10:00");
    let void = device.voids("+4 11:00", heard, "lee", "wrong asset");
    assert_eq!(device.view().seconds("09:00", "10:00").productive, 0);
    device.voids("+4 12:00", void, "lee", "it was right");
    assert_eq!(device.view().seconds("09:00", "10:00"), before.seconds("09:00", "10:00"));
}
