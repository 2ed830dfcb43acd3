//! Uptime within base hours, shares in use, and the population.

use medfleet_domain::fact::Body;
use medfleet_domain::human::{Claimed, OrderClass, Party, Phase, Retirement};
use medfleet_kpi::Question;
use medfleet_kpi::ask::{Concurrency, concurrency, downtimes, failures, pm, reliability, uptime};
use medfleet_kpi::backdated::{Part, backdated};
use medfleet_kpi::measure::Measure;
use medfleet_kpi::registry::view;
use serde_json::{Map, Value};

use crate::given::{HOUR, House, P, S, UD, at, question, span};

async fn measure(house: &House, from: &str, until: &str, now: &str) -> Measure {
    let rows = uptime(&house.session().await, &question(from, until, now)).await.expect("the view answers");
    rows.into_iter().map(|row| row.measure).sum()
}

#[tokio::test]
async fn golden_17_a_device_never_heard_is_in_the_population_with_coverage_nought() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.register("ct-8", "02-01 00:00");
    house.hears("ct-7", S, "03-20 00:00", "03-21 00:00");
    let pair = measure(&house, "03-20 00:00", "03-21 00:00", "03-22 00:00").await;
    assert_eq!((pair.monitored, pair.devices), (1, 2));
    let total = pair.total_uptime().expect("something is known");
    assert_eq!((total.value, total.coverage, total.worst, total.best), (1.0, 0.5, 0.5, 1.0));
}

fn retired() -> Body {
    Body::Retired(Retirement { reason: "old".into() })
}

#[tokio::test]
async fn days_add_up_to_the_period_and_what_lies_outside_the_service_is_on_no_day() {
    let mut house = House::new();
    house.register("ct-7", "03-02 12:00");
    house.hears("ct-7", S, "03-02 06:00", "03-03 06:00");
    house.hears("ct-7", UD, "03-03 06:00", "03-03 08:00");
    // Two days of a claim beyond its edge, in one piece.
    house.claims("ct-7", "03-05 00:00", Claimed::Down, "03-03 12:00", Some("03-05 06:00"));
    // Nobody registered it: in service while it is heard.
    house.hears("ct-9", P, "03-04 22:00", "03-05 02:00");
    let asked = question("03-01 00:00", "03-06 00:00", "03-06 00:00");
    let session = house.session().await;
    let by_day = view("uptime_by_day").expect("there is such a view");
    let rows = by_day.table(&session, &asked).await.expect("the view answers").objects();
    let hours = |row: &Map<String, Value>, name: &str| row[name].as_f64().expect("a number") / 3_600.0;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let of = ["in_service_seconds", "productive_seconds", "standby_seconds", "unscheduled_down_seconds"];
            (row["day"].as_str().expect("a day").to_owned(), of.map(|name| hours(row, name)))
        })
        .collect();
    let day = |day: &str, hours: [f64; 4]| (format!("2026-03-{day}"), hours);
    assert_eq!(
        told,
        [
            day("02", [12.0, 0.0, 12.0, 0.0]),
            day("03", [24.0, 0.0, 6.0, 14.0]),
            day("04", [26.0, 2.0, 0.0, 24.0]),
            day("05", [26.0, 2.0, 0.0, 6.0]),
        ]
    );
    // Monday to Thursday, open from eight to five.
    let names = ["devices", "monitored"];
    let counted: Vec<_> = rows.iter().map(|row| names.map(|name| row[name].as_i64().expect("a count"))).collect();
    assert_eq!(counted, [[1, 1], [1, 1], [2, 2], [2, 2]]);
    let parts: Vec<_> = rows
        .iter()
        .map(|row| {
            let of = [
                "known_seconds",
                "best_up_seconds",
                "base_seconds",
                "base_up_seconds",
                "base_down_seconds",
                "base_best_up_seconds",
            ];
            of.map(|name| hours(row, name))
        })
        .collect();
    let wanted = [
        [12.0, 12.0, 5.0, 5.0, 0.0, 5.0],
        [20.0, 10.0, 9.0, 0.0, 5.0, 4.0],
        [26.0, 2.0, 9.0, 0.0, 9.0, 0.0],
        [8.0, 20.0, 9.0, 0.0, 0.0, 9.0],
    ];
    assert_eq!(parts, wanted);
    let whole: i64 = uptime(&session, &asked).await.expect("the view answers").iter().map(|row| row.measure.up()).sum();
    assert_eq!(whole, 22 * HOUR, "as `uptime` has it: standby 18 h, in use 4 h");
}

