//! Labels: what technicians found, what was voided, corrected or cancelled decides what became of a part, from when it was said.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int8Array, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use medfleet_domain::alert::{AlertId, Finding};
use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Amendment, Body, Fact, Replacement, Source};
use medfleet_domain::human::{ComponentReplaced, OrderClass, OrderPhase, Phase};
use medfleet_domain::id::{DeviceId, Epoch, Seq, SeqRange, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_HOUR, Timestamp};
use medfleet_risk::frame::PartSort;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::verdict::Verdict;
use medfleet_scorer::archive::Offsets;
use medfleet_scorer::features::{FEATURES_SQL, LifeLimits, Question, Roll, SILENTLY, Tense};
use medfleet_scorer::gather::Gatherer;
use medfleet_scorer::verdicts;

const DAYS: i32 = 100;
/// Orders and what amends them.
const CMMS: Epoch = Epoch(7);
const LIVED: Option<Option<bool>> = Some(Some(false));
const FAILED: Option<Option<bool>> = Some(Some(true));
const UNDECIDED: Option<Option<bool>> = Some(None);

fn at(day: i32) -> Timestamp {
    Day(20_000 + day).start()
}

fn hours(day: i32, hours: i64) -> Timestamp {
    at(day).plus_micros(hours * MICROS_PER_HOUR)
}

fn device() -> DeviceId {
    DeviceId::new("ct-0").expect("a name")
}

/// A device that is heard every day, and what else is told of it: the n-th of `words` has seq n, from 1 on.
fn gathered(words: &[(Timestamp, Timestamp, Body)]) -> Gatherer {
    let (mut gatherer, site) = (Gatherer::default(), SiteId::new("st-mary").expect("a name"));
    let source = Source { kind: SourceKind::Record, name: "test".into() };
    let mut tell = |identity, at, known_at, body| {
        let (known_assumed, clock, source) = (false, Clock::Synchronised, source.clone());
        let fact = Fact { at, known_at, known_assumed, clock, source, body };
        gatherer.tell(&device(), &site, DeviceKind::Ct, identity, &fact);
    };
    for day in 0..=DAYS {
        tell((Epoch(1), Seq(day.unsigned_abs().into())), at(day), at(day), Body::Heartbeat(None));
    }
    for (seq, (happened, known_at, body)) in (1..).zip(words) {
        tell((CMMS, Seq(seq)), *happened, *known_at, body.clone());
    }
    gatherer
}

fn order(order: &str, phase: Phase, part: &str) -> Body {
    let (order, class, cause, text) = (order.into(), OrderClass::Corrective, String::new(), part.into());
    Body::Order(OrderPhase { order, class, phase, waiting_for: None, planned: None, cause, text })
}

/// A tube that fails on a day, told an hour later, and is back a day after that.
fn failure(day: i32) -> [(Timestamp, Timestamp, Body); 2] {
    let opened = (at(day), hours(day, 1), order("wo-1", Phase::Opened, "tube"));
    [opened, (at(day + 1), at(day + 1), order("wo-1", Phase::ReturnedToService, "tube"))]
}

fn amended(seq: u64, replacement: Option<Replacement>) -> Body {
    let target = SeqRange::one(CMMS, Seq(seq));
    let (author, reason) = ("kim".to_owned(), "typed wrongly".to_owned());
    Body::Amended(Box::new(Amendment { target, replacement, author, reason }))
}

fn verdict(raised: i32, judged: i32, finding: Finding) -> Verdict {
    let (raised_at, judged_at) = (at(raised), at(judged));
    Verdict { alert: AlertId(1), part: "tube".into(), foretold: true, raised_at, judged_at, finding }
}

fn sort(part: &str) -> PartSort {
    PartSort { kind: DeviceKind::Ct, component: part.into() }
}

/// Whether a part failed within a week of these days, by what was known at the borders; and, beside it, all its features in bits.
async fn known<const N: usize>(
    gatherer: &Gatherer,
    part: &str,
    borders: &[i32],
    days: [i32; N],
) -> ([Option<Option<bool>>; N], Vec<Vec<u64>>) {
    let (instants, limits) = (days.map(at), LifeLimits::new());
    let (keep, tense) = (&|_: &_| 1.0, Tense::Past);
    let question = Question { instants: &instants, limits: &limits, keep, tense, done: SILENTLY };
    let roll = Roll::of_sorts(gatherer, [sort(part)]).closed_at(borders.iter().map(|day| at(*day)).collect());
    let frame = roll.frame_by(&SessionContext::new(), &question, FEATURES_SQL).await.expect("the query runs");
    let row = |day: i32| (0..frame.len()).find(|row| frame.row(*row).at == at(day));
    let fates = days.map(|day| row(day).map(|row| frame.row(row).fate.within(Horizon::Week)));
    let bits = |row| medfleet_risk::column::Column::ALL.map(|column| frame.value(row, column).to_bits()).to_vec();
    (fates, days.iter().filter_map(|day| row(*day)).map(bits).collect())
}

