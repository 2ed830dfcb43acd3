//! Waits of orders: for two parties at once, of two orders at once, and as a contract statement judges them.

use medfleet_domain::contract::{Contract, Exclusion};
use medfleet_domain::fact::Body;
use medfleet_domain::human::{Claimed, OrderClass, Party, Phase, PmDone, PmOutcome};
use medfleet_domain::statement::Class;
use medfleet_domain::time::Day;
use medfleet_kpi::ask::{PmState, Repair, failures, pm, repairs, uptime};
use medfleet_kpi::measure::{Measure, Ratio};
use medfleet_kpi::statement::{Asked, statement};
use medfleet_lake::SessionContext;

use crate::given::{HOUR, House, S, at, question, span};
use crate::statements;

/// Friday 20 March, open from eight to five: devices that are up for an hour and then down for eight.
fn down_from_nine(devices: &[&str]) -> House {
    let mut house = House::new();
    for device in devices {
        house.register(device, "02-01 00:00");
        house.hears(device, S, "03-20 08:00", "03-20 09:00");
        house.claims(device, "03-20 09:00", Claimed::Down, "03-20 09:00", Some("03-20 17:00"));
        house.order(device, "wo-1", "03-20 09:00", Phase::Opened);
    }
    house
}

/// From one time of that day to another, said to end.
fn waits(house: &mut House, device: &str, order: &str, whom: Party, from: &str, until: &str) {
    house.wait(device, order, &format!("03-20 {from}"), Phase::WaitingStarted, whom);
    house.wait(device, order, &format!("03-20 {until}"), Phase::WaitingEnded, whom);
}

async fn friday(house: &House) -> Vec<Measure> {
    let asked = question("03-20 00:00", "03-21 00:00", "04-22 00:00");
    let rows = uptime(&house.session().await, &asked).await.expect("the view answers");
    rows.into_iter().map(|row| row.measure).collect()
}

/// Hours waited in base hours: for the facility, for us and the user beside it, for the supplier alone.
fn waited(measure: &Measure) -> [i64; 3] {
    [measure.base_facility_wait, measure.base_own_wait, measure.base_supplier_wait].map(|micros| micros / HOUR)
}

fn parts(ratio: Option<Ratio>) -> Option<(i64, i64)> {
    ratio.map(|ratio| (ratio.over / HOUR, ratio.under / HOUR))
}

fn contract(number: &str, exclusions: Vec<Exclusion>) -> Body {
    let agreed = Contract { number: number.into(), exclusions, ..statements::contract() };
    Body::ContractDefined(Box::new(agreed))
}

/// What a statement of March takes out for the facility and the user.
async fn excluded(session: &SessionContext, device: &str, contract: &str) -> i64 {
    let asked = Asked { device, contract, day: Day::from_civil(2026, 3, 20), now: at("04-22 00:00") };
    let sheet = statement(session, asked).await.expect("it can be computed").expect("a contract covers it");
    let micros = |what| sheet.statement.micros(Class::Excluded(what));
    micros(Exclusion::Facility) + micros(Exclusion::User)
}

#[tokio::test]
async fn golden_an_order_that_waits_for_two_parties_ends_each_wait_by_its_party() {
    let mut house = down_from_nine(&["ct-7"]);
    waits(&mut house, "ct-7", "wo-1", Party::Facility, "09:00", "14:00");
    waits(&mut house, "ct-7", "wo-1", Party::Parts, "10:00", "12:00");
    waits(&mut house, "ct-7", "wo-1", Party::Vendor, "13:00", "16:00");
    house.fleet("01-01 00:00", contract("SC-1", vec![Exclusion::Facility]));
    let day = friday(&house).await[0];
    assert_eq!((day.base, day.base_up, day.base_unscheduled_down), (9 * HOUR, HOUR, 8 * HOUR));
    // From nine to two for the facility; from two to four for the vendor alone.
    assert_eq!(waited(&day), [5, 0, 2]);
    assert_eq!(parts(day.equipment_dependent_uptime()), Some((1, 2)), "nine hours without the seven from nine to four");
    assert_eq!(parts(day.supplier_dependent_uptime()), Some((1, 4)), "nine hours without five");
    assert_eq!(excluded(&house.session().await, "ct-7", "SC-1").await, 5 * HOUR, "a statement says the same");
}

