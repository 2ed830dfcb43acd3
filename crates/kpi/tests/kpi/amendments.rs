//! What late records changed of a period that had been told: each change with its size, its cause and its date.

use std::collections::BTreeMap;

use medfleet_domain::fact::Body;
use medfleet_domain::human::{Claimed, OrderClass, Phase, PmDone, PmOutcome, Retirement};
use medfleet_kpi::Question;
use medfleet_kpi::ask::{
    Amended, AmendedWork, Spent, Uptime, amended_counters, amended_work, amendments, cycles, pm, repairs, uptime,
};
use medfleet_kpi::measure::Measure;

use crate::given::{HOUR, House, P, S, UD, at, question, span};

const fn known(spent: &Spent) -> (i64, i64) {
    (spent.up, spent.down)
}

const fn hours(spent: &Spent) -> [i64; 3] {
    [spent.in_service / HOUR, spent.up / HOUR, spent.down / HOUR]
}

type Sums = BTreeMap<(String, String), [i64; 3]>;

async fn spent(house: &House, known: (u64, u64), asked: &Question) -> Sums {
    let rows = uptime(&house.as_of(known).await, asked).await.expect("the view answers");
    let of = |one: Uptime| {
        let Measure { in_service, productive, standby, engineering, scheduled_down, unscheduled_down, .. } =
            one.measure;
        let sums = [in_service, productive + standby + engineering, scheduled_down + unscheduled_down];
        ((one.device, one.site), sums)
    };
    rows.into_iter().map(of).collect()
}

/// The amendments since the log was so long. They are all that changed: each begins where the one before ended, the first with what was
/// told then, and the last ends with what is told now.
async fn amended(house: &House, told: (u64, u64), asked: &Question) -> Vec<Amended> {
    let found = amendments(&house.session().await, asked).await.expect("the view answers");
    let sums = |of: &Spent| [of.in_service, of.up, of.down];
    let (mut stands, now) = (spent(house, told, asked).await, spent(house, house.now(), asked).await);
    for one in &found {
        let before = stands.insert((one.device.clone(), one.site.clone()), sums(&one.after)).unwrap_or_default();
        assert_eq!(before, sums(&one.before), "{one:?}");
    }
    let counted = |mut all: Sums| {
        all.retain(|_, sums| *sums != [0; 3]);
        all
    };
    assert_eq!(counted(stands), counted(now), "what changed without a cause");
    found
}

fn march() -> Question {
    question("03-01 00:00", "04-01 00:00", "04-20 00:00").closed_at(at("04-02 00:00"))
}

#[tokio::test]
async fn golden_a_registration_told_late_is_listed_with_the_time_in_service_that_it_added() {
    let mut house = House::new();
    house.hears("ct-7", S, "03-11 00:00", "03-12 00:00");
    let told = house.now();
    house.late("04-04 09:00", |house| house.register("ct-7", "03-11 12:00"));
    let found = amended(&house, told, &march()).await;
    let one = &found[0];
    assert_eq!((found.len(), &*one.reason, one.arrived.to_string()), (1, "registered", "2026-04-04".into()));
    // Until somebody registered it, it was in service while it was heard.
    assert_eq!((hours(&one.before), hours(&one.after)), ([24, 24, 0], [492, 12, 0]));
    assert_eq!(one.records.first, house.told_at as i64);
}

#[tokio::test]
async fn golden_a_device_registered_late_and_heard_by_nobody_is_listed_for_its_coverage() {
    let mut house = House::new();
    house.late("04-04 09:00", |house| house.register("ct-7", "03-11 00:00"));
    let found = amended(&house, (0, house.now().1), &march()).await;
    assert_eq!(
        found.iter().map(|one| (hours(&one.before), hours(&one.after))).collect::<Vec<_>>(),
        [([0; 3], [504, 0, 0])]
    );
    assert!(found[0].is_first(), "nothing had been told of the device");
}

