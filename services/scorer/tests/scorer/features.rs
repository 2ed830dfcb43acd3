//! Features see what was known and nothing later; a query that sees the repair is caught.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::prelude::SessionContext;
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Fact, Sample, Severity, Source, Stretch};
use medfleet_domain::human::{
    Asserted, Claimed, ComponentReplaced, OrderClass, OrderPhase, Phase, PmDone, PmOutcome, Registration,
};
use medfleet_domain::id::{DeviceId, Epoch, Seq, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, Timestamp};
use medfleet_risk::column::{Column, FamilyColumn};
use medfleet_risk::frame::{FamilyErrors, Frame, Group, PartSort};
use medfleet_risk::horizon::Horizon;
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

fn sample(counter: &str, component: &str, value: i64) -> Body {
    Body::Usage(Sample {
        counter: counter.into(),
        component: component.into(),
        unit: "s".into(),
        value_milli: value * 1_000,
        modulus_milli: None,
    })
}

fn registered(model: &str, in_service: Option<i32>) -> Body {
    Body::Registered(Box::new(Registration {
        kind: DeviceKind::Ct,
        make: "made up".into(),
        model: model.into(),
        serial: "1".into(),
        department: "radiology".into(),
        room: "1".into(),
        asset_number: None,
        in_service: in_service.map(|day| Day(20_000 + day)),
        acquisition_cost_cents: None,
        end_of_support: None,
        cost_centre: None,
        ownership: None,
    }))
}

fn down(order: &str) -> Body {
    let (author, reason) = ("ward".into(), "found at use".into());
    Body::Asserted(Asserted { claim: Claimed::Down, until: None, author, reason, order: Some(order.into()) })
}

fn replaced(component: &str, preventive: bool) -> Body {
    let (component, order) = (component.into(), None);
    Body::ComponentReplaced(ComponentReplaced { component, old_serial: None, new_serial: None, preventive, order })
}

fn maintained() -> Body {
    Body::PmDone(PmDone { procedure: "yearly".into(), due: None, outcome: PmOutcome::Completed, order: None })
}

fn was_down(until: Timestamp) -> Body {
    Body::Stretch(Stretch { until, condition: Condition::UnscheduledDown, degradation: Degradation::None })
}

fn began(condition: Condition) -> Body {
    Body::Began { condition, degradation: Degradation::None }
}

/// Lives of devices: facts of every sort a feature looks at, some of them known only days later, in the order of the log: what a
/// cut link held back was known before it was told.
fn story() -> Vec<(i32, Fact)> {
    let mut told = everyday();
    told.extend(failures());
    told.extend(late_words());
    told.sort_by_key(|(device, fact)| {
        let day = fact.known_at.day().0;
        let held_back = (day + device) % 4 == 1;
        fact.known_at.plus_micros(if held_back { 3 * MICROS_PER_DAY } else { 0 })
    });
    told
}

fn everyday() -> Vec<(i32, Fact)> {
    let mut told = Vec::new();
    for day in 0..DAYS {
        let now = |hour| at(day, hour);
        told.push((0, fact(now(3), now(3), error("tube", Severity::Warning))));
        let late = day % 5;
        told.push((1, fact(now(5), at(day + late, 5), error("tube", Severity::Major))));
        let used =
            |until| Body::Stretch(Stretch { until, condition: Condition::Productive, degradation: Degradation::None });
        told.push((0, fact(now(8), at(day + late, 9), used(now(9)))));
        told.push((0, fact(now(13), now(14), used(now(14)))));
        // Known on the day itself, but not at noon.
        told.push((1, fact(now(7), now(8), used(now(8)))));
        told.push((1, fact(now(10), now(15), used(now(11)))));
        told.push((1, fact(now(9), now(9), sample("scan_seconds", "tube", i64::from(day) * 1_000))));
        told.push((1, fact(now(10), now(14), sample("scan_seconds", "tube", i64::from(day) * 1_000 + 100))));
        // Nothing is heard of this one for a while.
        if !(35..50).contains(&day) {
            told.push((2, fact(now(6), now(6), Body::Heartbeat(None))));
        }
        told.push((3, fact(now(6), now(6), Body::Heartbeat(None))));
    }
    told
}

