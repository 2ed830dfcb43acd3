//! Golden cases about failures, downtimes and the clocks of repairs.

use medfleet_domain::human::{Claimed, Party, Phase};
use medfleet_kpi::ask::{self, EpisodeClass, downtimes, failures, repairs};
use medfleet_kpi::happened;
use medfleet_kpi::registry::view;
use medfleet_kpi::scorecard::{Group, scorecards};
use medfleet_kpi::stats::rate::Rate;
use medfleet_kpi::stats::survival;

use crate::given::{HOUR, House, P, S, UD, at, question, span};

const MARCH: (&str, &str, &str) = ("03-01 00:00", "04-01 00:00", "04-09 00:00");

fn march() -> medfleet_kpi::Question {
    question(MARCH.0, MARCH.1, MARCH.2)
}

async fn episodes(house: &House) -> Vec<ask::Episode> {
    failures(&house.session().await, &march()).await.expect("the view answers")
}

fn classes(episodes: &[ask::Episode]) -> Vec<EpisodeClass> {
    episodes.iter().map(|one| one.class).collect()
}

/// Three reboots of five minutes from ten to eleven, and one the next day.
fn rebooted() -> House {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", P, "03-20 09:00", "03-20 10:00");
    for (from, until, next) in [
        ("03-20 10:00", "03-20 10:05", "03-20 10:20"),
        ("03-20 10:20", "03-20 10:25", "03-20 10:40"),
        ("03-20 10:40", "03-20 10:45", "03-20 12:00"),
    ] {
        house.hears("ct-7", UD, from, until);
        house.hears("ct-7", S, until, next);
    }
    house.hears("ct-7", UD, "03-21 10:00", "03-21 10:03");
    house.hears("ct-7", S, "03-21 10:03", "03-21 12:00");
    house
}

#[tokio::test]
async fn golden_15_three_reboots_under_one_order_are_one_failure_and_a_self_recovered_one_is_an_interrupt() {
    let mut house = rebooted();
    house.order("ct-7", "wo-1", "03-20 10:50", Phase::Opened);
    house.order("ct-7", "wo-1", "03-20 11:30", Phase::ReturnedToService);
    house.order("ct-7", "wo-1", "04-03 09:00", Phase::Closed);
    let found = episodes(&house).await;
    assert_eq!(classes(&found), [EpisodeClass::Failure, EpisodeClass::Interrupt]);
    let failure = &found[0];
    assert_eq!((failure.downs, failure.down_micros), (3, HOUR / 4));
    assert_eq!((failure.onset, failure.ended), (at("03-20 10:00"), Some(at("03-20 11:30"))));
    assert_eq!((failure.work_order.as_deref(), failure.in_use), (Some("wo-1"), true));
    assert_eq!(found[1].down_micros, HOUR / 20);
    let rate = Rate::of_micros(1, span(MARCH.0, MARCH.1).micros()).expect("there is exposure");
    assert!(!rate.is_enough(), "one failure is no rate");
}

#[tokio::test]
async fn without_an_order_each_reboot_is_an_interrupt_and_a_voided_order_merges_nothing() {
    let mut house = rebooted();
    assert_eq!(classes(&episodes(&house).await), [EpisodeClass::Interrupt; 4]);
    let opened = house.order("ct-7", "wo-1", "03-20 10:50", Phase::Opened);
    let returned = house.order("ct-7", "wo-1", "03-20 11:30", Phase::ReturnedToService);
    let before = house.now();
    house.voids("ct-7", "03-22 09:00", opened);
    house.voids("ct-7", "03-22 09:00", returned);
    assert_eq!(classes(&episodes(&house).await), [EpisodeClass::Interrupt; 4]);
    let as_of = failures(&house.as_of(before).await, &march()).await.expect("the view answers");
    assert_eq!(classes(&as_of), [EpisodeClass::Failure, EpisodeClass::Interrupt], "as it was known before");
    let cancelled = {
        house.order("ct-7", "wo-2", "03-20 10:50", Phase::Opened);
        house.order("ct-7", "wo-2", "03-20 11:00", Phase::Cancelled);
        episodes(&house).await
    };
    assert_eq!(classes(&cancelled), [EpisodeClass::Interrupt; 4], "a cancelled order is none");
}