#[tokio::test]
async fn golden_a_move_told_late_takes_from_one_site_and_gives_to_the_other() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-11 00:00", "03-12 00:00");
    let told = house.now();
    house.late("04-05 09:00", |house| house.moves("ct-7", "03-11 12:00", "east"));
    let found = amended(&house, told, &march()).await;
    let listed: Vec<_> =
        found.iter().map(|one| (&*one.site, &*one.reason, hours(&one.before), hours(&one.after))).collect();
    // What was heard as of the north is not known of the east.
    let wanted = [("east", "moved", [0; 3], [492, 0, 0]), ("north", "moved", [744, 24, 0], [252, 12, 0])];
    assert_eq!(listed, wanted);
}

#[tokio::test]
async fn golden_a_retirement_told_late_ends_what_counts_and_a_backlog_beyond_it_changes_nothing() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", UD, "03-11 00:00", "03-12 00:00");
    let told = house.now();
    let retired = Body::Retired(Retirement { reason: "old".into() });
    house.late("04-05 09:00", |house| {
        house.record("ct-7", "03-11 06:00", retired);
    });
    house.backlog("ct-7", S, at("03-20 00:00"), at("03-20 05:00"), at("04-05 10:00"));
    house.backlog("ct-7", P, at("03-10 20:00"), at("03-11 00:00"), at("04-05 11:00"));
    let found = amended(&house, told, &march()).await;
    let listed: Vec<_> = found.iter().map(|one| (&*one.reason, hours(&one.before), hours(&one.after))).collect();
    assert_eq!(listed, [("retired", [744, 0, 24], [246, 0, 6]), ("backlog", [246, 0, 6], [246, 4, 6])]);
}

#[tokio::test]
async fn golden_each_late_record_has_a_line_of_its_own_reason_though_a_day_brings_several() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let claim = house.claims("ct-7", "03-10 13:00", Claimed::Down, "03-10 10:00", Some("03-10 12:00"));
    house.hears("ct-7", S, "03-10 12:00", "03-10 14:00");
    let told = house.now();
    house.backlog("ct-7", S, at("03-10 08:00"), at("03-10 10:00"), at("04-05 09:00"));
    house.voids("ct-7", "04-05 10:00", claim);
    house.claims("ct-7", "04-05 11:00", Claimed::Down, "03-10 08:00", Some("03-10 09:00"));
    house.late("04-05 12:00", |house| house.moves("ct-7", "03-31 00:00", "east"));
    let found = amended(&house, told, &march()).await;
    let north: Vec<_> =
        found.iter().filter(|one| one.site == "north").map(|one| (&*one.reason, known(&one.after))).collect();
    let wanted = [("backlog", (4, 2)), ("voided", (4, 0)), ("claim", (3, 1)), ("moved", (3, 1))];
    assert_eq!(north, wanted.map(|(reason, (up, down))| (reason, (up * HOUR, down * HOUR))));
}

/// What late records changed of work, when March was told.
async fn worked(house: &House) -> Vec<AmendedWork> {
    amended_work(&house.session().await, &march()).await.expect("the view answers")
}