fn failures() -> Vec<(i32, Fact)> {
    let mut told = Vec::new();
    for (device, day) in [(0, 40), (1, 70)] {
        let name = format!("wo-{device}");
        told.push((device, fact(at(day, 11), at(day, 11), began(Condition::UnscheduledDown))));
        told.push((device, fact(at(day, 12), at(day, 12), order(&name, Phase::Opened, "tube"))));
        told.push((device, fact(at(day, 20), at(day + 2, 9), replaced("tube", false))));
        told.push((device, fact(at(day, 20), at(day, 20), order(&name, Phase::ReturnedToService, "tube"))));
        told.push((device, fact(at(day, 20), at(day, 20), began(Condition::Standby))));
    }
    told
}

/// What is said of the past long after it, each of which moves a feature from then on.
fn late_words() -> Vec<(i32, Fact)> {
    let late =
        |device: i32, happened: Timestamp, known_at: Timestamp, body: Body| (device, fact(happened, known_at, body));
    vec![
        // Make, model and day of service: of one only later, of another anew.
        late(0, at(0, 0), at(48, 10), registered("Early", Some(-900))),
        late(1, at(0, 0), at(0, 1), registered("First", Some(-300))),
        late(1, at(58, 0), at(58, 0), registered("Second", Some(-400))),
        late(1, at(20, 0), at(64, 12), registered("Of old", Some(-100))),
        // A counter that nobody knew of, and one that comes second.
        late(0, at(10, 0), at(50, 7), sample("hours_on", "detector", 70)),
        // Known before that one, and told after it.
        late(0, at(12, 0), at(49, 6), sample("turns", "detector", 60)),
        late(1, at(20, 0), at(20, 0), sample("hours_on", "detector", 80)),
        late(1, at(3, 0), at(55, 0), sample("turns", "detector", 90)),
        // The device was there before anybody knew.
        late(2, at(-30, 0), at(66, 5), Body::Heartbeat(None)),
        // Failures began earlier than the orders said, and later than the device said.
        late(0, at(38, 4), at(67, 13), down("wo-0")),
        late(1, at(70, 11), at(85, 18), began(Condition::Standby)),
        late(3, at(20, 4), at(21, 4), order("wo-2", Phase::Opened, "tube")),
        late(3, at(20, 9), at(57, 4), order("wo-2", Phase::ReturnedToService, "tube")),
        late(2, at(30, 9), at(61, 4), replaced("detector", true)),
        // Opened, and cancelled or closed without a word of a return, which comes later than that.
        late(3, at(60, 4), at(60, 5), order("wo-3", Phase::Opened, "detector")),
        late(3, at(63, 4), at(66, 11), order("wo-3", Phase::Cancelled, "detector")),
        late(2, at(68, 4), at(68, 5), order("wo-4", Phase::Opened, "detector")),
        late(2, at(69, 4), at(70, 13), order("wo-4", Phase::Closed, "detector")),
        late(2, at(69, 2), at(80, 1), order("wo-4", Phase::ReturnedToService, "detector")),
        // Planned maintenance and hours down that nobody knew of.
        late(0, at(36, 8), at(52, 5), maintained()),
        late(3, at(44, 2), at(59, 13), was_down(at(44, 8))),
    ]
}

fn gathered(story: &[(i32, Fact)]) -> Gatherer {
    let site = SiteId::new("st-mary").expect("a name");
    let mut gatherer = Gatherer::default();
    for (seq, (device, fact)) in (1..).zip(story) {
        let device = DeviceId::new(&format!("ct-{device}")).expect("a name");
        gatherer.tell(&device, &site, DeviceKind::Ct, (Epoch(1), Seq(seq)), fact);
    }
    gatherer.settle();
    gatherer
}

const PARTS: [&str; 2] = ["tube", "detector"];

fn roll(gatherer: &Gatherer) -> Roll<'_> {
    Roll::of_sorts(gatherer, PARTS.map(|part| PartSort { kind: DeviceKind::Ct, component: part.into() }))
}

/// Everything a voice looks at, in bits, beside the device, the part and the instant.
type Seen = BTreeMap<(Timestamp, String, Group), (Vec<u64>, Vec<FamilyErrors>)>;

/// All that is seen at these instants by a query of the caller's, of the parts of which anything is said.
async fn seen(gatherer: &Gatherer, instants: &[Timestamp], sql: &str) -> Seen {
    let frame = frame(gatherer, instants, Tense::Present, sql).await;
    let names: Vec<String> = gatherer.devices().map(|(name, _)| name.to_string()).collect();
    let bits = |row: usize| {
        let value = |column: Column| frame.value(row, column);
        let known = |column| if value(column).is_nan() { f64::NAN } else { value(column) + 0.0 };
        (Column::ALL.map(|column| known(column).to_bits()).to_vec(), frame.families(row).to_vec())
    };
    let key = |row: usize| (frame.row(row).at, names[frame.row(row).device as usize].clone(), frame.group(row).clone());
    (0..frame.len()).map(|row| (key(row), bits(row))).collect()
}