async fn fates<const N: usize>(gatherer: &Gatherer, days: [i32; N]) -> [Option<Option<bool>>; N] {
    known(gatherer, "tube", &[], days).await.0
}

#[tokio::test]
async fn a_verdict_is_a_label_and_features_do_not_hear_of_it() {
    let days = [30, 40, 44, 70];
    let (_, before) = known(&gathered(&[]), "tube", &[], days).await;
    for (finding, wanted) in [
        (Finding::Confirmed, [LIVED, FAILED, FAILED, LIVED]),
        (Finding::WearReplaced, [LIVED, FAILED, FAILED, LIVED]),
        (Finding::NothingFound, [LIVED, LIVED, LIVED, LIVED]),
        (Finding::NotDone, [LIVED, UNDECIDED, UNDECIDED, LIVED]),
        (Finding::OtherPart { part: "detector".into() }, [LIVED, LIVED, LIVED, LIVED]),
    ] {
        let mut gatherer = gathered(&[]);
        gatherer.judge(&device(), verdict(44, 45, finding.clone()));
        let (found, features) = known(&gatherer, "tube", &[], days).await;
        assert_eq!(found, wanted, "{finding:?}");
        assert_eq!(features, before, "{finding:?}");
    }
}

#[tokio::test]
async fn another_part_that_was_found_is_a_sort_to_learn_from() {
    let mut gatherer = gathered(&[]);
    gatherer.judge(&device(), verdict(44, 45, Finding::OtherPart { part: "detector".into() }));
    assert_eq!(known(&gatherer, "detector", &[], [30, 40]).await.0, [LIVED, FAILED]);
    assert_eq!(Roll::of(&gatherer, at(60), 1).sorts(), [sort("detector")].into());
    assert_eq!(Roll::of(&gatherer, at(44), 1).count(), 0, "nobody knew on day 44");
}

fn replaced(preventive: bool) -> Body {
    let (component, order) = ("tube".to_owned(), None);
    Body::ComponentReplaced(ComponentReplaced { component, old_serial: None, new_serial: None, preventive, order })
}

#[tokio::test]
async fn wear_replaced_is_a_failure_and_of_a_part_replaced_without_evidence_nobody_knows() {
    for preventive in [true, false] {
        let mut gatherer = gathered(&[(at(46), at(46), replaced(preventive))]);
        assert_eq!(fates(&gatherer, [38, 40, 45, 47]).await, [LIVED, UNDECIDED, UNDECIDED, LIVED]);
        gatherer.judge(&device(), verdict(44, 47, Finding::WearReplaced));
        let infected = fates(&gatherer, [38, 40, 45, 47]).await;
        assert_eq!(infected, [LIVED, FAILED, FAILED, None], "infected since the replacement");
    }
}

#[tokio::test]
async fn a_part_replaced_in_a_repair_has_failed_and_begins_one_life() {
    let [opened, returned] = failure(50);
    for preventive in [true, false] {
        let gatherer =
            gathered(&[opened.clone(), (hours(50, 12), hours(50, 12), replaced(preventive)), returned.clone()]);
        assert_eq!(fates(&gatherer, [42, 43, 49, 71]).await, [LIVED, FAILED, FAILED, LIVED]);
        let roll = Roll::of_sorts(&gatherer, [sort("tube")]);
        let lives = roll.lives(at(DAYS));
        let days: Vec<(f64, bool)> = lives.iter().map(|life| (life.left - life.entered, life.failed)).collect();
        assert_eq!(days, [(50.0, true), (49.0, false)], "from its return on");
    }
}