#[tokio::test]
async fn what_is_heard_of_a_retired_device_makes_up_for_nothing_that_is_silent() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.register("ct-8", "02-01 00:00");
    house.hears("ct-8", S, "03-20 00:00", "03-24 04:00");
    house.record("ct-8", "03-10 00:00", retired());
    let pair = measure(&house, "03-20 00:00", "03-24 04:00", "04-02 00:00").await;
    assert_eq!((pair.monitored, pair.devices, pair.in_service, pair.known()), (0, 1, 100 * HOUR, 0));
    assert_eq!((pair.unknown(), pair.total_uptime()), (100 * HOUR, None), "nothing is known of the one in service");
    let open = question("03-20 00:00", "03-24 04:00", "04-02 00:00");
    assert_eq!(at_once(&house, "03-20 00:00", "03-24 04:00", "04-02 00:00").await.known, 0);
    let rows = reliability(&house.session().await, &open).await.expect("the view answers");
    let up: Vec<_> = rows.iter().map(|row| (&*row.device, row.in_service_micros, row.up_micros)).collect();
    assert_eq!(up, [("ct-7", 100 * HOUR, 0)]);
}

#[tokio::test]
async fn a_device_retired_at_noon_counts_until_noon_and_one_registered_at_noon_from_noon_on() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.register("ct-8", "03-20 12:10");
    // Neither edge is one of a quarter-hour's or of what was heard.
    house.hears("ct-7", S, "03-20 08:00", "03-20 16:00");
    house.hears("ct-8", P, "03-20 08:00", "03-20 16:00");
    house.record("ct-7", "03-20 12:05", retired());
    let minute = HOUR / 60;
    let rows = uptime(&house.session().await, &question("03-20 00:00", "03-21 00:00", "03-22 00:00")).await;
    let rows = rows.expect("the view answers");
    let of = |at: usize| (rows[at].measure.in_service, rows[at].measure.base, rows[at].measure.known());
    assert_eq!(of(0), (725 * minute, 245 * minute, 245 * minute));
    assert_eq!((of(1), rows[1].measure.base_up), ((710 * minute, 290 * minute, 230 * minute), 230 * minute));
    let found = at_once(&house, "03-20 00:00", "03-21 00:00", "03-22 00:00").await;
    assert_eq!((found.in_use, found.known, found.in_service), (230 * minute, 475 * minute, 1_435 * minute));
    // A claim that nobody ended ends with the service.
    house.claims("ct-7", "03-20 16:00", Claimed::Down, "03-20 12:00", None);
    let after = measure(&house, "03-20 00:00", "03-25 00:00", "03-25 00:00").await;
    assert_eq!(after.unscheduled_down, 5 * minute);
    assert!(after.known() <= after.in_service);
}