#[tokio::test]
async fn golden_12_an_overrun_of_maintenance_is_downtime_and_no_failure() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 12:00", "03-20 14:10");
    let planned = Some(span("03-20 14:00", "03-20 16:00"));
    house.claims("ct-7", "03-20 17:05", Claimed::Maintenance { planned }, "03-20 14:10", Some("03-20 17:00"));
    house.hears("ct-7", S, "03-20 17:00", "03-20 18:00");
    assert_eq!(episodes(&house).await, []);
    let off_line = downtimes(&house.session().await, &march()).await.expect("the view answers");
    assert_eq!(off_line.len(), 1);
    let sums = (off_line[0].scheduled_micros, off_line[0].unscheduled_micros, off_line[0].ended);
    assert_eq!(sums, (6_600_000_000, HOUR, true), "one time off line, planned and overrun");
}

#[tokio::test]
async fn a_failure_within_seven_days_after_the_last_is_a_repeat() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    for (order, opened, returned) in [
        ("wo-1", "03-02 08:00", "03-02 12:00"),
        ("wo-2", "03-09 11:00", "03-10 12:00"),
        ("wo-3", "03-17 13:00", "03-17 14:00"),
    ] {
        house.order("ct-7", order, opened, Phase::Opened);
        house.order("ct-7", order, returned, Phase::ReturnedToService);
    }
    let found = episodes(&house).await;
    assert_eq!(classes(&found), [EpisodeClass::Failure, EpisodeClass::Repeat, EpisodeClass::Failure]);
    assert!(found.iter().all(|one| one.evidence == "order" && one.down_micros == 0));
}

#[tokio::test]
async fn silence_ends_no_failure_and_an_asserted_down_without_order_is_one() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 08:00", "03-20 09:00");
    house.hears("ct-7", UD, "03-20 09:00", "03-20 09:30");
    // Silence, and the same trouble still there when it is heard again.
    house.hears("ct-7", UD, "03-20 15:00", "03-20 16:00");
    let found = episodes(&house).await;
    assert_eq!((found.len(), found[0].class, &*found[0].evidence), (1, EpisodeClass::Failure, "not_recovered"));
    assert_eq!((found[0].downs, found[0].down_micros, found[0].ended), (1, HOUR * 3 / 2, None));
    // A person's word that begins at the edge stands only in the head yet.
    let mut other = House::new();
    other.register("ct-8", "02-01 00:00");
    other.hears("ct-8", S, "03-30 08:00", "03-30 09:00");
    other.claims("ct-8", "03-30 09:00", Claimed::Down, "03-30 09:00", None);
    let found = failures(&other.session().await, &question(MARCH.0, MARCH.1, "03-30 21:00")).await.expect("it answers");
    assert_eq!((found.len(), &*found[0].evidence, found[0].down_micros), (1, "told", 12 * HOUR));
}

#[tokio::test]
async fn what_began_before_the_period_is_not_of_it() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "02-27 08:00", "02-27 09:00");
    house.claims("ct-7", "02-27 09:05", Claimed::Down, "02-27 09:00", Some("03-03 09:00"));
    house.hears("ct-7", S, "03-03 09:00", "03-03 10:00");
    assert_eq!(episodes(&house).await, []);
    let february = question("02-01 00:00", "03-01 00:00", "04-01 00:00");
    let found = failures(&house.session().await, &february).await.expect("the view answers");
    assert_eq!((found.len(), found[0].ended), (1, Some(at("03-03 09:00"))), "its end is found beyond the period");
}