async fn frame(gatherer: &Gatherer, instants: &[Timestamp], tense: Tense, sql: &str) -> Frame {
    let limits = LifeLimits::from([((DeviceKind::Ct, Arc::from("scan_seconds")), 1_200_000.0)]);
    let question = Question { instants, limits: &limits, keep: &|_| 1.0, tense, done: SILENTLY };
    roll(gatherer).frame_by(&SessionContext::new(), &question, sql).await.expect("the query runs")
}

/// Instants of every third day, at these minutes of the day.
fn instants(minutes: &[i64]) -> Vec<Timestamp> {
    let days = (31..DAYS).step_by(3);
    days.flat_map(|day| minutes.iter().map(move |minute| at(day, 0).plus_micros(minute * MICROS_PER_MINUTE))).collect()
}

/// Instants at which anything looks otherwise when all that became known later is taken away: another row, or another figure.
async fn changed_by_the_future(instants: &[Timestamp], sql: &str) -> Vec<Timestamp> {
    let story = story();
    let with_all = seen(&gathered(&story), instants, sql).await;
    let mut changed = Vec::new();
    for now in instants {
        let known: Vec<(i32, Fact)> = story.iter().filter(|(_, fact)| fact.known_at <= *now).cloned().collect();
        let alone = seen(&gathered(&known), &[*now], sql).await;
        let with_all = with_all.iter().filter(|((at, ..), _)| at == now);
        if !alone.iter().eq(with_all) {
            changed.push(*now);
        }
    }
    changed
}

#[tokio::test]
async fn no_later_fact_changes_a_past_feature() {
    let instants = instants(&[0, 9 * 60 + 30, 12 * 60, 14 * 60 + 1]);
    assert_eq!(changed_by_the_future(&instants, FEATURES_SQL).await, []);
    let seen = seen(&gathered(&story()), &instants, FEATURES_SQL).await;
    let models: BTreeSet<&str> = seen.keys().map(|(.., group)| &*group.make_model).collect();
    assert_eq!(models, BTreeSet::from(["made up Early", "made up First", "made up Second", "unknown"]));
    let says = |column: &Column| {
        let mut values = seen.values().map(|(bits, _)| f64::from_bits(bits[column.index()]));
        values.any(|value| !value.is_nan() && value != 0.0)
    };
    let empty: Vec<Column> = Column::ALL.into_iter().filter(|column| !says(column)).collect();
    assert_eq!(empty, [], "columns that say nothing in any row prove nothing");
    assert!(seen.len() > instants.len() * 4, "{} rows were compared", seen.len());
    let spoken = |day: i32| seen.keys().any(|(now, device, _)| (*now, &**device) == (at(day, 0), "ct-2"));
    assert!(spoken(37) && !spoken(43) && spoken(52), "of a silent device nothing is said");
    let spoken = |device: &str, day: i32| seen.keys().any(|(now, own, _)| (*now, &**own) == (at(day, 0), device));
    assert!(
        spoken("ct-3", 58) && !spoken("ct-3", 64) && spoken("ct-3", 67),
        "a cancelled order makes nobody ill for ever"
    );
}

#[tokio::test]
async fn a_planted_leak_that_sees_the_repair_is_caught() {
    let midnights = instants(&[0]);
    let planted = FEATURES_SQL.replace(
        "JOIN signals s ON s.device = a.device AND s.happened_at <= a.now AND s.known_at <= a.now",
        "JOIN signals s ON s.device = a.device",
    );
    assert_ne!(planted, FEATURES_SQL, "the leak was planted");
    assert!(!changed_by_the_future(&midnights, &planted).await.is_empty());
    let early =
        FEATURES_SQL.replace("AND s.happened_at <= q.now AND s.known_at <= q.now", "AND s.happened_at <= q.now");
    assert_ne!(early, FEATURES_SQL, "the leak was planted");
    assert!(!changed_by_the_future(&midnights, &early).await.is_empty(), "what is heard late is not known early");
}