#[tokio::test]
async fn golden_waits_of_two_orders_at_once_are_one_time_of_waiting() {
    let mut house = down_from_nine(&["ct-7"]);
    house.order("ct-7", "wo-2", "03-20 09:00", Phase::Opened);
    waits(&mut house, "ct-7", "wo-1", Party::Parts, "10:00", "14:00");
    waits(&mut house, "ct-7", "wo-2", Party::Vendor, "12:00", "15:00");
    waits(&mut house, "ct-7", "wo-2", Party::User, "14:00", "16:00");
    waits(&mut house, "ct-7", "wo-1", Party::InHouse, "15:00", "16:00");
    let day = friday(&house).await[0];
    // Six hours from ten to four: the supplier's until two, then ours, whatever else is waited for.
    assert_eq!(waited(&day), [0, 2, 4]);
    assert_eq!(parts(day.equipment_dependent_uptime()), Some((1, 3)));
    assert_eq!(parts(day.supplier_dependent_uptime()), Some((1, 7)));
}

#[tokio::test]
async fn golden_what_one_device_waits_takes_nothing_out_of_the_downtime_of_another() {
    let mut house = down_from_nine(&["ct-7", "ct-8"]);
    for whom in [Party::Parts, Party::Vendor, Party::Facility] {
        waits(&mut house, "ct-7", "wo-1", whom, "06:00", "17:00");
    }
    let both: Measure = friday(&house).await.into_iter().sum();
    assert_eq!((both.base, both.base_up, both.base_unscheduled_down), (18 * HOUR, 2 * HOUR, 16 * HOUR));
    assert_eq!(waited(&both), [8, 0, 0], "from nine on the device was down");
    assert_eq!(parts(both.equipment_dependent_uptime()), Some((2, 10)), "the eight hours of the other stay");
    assert_eq!(parts(both.supplier_dependent_uptime()), Some((2, 10)));
}

#[tokio::test]
async fn an_end_that_names_nobody_ends_every_wait_and_a_cancelled_order_waits_for_nobody() {
    let mut house = down_from_nine(&["ct-7"]);
    let ended = |house: &mut House, order: &str, when: &str| {
        house.phase("ct-7", order, OrderClass::Corrective, when, Phase::WaitingEnded, None, None);
    };
    for (whom, from) in [(Party::Facility, "03-20 10:00"), (Party::Parts, "03-20 11:00")] {
        house.wait("ct-7", "wo-1", from, Phase::WaitingStarted, whom);
    }
    // Of another order, and of a party that nobody waits for: they end nothing.
    ended(&mut house, "wo-2", "03-20 11:30");
    house.wait("ct-7", "wo-1", "03-20 11:30", Phase::WaitingEnded, Party::User);
    ended(&mut house, "wo-1", "03-20 13:00");
    assert_eq!(waited(&friday(&house).await[0]), [3, 0, 0]);
    house.order("ct-7", "wo-3", "03-20 09:00", Phase::Opened);
    waits(&mut house, "ct-7", "wo-3", Party::Facility, "13:00", "15:00");
    assert_eq!(waited(&friday(&house).await[0]), [5, 0, 0]);
    house.order("ct-7", "wo-3", "03-20 16:00", Phase::Cancelled);
    assert_eq!(waited(&friday(&house).await[0]), [3, 0, 0]);
}

#[tokio::test]
async fn golden_a_repair_that_waits_for_two_parties_at_once_loses_each_hour_once() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    for order in ["wo-1", "wo-2"] {
        house.order("ct-7", order, "03-20 08:00", Phase::Opened);
        house.order("ct-7", order, "03-20 09:00", Phase::RepairStarted);
        house.order("ct-7", order, "03-20 17:00", Phase::Repaired);
    }
    waits(&mut house, "ct-7", "wo-1", Party::Parts, "10:00", "15:00");
    waits(&mut house, "ct-7", "wo-1", Party::Vendor, "11:00", "16:00");
    waits(&mut house, "ct-7", "wo-1", Party::User, "11:00", "13:00");
    waits(&mut house, "ct-7", "wo-1", Party::InHouse, "12:00", "14:00");
    // Both until the repair.
    house.wait("ct-7", "wo-2", "03-20 10:00", Phase::WaitingStarted, Party::Parts);
    house.wait("ct-7", "wo-2", "03-20 11:00", Phase::WaitingStarted, Party::Facility);
    let asked = question("03-01 00:00", "04-01 00:00", "04-22 00:00");
    let found = repairs(&house.session().await, &asked).await.expect("the view answers");
    let hours = |one: &Repair| {
        let waits = [one.parts_micros, one.vendor_micros, one.facility_micros, one.own_micros];
        (one.active.map(|active| active.micros / HOUR), waits.map(|micros| micros / HOUR))
    };
    assert_eq!(hours(&found[0]), (Some(8 - 6), [5, 5, 0, 3]), "it waits from ten to four");
    assert_eq!(hours(&found[1]), (Some(8 - 7), [7, 0, 6, 0]), "it waits from ten to five");
}