#[tokio::test]
async fn silence_of_weeks_within_an_outage_begins_no_other() {
    let mut house = House::new();
    // Of each it is heard on 2 February that it is down, and then nothing for a month.
    for device in ["ct-1", "ct-2", "ct-3", "ct-4"] {
        house.register(device, "01-01 00:00");
        house.hears(device, S, "02-02 08:00", "02-02 09:00");
        house.hears(device, UD, "02-02 09:00", "02-02 10:00");
    }
    house.hears("ct-1", UD, "03-05 08:00", "03-05 09:00");
    // This one worked for an hour within that month.
    house.hears("ct-2", S, "02-10 08:00", "02-10 09:00");
    house.hears("ct-2", UD, "03-05 08:00", "03-05 09:00");
    // A person says so, beyond what the ledger holds.
    house.claims("ct-3", "03-06 08:00", Claimed::Down, "03-06 08:00", None);
    // Down twice, then it works: the trouble that began in February ended before the order was opened.
    house.hears("ct-4", UD, "02-28 20:00", "02-28 21:00");
    house.hears("ct-4", S, "02-28 21:00", "02-28 22:00");
    house.order("ct-4", "wo-4", "03-01 08:00", Phase::Opened);
    house.order("ct-4", "wo-4", "03-01 09:00", Phase::ReturnedToService);
    let session = house.session().await;
    let march = failures(&session, &march()).await.expect("the view answers");
    let named: Vec<_> = march.iter().map(|one| (&*one.device, one.onset, &*one.evidence)).collect();
    let alone = ("ct-2", at("03-05 08:00"), "not_recovered");
    assert_eq!(named, [alone, ("ct-4", at("03-01 08:00"), "order")], "what began before the period is not of it");
    let off_line = downtimes(&session, &self::march()).await.expect("the view answers");
    let named: Vec<_> = off_line.iter().map(|one| (&*one.device, one.onset)).collect();
    assert_eq!(named, [("ct-2", at("03-05 08:00"))]);
    let february = question("02-01 00:00", "03-01 00:00", MARCH.2);
    let began = failures(&session, &february).await.expect("the view answers");
    let down: Vec<_> = began.iter().map(|one| (&*one.device, one.onset, one.down_micros / HOUR)).collect();
    let since = at("02-02 09:00");
    let claimed = (at(MARCH.2).0 - at("03-06 08:00").0) / HOUR;
    assert_eq!(down, [("ct-1", since, 2), ("ct-2", since, 1), ("ct-3", since, 1 + claimed), ("ct-4", since, 2)]);
}

#[tokio::test]
async fn at_an_instant_what_was_open_then_is_open_and_what_came_later_is_not_there() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", P, "03-02 06:00", "03-02 08:00");
    house.hears("ct-7", UD, "03-02 08:00", "03-03 12:00");
    house.order("ct-7", "wo-1", "03-02 08:10", Phase::Opened);
    house.order("ct-7", "wo-1", "03-02 10:00", Phase::Arrived);
    house.order("ct-7", "wo-1", "03-03 12:00", Phase::ReturnedToService);
    house.hears("ct-7", S, "03-03 12:00", "03-03 14:00");
    let noon = at("03-02 12:00");
    let session = happened(&house.session().await, noon).await.expect("the tables are cut");
    let asked = question(MARCH.0, "03-02 12:00", "03-02 12:00");
    let found = failures(&session, &asked).await.expect("the view answers");
    let seen: Vec<_> = found.iter().map(|one| (one.ended, one.down_micros / HOUR)).collect();
    assert_eq!(seen, [(None, 4)], "nobody knew when it would end");
    let clocks = repairs(&session, &asked).await.expect("the view answers").remove(0);
    assert_eq!(
        (clocks.finished, clocks.turnaround.ended, clocks.turnaround.micros),
        (None, false, noon.0 - clocks.opened.0)
    );
    assert!(clocks.response.is_some_and(|one| one.ended), "somebody had come");
    let whole = failures(&house.session().await, &march()).await.expect("the view answers");
    assert_eq!((whole[0].ended, whole[0].down_micros / HOUR), (Some(at("03-03 12:00")), 28));
}

