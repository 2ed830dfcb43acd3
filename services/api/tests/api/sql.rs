//! Golden tests of the `.sql` files over small in-memory batches.

use std::collections::BTreeMap;

use medfleet_api::measure::Measure;
use medfleet_api::query::{self, Scope};
use medfleet_api::timeline::{merged, without_holes};
use medfleet_api::{OpenCut, Period};
use medfleet_domain::time::Timestamp;
use medfleet_lake::rows::{CalendarRow, DeviceRow, ErrorRow, HeadRow, IntervalRow, SiteRow, UsageRow, VerdictRow};
use medfleet_lake::{
    Cut, Lake, ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Reader, ReaderLimits, Row, UtcMicros, run_over_batch, schema,
};

use super::fleet::{DAY, Fleet, HOUR, MINUTE, device, head, office_hours, site, text, told};

/// 2026-03-02T00:00Z, a Monday.
const MONDAY: i64 = 1_772_409_600_000_000;
const SECOND: i64 = 1_000_000;

/// The fleet as a cut made at `at`.
pub async fn open(fleet: &Fleet, at: i64) -> OpenCut {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_local(folder.path()).await.unwrap();
    let reader = Reader::new(lake, ReaderLimits::default()).unwrap();
    let session = reader.empty_session();
    let (intervals, sites) =
        (IntervalRow::to_batch(&fleet.intervals).unwrap(), SiteRow::to_batch(&fleet.sites).unwrap());
    let mut tables = vec![
        ("usage", UsageRow::to_batch(&fleet.usage).unwrap()),
        ("errors", ErrorRow::to_batch(&fleet.errors).unwrap()),
        ("devices", DeviceRow::to_batch(&fleet.devices).unwrap()),
        ("calendars", CalendarRow::to_batch(&fleet.calendars).unwrap()),
        ("heads", HeadRow::to_batch(&fleet.heads).unwrap()),
        ("verdicts", VerdictRow::to_batch(&fleet.verdicts).unwrap()),
    ];
    for (name, sql) in [("rollup_quarter", ROLLUP_QUARTER_SQL), ("rollup_day", ROLLUP_DAY_SQL)] {
        let inputs = [("intervals", intervals.clone()), ("sites", sites.clone())];
        let def = schema::table(name).unwrap();
        let rolled = run_over_batch(&session, sql, &inputs, def).await.unwrap();
        let rolled = arrow::compute::concat_batches(&def.schema, &rolled).unwrap();
        tables.push((name, rolled));
    }
    tables.extend([("intervals", intervals), ("sites", sites)]);
    for (name, batch) in tables {
        session.register_batch(name, batch).unwrap();
    }
    let cut = Cut { number: 1, made_at: UtcMicros(at), tables: BTreeMap::new(), ..Cut::default() };
    OpenCut::new(cut, session)
}

fn period(from: i64, until: i64) -> Period {
    Period { from: Timestamp(from), until: Timestamp(until) }
}

/// One CT at one site, registered long ago.
fn one_ct(zone: &str) -> (Fleet, DeviceRow) {
    let of = device("ct-1", "north", "ct", MONDAY - 900 * DAY);
    let fleet = Fleet {
        sites: vec![site("north", "North", zone, "")],
        devices: vec![of.clone()],
        calendars: office_hours("north"),
        ..Fleet::default()
    };
    (fleet, of)
}

/// All ways to ask must agree; the answer of one site and kind.
async fn measured(fleet: &Fleet, at: i64, period: Period) -> Measure {
    let open = open(fleet, at).await;
    let by_kind: Measure = query::uptime(&open, period).await.unwrap().iter().map(|row| row.measure).sum();
    let by_device = query::uptime_by_device(&open, period, Scope::default()).await.unwrap();
    assert_eq!(by_device, query::uptime_by_intervals(&open, period, Scope::default()).await.unwrap());
    let devices: Measure = by_device.iter().map(|row| row.measure).sum();
    assert_eq!(by_kind, devices);
    by_kind
}