#[tokio::test]
async fn a_retired_device_is_no_longer_down_fails_no_more_and_owes_no_maintenance() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 00:00", "03-20 08:00");
    house.claims("ct-7", "03-20 08:00", Claimed::Down, "03-20 08:00", None);
    house.order("ct-7", "wo-1", "03-20 09:00", Phase::Opened);
    house.record("ct-7", "03-20 12:00", retired());
    house.order("ct-7", "wo-2", "03-22 09:00", Phase::Opened);
    for (order, planned) in [("pm-1", span("03-20 09:00", "03-20 11:00")), ("pm-2", span("03-21 09:00", "03-21 11:00"))]
    {
        house.phase("ct-7", order, OrderClass::Preventive, "03-19 00:00", Phase::Opened, None, Some(planned));
    }
    let (session, asked) = (house.session().await, question("03-20 00:00", "03-25 00:00", "03-25 00:00"));
    let off_line = downtimes(&session, &asked).await.expect("the view answers");
    assert_eq!(off_line.iter().map(|one| one.unscheduled_micros).collect::<Vec<_>>(), [4 * HOUR]);
    let failed = failures(&session, &asked).await.expect("the view answers");
    assert_eq!(failed.iter().map(|one| one.work_order.as_deref()).collect::<Vec<_>>(), [Some("wo-1")]);
    let due = |asked: Question| {
        let session = session.clone();
        async move { pm(&session, &asked).await.expect("the view answers").len() }
    };
    assert_eq!(due(asked.clone()).await, 1, "the one that fell due before noon");
    assert_eq!(due(question("03-21 00:00", "03-25 00:00", "03-25 00:00")).await, 0, "nothing is carried any more");
}

#[tokio::test]
async fn a_device_that_comes_back_counts_before_and_after_and_one_that_nobody_registered_while_it_is_heard() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 00:00", "03-21 00:00");
    house.record("ct-7", "03-20 06:00", retired());
    house.register("ct-7", "03-20 18:00");
    house.hears("ct-9", S, "03-20 20:00", "03-21 00:00");
    let rows = uptime(&house.session().await, &question("03-20 00:00", "03-22 00:00", "03-25 00:00")).await;
    let rows = rows.expect("the view answers");
    let found: Vec<_> = rows
        .iter()
        .map(|row| (&*row.device, row.measure.devices, row.measure.in_service / HOUR, row.measure.known() / HOUR))
        .collect();
    assert_eq!(found, [("ct-7", 1, 36, 12), ("ct-9", 1, 4, 4)]);
}

/// Friday 20 March: in use nine to eleven, down from eleven to four in the afternoon, waits for parts one to three.
fn friday() -> House {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 00:00", "03-20 09:00");
    house.hears("ct-7", P, "03-20 09:00", "03-20 11:00");
    house.hears("ct-7", UD, "03-20 11:00", "03-20 16:00");
    house.hears("ct-7", S, "03-20 16:00", "03-21 00:00");
    house.order("ct-7", "wo-1", "03-20 11:30", Phase::Opened);
    house.wait("ct-7", "wo-1", "03-20 12:00", Phase::WaitingStarted, Party::Facility);
    house.wait("ct-7", "wo-1", "03-20 13:00", Phase::WaitingEnded, Party::Facility);
    house.wait("ct-7", "wo-1", "03-20 13:00", Phase::WaitingStarted, Party::Parts);
    house.wait("ct-7", "wo-1", "03-20 15:00", Phase::WaitingEnded, Party::Parts);
    house.order("ct-7", "wo-1", "03-20 16:00", Phase::ReturnedToService);
    house
}

#[tokio::test]
async fn the_family_of_uptimes_over_one_day_in_base_hours() {
    let day = measure(&friday(), "03-20 00:00", "03-21 00:00", "03-22 00:00").await;
    assert_eq!((day.base, day.base_up, day.base_unscheduled_down), (9 * HOUR, 4 * HOUR, 5 * HOUR));
    let parts = |ratio: Option<medfleet_kpi::measure::Ratio>| ratio.map(|one| (one.over / HOUR, one.under / HOUR));
    assert_eq!(parts(day.total_uptime()), Some((19, 24)));
    assert_eq!(parts(day.operational_uptime()), Some((4, 9)));
    assert_eq!(parts(day.equipment_dependent_uptime()), Some((4, 6)), "three hours of waiting taken out");
    assert_eq!(parts(day.supplier_dependent_uptime()), Some((4, 8)), "only the facility's hour taken out");
    assert_eq!(parts(day.base_utilization()), Some((2, 9)));
    assert_eq!(parts(day.total_utilization()), Some((2, 24)));
}