#[tokio::test]
async fn what_would_not_have_been_scored_is_no_example() {
    let order_known_late = order("wo-1", Phase::Opened, "tube");
    let planned = |phase: Phase| {
        let Body::Order(told) = order("pm-1", phase, "tube") else { unreachable!("an order") };
        Body::Order(OrderPhase { class: OrderClass::Preventive, ..told })
    };
    let gatherer = gathered(&[
        (at(20), at(20), planned(Phase::Opened)),
        (at(22), at(22), planned(Phase::RepairStarted)),
        (at(24), at(26), planned(Phase::ReturnedToService)),
        (at(50), at(50), order_known_late),
        (at(60), at(60), order("wo-1", Phase::Cancelled, "tube")),
    ]);
    let found = fates(&gatherer, [21, 23, 25, 26, 49, 50, 59, 60, DAYS - 1]).await;
    let decided = |fate: &Option<Option<bool>>| fate.is_some();
    assert_eq!(found.map(|fate| decided(&fate)), [true, false, false, true, true, false, false, true, true]);
}

#[tokio::test]
async fn a_part_that_was_typed_by_hand_is_the_one_that_orders_name() {
    let opened = (at(10), at(10), order("wo-1", Phase::Opened, "slip_ring"));
    let returned = (at(11), at(11), order("wo-1", Phase::ReturnedToService, "slip_ring"));
    let mut gatherer = gathered(&[opened, returned]);
    gatherer.judge(&device(), verdict(44, 45, Finding::OtherPart { part: " Slip ring".into() }));
    assert_eq!(known(&gatherer, "slip_ring", &[], [40, 80]).await.0, [FAILED, LIVED]);
    let sorts = Roll::of(&gatherer, at(DAYS), 1).sorts();
    assert_eq!(sorts, [sort("slip_ring")].into(), "and no other sort");
}

#[tokio::test]
async fn a_label_that_was_said_after_the_border_is_not_used_before_it() {
    let mut gatherer = gathered(&[]);
    gatherer.judge(&device(), verdict(38, 60, Finding::WearReplaced));
    gatherer.judge(&device(), verdict(38, 80, Finding::NothingFound));
    let by = |border: i32| {
        let gatherer = &gatherer;
        async move { known(gatherer, "tube", &[border], [50, 55, 85]).await.0 }
    };
    assert_eq!(by(59).await, [LIVED, LIVED, LIVED]);
    assert_eq!(by(60).await, [LIVED, FAILED, LIVED], "known where the next slice begins");
    assert_eq!(by(80).await, [LIVED, LIVED, LIVED], "the latest said wins");
    // A failure that somebody wrote down days later.
    let [opened, returned] = failure(50);
    let late = gathered(&[(opened.0, at(58), opened.2), (returned.0, at(58), returned.2)]);
    let tube = |borders: &'static [i32]| {
        let late = &late;
        async move { known(late, "tube", borders, [45, 51, 75]).await.0 }
    };
    assert_eq!(tube(&[57]).await, [LIVED, LIVED, LIVED]);
    assert_eq!(tube(&[58]).await, [FAILED, None, LIVED]);
    assert_eq!(tube(&[57, 58]).await, [LIVED, LIVED, LIVED], "judged by the next border");
}

#[tokio::test]
async fn a_failure_that_was_voided_corrected_or_cancelled_is_no_label_from_then_on() {
    let [opened, returned] = failure(50);
    let told = |more: (Timestamp, Timestamp, Body)| gathered(&[opened.clone(), returned.clone(), more]);
    let at_all = [43, 49, 51, 71];
    assert_eq!(fates(&gathered(&[opened.clone(), returned.clone()]), at_all).await, [FAILED, FAILED, None, LIVED]);

    let cancelled = told((at(60), at(60), order("wo-1", Phase::Cancelled, "tube")));
    // While its order stood nothing was said of it, so that no day of these is an example.
    let none_while_open = [LIVED, LIVED, None, LIVED];
    assert_eq!(fates(&cancelled, at_all).await, none_while_open, "a cancelled order is no failure");
    assert_eq!(
        known(&cancelled, "tube", &[59], at_all).await.0,
        [FAILED, FAILED, None, LIVED],
        "as was known on day 59"
    );

    // An order whose every word is void was never opened.
    let void = |seq| (at(60), at(60), amended(seq, None));
    let voided = gathered(&[opened.clone(), returned.clone(), void(1), void(2)]);
    assert_eq!(fates(&voided, at_all).await, none_while_open);
    assert_eq!(known(&voided, "tube", &[59], at_all).await.0, [FAILED, FAILED, None, LIVED]);
    let taken_back = gathered(&[opened.clone(), returned.clone(), void(1), void(2), void(3), void(4)]);
    assert_eq!(fates(&taken_back, at_all).await, [FAILED, FAILED, None, LIVED], "a void that was voided");

    let other = |day: i32, part: &str| Some(Replacement { at: at(day), body: order("wo-1", Phase::Opened, part) });
    let moved = told((at(60), at(60), amended(1, other(40, "tube"))));
    assert_eq!(fates(&moved, [33, 39, 45, 71]).await, [FAILED, FAILED, None, LIVED]);
    assert_eq!(known(&moved, "tube", &[59], at_all).await.0, [FAILED, FAILED, None, LIVED]);
    let detector = told((at(60), at(60), amended(1, other(50, "detector"))));
    assert_eq!(known(&detector, "detector", &[], at_all).await.0[..2], [FAILED, FAILED]);
    assert_eq!(fates(&detector, [43, 71]).await, [LIVED, LIVED], "it was another part");
}