/// Whatever orders say, and in whatever order: what a statement takes out for the facility and the user is what the view says.
#[tokio::test]
async fn a_statement_and_the_view_of_uptime_say_the_same_of_any_orders() {
    let devices = ["ct-1", "ct-2", "ct-3", "ct-4", "ct-5", "ct-6", "ct-7", "ct-8"];
    let mut house = down_from_nine(&devices);
    house.fleet("01-01 00:00", contract("SC-1", vec![Exclusion::Facility]));
    house.fleet("01-01 00:00", contract("SC-2", vec![Exclusion::Facility, Exclusion::User]));
    let mut chance = 20_u64;
    let mut within = |sides: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (chance >> 33) % sides
    };
    for device in devices {
        for _ in 0..40 {
            let (hour, quarter, order) = (8 + within(10), 15 * within(4), format!("wo-{}", within(4)));
            let whom = [Party::Facility, Party::Facility, Party::User, Party::Parts][within(4) as usize];
            let (phase, whom) = match within(60) {
                0 => (Phase::Repaired, None),
                1 => (Phase::ReturnedToService, None),
                2 => (Phase::Closed, None),
                3 => (Phase::Cancelled, None),
                4..=7 => (Phase::WaitingEnded, None),
                8..=35 => (Phase::WaitingEnded, Some(whom)),
                _ => (Phase::WaitingStarted, Some(whom)),
            };
            let when = format!("03-20 {hour:02}:{quarter:02}");
            house.phase(device, &order, OrderClass::Corrective, &when, phase, whom, None);
        }
    }
    let session = house.session().await;
    let mut kinds = [0, 0];
    for (device, day) in devices.iter().zip(friday(&house).await) {
        let (facility, both) = (day.base_facility_wait, day.base_facility_wait + day.base_own_wait);
        let stated = (excluded(&session, device, "SC-1").await, excluded(&session, device, "SC-2").await);
        assert_eq!((facility, both), stated, "{device}");
        assert!(both + day.base_supplier_wait <= day.base_unscheduled_down, "{device}");
        kinds = [kinds[0] + i64::from(facility > 0), kinds[1] + i64::from(both > facility)];
    }
    assert!(kinds.iter().all(|devices| *devices > 2), "hardly anything was compared: {kinds:?}");
}

#[tokio::test]
async fn golden_an_order_of_a_device_that_moved_ends_where_it_ends_and_is_counted_where_it_was_opened() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-09 00:00", "03-09 08:00");
    house.order("ct-7", "wo-1", "03-09 10:00", Phase::Opened);
    house.wait("ct-7", "wo-1", "03-09 11:00", Phase::WaitingStarted, Party::Parts);
    house.moves("ct-7", "03-10 00:00", "east");
    house.wait("ct-7", "wo-1", "03-10 11:00", Phase::WaitingEnded, Party::Parts);
    house.order("ct-7", "wo-1", "03-10 12:00", Phase::ReturnedToService);
    let session = house.session().await;
    let march = || question("03-01 00:00", "04-01 00:00", "04-01 00:00");
    for (asked, orders) in [(march(), 1), (march().of_site("north"), 1), (march().of_site("east"), 0)] {
        let found = repairs(&session, &asked).await.expect("the view answers");
        assert_eq!(found.len(), orders, "{:?}", asked.scope);
        let failed = failures(&session, &asked).await.expect("the view answers");
        assert_eq!(failed.len(), orders, "{:?}", asked.scope);
        for (one, failure) in found.iter().zip(&failed) {
            assert_eq!((&*one.site, one.finished, one.parts_micros), ("north", Some(at("03-10 12:00")), 24 * HOUR));
            assert_eq!((&*failure.site, failure.ended), ("north", Some(at("03-10 12:00"))));
        }
    }
}

#[tokio::test]
async fn golden_maintenance_of_a_device_that_moved_is_done_where_it_is_done() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let planned = span("03-20 14:00", "03-20 16:00");
    house.phase("ct-7", "pm-1", OrderClass::Preventive, "03-01 08:00", Phase::Opened, None, Some(planned));
    house.moves("ct-7", "03-10 00:00", "east");
    let done =
        PmDone { procedure: "annual".into(), due: None, outcome: PmOutcome::Completed, order: Some("pm-1".into()) };
    house.record("ct-7", "03-20 15:00", Body::PmDone(done));
    let session = house.session().await;
    let march = question("03-01 00:00", "04-01 00:00", "04-01 00:00");
    for (asked, dues) in [(march.clone(), 1), (march.clone().of_site("north"), 1), (march.of_site("east"), 0)] {
        let found = pm(&session, &asked).await.expect("the view answers");
        let states: Vec<PmState> = found.iter().map(|one| one.state).collect();
        assert_eq!(states, vec![PmState::OnTime; dues], "{:?}", asked.scope);
    }
}
