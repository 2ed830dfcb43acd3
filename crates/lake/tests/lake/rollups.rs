//! Golden tests of the two rollups: quarter-hours in UTC, local days of 23, 24 and 25 hours.

use medfleet_lake::rows::{DayRollupRow, IntervalRow, QuarterRollupRow, SiteRow};
use medfleet_lake::{Day, ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Row as _, Text, UtcMicros, run_over_batch, schema};

use crate::rig::{HOUR, MARCH, MINUTE, Rig, interval};

const QUARTER: i64 = 15 * MINUTE;

fn span(device: &str, from_at: i64, until_at: i64, weight: i64) -> IntervalRow {
    let (from_at, until_at) = (UtcMicros(from_at), UtcMicros(until_at));
    IntervalRow { from_at, until_at, day: from_at.day(), weight, ..interval(device, 0, 0) }
}

async fn quarters(rows: &[IntervalRow]) -> Vec<QuarterRollupRow> {
    let session = Rig::new().await.reader().empty_session();
    let inputs = [("intervals", IntervalRow::to_batch(rows).unwrap())];
    let output = schema::table("rollup_quarter").unwrap();
    let found = run_over_batch(&session, ROLLUP_QUARTER_SQL, &inputs, output).await.unwrap();
    let mut rows: Vec<_> = found.iter().flat_map(|b| QuarterRollupRow::from_batch(b).unwrap()).collect();
    rows.sort_by_key(|row| (row.site.clone(), row.quarter_at));
    rows
}

async fn days(rows: &[IntervalRow], zone: &'static str) -> Vec<DayRollupRow> {
    let session = Rig::new().await.reader().empty_session();
    let site = SiteRow { site: "mercy".into(), time_zone: zone.into(), ..SiteRow::default() };
    let inputs = [("intervals", IntervalRow::to_batch(rows).unwrap()), ("sites", SiteRow::to_batch(&[site]).unwrap())];
    let output = schema::table("rollup_day").unwrap();
    let found = run_over_batch(&session, ROLLUP_DAY_SQL, &inputs, output).await.unwrap();
    let mut rows: Vec<_> = found.iter().flat_map(|b| DayRollupRow::from_batch(b).unwrap()).collect();
    rows.sort_by_key(|row| (row.device.clone(), row.local_day));
    rows
}

#[tokio::test]
async fn golden_an_interval_is_split_at_quarter_hours_and_devices_add_up() {
    let from = MARCH + 10 * MINUTE;
    let rows = [span("a", from, from + 30 * MINUTE, 1), span("b", MARCH, MARCH + 5 * MINUTE, 1)];
    let found = quarters(&rows).await;
    let micros: Vec<_> = found.iter().map(|r| (r.quarter_at.0 - MARCH, r.micros)).collect();
    assert_eq!(micros, [(0, 10 * MINUTE), (QUARTER, 15 * MINUTE), (2 * QUARTER, 10 * MINUTE)]);
    assert_eq!(found[0].month, UtcMicros(MARCH).day());
    assert_eq!((&*found[0].site, &*found[0].condition), ("mercy", "productive"));
}

#[tokio::test]
async fn golden_an_interval_that_ends_on_an_edge_does_not_touch_the_next_quarter() {
    let found = quarters(&[span("a", MARCH, MARCH + QUARTER, 1)]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].micros, QUARTER);
    assert!(quarters(&[span("a", MARCH, MARCH, 1)]).await.is_empty(), "an empty interval is no row");
}

#[tokio::test]
async fn golden_a_correction_takes_back_what_it_replaces() {
    let whole = span("a", MARCH, MARCH + HOUR, -1);
    let half = span("a", MARCH, MARCH + 30 * MINUTE, 1);
    let found = quarters(&[whole, half]).await;
    let micros: Vec<_> = found.iter().map(|r| (r.quarter_at.0 - MARCH, r.micros)).collect();
    assert_eq!(micros, [(2 * QUARTER, -QUARTER), (3 * QUARTER, -QUARTER)]);
}