#[tokio::test]
async fn a_feature_says_what_it_says() {
    let gatherer = gathered(&story());
    let asked: Vec<Timestamp> =
        [31, 35, 65, 69].map(|day| at(day, 0)).into_iter().chain([at(35, 8), at(35, 12)]).collect();
    let frame = frame(&gatherer, &asked, Tense::Present, FEATURES_SQL).await;
    let at_hour = |device: u32, part: &str, now: Timestamp, column: Column| {
        let is = |row: &usize| {
            let key = frame.row(*row);
            (key.device, key.at, &*frame.group(*row).component) == (device, now, part)
        };
        frame.value((0..frame.len()).find(is).expect("a row"), column)
    };
    let value = |device: u32, day: i32, column: Column| at_hour(device, "tube", at(day, 0), column);
    assert_eq!(value(0, 35, Column::PartErrors1d), 1.0);
    assert_eq!(value(0, 35, Column::PartErrors7d), 7.0);
    assert_eq!(value(0, 35, Column::HoursSincePartError), 21.0);
    assert_eq!(value(1, 35, Column::LifeUsed), 34_100.0 / 1_200_000.0);
    assert_eq!(at_hour(1, "tube", at(35, 12), Column::PartAge), 35_000.0, "the later reading is known at 14:00");
    assert_eq!(at_hour(1, "tube", at(35, 12), Column::ProductiveHours7d), 13.0, "that of 10:00 is known at 15:00");
    // Two uses on each of days 28 to 34; one on each of days 33 and 34, heard 3 and 4 days late, is not known yet.
    assert_eq!(value(0, 35, Column::ProductiveHours7d), 12.0);
    assert!((value(0, 65, Column::DaysSinceFailure) - (25.0 - 11.0 / 24.0)).abs() < 1e-9);
    assert!((value(0, 69, Column::DaysSincePartFailure) - (31.0 - 4.0 / 24.0)).abs() < 1e-9, "a claim came on day 67");
    assert!(at_hour(0, "detector", at(65, 0), Column::DaysSincePartFailure).is_nan());
    assert_eq!(value(0, 65, Column::PartFailures365d), 1.0);
    assert_eq!(value(1, 65, Column::PartFailures365d), 0.0);
    assert!(value(1, 65, Column::DaysSinceReplaced).is_nan());
    assert_eq!((value(1, 35, Column::DeviceAgeDays), value(1, 65, Column::DeviceAgeDays)), (335.0, 465.0));
    assert_eq!((value(0, 35, Column::DeviceAgeDays), value(0, 65, Column::DeviceAgeDays)), (35.0 - 3.0 / 24.0, 965.0));
    assert_eq!(at_hour(1, "detector", at(31, 0), Column::PartAge), 80.0);
    assert!(value(0, 35, Column::DaysSincePm).is_nan());
    assert!((value(0, 65, Column::DaysSincePm) - (29.0 - 8.0 / 24.0)).abs() < 1e-9, "it was known on day 52");
    assert_eq!(value(3, 69, Column::DownHours30d), 6.0);
    assert_eq!((value(0, 35, Column::Stops30d), value(0, 65, Column::Stops30d)), (0.0, 1.0));
    assert_eq!((value(0, 35, Column::PartErrors6h), at_hour(0, "tube", at(35, 8), Column::PartErrors6h)), (0.0, 1.0));
    assert_eq!(value(0, 31, Column::SiteErrorsPerDevice1d), 1.0 / 3.0, "one error of one of three others was known");
    assert_eq!(value(0, 35, Column::SiteErrorsPerDevice1d), 0.0, "that of day 34 comes on day 38");
    assert_eq!(value(0, 35, Column::SiteUsePerDevice7d), 14.0 / 3.0, "one of three others was in use");
}

#[test]
fn a_device_is_where_the_fact_says_that_was_known_first() {
    let (device, mut gatherer) = (DeviceId::new("ct-0").expect("a name"), Gatherer::default());
    for (site, day) in [("st-mary", 5_i32), ("north", 3), ("south", 3), ("west", 4)] {
        let site = SiteId::new(site).expect("a name");
        let identity = (Epoch(1), Seq(day.unsigned_abs().into()));
        gatherer.tell(&device, &site, DeviceKind::Ct, identity, &fact(at(day, 0), at(day, 0), Body::Heartbeat(None)));
    }
    assert_eq!(gatherer.device(&device).expect("told").site.as_str(), "north");
}