#[tokio::test]
async fn an_open_claim_counts_up_to_the_cut_and_no_further() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.hears("ct-7", S, "03-20 08:00", "03-20 10:00");
    house.claims("ct-7", "03-20 10:00", Claimed::Down, "03-20 10:00", None);
    let seen = measure(&house, "03-20 00:00", "03-21 00:00", "03-20 12:00").await;
    assert_eq!((seen.unscheduled_down, seen.base_unscheduled_down), (2 * HOUR, 2 * HOUR));
    let later = measure(&house, "03-20 00:00", "03-21 00:00", "03-22 00:00").await;
    assert_eq!((later.unscheduled_down, later.base_unscheduled_down), (14 * HOUR, 7 * HOUR));
}

#[tokio::test]
async fn base_hours_of_march_are_the_same_by_both_ways_of_counting() {
    // The view sums base_micros; the domain adds up spans of the calendar.
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let month = measure(&house, "03-01 00:00", "04-01 00:00", "04-02 00:00").await;
    assert_eq!(month.base, 198 * HOUR);
    let day = measure(&house, "03-21 00:00", "03-22 00:00", "04-02 00:00").await;
    assert_eq!((day.base, day.in_service), (0, 24 * HOUR), "a Saturday");
}

#[tokio::test]
async fn golden_23_saturdays_from_may_leave_march_alone_and_backdating_is_listed_and_shows_as_of() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.calendar("05-01 00:00", "04-20 09:00", 1..=6);
    let as_of_1_may = house.now();
    assert_eq!(base_of_march(&house, house.now()).await, 198 * HOUR);
    house.calendar("03-01 00:00", "05-02 09:00", 1..=6);
    assert_eq!(base_of_march(&house, house.now()).await, (198 + 36) * HOUR);
    assert_eq!(base_of_march(&house, as_of_1_may).await, 198 * HOUR, "as it was known on 1 May");
    let march = question("03-01 00:00", "04-01 00:00", "06-01 00:00");
    let listed = backdated(&house.session().await, &march).await.expect("the view answers");
    assert_eq!(listed.len(), 1, "the one of April begins in May: {listed:#?}");
    let one = &listed[0].version;
    assert_eq!(
        (&*one.what, one.valid_from.to_string(), one.recorded),
        ("calendar", "2026-03-01".into(), at("05-02 09:00"))
    );
    assert_eq!(backdated(&house.as_of(as_of_1_may).await, &march).await.expect("the view answers"), []);
}

#[tokio::test]
async fn a_calendar_recorded_late_is_listed_with_the_points_by_which_it_moved_the_figure() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    // A Friday and a Saturday of March: up in base hours of the one, down on the other.
    house.hears("ct-7", S, "03-20 08:00", "03-20 17:00");
    house.hears("ct-7", UD, "03-21 08:00", "03-21 10:00");
    house.calendar("03-01 00:00", "05-02 09:00", 1..=6);
    // Another, about days without a word, moves nothing that can be divided otherwise.
    house.calendar("03-23 00:00", "05-03 09:00", 1..=7);
    let march = question("03-01 00:00", "04-01 00:00", "06-01 00:00");
    let listed = backdated(&house.session().await, &march).await.expect("it answers");
    let part = |over: i64, under: i64| Some(Part { over: over * HOUR, under: under * HOUR });
    let sizes: Vec<_> = listed.iter().map(|one| (one.before, one.after)).collect();
    assert_eq!(sizes, [(part(9, 9), part(9, 11)), (part(9, 11), part(9, 11))]);
    let points = listed[0].points().expect("both are known");
    assert!((points - (9.0 / 11.0 - 1.0) * 100.0).abs() < 1e-9, "{points}");
    let other = march.clone().of_device("ct-8");
    let listed = backdated(&house.session().await, &other).await.expect("it answers");
    assert_eq!((listed.len(), listed[0].before, listed[0].after), (2, None, None), "a device narrows the size alone");
}