#[tokio::test]
async fn golden_01_an_agent_outage_is_not_downtime() {
    let (mut fleet, ct) = one_ct("UTC");
    fleet.intervals = told(&ct, "standby", MONDAY + 9 * HOUR, MONDAY + 10 * HOUR);
    fleet.intervals.extend(told(&ct, "standby", MONDAY + 12 * HOUR, MONDAY + 13 * HOUR));
    let four = measured(&fleet, MONDAY + DAY, period(MONDAY + 9 * HOUR, MONDAY + 13 * HOUR)).await;
    assert_eq!((four.standby, four.unknown(), four.down()), (2 * HOUR, 2 * HOUR, 0));
    assert_eq!((four.base_up, four.base_registered), (2 * HOUR, 4 * HOUR));
}

#[tokio::test]
async fn golden_03_a_claim_beyond_the_edge_is_added_up_to_the_cut() {
    let (mut fleet, ct) = one_ct("UTC");
    fleet.intervals = told(&ct, "standby", MONDAY + 9 * HOUR, MONDAY + 10 * HOUR);
    fleet.intervals.extend(told(&ct, "unscheduled_down", MONDAY + 10 * HOUR, MONDAY + 10 * HOUR + 20 * MINUTE));
    fleet.heads = vec![head(&ct, "claim", "unscheduled_down", MONDAY + 10 * HOUR + 20 * MINUTE, None)];
    let noon = MONDAY + 12 * HOUR;
    let three = measured(&fleet, noon, period(MONDAY + 9 * HOUR, noon)).await;
    assert_eq!((three.standby, three.unscheduled_down, three.unknown()), (HOUR, (1_200 + 6_000) * SECOND, 0));
}

#[tokio::test]
async fn golden_17_a_device_never_heard_is_there_with_coverage_0() {
    let (mut fleet, ct) = one_ct("UTC");
    fleet.devices.push(device("ct-2", "north", "ct", MONDAY - DAY));
    fleet.intervals = told(&ct, "standby", MONDAY, MONDAY + DAY);
    let pair = measured(&fleet, MONDAY + DAY, period(MONDAY, MONDAY + DAY)).await;
    assert_eq!((pair.monitored, pair.devices, pair.coverage()), (1, 2, Some(0.5)));
}

#[tokio::test]
async fn golden_20_only_base_hours_count_in_base_hours() {
    let (mut fleet, ct) = one_ct("UTC");
    let monday_9 = MONDAY + 7 * DAY;
    let (down, up) = (monday_9 + 22 * HOUR, monday_9 + 33 * HOUR);
    let april = MONDAY + 30 * DAY;
    fleet.intervals = told(&ct, "standby", MONDAY - DAY, down);
    fleet.intervals.extend(told(&ct, "unscheduled_down", down, up));
    fleet.intervals.extend(told(&ct, "standby", up, april));
    let march = measured(&fleet, april, period(MONDAY - DAY, april)).await;
    assert_eq!((march.base_registered, march.base_down), (198 * HOUR, HOUR));
    assert_eq!(march.unscheduled_down, 11 * HOUR);
    assert!((march.base_uptime().unwrap() - 0.994_949).abs() < 1e-6);
}

#[tokio::test]
async fn golden_21_base_hours_follow_the_wall_clock_over_daylight_saving() {
    let (mut fleet, _) = one_ct("America/New_York");
    let around_the_clock = |weekday| CalendarRow {
        site: text("north"),
        weekday,
        from_minute: 0,
        until_minute: 1_440,
        weight: 1,
        ..CalendarRow::default()
    };
    fleet.calendars = (1..=7).map(around_the_clock).collect();
    // Local 8 March 2026 runs from 05:00Z to 04:00Z.
    let (from, until) = (MONDAY + 6 * DAY + 5 * HOUR, MONDAY + 7 * DAY + 4 * HOUR);
    assert_eq!(measured(&fleet, until, period(from, until)).await.base_registered, 23 * HOUR);
    // 09:00–10:00 local is 13:00Z after the change, 14:00Z before it.
    fleet.calendars = vec![CalendarRow { from_minute: 540, until_minute: 600, ..around_the_clock(7) }];
    let hour = period(MONDAY + 6 * DAY + 13 * HOUR, MONDAY + 6 * DAY + 14 * HOUR);
    assert_eq!(measured(&fleet, until, hour).await.base_registered, HOUR);
}