#[tokio::test]
async fn golden_assumed_and_conflicting_time_are_counted_apart() {
    let assumed = IntervalRow { assumed: true, ..span("a", MARCH, MARCH + MINUTE, 1) };
    let conflict = IntervalRow { conflict: true, ..span("b", MARCH, MARCH + 2 * MINUTE, 1) };
    let found = quarters(&[assumed, conflict]).await;
    assert_eq!(found.len(), 1);
    let row = &found[0];
    assert_eq!((row.micros, row.assumed_micros, row.conflict_micros), (3 * MINUTE, MINUTE, 2 * MINUTE));
}

/// Golden case 21's days: 8 March 2026 has 23 hours in New York, 1 November has 25.
#[tokio::test]
async fn golden_21_a_local_day_has_23_24_or_25_hours() {
    let day = |date: Day| (MARCH / (24 * HOUR)) as i32 + date.0;
    let in_march = |d: i64, h: i64| MARCH + (d - 1) * 24 * HOUR + h * HOUR;
    // UTC days 7 to 9 March: New York changes from UTC-5 to UTC-4 on the 8th at 07:00 UTC.
    let rows: Vec<_> = (7..=9).map(|d| span("a", in_march(d, 0), in_march(d + 1, 0), 1)).collect();
    let found = days(&rows, "America/New_York").await;
    let hours: Vec<_> = found.iter().map(|r| (r.local_day.0, r.micros / HOUR)).collect();
    assert_eq!(hours, [(day(Day(5)), 5), (day(Day(6)), 24), (day(Day(7)), 23), (day(Day(8)), 20)]);
    // UTC 31 October 12:00 to 2 November 12:00 2026: back to UTC-5 on 1 November at 06:00 UTC.
    let november = MARCH + 245 * 24 * HOUR;
    let found = days(&[span("a", november - 12 * HOUR, november + 36 * HOUR, 1)], "America/New_York").await;
    let hours: Vec<_> = found.iter().map(|r| r.micros / HOUR).collect();
    assert_eq!(hours, [16, 25, 7]);
    assert_eq!(found[0].month, Day(day(Day(214))), "October");
    assert_eq!(found[1].month, Day(day(Day(245))), "November");
}

#[tokio::test]
async fn golden_a_site_without_a_row_counts_days_in_utc() {
    let mut row = span("a", MARCH - HOUR, MARCH + HOUR, 1);
    row.site = Text::from("nowhere");
    let found = days(&[row], "America/New_York").await;
    assert_eq!(found.iter().map(|r| r.micros).collect::<Vec<_>>(), [HOUR, HOUR]);
}

#[tokio::test]
async fn golden_a_day_that_begins_after_midnight_begins_at_the_change() {
    // Beirut 29 March 2026: at 00:00 local the clock goes to 01:00, so the day begins at 22:00 UTC.
    let change = MARCH + 27 * 24 * HOUR + 22 * HOUR;
    let found = days(&[span("a", change - HOUR, change + HOUR, 1)], "Asia/Beirut").await;
    assert_eq!(found.iter().map(|r| r.micros).collect::<Vec<_>>(), [HOUR, HOUR]);
}

#[tokio::test]
async fn golden_an_unknown_zone_is_an_error_not_a_guess() {
    let session = Rig::new().await.reader().empty_session();
    let site = SiteRow { site: "mercy".into(), time_zone: "Mars/Base".into(), ..SiteRow::default() };
    let inputs = [
        ("intervals", IntervalRow::to_batch(&[span("a", MARCH, MARCH + HOUR, 1)]).unwrap()),
        ("sites", SiteRow::to_batch(&[site]).unwrap()),
    ];
    let output = schema::table("rollup_day").unwrap();
    let failed = run_over_batch(&session, ROLLUP_DAY_SQL, &inputs, output).await;
    let text = format!("{:?}", failed.unwrap_err());
    assert!(text.contains("Mars/Base"), "{text}");
}
