//! The chronicle: rows of what the topics of alerts and of risk tell. They have one partition each and are never trimmed, and a row
//! is a record's own words, so all that is remembered is whose words count.

use std::collections::BTreeMap;

use medfleet_domain::alert::record::{Life, News, Record as AlertRecord, Writer};
use medfleet_domain::alert::{About, Change, Ending, Finding, Spoken, Step};
use medfleet_domain::contract::Pin;
use medfleet_domain::id::SeqRange;
use medfleet_domain::risk::{ModelTrained, ModelWithdrawn, RiskNews};
use medfleet_domain::time::Timestamp;
use medfleet_lake::rows::{AlertStepRow, ModelRow, WithdrawalRow};
use medfleet_lake::{Cause, Text, UtcMicros};
use medfleet_log::{Partition, Record, Topic};

use crate::book::{Place, cause};
use crate::error::ProcessorError;
use crate::rows::Pending;

/// The topics it is made of.
pub const TOPICS: [Topic; 2] = [Topic::ALERTS, Topic::RISK];
/// Tables of the chronicle. A cut names their versions and no offsets: no figure is made of them and of facts together.
pub const TABLES: [&str; 3] = ["alert_steps", "models", "withdrawals"];

pub fn is_chronicle(home: Partition) -> bool {
    TOPICS.contains(&home.topic)
}

/// Takes one record in. What a desk says after another has opened its life counts for nothing, as for every other reader.
pub fn hear(
    desk: &mut Option<Life>,
    pending: &mut Pending,
    home: Partition,
    record: &Record,
) -> Result<(), ProcessorError> {
    let place = Place { home, offset: record.offset, appended_at_micros: record.appended_at_micros };
    let unreadable = |source| ProcessorError::Record { place: home.at(record.offset).to_string(), source };
    if home.topic == Topic::RISK {
        let read = medfleet_wire::decode_risk_record(&record.value).map_err(unreadable)?;
        match &read.news {
            RiskNews::Trained(trained) => pending.models.push(model(read.at, trained, cause(place))),
            RiskNews::Withdrawn(withdrawn) => pending.withdrawals.push(withdrawal(read.at, withdrawn, cause(place))),
            _ => {}
        }
        return Ok(());
    }
    let AlertRecord { life, news, .. } = medfleet_wire::decode_alert_record(&record.value).map_err(unreadable)?;
    match news {
        News::Opened(Writer::Desk) => *desk = Some(life),
        News::Turn(turn) if *desk == Some(life) => {
            let rows = (0..).zip(&turn.steps).map(|(index, told)| step(told, Cause { index, ..cause(place) }));
            pending.alert_steps.extend(rows);
        }
        _ => {}
    }
    Ok(())
}

fn text(text: &str) -> Text {
    Text::from(text.to_owned())
}

fn some(said: &str) -> Option<Text> {
    Some(text(said))
}

fn step(told: &Step, cause: Cause) -> AlertStepRow {
    let row = AlertStepRow {
        alert: text(&told.alert.to_string()),
        at: UtcMicros(told.at.micros()),
        step: Text::Word(told.change.name()),
        weight: 1,
        cause,
        ..AlertStepRow::default()
    };
    match &told.change {
        Change::Raised { about, began, late, fact, summary, score } => {
            let began_again = began_again(row, *began, *late, *fact);
            AlertStepRow { summary: some(summary), ..of_what(about, by_score(score.as_ref(), began_again)) }
        }
        Change::Reopened { began, late, fact, score } => {
            by_score(score.as_ref(), began_again(row, *began, *late, *fact))
        }
        Change::GoesOn => row,
        Change::Acknowledged { by } | Change::CauseWithdrawn { by } => AlertStepRow { person: some(by), ..row },
        Change::Assigned { to, by } => AlertStepRow { assignee: some(to), person: some(by), ..row },
        Change::Snoozed { until, by } => {
            AlertStepRow { snoozed_until: Some(UtcMicros(until.micros())), person: some(by), ..row }
        }
        Change::Escalated { level } => AlertStepRow { level: Some(i32::from(*level)), ..row },
        Change::Resolved { because } => ended(because, row),
        Change::Judged { finding, by } => {
            let part_found = match finding {
                Finding::OtherPart { part } => some(part),
                _ => None,
            };
            AlertStepRow { finding: some(finding.as_str()), part_found, person: some(by), ..row }
        }
    }
}