#[tokio::test]
async fn the_four_clocks_of_a_repair_run_on_while_it_is_open() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.order("ct-7", "wo-1", "03-02 08:00", Phase::Opened);
    house.order("ct-7", "wo-1", "03-02 09:00", Phase::Arrived);
    house.order("ct-7", "wo-1", "03-02 09:30", Phase::RepairStarted);
    house.wait("ct-7", "wo-1", "03-02 10:00", Phase::WaitingStarted, Party::Parts);
    house.wait("ct-7", "wo-1", "03-03 10:00", Phase::WaitingEnded, Party::Parts);
    house.wait("ct-7", "wo-1", "03-03 10:00", Phase::WaitingStarted, Party::Facility);
    house.wait("ct-7", "wo-1", "03-03 11:00", Phase::WaitingEnded, Party::Facility);
    house.order("ct-7", "wo-1", "03-03 12:30", Phase::Repaired);
    house.order("ct-7", "wo-1", "03-03 13:00", Phase::ReturnedToService);
    house.order("ct-7", "wo-2", "03-05 08:00", Phase::Opened);
    house.wait("ct-7", "wo-2", "03-05 09:00", Phase::WaitingStarted, Party::Vendor);
    let asked = question(MARCH.0, MARCH.1, "03-08 08:00");
    let found = repairs(&house.session().await, &asked).await.expect("the view answers");
    let first = &found[0];
    let hours = |micros: i64| micros as f64 / HOUR as f64;
    assert_eq!(first.response.map(|one| (hours(one.micros), one.ended)), Some((1.0, true)));
    assert_eq!(first.active.map(|one| (hours(one.micros), one.ended)), Some((2.0, true)), "27 h less 25 h of waiting");
    assert_eq!(first.parts.map(|one| (hours(one.micros), one.ended)), Some((24.0, true)));
    assert_eq!(hours(first.facility_micros), 1.0);
    assert_eq!((hours(first.turnaround.micros), first.turnaround.ended), (29.0, true));
    let open = &found[1];
    assert_eq!((hours(open.turnaround.micros), open.turnaround.ended), (72.0, false));
    assert_eq!((hours(open.vendor_micros), open.active), (71.0, None));
    assert_eq!(open.parts, None, "it waits for the vendor: the clock of parts does not speak of it");
    let turnaround: Vec<_> = found.iter().map(|one| one.turnaround).collect();
    let summary = survival::summary(&turnaround);
    assert_eq!((summary.count, summary.open), (2, 1));
    assert_eq!(summary.median_micros, Some(29 * HOUR), "half have ended by then");
    assert_eq!(summary.p90_micros, None, "the open one may take any time");
}

#[tokio::test]
async fn a_response_that_nobody_told_is_none_and_one_that_nobody_gave_yet_runs() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.order("ct-7", "wo-1", "03-02 08:00", Phase::Opened);
    house.order("ct-7", "wo-1", "03-02 09:30", Phase::RepairStarted);
    house.order("ct-7", "wo-1", "03-02 12:30", Phase::ReturnedToService);
    house.order("ct-7", "wo-2", "03-03 08:00", Phase::Opened);
    house.order("ct-7", "wo-2", "03-04 08:00", Phase::Closed);
    house.order("ct-7", "wo-3", "03-05 08:00", Phase::Opened);
    house.order("ct-7", "wo-4", "03-06 08:00", Phase::Opened);
    house.order("ct-7", "wo-4", "03-06 10:00", Phase::Arrived);
    let asked = question(MARCH.0, MARCH.1, "03-08 08:00");
    let session = house.session().await;
    let found = repairs(&session, &asked).await.expect("the view answers");
    let seen: Vec<_> = found.iter().map(|one| one.response.map(|one| (one.micros / HOUR, one.ended))).collect();
    assert_eq!(seen, [None, None, Some((72, false)), Some((2, true))]);
    let card = scorecards(&session, &asked, Group::Fleet).await.expect("it is made").remove(0);
    assert_eq!((card.repairs.response.count, card.repairs.response_not_told), (2, 2), "what is not told is counted");
}