/// Steps of two alerts as the table holds them: one judged twice, one about no device.
fn steps() -> RecordBatch {
    let rows: [(&str, &str, i64, &str, Option<&str>, i64); 6] = [
        ("00000000000000aa", "raised", 38, "device", None, 10),
        ("00000000000000bb", "raised", 38, "site", None, 11),
        ("00000000000000aa", "reopened", 41, "", None, 12),
        ("00000000000000bb", "judged", 42, "", Some("confirmed"), 13),
        ("00000000000000aa", "judged", 45, "", Some("other_part"), 14),
        ("00000000000000aa", "judged", 60, "", Some("wear_replaced"), 20),
    ];
    let text = |of: &dyn Fn(usize) -> Option<&'static str>| -> ArrayRef {
        Arc::new((0..rows.len()).map(of).collect::<StringArray>())
    };
    let raised = |row: usize| rows[row].1 == "raised";
    let time = Int64Array::from_iter_values(rows.iter().map(|row| at(row.2 as i32).micros()));
    let constant = |value: i32| -> ArrayRef { Arc::new(Int32Array::from(vec![value; rows.len()])) };
    RecordBatch::try_from_iter_with_nullable([
        ("alert", text(&|row| Some(rows[row].0)), false),
        ("step", text(&|row| Some(rows[row].1)), false),
        ("at", Arc::new(time) as ArrayRef, false),
        ("subject_kind", text(&|row| raised(row).then_some(rows[row].3)), true),
        ("subject", text(&|row| raised(row).then_some("ct-0")), true),
        ("part", text(&|row| raised(row).then_some("tube")), true),
        ("model", text(&|row| raised(row).then_some("m")), true),
        ("finding", text(&|row| rows[row].4), true),
        ("part_found", text(&|row| (rows[row].4 == Some("other_part")).then_some("detector")), true),
        ("late", Arc::new(BooleanArray::from(vec![None; rows.len()])) as ArrayRef, true),
        ("cause_topic", Arc::new(Int8Array::from(vec![2; rows.len()])) as ArrayRef, false),
        ("cause_partition", constant(0), false),
        ("cause_offset", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.5))) as ArrayRef, false),
        ("cause_index", constant(0), false),
    ])
    .expect("columns of one length")
}

#[tokio::test]
async fn verdicts_are_read_below_their_offset_and_none_where_none_is_named() {
    let read = |below: Option<i64>| async move {
        let session = SessionContext::new();
        let table = MemTable::try_new(steps().schema(), vec![vec![steps()]]).expect("a table");
        session.register_table("alert_steps", Arc::new(table)).expect("registered");
        let reached = verdicts::reached(&session).await.expect("read").expect("steps");
        assert_eq!(reached, ("medfleet.alerts.v1/0".to_owned(), 21));
        let offsets: Offsets = below.map(|next| (reached.0, next)).into_iter().collect();
        let mut gatherer = gathered(&[]);
        verdicts::tell(&session, &offsets, &mut gatherer).await.expect("read");
        let (tube, _) = known(&gatherer, "tube", &[], [40, 55]).await;
        (tube, known(&gatherer, "detector", &[], [40]).await.0)
    };
    assert_eq!(read(None).await, ([LIVED, LIVED], [LIVED]), "a model of before verdicts were heard");
    assert_eq!(read(Some(20)).await, ([LIVED, LIVED], [FAILED]));
    assert_eq!(read(Some(21)).await, ([LIVED, FAILED], [LIVED]), "the latest said wins");
}
