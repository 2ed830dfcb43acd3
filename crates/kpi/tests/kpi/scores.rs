//! Scorecards over facts, a site that is silent as a whole, and answers as tables that explain themselves.

use medfleet_domain::fact::Body;
use medfleet_domain::human::{OrderClass, Party, Phase, PmDone, PmOutcome};
use medfleet_kpi::ask::{downtimes, failures};
use medfleet_kpi::comparison::{By, Fleet};
use medfleet_kpi::figures::figures;
use medfleet_kpi::registry::view;
use medfleet_kpi::scorecard::{Group, Scorecard, scorecards};
use medfleet_kpi::table::{Cell, Table};

use crate::given::{HOUR, House, P, S, UD, question, span};

/// Friday 20 March: in use nine to eleven, down until four, mended under one order; maintenance done in its window.
fn friday() -> House {
    let mut house = House::new();
    for device in ["ct-7", "ct-8"] {
        house.register(device, "02-01 00:00");
    }
    house.hears("ct-7", S, "03-20 00:00", "03-20 09:00");
    house.hears("ct-7", P, "03-20 09:00", "03-20 11:00");
    house.hears("ct-7", UD, "03-20 11:00", "03-20 16:00");
    house.hears("ct-7", S, "03-20 16:00", "03-21 00:00");
    house.order("ct-7", "wo-1", "03-20 11:30", Phase::Opened);
    house.order("ct-7", "wo-1", "03-20 12:30", Phase::Arrived);
    house.wait("ct-7", "wo-1", "03-20 13:00", Phase::WaitingStarted, Party::Parts);
    house.wait("ct-7", "wo-1", "03-20 15:30", Phase::WaitingEnded, Party::Parts);
    house.order("ct-7", "wo-1", "03-20 16:00", Phase::ReturnedToService);
    let planned = Some(span("03-20 17:00", "03-20 19:00"));
    house.phase("ct-8", "pm-1", OrderClass::Preventive, "03-01 08:00", Phase::Opened, None, planned);
    let done =
        PmDone { procedure: "annual".into(), due: None, outcome: PmOutcome::Completed, order: Some("pm-1".into()) };
    house.record("ct-8", "03-20 18:00", Body::PmDone(done));
    house
}

async fn cards(house: &House, group: Group) -> Vec<Scorecard> {
    let asked = question("03-20 00:00", "03-21 00:00", "03-22 00:00");
    scorecards(&house.session().await, &asked, group).await.expect("the views answer")
}

fn shown(cards: &[Scorecard], name: &str) -> Vec<Cell> {
    let table = Table::of(&figures(), cards);
    let place = table.headings.iter().position(|heading| heading.name == name).expect("a figure of that name");
    table.rows.into_iter().map(|mut row| row.swap_remove(place)).collect()
}

#[tokio::test]
async fn a_scorecard_keeps_the_parts_of_every_ratio() {
    let house = friday();
    let fleet = cards(&house, Group::Fleet).await;
    let one = |name: &str| shown(&fleet, name).remove(0);
    assert_eq!((one("registered_devices"), one("monitored_devices")), (Cell::Whole(2), Cell::Whole(1)));
    assert_eq!(
        (one("operational_uptime_over_seconds"), one("operational_uptime_under_seconds")),
        (Cell::seconds(4 * HOUR), Cell::seconds(9 * HOUR))
    );
    assert_eq!(one("base_hours_seconds"), Cell::seconds(18 * HOUR), "nine hours of two devices");
    assert_eq!(one("operational_uptime_coverage"), Cell::Number(0.5), "of the other device nothing is known");
    assert_eq!((one("failures"), one("failures_in_use")), (Cell::Whole(1), Cell::Whole(1)));
    assert_eq!(one("failure_rate_is_enough"), Cell::Flag(false), "one failure is no rate");
    assert_eq!(one("mtbf_uptime_seconds"), Cell::seconds(19 * HOUR));
    assert_eq!(
        (one("turnaround_median_seconds"), one("response_median_seconds")),
        (Cell::seconds(9 * HOUR / 2), Cell::seconds(HOUR))
    );
    let parts = ["median_seconds", "p90_seconds", "mean_seconds", "count", "open"];
    let wait = Cell::seconds(5 * HOUR / 2);
    assert_eq!(
        parts.map(|part| one(&format!("parts_wait_{part}"))),
        [wait.clone(), wait.clone(), wait, Cell::Whole(1), Cell::Whole(0)]
    );
    assert_eq!(
        (one("pm_on_time_count"), one("pm_due_count"), one("pm_on_time")),
        (Cell::Whole(1), Cell::Whole(1), Cell::Number(1.0))
    );
}

