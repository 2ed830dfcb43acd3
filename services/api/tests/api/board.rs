//! The report to the board over two years: what stands in the column of the year before.

use std::sync::Arc;

use medfleet_api::board::Board;
use medfleet_api::{OpenCut, Period};
use medfleet_domain::time::{Day, Timestamp};

use super::fleet::{DAY, Fleet, HOUR, device, office_hours, site, told};
use super::sql::open;

fn midnight(year: i32, month: u32, date: u32) -> i64 {
    Day::from_civil(year, month, date).start().0
}

/// Two scanners, open Monday to Friday from eight to five. Of the northern one both years are known, of the southern one this year.
fn two_years() -> Fleet {
    let devices = ["ct-north", "ct-south"].map(|name| device(name, &name[3..], "ct", midnight(2023, 1, 1)));
    let mut fleet = Fleet {
        sites: vec![site("north", "North", "UTC", ""), site("south", "South", "UTC", "")],
        calendars: [office_hours("north"), office_hours("south")].concat(),
        devices: devices.into(),
        ..Fleet::default()
    };
    let [north, south] = [0, 1].map(|at| fleet.devices[at].clone());
    let mut day = |of, midnight: i64, down: (i64, i64)| {
        let spans = [("standby", 8, down.0), ("unscheduled_down", down.0, down.1), ("standby", down.1, 17)];
        for (condition, from, until) in spans {
            fleet.intervals.extend(told(of, condition, midnight + from * HOUR, midnight + until * HOUR));
        }
    };
    day(&north, midnight(2026, 3, 2), (10, 11));
    day(&south, midnight(2026, 3, 2), (8, 8));
    day(&north, midnight(2025, 3, 3), (10, 13));
    // Just outside of both periods, and two years before, it was down all day.
    for (year, month, date) in [(2026, 2, 27), (2026, 3, 9), (2025, 2, 28), (2025, 3, 7), (2024, 3, 4)] {
        day(&north, midnight(year, month, date), (8, 17));
    }
    fleet
}

/// The row of the table of sites that begins with a name.
fn row<'a>(html: &'a str, name: &str) -> &'a str {
    let begins = format!("<th scope=\"row\">{name}<");
    let (_, rest) = html.split_once(&begins).unwrap_or_else(|| panic!("no row of {name}"));
    rest.split_once("</tr>").expect("a row ends").0
}

#[tokio::test]
async fn the_board_sees_each_site_beside_the_same_days_of_the_year_before() {
    let period = Period { from: Timestamp(midnight(2026, 3, 2)), until: Timestamp(midnight(2026, 3, 7)) };
    let open = open(&two_years(), midnight(2026, 3, 7) + 3 * DAY).await;
    let html = Board { period, target: 0.97, last: None }.issue(&open).await.expect("the report is made").html;
    let north = row(&html, "North");
    // Eight of nine hours, and six of nine a year ago.
    assert!(north.contains("<b>88.88%</b>"), "{north}");
    assert!(north.contains("<td>66.66%<small>▲ 22.22 points better</small></td>"), "{north}");
    let south = row(&html, "South");
    assert!(south.contains("<b>100%</b>") || south.contains("<b>100.00%</b>"), "{south}");
    assert!(south.contains("<td>none<small></small></td>"), "{south}");
    // Seventeen of eighteen hours; of the year before the northern one alone is known.
    let all = row(&html, "All sites");
    assert!(
        all.contains("<b>94.44%</b>") && all.contains("<td>66.66%<small>▲ 27.78 points better</small></td>"),
        "{all}"
    );
    assert!(html.contains("The year before is 2025-03-02 to 2025-03-06; it is known of 1 of 2 sites."), "{html}");
}

#[tokio::test]
async fn a_board_of_what_had_happened_by_then_leaves_out_what_came_later_and_says_so() {
    let until = midnight(2026, 3, 2) + 11 * HOUR;
    let period = Period { from: Timestamp(midnight(2026, 3, 2)), until: Timestamp(until) };
    let whole: Arc<OpenCut> = open(&two_years(), midnight(2026, 3, 7) + 3 * DAY).await.into();
    let then = whole.happened(Timestamp(until)).await.expect("an earlier instant");
    let html = Board { period, target: 0.97, last: None }.issue(&then).await.expect("the report is made").html;
    // Open for three hours, and down in the last of them.
    assert!(row(&html, "North").contains("<b>66.66%</b>"), "{html}");
    assert!(html.contains("as it stood before 2026-03-02T11:00:00Z:"), "{html}");
    let html = Board { period, target: 0.97, last: None }.issue(&whole).await.expect("the report is made").html;
    assert!(!html.contains("is left out"), "{html}");
}
