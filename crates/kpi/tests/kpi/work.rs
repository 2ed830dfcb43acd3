//! Reliability of devices, cycles between failures, and planned maintenance on time.

use medfleet_domain::fact::Body;
use medfleet_domain::human::{OrderClass, Phase, PmDone, PmOutcome};
use medfleet_domain::time::Span;
use medfleet_kpi::Question;
use medfleet_kpi::ask::{PmState, cycles, pm, reliability};
use medfleet_kpi::registry::view;
use medfleet_kpi::stats::rate::Rate;

use crate::given::{HOUR, House, P, S, UD, at, question, span};

#[tokio::test]
async fn failures_stand_beside_the_exposures_they_are_divided_by() {
    let mut house = House::new();
    house.register("ct-7", "03-01 00:00");
    house.hears("ct-7", P, "03-20 08:00", "03-20 12:00");
    house.hears("ct-7", UD, "03-20 12:00", "03-20 14:00");
    house.hears("ct-7", S, "03-20 14:00", "03-21 00:00");
    house.order("ct-7", "wo-1", "03-20 12:10", Phase::Opened);
    house.order("ct-7", "wo-1", "03-20 14:00", Phase::ReturnedToService);
    for (when, value) in [("03-20 08:00", 1_000), ("03-20 10:00", 1_200), ("03-20 16:00", 1_250)] {
        house.reads("ct-7", when, value);
    }
    let asked = question("03-01 00:00", "04-01 00:00", "04-01 00:00");
    let session = house.session().await;
    let found = reliability(&session, &asked).await.expect("the view answers");
    let one = &found[0];
    assert_eq!((one.failures, one.failures_in_use, one.interrupts), (1, 1, 0));
    assert_eq!((one.in_service_micros, one.up_micros), (744 * HOUR, 14 * HOUR));
    assert_eq!((one.productive_micros, one.down_micros), (4 * HOUR, 2 * HOUR));
    assert_eq!((one.make.as_deref(), one.model.as_deref()), (Some("Acme"), Some("Slice")));
    // Every row says how much was seen, within which bounds, and of how many base hours.
    let row = async |name| {
        let table = view(name).expect("there is such a view").table(&session, &asked).await;
        table.expect("the view answers").objects().remove(0)
    };
    let exposed = row("reliability").await;
    let hours =
        |row: &serde_json::Map<String, serde_json::Value>, name: &str| row[name].as_f64().map(|of| of / 3_600.0);
    let parts = ["base_seconds", "known_seconds", "up_seconds", "best_up_seconds", "in_service_seconds"];
    // Twenty-two days from eight to five; two hours down.
    assert_eq!(parts.map(|name| hours(&exposed, name)), [198.0, 16.0, 14.0, 742.0, 744.0].map(Some));
    let failed = row("failures").await;
    let parts = ["lasted_seconds", "base_seconds", "down_seconds", "conflict_seconds"];
    assert_eq!(parts.map(|name| hours(&failed, name)), [2.0, 2.0, 2.0, 0.0].map(Some));
    let repaired = row("repairs").await;
    assert_eq!(hours(&repaired, "base_seconds").map(|hours| (hours * 60.0).round()), Some(110.0));
    let counted = cycles(&session, &asked).await.expect("the view answers");
    assert_eq!((counted[0].gained_milli, counted[0].samples), (250_000, 2));
    assert_eq!((counted[0].reading_milli, counted[0].last), (1_250_000, Some(at("03-20 16:00"))));
    let between = view("cycles_between_failures").expect("there is such a view");
    let row = between.table(&session, &asked).await.expect("the view answers").objects().remove(0);
    assert_eq!((&row["gained"], &row["failures"]), (&250.0.into(), &1.into()), "250 scans between failures");
    let rate = Rate::of_micros(one.failures, one.in_service_micros).expect("there is exposure");
    assert!(rate.low < rate.per_year && rate.per_year < rate.high && !rate.is_enough());
}

/// What it counted at both sites was once set against what failed at the first of them by name.
#[tokio::test]
async fn a_counter_goes_with_its_device_and_so_do_the_failures_between_which_it_counts() {
    let mut house = House::new();
    house.register("ct-7", "03-01 00:00");
    house.reads("ct-7", "03-02 08:00", 1_000);
    house.reads("ct-7", "03-09 08:00", 1_300);
    for (order, opened, back) in [("wo-1", "03-03 08:00", "03-03 09:00"), ("wo-2", "03-20 08:00", "03-20 09:00")] {
        if order == "wo-2" {
            house.moves("ct-7", "03-10 00:00", "east");
            house.reads("ct-7", "03-22 08:00", 1_500);
        }
        house.order("ct-7", order, opened, Phase::Opened);
        house.order("ct-7", order, back, Phase::ReturnedToService);
    }
    let between = view("cycles_between_failures").expect("there is such a view");
    let asked = question("03-01 00:00", "04-01 00:00", "04-01 00:00");
    let rows = between.table(&house.session().await, &asked).await.expect("the view answers").objects();
    let said: Vec<_> = rows.iter().map(|row| (row["gained"].as_f64(), row["failures"].as_u64())).collect();
    assert_eq!(said, [(Some(500.0), Some(2))]);
}