#[tokio::test]
async fn golden_23_a_calendar_holds_from_its_day_and_a_kind_may_have_its_own() {
    let (mut fleet, _) = one_ct("UTC");
    let saturday = |from_day: i64, kind: Option<&str>| CalendarRow {
        site: text("north"),
        kind: kind.map(text),
        weekday: 6,
        from_minute: 480,
        until_minute: 540,
        valid_from: medfleet_lake::Day(((MONDAY + from_day * DAY) / DAY) as i32),
        recorded_at: UtcMicros(MONDAY),
        weight: 1,
        ..CalendarRow::default()
    };
    fleet.calendars.push(saturday(7, None));
    let week = |number: i64| period(MONDAY + number * 7 * DAY, MONDAY + (number + 1) * 7 * DAY);
    assert_eq!(measured(&fleet, MONDAY + 90 * DAY, week(0)).await.base_registered, 45 * HOUR);
    assert_eq!(measured(&fleet, MONDAY + 90 * DAY, week(1)).await.base_registered, HOUR);
    fleet.calendars = office_hours("north");
    fleet.calendars.push(saturday(0, Some("ct")));
    assert_eq!(measured(&fleet, MONDAY + 90 * DAY, week(0)).await.base_registered, HOUR);
}

#[tokio::test]
async fn what_was_withdrawn_is_gone_and_the_left_edge_is_clipped() {
    let (mut fleet, ct) = one_ct("UTC");
    let said = told(&ct, "unscheduled_down", MONDAY, MONDAY + HOUR);
    let withdrawn = said.iter().map(|row| IntervalRow { weight: -1, ..row.clone() });
    fleet.intervals = said.iter().cloned().chain(withdrawn).collect();
    fleet.intervals.extend(told(&ct, "productive", MONDAY, MONDAY + HOUR));
    let half = period(MONDAY + 30 * MINUTE, MONDAY + 2 * HOUR);
    let open = open(&fleet, MONDAY + DAY).await;
    let pieces = merged(without_holes(query::timeline(&open, "ct-1", half).await.unwrap(), half));
    let told: Vec<_> = pieces.iter().map(|piece| (piece.condition.as_str(), piece.until.0 - piece.from.0)).collect();
    assert_eq!(told, [("productive", 30 * MINUTE), ("unknown", HOUR)]);
    assert_eq!(measured(&fleet, MONDAY + DAY, half).await.down(), 0);
}

#[tokio::test]
async fn the_last_condition_heard_is_provisional_up_to_the_agents_last_sign_of_life() {
    let (mut fleet, ct) = one_ct("UTC");
    fleet.intervals = told(&ct, "standby", MONDAY, MONDAY + HOUR);
    let mut live = head(&ct, "live", "productive", MONDAY + HOUR, None);
    live.agent = Some(text("a"));
    live.edge_at = Some(UtcMicros(MONDAY + HOUR));
    fleet.heads = vec![live, super::fleet::sign_of_life("a", "north", MONDAY + 80 * MINUTE)];
    let (at, two_hours) = (MONDAY + 2 * HOUR, period(MONDAY, MONDAY + 2 * HOUR));
    let open = open(&fleet, at).await;
    let pieces = without_holes(query::timeline(&open, "ct-1", two_hours).await.unwrap(), two_hours);
    let told: Vec<_> =
        pieces.iter().map(|piece| (piece.origin.as_str(), (piece.until.0 - piece.from.0) / MINUTE)).collect();
    assert_eq!(told, [("ledger", 60), ("live", 20), ("gap", 40)]);
    let live = open.live().await.unwrap();
    assert_eq!(*live, query::live_by_sql(&open).await.unwrap());
    let now = &live[0];
    assert_eq!(now.standing(Timestamp(MONDAY + 85 * MINUTE)).as_str(), "up");
    assert_eq!(now.standing(Timestamp(at)).as_str(), "silent");
}

