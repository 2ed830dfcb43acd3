//! Features see what was known and nothing later; a query that sees the repair is caught.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Fact, Sample, Severity, Source, Stretch};
use medfleet_domain::human::{ComponentReplaced, OrderClass, OrderPhase, Phase};
use medfleet_domain::id::{DeviceId, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_HOUR, Timestamp};
use medfleet_risk::column::Column;
use medfleet_risk::frame::Frame;
use medfleet_scorer::features::{FEATURES_SQL, LifeLimits, Question, Roll, SILENTLY, Tense};
use medfleet_scorer::gather::Gatherer;

const DAYS: i32 = 90;

fn at(day: i32, hour: i64) -> Timestamp {
    Day(20_000 + day).start().plus_micros(hour * MICROS_PER_HOUR)
}

fn fact(at: Timestamp, known_at: Timestamp, body: Body) -> Fact {
    let source = Source { kind: SourceKind::Device, name: "test".into() };
    Fact { at, known_at, known_assumed: false, clock: Clock::Synchronised, source, body }
}

fn order(order: &str, phase: Phase, component: &str) -> Body {
    let (order, cause, text) = (order.to_owned(), String::new(), component.to_owned());
    Body::Order(OrderPhase {
        order,
        class: OrderClass::Corrective,
        phase,
        waiting_for: None,
        planned: None,
        cause,
        text,
    })
}

fn error(component: &str, severity: Severity) -> Body {
    Body::Error(DeviceError {
        code: "E".into(),
        family: "f".into(),
        severity,
        component: component.into(),
        cause_domain: "device".into(),
        text: String::new(),
    })
}

/// A life of one device: facts of every sort a feature looks at, some of them known only days later.
fn story() -> Vec<(i32, Fact)> {
    let mut told = Vec::new();
    for day in 0..DAYS {
        let now = |hour| at(day, hour);
        told.push((0, fact(now(3), now(3), error("tube", Severity::Warning))));
        let late = day % 5;
        told.push((1, fact(now(5), at(day + late, 5), error("tube", Severity::Major))));
        let body = Stretch { until: now(9), condition: Condition::Productive, degradation: Degradation::None };
        told.push((0, fact(now(8), at(day + late, 9), Body::Stretch(body))));
        let sample = Sample {
            counter: "scan_seconds".into(),
            component: "tube".into(),
            unit: "s".into(),
            value_milli: i64::from(day) * 1_000_000,
            modulus_milli: None,
        };
        told.push((1, fact(now(10), now(10), Body::Usage(sample))));
    }
    for (device, day) in [(0, 40), (1, 70)] {
        let name = format!("wo-{device}");
        let began = Body::Began { condition: Condition::UnscheduledDown, degradation: Degradation::None };
        told.push((device, fact(at(day, 11), at(day, 11), began)));
        told.push((device, fact(at(day, 12), at(day, 12), order(&name, Phase::Opened, "tube"))));
        let replaced = ComponentReplaced {
            component: "tube".into(),
            old_serial: None,
            new_serial: None,
            preventive: false,
            order: Some(name.clone()),
        };
        told.push((device, fact(at(day, 20), at(day + 2, 9), Body::ComponentReplaced(replaced))));
        told.push((device, fact(at(day, 20), at(day, 20), order(&name, Phase::ReturnedToService, "tube"))));
        let began = Body::Began { condition: Condition::Standby, degradation: Degradation::None };
        told.push((device, fact(at(day, 20), at(day, 20), began)));
    }
    told.sort_by_key(|(_, fact)| fact.known_at);
    told
}

fn gathered(story: &[(i32, Fact)]) -> Gatherer {
    let site = SiteId::new("st-mary").expect("a name");
    let mut gatherer = Gatherer::default();
    for (device, fact) in story {
        let device = DeviceId::new(&format!("ct-{device}")).expect("a name");
        gatherer.tell(&device, &site, DeviceKind::Ct, fact);
    }
    gatherer.settle();
    gatherer
}