fn of_what(about: &About, row: AlertStepRow) -> AlertStepRow {
    AlertStepRow {
        rule: some(&about.rule),
        subject_kind: some(about.subject.kind.as_str()),
        subject: some(about.subject.name()),
        part: some(&about.part).filter(|part| !part.is_empty()),
        site: some(about.site.as_str()),
        kind: some(about.kind.as_str()),
        urgency: some(about.urgency.as_str()),
        ..row
    }
}

fn began_again(row: AlertStepRow, began: Timestamp, late: bool, fact: Option<SeqRange>) -> AlertStepRow {
    AlertStepRow {
        began_at: Some(UtcMicros(began.micros())),
        late: Some(late),
        fact_epoch: fact.map(|fact| fact.epoch.0.cast_signed()),
        fact_seq: fact.map(|fact| fact.first.0.cast_signed()),
        ..row
    }
}

fn by_score(score: Option<&Spoken>, row: AlertStepRow) -> AlertStepRow {
    let Some(Spoken { model, voice, horizon_hours, ppm }) = score else { return row };
    AlertStepRow {
        model: some(model),
        voice: some(voice),
        horizon_hours: Some(horizon_hours.cast_signed()),
        chance_ppm: Some(ppm.cast_signed()),
        ..row
    }
}

fn ended(because: &Ending, row: AlertStepRow) -> AlertStepRow {
    match because {
        Ending::Over { at } => AlertStepRow { ending: some("over"), over_at: Some(UtcMicros(at.micros())), ..row },
        Ending::PartOf(whole) => AlertStepRow { ending: some("part_of"), part_of: some(&whole.to_string()), ..row },
        Ending::Retired => AlertStepRow { ending: some("retired"), ..row },
        Ending::By { person, reason } => {
            AlertStepRow { ending: some("by"), person: some(person), reason: some(reason), ..row }
        }
    }
}

fn model(at: Timestamp, trained: &ModelTrained, cause: Cause) -> ModelRow {
    let pin = |pin: &Pin| (format!("{}/{}", pin.topic, pin.partition), pin.next_offset);
    let offsets: BTreeMap<String, u64> = trained.pins.iter().map(pin).collect();
    ModelRow {
        model: text(&trained.model),
        horizon_hours: trained.horizon_hours.cast_signed(),
        at: UtcMicros(at.micros()),
        seed: trained.seed.cast_signed(),
        cut: trained.cut,
        offsets: text(&serde_json::json!(offsets).to_string()),
        period_from: UtcMicros(trained.period.from.micros()),
        period_until: UtcMicros(trained.period.until.micros()),
        report: text(&trained.report),
        weight: 1,
        cause,
    }
}

fn withdrawal(at: Timestamp, withdrawn: &ModelWithdrawn, cause: Cause) -> WithdrawalRow {
    WithdrawalRow {
        model: text(&withdrawn.model),
        at: UtcMicros(at.micros()),
        person: text(&withdrawn.by),
        reason: text(&withdrawn.reason),
        weight: 1,
        cause,
    }
}

#[cfg(test)]
mod tests {
    use medfleet_domain::alert::record::Turn;
    use medfleet_domain::alert::{AlertId, Urgency};
    use medfleet_domain::id::{Epoch, Seq, SiteId, Subject, SubjectKind};
    use medfleet_domain::kind::DeviceKind;

    use super::*;

    const HOME: Partition = Partition::new(Topic::ALERTS, 0);
    const NOON: Timestamp = Timestamp::from_seconds(43_200);

    fn spoken(ppm: u32) -> Spoken {
        Spoken { model: "m-1".into(), voice: "trees".into(), horizon_hours: 168, ppm }
    }