#[tokio::test]
async fn golden_phases_of_an_order_told_late_are_listed_with_the_clocks_that_they_moved() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.order("ct-7", "wo-1", "03-10 10:00", Phase::Opened);
    house.order("ct-7", "wo-2", "03-31 10:00", Phase::Opened);
    let told = house.now();
    house.late("04-04 09:00", |house| {
        house.order("ct-7", "wo-1", "03-10 11:00", Phase::Arrived);
        house.order("ct-7", "wo-1", "03-10 15:00", Phase::ReturnedToService);
    });
    let first = house.told_at as i64 - 1;
    // That an order ends after March was told is news, told in time.
    house.order("ct-7", "wo-2", "04-06 10:00", Phase::ReturnedToService);
    let found = worked(&house).await;
    let [one] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((&*one.what, one.work_order.as_deref(), one.at), ("repair", Some("wo-1"), at("03-10 10:00")));
    assert_eq!((&*one.reason, one.arrived.to_string()), ("order", "2026-04-04".into()));
    assert_eq!((one.records.first, one.records.last), (first, first + 1));
    let (before, after) = (one.before.as_ref().expect("it was told"), one.after.as_ref().expect("it stands"));
    let open = span("03-10 10:00", "04-02 00:00").micros();
    assert_eq!((&*before.state, before.turnaround, before.response), ("open", Some(open), Some(open)));
    assert_eq!((&*after.state, after.turnaround, after.response), ("finished", Some(5 * HOUR), Some(HOUR)));
    // Those are the clocks that were told, and are told now.
    let closed = question("03-01 00:00", "04-01 00:00", "04-02 00:00");
    for (known, wanted) in [(told, before), (house.now(), after)] {
        let all = repairs(&house.as_of(known).await, &closed).await.expect("the view answers");
        let same = all.iter().find(|one| one.work_order == "wo-1").expect("it is there");
        assert_eq!(Some(same.turnaround.micros), wanted.turnaround);
    }
}

#[tokio::test]
async fn golden_an_order_that_came_late_as_a_whole_and_one_that_was_voided_are_listed() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let wrong = house.order("ct-7", "wo-1", "03-10 10:00", Phase::Opened);
    house.late("04-04 09:00", |house| {
        house.order("ct-7", "wo-2", "03-12 10:00", Phase::Opened);
        house.order("ct-7", "wo-2", "03-12 15:00", Phase::Closed);
    });
    house.voids("ct-7", "04-05 09:00", wrong);
    let found = worked(&house).await;
    let state = |of: &Option<medfleet_kpi::ask::Stood>| of.as_ref().map(|stood| stood.state.clone());
    let listed: Vec<_> = found
        .iter()
        .map(|one| (one.work_order.as_deref(), &*one.reason, state(&one.before), state(&one.after)))
        .collect();
    let (open, finished) = (Some("open".to_owned()), Some("finished".to_owned()));
    assert_eq!(listed, [(Some("wo-1"), "voided", open, None), (Some("wo-2"), "order", None, finished)]);
}

fn annual(order: Option<&str>) -> Body {
    let due = order.is_none().then(|| at("03-20 00:00").day());
    Body::PmDone(PmDone {
        procedure: "annual".into(),
        due,
        outcome: PmOutcome::Completed,
        order: order.map(Into::into),
    })
}

#[tokio::test]
async fn golden_maintenance_recorded_late_is_listed_with_how_it_had_stood() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.register("ct-8", "02-01 00:00");
    let planned = Some(span("03-20 14:00", "03-20 16:00"));
    for device in ["ct-7", "ct-8"] {
        house.phase(device, "pm-1", OrderClass::Preventive, "03-01 08:00", Phase::Opened, None, planned);
    }
    let told = house.now();
    house.late("04-04 09:00", |house| {
        house.record("ct-7", "03-20 15:00", annual(Some("pm-1")));
    });
    // Without an order nobody knew that it was due.
    house.late("04-04 10:00", |house| {
        house.record("ct-7", "03-20 15:00", annual(None));
    });
    // What is done after March was told is news.
    house.record("ct-8", "04-05 08:00", annual(Some("pm-1")));
    let found = worked(&house).await;
    let state = |of: &Option<medfleet_kpi::ask::Stood>| of.as_ref().map(|stood| stood.state.clone());
    let listed: Vec<_> = found
        .iter()
        .map(|one| (one.work_order.as_deref(), &*one.reason, state(&one.before), state(&one.after)))
        .collect();
    let (overdue, on_time) = (Some("overdue".to_owned()), Some("on_time".to_owned()));
    assert_eq!(listed, [(Some("pm-1"), "maintenance", overdue, on_time.clone()), (None, "maintenance", None, on_time)]);
    let closed = question("03-01 00:00", "04-01 00:00", "04-02 00:00");
    let due = async |known| pm(&house.as_of(known).await, &closed).await.expect("the view answers").len();
    assert_eq!((due(told).await, due(house.now()).await), (2, 3), "one more was due than had been told");
}