#[tokio::test]
async fn a_device_that_moved_counts_where_it_was() {
    let (mut fleet, mut ct) = one_ct("UTC");
    fleet.sites.push(site("south", "South", "UTC", ""));
    let noon = MONDAY + 12 * HOUR;
    let moved = device("ct-1", "south", "ct", noon);
    ct.valid_until = Some(UtcMicros(noon));
    fleet.intervals = told(&ct, "standby", MONDAY, noon);
    fleet.intervals.extend(told(&moved, "standby", noon, MONDAY + DAY));
    fleet.devices = vec![ct, moved];
    let open = open(&fleet, MONDAY + DAY).await;
    let rows = query::uptime(&open, period(MONDAY, MONDAY + DAY)).await.unwrap();
    let hours: Vec<_> =
        rows.iter().map(|row| (row.site.as_str(), row.measure.registered / HOUR, row.measure.standby / HOUR)).collect();
    assert_eq!(hours, [("north", 12, 12), ("south", 12, 12)]);
    assert_eq!(query::devices(&open, &query::DeviceFilter::default()).await.unwrap()[0].site, "south");
}

#[tokio::test]
async fn what_was_heard_outside_the_time_in_service_counts_in_no_way_of_asking() {
    let (mut fleet, mut old) = one_ct("UTC");
    let (retired, came) = (MONDAY + 2 * DAY + 12 * HOUR + 5 * MINUTE, MONDAY + DAY + 12 * HOUR + 10 * MINUTE);
    let gone = DeviceRow { in_service: false, ..device("ct-1", "north", "ct", retired) };
    old.valid_until = Some(UtcMicros(retired));
    let new = device("ct-2", "north", "ct", came);
    let silent = device("ct-3", "north", "ct", MONDAY - DAY);
    let nobodys = device("ct-9", "north", "ct", 0);
    let week = MONDAY + 7 * DAY;
    fleet.intervals = told(&old, "standby", MONDAY - DAY, MONDAY + 4 * DAY);
    fleet.intervals.extend(told(&old, "productive", MONDAY + 4 * DAY, week));
    fleet.intervals.extend(told(&new, "productive", MONDAY, MONDAY + 6 * DAY));
    fleet.intervals.extend(told(&nobodys, "standby", MONDAY + 8 * HOUR, MONDAY + 20 * HOUR));
    // Nobody ended the claim; the service ended it.
    fleet.heads = vec![head(&old, "claim", "unscheduled_down", week, None)];
    fleet.devices = vec![old, gone, new, silent];
    let days = |from: i64, until: i64| period(MONDAY + from, MONDAY + until);
    let all = measured(&fleet, week + DAY, days(0, 7 * DAY)).await;
    let (first, second) = (2 * DAY + 12 * HOUR + 5 * MINUTE, 7 * DAY - (DAY + 12 * HOUR + 10 * MINUTE));
    assert_eq!((all.devices, all.monitored, all.down()), (4, 3, 0));
    assert_eq!(all.registered, first + second + 7 * DAY + 12 * HOUR);
    assert_eq!((all.standby, all.productive), (first + 12 * HOUR, second - DAY));
    assert_eq!(all.unknown(), 7 * DAY + DAY, "the silent one, and the last day of the new one");
    assert_eq!(all.base_up, (9 + 9 + 4) * HOUR + 5 * MINUTE + (4 + 27) * HOUR + 50 * MINUTE + 9 * HOUR);
    // Edges of the period within days, on the days of the edges of service and elsewhere.
    for (from, until) in [
        (3 * HOUR, 7 * DAY),
        (DAY + 11 * HOUR, 2 * DAY + 13 * HOUR),
        (DAY + 12 * HOUR + 11 * MINUTE, 2 * DAY + 12 * HOUR),
        (2 * DAY + 12 * HOUR + 6 * MINUTE, 6 * DAY),
        (-2 * DAY, 8 * DAY),
        (-2 * DAY, DAY),
    ] {
        let part = measured(&fleet, week + DAY, days(from, until)).await;
        assert!(part.known() <= part.registered && part.base_known() <= part.base_registered, "{part:?}");
    }
    let after = measured(&fleet, week + DAY, days(3 * DAY, 4 * DAY)).await;
    assert_eq!((after.devices, after.monitored, after.registered, after.known()), (2, 1, 2 * DAY, DAY));
    let bounds = after.bounds().unwrap();
    assert_eq!((bounds.worst, bounds.best), (0.5, 1.0));
}