#[tokio::test]
async fn errors_are_counted_by_severity_and_by_the_loudest_family() {
    use Column::*;
    let mut told = vec![
        (0, fact(at(0, 0), at(0, 0), Body::Heartbeat(None))),
        (0, fact(at(34, 0), at(34, 0), Body::Heartbeat(None))),
    ];
    let mut report = |day: i32, family: &str, severity: Severity| {
        let Body::Error(known) = error("tube", severity) else { unreachable!("an error") };
        told.push((0, fact(at(day, 6), at(day, 6), Body::Error(DeviceError { family: family.into(), ..known }))));
    };
    for day in [10, 20, 25, 29, 34] {
        report(day, "arc", Severity::Minor);
    }
    for day in [30, 33, 34] {
        report(day, "rotor", Severity::Critical);
    }
    report(34, "log", Severity::Info);
    // Whoever maps codes does not always know the part.
    let Body::Error(known) = error("", Severity::Minor) else { unreachable!("an error") };
    let nameless = DeviceError { family: "arc".into(), ..known };
    told.push((0, fact(at(33, 6), at(33, 6), Body::Error(nameless))));
    let frame = frame(&gathered(&told), &[at(35, 0)], Tense::Present, FEATURES_SQL).await;
    let row = (0..frame.len()).find(|row| &*frame.group(*row).component == "tube").expect("a row");
    let counts = |columns: [Column; 5]| columns.map(|column| frame.value(row, column));
    assert_eq!(
        counts([PartErrors1d, PartErrors3d, PartErrors7d, PartErrors14d, PartErrors30d]),
        [2.0, 3.0, 5.0, 6.0, 8.0]
    );
    let major = [PartMajorErrors1d, PartMajorErrors3d, PartMajorErrors7d, PartMajorErrors14d, PartMajorErrors30d];
    assert_eq!(counts(major), [1.0, 2.0, 3.0, 3.0, 3.0]);
    let loudest = [
        LoudestFamilyErrors1d,
        LoudestFamilyErrors3d,
        LoudestFamilyErrors7d,
        LoudestFamilyErrors14d,
        LoudestFamilyErrors30d,
    ];
    assert_eq!(counts(loudest), [1.0, 1.0, 2.0, 3.0, 5.0]);
    assert_eq!(frame.value(row, PartFamilies30d), 2.0);
    let families: Vec<&str> = frame.families(row).iter().map(|told| &*told.family).collect();
    assert_eq!(families, ["arc", "rotor"], "information is none");
    let by_name = |family: &str| FamilyColumn::ALL.map(|column| frame.family_value(row, family, column));
    assert_eq!(by_name("arc"), [1.0, 2.0, 3.0, 4.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0], "of the whole device");
    assert_eq!(by_name("rotor"), [1.0, 2.0, 3.0, 3.0, 3.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
    assert_eq!(by_name("log"), [0.0; 10]);
    assert!((frame.value(row, PartMajorErrorsTrend) - (2.0 / 3.0 - 1.0 / 27.0)).abs() < 1e-12);
    assert!((frame.value(row, LoudestFamilyTrend) - (1.0 / 3.0 - 4.0 / 27.0)).abs() < 1e-12);
}

#[tokio::test]
async fn a_part_taken_out_on_plan_has_no_fate_before_and_is_new_after() {
    let mut told = vec![(0, fact(at(50, 12), at(50, 13), replaced("tube", true)))];
    told.extend((0..DAYS).map(|day| (0, fact(at(day, 0), at(day, 0), Body::Heartbeat(None)))));
    let gatherer = gathered(&told);
    let asked: Vec<Timestamp> = [42, 45, 50, 60].map(|day| at(day, 0)).to_vec();
    let frame = frame(&gatherer, &asked, Tense::Past, FEATURES_SQL).await;
    let row = |day: i32, part: &str| {
        let is = |row: &usize| frame.row(*row).at == at(day, 0) && &*frame.group(*row).component == part;
        (0..frame.len()).find(is).expect("a row")
    };
    let within_a_week = |day, part| frame.row(row(day, part)).fate.within(Horizon::Week);
    assert_eq!([42, 45, 50, 60].map(|day| within_a_week(day, "tube")), [Some(false), None, None, Some(false)]);
    assert_eq!(within_a_week(45, "detector"), Some(false), "another part was not taken out");
    let value = |day, column| frame.value(row(day, "tube"), column);
    assert_eq!((value(60, Column::DaysSinceReplaced), value(60, Column::PartAge)), (9.5, 9.5));
    assert_eq!(value(50, Column::PartAge), 50.0);
    let lives = roll(&gatherer).lives(at(80, 0));
    let tube: Vec<(f64, bool)> =
        lives.iter().filter(|life| life.left != 80.0).map(|life| (life.left, life.failed)).collect();
    assert_eq!(tube, [(50.5, false), (29.5, false)], "two lives, and neither ended with a failure");
}