#[tokio::test]
async fn another_time_zone_of_a_site_moves_its_past_and_is_listed_with_its_size() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    // Down from the fifth hour before midnight, UTC, of a Friday: outside base hours in the east, within them in the west.
    house.hears("ct-7", S, "03-20 08:00", "03-20 19:00");
    house.hears("ct-7", UD, "03-20 19:00", "03-20 23:00");
    let march = question("03-01 00:00", "04-01 00:00", "06-01 00:00");
    let session = house.session().await;
    assert_eq!(backdated(&session, &march).await.expect("it answers"), [], "the first zone of a site changes nothing");
    let before = uptime(&session, &march).await.expect("it answers")[0].measure.operational_uptime();
    let told = house.now();
    house.zone("05-02 09:00", "America/New_York");
    // Told again, it is no other zone.
    house.zone("05-03 09:00", "America/New_York");
    let session = house.session().await;
    let after = uptime(&session, &march).await.expect("it answers")[0].measure.operational_uptime();
    let listed = backdated(&session, &march).await.expect("it answers");
    let [one] = &listed[..] else { panic!("one change of zone: {listed:#?}") };
    assert_eq!((&*one.version.what, one.version.recorded), ("time_zone", at("05-02 09:00")));
    let parts = |ratio: Option<medfleet_kpi::measure::Ratio>| ratio.map(|of| Part { over: of.over, under: of.under });
    assert_eq!((one.before, one.after), (parts(before), parts(after)));
    assert_ne!(one.before, one.after);
    assert_eq!(backdated(&house.as_of(told).await, &march).await.expect("it answers"), []);
}

#[tokio::test]
async fn a_definition_of_a_site_that_changes_its_zone_for_nobody_is_no_change() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.zone("05-02 09:00", "America/New_York");
    // Said of a time before the one that stands: it never holds.
    house.zone_of("04-01 09:00", "05-20 09:00", "Asia/Tokyo");
    let march = question("03-01 00:00", "04-01 00:00", "06-01 00:00");
    let listed = backdated(&house.session().await, &march).await.expect("it answers");
    assert_eq!(listed.iter().map(|one| one.version.recorded).collect::<Vec<_>>(), [at("05-02 09:00")]);
}

#[tokio::test]
async fn a_calendar_without_hours_ends_the_one_before() {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    let no_weekday = std::ops::RangeInclusive::new(1, 0);
    house.calendar("03-16 00:00", "03-10 09:00", no_weekday);
    // Weekdays from 2 to 13 March.
    assert_eq!(base_of_march(&house, house.now()).await, 90 * HOUR);
}

async fn base_of_march(house: &House, known: (u64, u64)) -> i64 {
    let session = house.as_of(known).await;
    let rows = uptime(&session, &question("03-01 00:00", "04-01 00:00", "06-01 00:00")).await.expect("it answers");
    rows.iter().map(|row| row.measure.base).sum()
}

/// Four scanners on 20 March. For one hour all are in use; for eleven two of them, beside one that stands ready and one
/// that is silent. Then their agent is out.
fn half_a_day() -> House {
    let mut house = House::new();
    for device in ["ct-1", "ct-2", "ct-3", "ct-4"] {
        house.register(device, "02-01 00:00");
        house.hears(device, P, "03-20 00:00", "03-20 01:00");
    }
    for device in ["ct-1", "ct-2"] {
        house.hears(device, P, "03-20 01:00", "03-20 12:00");
    }
    house.hears("ct-3", S, "03-20 01:00", "03-20 12:00");
    house
}

async fn at_once(house: &House, from: &str, until: &str, now: &str) -> Concurrency {
    let found = concurrency(&house.session().await, &question(from, until, now)).await.expect("the view answers");
    assert_eq!(found.len(), 1, "one site, one kind");
    found.into_iter().next().expect("a row")
}