fn preventive(house: &mut House, order: &str, opened: &str, planned: Span) {
    house.phase("ct-7", order, OrderClass::Preventive, opened, Phase::Opened, None, Some(planned));
}

fn done(house: &mut House, order: &str, when: &str, outcome: PmOutcome) {
    let body = PmDone { procedure: "annual".into(), due: None, outcome, order: Some(order.into()) };
    house.record("ct-7", when, Body::PmDone(body));
}

#[tokio::test]
async fn golden_12_maintenance_done_in_its_window_is_on_time_whenever_its_order_closes_on_paper() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    preventive(&mut house, "pm-1", "03-01 08:00", span("03-20 14:00", "03-20 16:00"));
    done(&mut house, "pm-1", "03-20 15:55", PmOutcome::Completed);
    house.phase("ct-7", "pm-1", OrderClass::Preventive, "04-03 09:00", Phase::Closed, None, None);
    let asked = question("03-01 00:00", "04-01 00:00", "04-09 00:00");
    let found = pm(&house.session().await, &asked).await.expect("the view answers");
    assert_eq!((found.len(), found[0].state, found[0].done), (1, PmState::OnTime, Some(at("03-20 15:55"))));
    assert_eq!(found[0].procedure, "annual");
    let row = view("pm").expect("there is such a view").table(&house.session().await, &asked).await;
    assert_eq!(row.expect("the view answers").objects()[0]["late_seconds"], 0.0);
}

async fn states(house: &House, asked: Question) -> Vec<(PmState, bool, Option<String>)> {
    let found = pm(&house.session().await, &asked).await.expect("the view answers");
    found.into_iter().map(|one| (one.state, one.carried, one.reason)).collect()
}

#[tokio::test]
async fn overdue_work_is_carried_forward_until_it_is_done() {
    let mut house = House::new();
    house.register("ct-7", "01-01 00:00");
    preventive(&mut house, "pm-1", "01-02 08:00", span("01-20 14:00", "01-20 16:00"));
    done(&mut house, "pm-1", "01-20 15:00", PmOutcome::CouldNotLocate);
    let february = || question("02-01 00:00", "03-01 00:00", "03-01 00:00");
    let not_found = Some("could_not_locate".to_owned());
    assert_eq!(states(&house, february()).await, [(PmState::Overdue, true, not_found.clone())]);
    done(&mut house, "pm-1", "03-05 10:00", PmOutcome::Completed);
    assert_eq!(states(&house, february()).await, [(PmState::Overdue, true, not_found.clone())], "it was not done then");
    let march = question("03-01 00:00", "04-01 00:00", "04-01 00:00");
    assert_eq!(states(&house, march).await, [(PmState::Late, true, not_found)]);
    let april = question("04-01 00:00", "05-01 00:00", "05-01 00:00");
    assert_eq!(states(&house, april).await, [], "done is done");
}

#[tokio::test]
async fn maintenance_without_an_order_is_due_at_the_end_of_its_day() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let body = |when: &str| {
        let due = Some(at("03-31 00:00").day());
        let done = PmDone { procedure: when.into(), due, outcome: PmOutcome::Completed, order: None };
        Body::PmDone(done)
    };
    house.record("ct-7", "03-31 23:00", body("a"));
    house.record("ct-7", "04-01 00:30", body("b"));
    let found = pm(&house.session().await, &question("03-01 00:00", "04-02 00:00", "04-09 00:00")).await;
    let found = found.expect("the view answers");
    let asked = question("03-01 00:00", "04-02 00:00", "04-09 00:00");
    let rows = view("pm").expect("there is such a view").table(&house.session().await, &asked).await;
    let late: Vec<_> =
        rows.expect("the view answers").objects().iter().map(|row| row["late_seconds"].clone()).collect();
    assert_eq!(late, [0.0, 1_800.0], "half an hour after the day");
    let seen: Vec<(&str, PmState)> = found.iter().map(|one| (&*one.procedure, one.state)).collect();
    assert_eq!(seen, [("a", PmState::OnTime), ("b", PmState::Late)]);
    assert_eq!(found[0].due, at("04-01 00:00"));
}