#[tokio::test]
async fn golden_maintenance_is_no_longer_due_where_a_retirement_was_told_late() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let planned = Some(span("03-20 14:00", "03-20 16:00"));
    house.phase("ct-7", "pm-1", OrderClass::Preventive, "03-01 08:00", Phase::Opened, None, planned);
    let retired = Body::Retired(Retirement { reason: "old".into() });
    house.late("04-04 09:00", |house| {
        house.record("ct-7", "03-11 00:00", retired);
    });
    let found = worked(&house).await;
    let [one] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((&*one.what, &*one.reason, one.after.is_none()), ("maintenance", "retired", true));
    assert_eq!(one.before.as_ref().map(|stood| &*stood.state), Some("overdue"));
}

#[tokio::test]
async fn a_backlog_is_listed_with_its_size_its_cause_and_its_date() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-01 00:00", "03-31 00:00");
    // The last day of March was silent; fourteen hours down are told on 4 April.
    house.hears("ct-7", S, "04-01 00:00", "04-02 00:00");
    let first_late = house.told_at + 1;
    for hour in 0..14 {
        let from = at("03-31 00:00").plus_micros(hour * HOUR);
        house.backlog("ct-7", UD, from, from.plus_micros(HOUR), at("04-04 09:00"));
    }
    let asked = question("03-01 00:00", "04-01 00:00", "04-09 00:00").closed_at(at("04-02 12:00"));
    let found = amendments(&house.session().await, &asked).await.expect("the view answers");
    assert_eq!(found.len(), 1, "{found:#?}");
    let one = &found[0];
    assert_eq!((&*one.device, &*one.reason, one.arrived.to_string()), ("ct-7", "backlog", "2026-04-04".into()));
    assert_eq!((known(&one.before), known(&one.after)), ((720 * HOUR, 0), (720 * HOUR, 14 * HOUR)));
    assert_eq!((one.records.first, one.records.last), (first_late as i64, first_late as i64 + 13));
    let (before, after) = (one.before.uptime(), one.after.uptime());
    assert_eq!((before, after.map(|ratio| (ratio * 1_000.0).round())), (Some(1.0), Some(981.0)));
}

#[tokio::test]
async fn golden_05_what_an_agent_delivers_a_day_later_is_listed_with_its_cause_and_the_evening_before_stays() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 09:00", "03-20 10:00");
    house.hears("ct-7", S, "03-20 12:00", "03-20 13:00");
    let (evening, told_before) = (house.now(), house.told_at);
    for from in ["03-20 10:00", "03-20 11:00"] {
        let from = at(from);
        house.backlog("ct-7", S, from, from.plus_micros(HOUR), at("03-21 09:00"));
    }
    let morning = question("03-20 09:00", "03-20 13:00", "03-21 12:00");
    let sums = |rows: Vec<Uptime>| -> Measure { rows.into_iter().map(|row| row.measure).sum() };
    let before = sums(uptime(&house.as_of(evening).await, &morning).await.expect("the view answers"));
    assert_eq!((before.unknown(), before.known()), (2 * HOUR, 2 * HOUR));
    let now = sums(uptime(&house.session().await, &morning).await.expect("the view answers"));
    assert_eq!((now.unknown(), now.known(), now.unscheduled_down), (0, 4 * HOUR, 0));
    let found =
        amendments(&house.session().await, &morning.closed_at(at("03-20 20:00"))).await.expect("the view answers");
    assert_eq!(found.len(), 1, "{found:#?}");
    let one = &found[0];
    assert_eq!((&*one.device, &*one.reason, one.arrived.to_string()), ("ct-7", "backlog", "2026-03-21".into()));
    assert_eq!((known(&one.before), known(&one.after)), ((2 * HOUR, 0), (4 * HOUR, 0)));
    assert_eq!(
        (one.records.first, one.records.last),
        (told_before as i64 + 1, told_before as i64 + 2),
        "the facts that did it"
    );
}