#[tokio::test]
async fn groups_add_up_to_the_fleet_and_name_what_they_are_told_apart_by() {
    let house = friday();
    let (fleet, devices) = (cards(&house, Group::Fleet).await, cards(&house, Group::Device).await);
    assert_eq!((fleet.len(), devices.len()), (1, 2));
    let sum: medfleet_kpi::measure::Measure = devices.iter().map(|card| card.measure).sum();
    assert_eq!(sum, fleet[0].measure);
    assert_eq!(shown(&devices, "device"), [Cell::text("ct-7"), Cell::text("ct-8")]);
    assert_eq!(shown(&fleet, "site"), [Cell::Nothing]);
    let pooled = cards(&house, Group::SiteKind).await;
    // One is in use for eight quarter-hours of 96; of the other nothing is known.
    let at_once = |rank: &str| {
        ["", "_worst", "_best", "_coverage"]
            .map(|part| shown(&pooled, &format!("in_use_at_once_{rank}{part}")).remove(0))
    };
    assert_eq!(at_once("p95"), [1.0, 0.5, 1.0, 0.5].map(Cell::Number));
    assert_eq!(at_once("median"), [0.0, 0.0, 0.5, 0.5].map(Cell::Number));
    assert_eq!(shown(&pooled, "in_use_at_once_unknown_quarters"), [Cell::Whole(0)]);
    assert_eq!(shown(&fleet, "in_use_at_once_p95"), [Cell::Nothing], "of a mixed fleet it says nothing");
    let kinds = cards(&house, Group::Kind).await;
    assert_eq!((shown(&kinds, "kind"), shown(&kinds, "site")), (vec![Cell::text("ct")], vec![Cell::Nothing]));
}

#[tokio::test]
async fn one_site_alone_is_like_the_fleet_and_is_not_ranked() {
    let session = friday().session().await;
    let asked = question("03-20 00:00", "03-21 00:00", "03-22 00:00");
    for by in [By::Failures, By::Downtime] {
        let sites = Fleet::read(&session, &asked).await.expect("the view answers").compare(by);
        assert_eq!(sites.len(), 4, "under every adjustment");
        for site in sites {
            assert!((site.ratio.ratio - 1.0).abs() < 1e-12, "{site:?}");
            assert_eq!((site.place.best, site.place.worst, site.sites), (1, 1, 1));
            assert_eq!(
                (site.seen.coverage(), site.seen.monitored),
                (Some(0.5), 1),
                "half of the devices were never heard"
            );
        }
    }
}

#[tokio::test]
async fn golden_18_one_dead_switch_is_no_downtime_of_its_200_devices() {
    let mut house = House::new();
    for number in 1..=200 {
        let device = format!("ct-{number}");
        house.register(&device, "02-01 00:00");
        house.hears(&device, S, "03-20 09:00", "03-20 10:00");
    }
    let asked = question("03-20 09:00", "03-20 13:00", "03-20 13:00");
    let session = house.session().await;
    assert_eq!(failures(&session, &asked).await.expect("the view answers"), []);
    assert_eq!(downtimes(&session, &asked).await.expect("the view answers"), []);
    let fleet = scorecards(&session, &asked, Group::Fleet).await.expect("the views answer").remove(0).measure;
    assert_eq!((fleet.down(), fleet.unknown()), (0, 600 * HOUR), "three silent hours of each are unknown");
    let total = fleet.total_uptime().expect("an hour is known");
    assert_eq!((total.value, total.coverage, total.worst), (1.0, 0.25, 0.25));
}

#[tokio::test]
async fn an_answer_is_shown_with_names_that_say_their_units() {
    let view = view("failures").expect("there is such a view");
    let asked = question("03-01 00:00", "04-01 00:00", "04-09 00:00");
    let table = view.table(&friday().session().await, &asked).await.expect("the view answers");
    let row = table.objects().remove(0);
    assert_eq!(row["onset_at"], "2026-03-20T11:00:00Z");
    assert_eq!((row["down_seconds"].as_f64(), &row["work_order"]), (Some(18_000.0), &"wo-1".into()));
    assert_eq!(table.headings.len(), row.len());
}
