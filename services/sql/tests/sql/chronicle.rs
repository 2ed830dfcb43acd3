//! Alerts, scores and models: what the views make of the steps and words in the log.

use medfleet_domain::kind::DeviceKind;
use medfleet_lake::rows::{AlertStepRow, ModelRow, ScoreRow, WithdrawalRow};
use medfleet_lake::{Cause, Day, RecordBatch, UtcMicros};
use medfleet_risk::frame::PartSort;
use medfleet_risk::gate::Decision;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::voice::Speaker;

use super::rig::{DAY, HOUR, MONDAY, Rig, SECOND, batch, column, text, told};

/// A score, and the alert it raised at ten: acknowledged after five minutes, ended, opened again, given to somebody and judged.
pub fn rows(site: &str, device: &str) -> Vec<(&'static str, RecordBatch)> {
    let step = |name: &'static str, minute: i64, index| AlertStepRow {
        alert: text(&format!("alert of {site}")),
        at: UtcMicros(MONDAY + 10 * HOUR + minute * 60 * SECOND),
        step: name.into(),
        weight: 1,
        cause: Cause { topic: 2, offset: 5, index, ..Cause::default() },
        ..AlertStepRow::default()
    };
    let person = Some(text("kim"));
    let raised = AlertStepRow {
        rule: Some(text("risk-high")),
        subject_kind: Some(text("device")),
        subject: Some(text(device)),
        part: Some(text("tube")),
        site: Some(text(site)),
        kind: Some(text("ct")),
        urgency: Some(text("soon")),
        late: Some(true),
        fact_epoch: Some(7),
        fact_seq: Some(1),
        model: Some(text("m-1")),
        voice: Some(text("trees")),
        horizon_hours: Some(168),
        chance_ppm: Some(250_000),
        ..step("raised", 0, 0)
    };
    let reason = Some(text("tube replaced"));
    let steps = [
        raised,
        step("goes_on", 1, 1),
        AlertStepRow { person: person.clone(), ..step("acknowledged", 5, 2) },
        AlertStepRow { ending: Some(text("by")), person: person.clone(), reason, ..step("resolved", 60, 3) },
        AlertStepRow { late: Some(false), model: Some(text("m-2")), ..step("reopened", 90, 4) },
        AlertStepRow { assignee: Some(text("lee")), person: person.clone(), ..step("assigned", 100, 5) },
        AlertStepRow { person: Some(text("lee")), ..step("acknowledged", 105, 6) },
        AlertStepRow { finding: Some(text("nothing_found")), person, ..step("judged", 110, 7) },
    ];
    let score = ScoreRow {
        device: text(device),
        site: text(site),
        kind: text("ct"),
        day: Day(i32::try_from(MONDAY / DAY).unwrap()),
        at: UtcMicros(MONDAY + 9 * HOUR),
        horizon_hours: 168,
        risk_ppm: 250_000,
        model: text("m-1"),
        epoch: 7,
        seq: 1,
        weight: 1,
        ..ScoreRow::default()
    };
    vec![("alert_steps", batch(&steps)), ("scores", batch(&[score]))]
}

/// The newest model is not to be heard.
pub fn withdrawals() -> RecordBatch {
    let (person, reason) = (text("kim"), text("leaky"));
    batch(&[WithdrawalRow { model: text("m-2"), person, reason, weight: 1, ..WithdrawalRow::default() }])
}

/// A model that lets the rules speak for tubes, one that this version cannot read, and one that was withdrawn.
pub fn models() -> RecordBatch {
    let decision = Decision {
        sort: PartSort { kind: DeviceKind::Ct, component: "tube".into() },
        horizon: Horizon::Week,
        speaks: Speaker::Rules,
        failures: 4,
        devices: 2,
        rows: 90,
        contests: Vec::new(),
        because: "4 failures".into(),
    };
    let report = format!("{{\"decisions\": [{}]}}", serde_json::to_string(&decision).unwrap());
    let model = |name: &str, report: &str, offset| ModelRow {
        model: text(name),
        horizon_hours: 168,
        report: text(report),
        weight: 1,
        cause: Cause { topic: 3, offset, ..Cause::default() },
        ..ModelRow::default()
    };
    batch(&[model("m-0", "{}", 1), model("m-1", &report, 2), model("m-2", "{}", 3)])
}

/// The only row that a statement answers, as text.
async fn row(rig: &Rig, sql: &str) -> Vec<String> {
    let rows = told(&rig.client("ann").await, sql).await;
    assert_eq!(rows.len(), 1, "{sql}");
    (0..rows[0].len()).map(|place| rows[0].get(place).unwrap_or("null").to_owned()).collect()
}

#[tokio::test]
async fn an_alert_that_was_opened_again_is_told_as_it_stands_since_then() {
    let rig = Rig::open().await;
    let of = "SELECT rule, urgency, device, part, open, late, times_reopened, finding, was_right FROM alerts";
    let wanted = ["risk-high", "soon", "ct-north", "tube", "t", "f", "1", "nothing_found", "f"];
    assert_eq!(row(&rig, of).await, wanted);
    let times = "SELECT raised_at, opened_at, acknowledged_at, acknowledged_by, acknowledge_seconds, assigned_to, ended_at, reason FROM alerts";
    let clock = |minute: &str| format!("2026-03-02 {minute}:00.000000+00");
    let wanted = [&clock("10:00"), &clock("11:30"), &clock("11:45"), "lee", "900", "lee", "null", "null"];
    assert_eq!(row(&rig, times).await, wanted);
    let score = "SELECT model, voice, horizon_hours, chance FROM alerts";
    assert_eq!(row(&rig, score).await, ["m-1", "trees", "168", "0.25"], "of the score that raised it");
    let stood = "SELECT alert, model, part, raised_at, stood_until, was_right FROM foretold";
    assert_eq!(row(&rig, stood).await, ["alert of north", "m-1", "tube", &clock("10:00"), "null", "f"], "it is open");
    let steps =
        "SELECT concat_ws(' ', step, model, voice, chance) FROM alert_steps WHERE model IS NOT NULL ORDER BY at";
    assert_eq!(column(&rig.client("ann").await, steps).await, ["raised m-1 trees 0.25", "reopened m-2"]);
}

#[tokio::test]
async fn scores_and_decisions_are_rows_and_a_report_of_another_version_is_left_out() {
    let rig = Rig::open().await;
    assert_eq!(row(&rig, "SELECT device, risk, model FROM scores_now").await, ["ct-north", "0.25", "m-1"]);
    let ann = rig.client("ann").await;
    let sql =
        "SELECT concat_ws(' ', model, CAST(speaks AS VARCHAR), withdrawn_by, withdrawn_because) FROM models ORDER BY 1";
    assert_eq!(column(&ann, sql).await, ["m-0 false", "m-1 true", "m-2 false kim leaky"]);
    let sql = "SELECT model, current, kind, component, speaks, failures, because FROM gate_decisions";
    assert_eq!(row(&rig, sql).await, ["m-1", "t", "ct", "tube", "rules", "4", "4 failures"]);
}