    fn raised() -> Change {
        let about = About {
            rule: "risk-high".into(),
            subject: Subject::new(SubjectKind::Device, "ct-1").unwrap(),
            part: "tube".into(),
            site: SiteId::new("north").unwrap(),
            kind: DeviceKind::Ct,
            urgency: Urgency::Soon,
        };
        let fact = Some(SeqRange::one(Epoch(u64::MAX), Seq(3)));
        Change::Raised {
            about,
            began: NOON,
            late: true,
            fact,
            summary: "tube at risk".into(),
            score: Some(spoken(410_000)),
        }
    }

    /// The rows of these records, told in this order.
    fn told(said: &[(u64, News)]) -> Vec<AlertStepRow> {
        let (mut desk, mut pending) = (None, Pending::default());
        for (offset, (life, news)) in (0..).zip(said) {
            let record = AlertRecord { life: Life(*life), at: NOON, news: news.clone() };
            let value = medfleet_wire::encode_alert_record(&record).into();
            let record = Record { offset, key: "alerts".into(), value, appended_at_micros: 0 };
            hear(&mut desk, &mut pending, HOME, &record).unwrap();
        }
        pending.alert_steps.iter().cloned().collect()
    }

    fn turn(changes: &[Change]) -> News {
        let step = |change: &Change| Step { alert: AlertId(0xab), at: NOON, change: change.clone() };
        News::Turn(Turn { steps: changes.iter().map(step).collect(), ..Turn::default() })
    }

    #[test]
    fn each_step_is_a_row_that_names_its_record_and_its_place_in_it() {
        let found = Finding::OtherPart { part: "generator".into() };
        let judged = Change::Judged { finding: found, by: "kim".into() };
        let rows = told(&[(1, News::Opened(Writer::Desk)), (1, turn(&[raised(), judged]))]);
        let [raised, judged] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((&*raised.alert, &*raised.step, raised.late), ("00000000000000ab", "raised", Some(true)));
        assert_eq!((raised.site.as_deref(), raised.fact_epoch, raised.fact_seq), (Some("north"), Some(-1), Some(3)));
        assert_eq!((judged.finding.as_deref(), judged.part_found.as_deref()), (Some("other_part"), Some("generator")));
        assert_eq!((judged.site.as_deref(), judged.person.as_deref()), (None, Some("kim")));
        let place = |row: &AlertStepRow| (row.cause.topic, row.cause.offset, row.cause.index);
        assert_eq!((place(raised), place(judged)), ((2, 1, 0), (2, 1, 1)));
    }

    #[test]
    fn the_score_behind_a_step_stands_in_its_row() {
        let again = |score| Change::Reopened { began: NOON, late: false, fact: None, score };
        let rows = told(&[
            (1, News::Opened(Writer::Desk)),
            (1, turn(&[raised(), again(Some(spoken(520_000))), again(None), Change::GoesOn])),
        ]);
        let said =
            |row: &AlertStepRow| row.model.is_some().then(|| (row.voice.clone(), row.horizon_hours, row.chance_ppm));
        let by_trees = |ppm| Some((some("trees"), Some(168), Some(ppm)));
        assert_eq!(rows.iter().map(said).collect::<Vec<_>>(), [by_trees(410_000), by_trees(520_000), None, None]);
    }

    #[test]
    fn what_a_desk_says_after_another_has_opened_makes_no_row() {
        let (open, raise) = (News::Opened(Writer::Desk), turn(&[raised()]));
        assert_eq!(told(&[(1, raise.clone())]).len(), 0, "nobody has opened");
        let said = [(1, open.clone()), (1, raise.clone()), (2, open), (1, raise.clone()), (2, raise.clone())];
        assert_eq!(told(&said).iter().map(|row| row.cause.offset).collect::<Vec<_>>(), [1, 4]);
        let beside = [(1, News::Opened(Writer::Desk)), (7, News::Opened(Writer::Sender)), (1, raise)];
        assert_eq!(told(&beside).len(), 1, "the sender is another writer");
    }
}