#[tokio::test]
async fn the_share_in_use_at_once_is_of_what_is_known_by_quarter_hours() {
    let found = at_once(&half_a_day(), "03-20 00:00", "03-21 00:00", "03-22 00:00").await;
    let quarter = HOUR / 4;
    assert_eq!((found.quarters, found.unknown_quarters), (48, 48), "of half a day nothing is known: it has no share");
    assert_eq!((found.in_use, found.known, found.in_service), (26 * HOUR, 37 * HOUR, 96 * HOUR));
    // 44 quarter-hours with two of three, then four with four of four.
    assert_eq!(found.median.known, Some((2 * quarter, 3 * quarter)), "rank 24 of 48");
    assert_eq!(found.p95.known, Some((4 * quarter, 4 * quarter)), "rank 46 of 48");
    assert_eq!(found.peak.known, Some((4 * quarter, 4 * quarter)));
    // Were the unknown idle: 48 with none, 44 with two, four with four, all of four.
    let worst = [found.median, found.p95, found.peak].map(|one| one.worst);
    assert_eq!(worst, [0, 2, 4].map(|used| (used * quarter, 4 * quarter)), "ranks 48, 92 and 96 of 96");
    // Were it all use: 44 with three, and 52 with four.
    let best = [found.median, found.p95, found.peak].map(|one| one.best);
    assert_eq!(best, [4, 4, 4].map(|used| (used * quarter, 4 * quarter)));
    let median = found.share(&found.median).expect("something is known");
    assert_eq!((median.value, median.worst, median.best, median.coverage), (2.0 / 3.0, 0.0, 1.0, 37.0 / 96.0));
}

#[tokio::test]
async fn an_agent_that_is_out_lowers_no_share_and_silence_alone_has_none() {
    let house = half_a_day();
    let known = at_once(&house, "03-20 00:00", "03-20 12:00", "03-22 00:00").await;
    let whole = at_once(&house, "03-20 00:00", "03-21 00:00", "03-22 00:00").await;
    let shares = |one: &Concurrency| [one.median.known, one.p95.known, one.peak.known];
    assert_eq!(shares(&known), shares(&whole), "the same figures over the half that was seen");
    assert_eq!((known.quarters, known.unknown_quarters), (48, 0));
    // Where one device is silent the bounds still lie around the share: two to three of four.
    let median = known.share(&known.median).expect("something is known");
    assert_eq!((median.worst, median.best, median.coverage), (0.5, 0.75, 37.0 / 48.0));
    let silent = at_once(&house, "03-20 12:00", "03-21 00:00", "03-22 00:00").await;
    assert_eq!((silent.quarters, silent.unknown_quarters, silent.known), (0, 48, 0));
    assert_eq!((shares(&silent), silent.share(&silent.p95)), ([None; 3], None));
}

#[tokio::test]
async fn a_claim_beyond_the_edge_is_known_and_one_device_alone_can_be_asked_about() {
    let mut house = half_a_day();
    // Down from noon on, its agent silent: known up to the cut at six, and not in use.
    house.claims("ct-1", "03-20 12:05", Claimed::Down, "03-20 12:00", None);
    let found = at_once(&house, "03-20 00:00", "03-21 00:00", "03-20 18:00").await;
    assert_eq!((found.quarters, found.unknown_quarters, found.known), (72, 24, 43 * HOUR));
    assert_eq!(found.median.known, Some((HOUR / 2, HOUR * 3 / 4)), "rank 36 of 72, 24 of them with none of one");
    let asked = question("03-20 00:00", "03-20 12:00", "03-20 18:00").of_device("ct-3");
    let one = concurrency(&house.session().await, &asked).await.expect("the view answers").remove(0);
    assert_eq!((one.in_use, one.known, one.in_service), (HOUR, 12 * HOUR, 12 * HOUR), "its own time alone");
}