#[tokio::test]
async fn errors_counters_and_verdicts_are_netted_and_ordered() {
    let (mut fleet, ct) = one_ct("UTC");
    let error = |minute: i64, code: &str, weight: i64| ErrorRow {
        device: ct.device.clone(),
        day: medfleet_lake::Day((MONDAY / DAY) as i32),
        at: UtcMicros(MONDAY + minute * MINUTE),
        code: text(code),
        severity: text("major"),
        seq: minute,
        weight,
        ..ErrorRow::default()
    };
    fleet.errors = vec![error(1, "E-1", 1), error(2, "E-2", 1), error(1, "E-1", -1), error(3, "E-3", 1)];
    let sample = |minute: i64, gained: i64, step: &str, weight: i64| UsageRow {
        device: ct.device.clone(),
        day: medfleet_lake::Day((MONDAY / DAY) as i32),
        counter: text("exams"),
        unit: text("exams"),
        source: text("device"),
        at: UtcMicros(MONDAY + minute * MINUTE),
        increment_milli: gained * 1_000,
        step: text(step),
        weight,
        ..UsageRow::default()
    };
    // 100 at 12:00 becomes 40 at 10:30 and 60 at 12:00 when a late sample comes (golden 14).
    fleet.usage = vec![
        sample(720, 100, "counted", 1),
        sample(720, 100, "counted", -1),
        sample(630, 40, "counted", 1),
        sample(720, 60, "counted", 1),
        sample(725, 7, "reset", 1),
    ];
    let verdict = |offset: i64, verdict: &str| VerdictRow {
        request: text("r-1"),
        subject: text("device/ct-1"),
        verdict: text(verdict),
        cause: medfleet_lake::Cause { offset, ..medfleet_lake::Cause::default() },
        ..VerdictRow::default()
    };
    fleet.verdicts = vec![verdict(9, "refused"), verdict(4, "granted")];
    let open = open(&fleet, MONDAY + DAY).await;
    let day = period(MONDAY, MONDAY + DAY);
    let codes: Vec<_> = query::errors(&open, "ct-1", day).await.unwrap().into_iter().map(|one| one.code).collect();
    assert_eq!(codes, ["E-3", "E-2"]);
    let counters = query::counters(&open, "ct-1", day).await.unwrap();
    assert_eq!((counters.len(), counters[0].gained_milli, counters[0].samples, counters[0].resets), (1, 107_000, 3, 1));
    let found = query::verdict(&open, "r-1", "").await.unwrap().unwrap();
    assert_eq!((found.verdict.as_str(), found.subject.as_str()), ("granted", "device/ct-1"));
    assert_eq!(query::verdict(&open, "r-1", "device/ct-2").await.unwrap(), None);
    assert_eq!(query::sites(&open).await.unwrap()[0].name, "North");
}