/// All features at these instants, by device and instant, by a query of the caller's.
async fn features(gatherer: &Gatherer, instants: &[Timestamp], sql: &str) -> Vec<(u32, Timestamp, Vec<f64>)> {
    let roll = Roll::of(gatherer, at(DAYS + 1, 0), 1);
    let limits = LifeLimits::from([((DeviceKind::Ct, Arc::from("scan_seconds")), 1_200_000.0)]);
    let question = Question { instants, limits: &limits, keep: &|_| 1.0, tense: Tense::Past, done: SILENTLY };
    let frame: Frame = roll.frame_by(&SessionContext::new(), &question, sql).await.expect("the query runs");
    let value = |row: usize| Column::ALL.map(|column| frame.value(row, column)).to_vec();
    let mut rows: Vec<_> = (0..frame.len()).map(|row| (frame.row(row).device, frame.row(row).at, value(row))).collect();
    rows.sort_by_key(|(device, at, _)| (*device, *at));
    rows
}

/// Days whose features differ when everything that became known later is taken away.
async fn changed_by_the_future(sql: &str) -> Vec<i32> {
    let (all, mut changed) = (gathered(&story()), Vec::new());
    for day in (31..DAYS).step_by(3) {
        let now = at(day, 0);
        let before: Vec<(i32, Fact)> = story().into_iter().filter(|(_, fact)| fact.known_at <= now).collect();
        // One more sign of life, so that the instant is watched in both worlds, and of the part, so that both know it.
        let mut known = before;
        for device in [0, 1] {
            known.push((device, fact(at(DAYS, 0), at(DAYS, 0), Body::Heartbeat)));
            known.push((device, fact(at(DAYS, 1), at(DAYS, 1), order("wo-9", Phase::Opened, "tube"))));
        }
        let knew = features(&gathered(&known), &[now], sql).await;
        let knows = features(&all, &[now], sql).await;
        for (one, other) in knew.iter().filter_map(|row| Some((row, knows.iter().find(|known| known.0 == row.0)?))) {
            let same = one.2.iter().zip(&other.2).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
            if !same {
                changed.push(day);
            }
        }
    }
    changed
}

#[tokio::test]
async fn no_later_fact_changes_a_past_feature() {
    assert_eq!(changed_by_the_future(FEATURES_SQL).await, Vec::<i32>::new());
}

#[tokio::test]
async fn a_planted_leak_that_sees_the_repair_is_caught() {
    let planted = FEATURES_SQL.replace(
        "ON s.device = a.device AND s.happened_at <= a.now AND s.known_at <= a.now\n    WHERE",
        "ON s.device = a.device\n    WHERE",
    );
    assert_ne!(planted, FEATURES_SQL, "the leak was planted");
    assert!(!changed_by_the_future(&planted).await.is_empty());
    let early =
        FEATURES_SQL.replace("AND s.happened_at <= q.now AND s.known_at <= q.now", "AND s.happened_at <= q.now");
    assert_ne!(early, FEATURES_SQL, "the leak was planted");
    assert!(!changed_by_the_future(&early).await.is_empty(), "what is heard late is not known early");
}

#[tokio::test]
async fn a_feature_says_what_it_says() {
    let gatherer = gathered(&story());
    let rows = features(&gatherer, &[at(35, 0), at(65, 0)], FEATURES_SQL).await;
    let value = |device: u32, day: i32, column: Column| {
        let row = rows.iter().find(|(known, now, _)| (*known, *now) == (device, at(day, 0))).expect("a row");
        row.2[column.index()]
    };
    assert_eq!(value(0, 35, Column::PartErrors1d), 1.0);
    assert_eq!(value(0, 35, Column::PartErrors7d), 7.0);
    assert_eq!(value(0, 35, Column::HoursSincePartError), 21.0);
    assert_eq!(value(1, 35, Column::LifeUsed), 34_000.0 / 1_200_000.0);
    assert_eq!(value(1, 35, Column::PartPacePerDay), 1_000.0);
    // Uses of days 28 to 34; those of days 33 and 34, heard 3 and 4 days late, are not known yet.
    assert_eq!(value(0, 35, Column::ProductiveHours7d), 5.0);
    assert!((value(0, 65, Column::DaysSinceFailure) - (25.0 - 11.0 / 24.0)).abs() < 1e-9);
    assert_eq!(value(0, 65, Column::PartFailures365d), 1.0);
    assert_eq!(value(1, 65, Column::PartFailures365d), 0.0);
    assert!(value(1, 65, Column::DaysSinceReplaced).is_nan());
}