#[tokio::test]
async fn the_last_hour_of_a_period_is_no_amendment_though_it_is_told_after_it() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 08:00", "03-20 12:00");
    house.backlog("ct-7", S, at("03-20 12:00"), at("03-20 13:00"), at("03-20 13:20"));
    house.backlog("ct-7", S, at("03-20 06:00"), at("03-20 07:00"), at("03-20 15:00"));
    let asked = question("03-20 06:00", "03-20 13:00", "03-21 00:00");
    let found = amendments(&house.session().await, &asked).await.expect("the view answers");
    let seen: Vec<_> = found.iter().map(|one| (known(&one.before), known(&one.after))).collect();
    assert_eq!(seen, [((5 * HOUR, 0), (6 * HOUR, 0))]);
}

#[tokio::test]
async fn rows_that_take_over_from_a_claim_are_no_amendment() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 08:00", "03-20 10:00");
    house.claims("ct-7", "03-20 10:05", Claimed::Down, "03-20 10:00", None);
    // Said in April: usable since a day. March was down before and after.
    house.claims("ct-7", "04-03 09:00", Claimed::Usable, "04-02 09:00", None);
    house.hears("ct-7", S, "04-03 09:00", "04-03 10:00");
    let asked = question("03-01 00:00", "04-01 00:00", "04-09 00:00").closed_at(at("04-02 00:00"));
    let found = amendments(&house.session().await, &asked).await.expect("the view answers");
    assert_eq!(found, [], "what the claim supplied the rows supply now");
    let down = span("03-20 10:00", "04-01 00:00").micros();
    let month = uptime(&house.session().await, &asked).await.expect("the view answers");
    assert_eq!(month[0].measure.unscheduled_down, down);
}

#[tokio::test]
async fn golden_a_reading_told_late_moves_what_its_counter_gained_in_both_periods_that_it_parts() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    for (when, value) in [("03-10 08:00", 100), ("03-20 08:00", 180), ("04-05 08:00", 220)] {
        house.reads("ct-7", when, value);
    }
    let told = house.now();
    let april = question("04-01 00:00", "05-01 00:00", "05-20 00:00").closed_at(at("05-02 00:00"));
    assert_eq!(amended_counters(&house.session().await, &march()).await.expect("it answers"), []);
    house.late("05-04 09:00", |house| house.reads("ct-7", "03-31 08:00", 210));
    // Between two of March it parts a gain of March and amends nothing.
    house.late("05-05 09:00", |house| house.reads("ct-7", "03-15 08:00", 130));
    let session = house.session().await;
    for (asked, gains) in [(march(), (80_000, 110_000)), (april, (40_000, 10_000))] {
        let found = amended_counters(&session, &asked).await.expect("it answers");
        let [one] = &found[..] else { panic!("one change: {found:#?}") };
        assert_eq!((&*one.counter, &*one.reason, one.arrived.to_string()), ("scans", "backlog", "2026-05-04".into()));
        assert_eq!((one.before_milli, one.after_milli, one.is_first()), (gains.0, gains.1, false));
        let gained = async |session| cycles(session, &asked).await.expect("it answers")[0].gained_milli;
        assert_eq!((gained(&house.as_of(told).await).await, gained(&session).await), gains, "as `cycles` tells it");
    }
}

#[tokio::test]
async fn the_first_readings_of_a_counter_amend_nothing_however_late() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.late("04-04 09:00", |house| {
        house.reads("ct-7", "03-10 08:00", 100);
        house.reads("ct-7", "03-20 08:00", 180);
    });
    let found = amended_counters(&house.session().await, &march()).await.expect("it answers");
    assert_eq!(found.iter().map(|one| (one.after_milli, one.is_first())).collect::<Vec<_>>(), [(80_000, true)]);
}