#[tokio::test]
async fn golden_the_wait_for_parts_has_a_median_a_ninetieth_and_a_mean_and_an_open_one_is_censored() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let mut waits = |order: &str, from: &str, until: Option<&str>| {
        house.order("ct-7", order, "03-02 08:00", Phase::Opened);
        house.wait("ct-7", order, from, Phase::WaitingStarted, Party::Parts);
        if let Some(until) = until {
            house.wait("ct-7", order, until, Phase::WaitingEnded, Party::Parts);
            house.order("ct-7", order, until, Phase::ReturnedToService);
        }
    };
    waits("wo-1", "03-02 10:00", Some("03-02 20:00"));
    waits("wo-2", "03-03 10:00", Some("03-04 06:00"));
    // Since 30 hours, and still.
    waits("wo-3", "03-07 02:00", None);
    waits("wo-4", "03-04 00:00", Some("03-05 16:00"));
    // Told again while it lasts, it is the same wait.
    house.wait("ct-7", "wo-3", "03-07 05:00", Phase::WaitingStarted, Party::Parts);
    house.order("ct-7", "wo-5", "03-02 08:00", Phase::Opened);
    let asked = question(MARCH.0, MARCH.1, "03-08 08:00");
    let found = repairs(&house.session().await, &asked).await.expect("the view answers");
    let seen: Vec<_> = found.iter().map(|one| one.parts.map(|wait| (wait.micros / HOUR, wait.ended))).collect();
    assert_eq!(seen, [Some((10, true)), Some((20, true)), Some((30, false)), Some((40, true)), None]);
    let waits: Vec<survival::Duration> = found.iter().filter_map(|one| one.parts).collect();
    let summary = survival::summary(&waits);
    // Three quarters last longer than 10 h, half longer than 20 h; the open one is out at 30 h, and 40 h end the last.
    assert_eq!((summary.count, summary.open), (4, 1));
    assert_eq!((summary.median_micros, summary.p90_micros), (Some(20 * HOUR), Some(40 * HOUR)));
    let mean = 10.0 + 0.75 * 10.0 + 0.5 * 20.0;
    assert!(summary.mean_micros.is_some_and(|found| (found / HOUR as f64 - mean).abs() < 1e-9), "{summary:?}");
    let closed: Vec<survival::Duration> = waits.into_iter().filter(|one| one.ended).collect();
    let without = survival::summary(&closed).mean_micros.expect("three ended");
    assert!(without / (HOUR as f64) < mean - 1.0, "without the open one it would look better");
}

/// GOLDEN 4: use was seen while a person claimed it down.
#[tokio::test]
async fn golden_04_a_failure_in_conflict_with_use_says_by_how_much_it_may_have_been_shorter() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 09:00", "03-20 10:00");
    house.claims("ct-7", "03-20 10:30", Claimed::Down, "03-20 10:00", None);
    house.hears("ct-7", P, "03-20 12:00", "03-20 13:00");
    house.claims("ct-7", "03-20 14:05", Claimed::Usable, "03-20 14:00", None);
    house.hears("ct-7", S, "03-20 14:00", "03-20 15:00");
    let asked = question("03-20 00:00", "03-21 00:00", "03-21 00:00");
    let table = view("failures").expect("there is such a view").table(&house.session().await, &asked).await;
    let row = table.expect("the view answers").objects().remove(0);
    let hours = ["down_seconds", "conflict_seconds", "lasted_seconds", "base_seconds"]
        .map(|name| row[name].as_f64().map(|seconds| seconds / 3_600.0));
    assert_eq!(hours, [4.0, 1.0, 4.0, 4.0].map(Some), "down three hours at the least and four at the most");
}
