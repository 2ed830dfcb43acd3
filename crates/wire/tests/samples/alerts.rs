//! Every sort of record in the topic of alerts.

use medfleet_domain::alert::message::{Channel, Intent, MessageId, Occasion, Outcome};
use medfleet_domain::alert::record::{Answer, Demotion, Life, News, Record, Turn, Writer};
use medfleet_domain::alert::{About, AlertId, Change, Ending, Finding, Spoken, Step, Urgency};
use medfleet_domain::contract::Pin;
use medfleet_domain::kind::DeviceKind;

use super::{MORNING, seqs, site, subject};

pub const ALERT: AlertId = AlertId(0xfeed_face);

fn step(change: Change) -> Step {
    Step { alert: ALERT, at: MORNING.plus_seconds(4), change }
}

/// Every change that an alert can meet with.
fn steps() -> Vec<Step> {
    let (by, to) = (|| String::from("kim"), || String::from("lee"));
    let about = About {
        rule: "device-failed".into(),
        subject: subject(),
        part: "tube".into(),
        site: site(),
        kind: DeviceKind::Ct,
        urgency: Urgency::Page,
    };
    let (began, fact) = (MORNING, Some(seqs(41, 41)));
    let closed = Ending::By { person: by(), reason: "fuse replaced".into() };
    let changes = [
        Change::Raised { about, began, late: true, fact, summary: "st-mary.ct-7 has failed".into(), score: None },
        Change::GoesOn,
        Change::Acknowledged { by: by() },
        Change::Assigned { to: to(), by: by() },
        Change::Snoozed { until: MORNING.plus_seconds(600), by: by() },
        Change::Escalated { level: 1 },
        Change::Resolved { because: Ending::Over { at: MORNING.plus_seconds(700) } },
        Change::Reopened { began, late: true, fact, score: None },
        Change::Resolved { because: Ending::PartOf(AlertId(7)) },
        Change::Resolved { because: Ending::Retired },
        Change::Resolved { because: closed },
        Change::CauseWithdrawn { by: by() },
        Change::Judged { finding: Finding::OtherPart { part: "table".into() }, by: by() },
        Change::Judged { finding: Finding::WearReplaced, by: by() },
    ];
    changes.into_iter().map(step).collect()
}

/// A turn over scores: an alert that a voice raised and raised again, and the end of that voice.
fn turn_of_scores() -> Turn {
    let subject = subject();
    let about = About {
        rule: "at-risk".into(),
        subject,
        part: "tube".into(),
        site: site(),
        kind: DeviceKind::Ct,
        urgency: Urgency::Soon,
    };
    let (model, voice) = (String::from("00aa11bb22cc33dd"), String::from("trees"));
    let score = Some(Spoken { model: model.clone(), voice: voice.clone(), horizon_hours: 168, ppm: 380_500 });
    let (began, fact) = (MORNING, Some(seqs(41, 41)));
    let summary = "st-mary.ct-7: tube is likely to fail".into();
    let steps = vec![
        step(Change::Raised { about, began, late: false, fact, summary, score: score.clone() }),
        step(Change::Reopened { began, late: false, fact, score }),
    ];
    let (rule, technician) = ("at-risk".into(), "kim".into());
    let demotion =
        Demotion { model, voice, rule, technician, false_alerts: 4, false_alerts_max: 3, at: MORNING.plus_seconds(9) };
    Turn { steps, demotions: vec![demotion], ..Turn::default() }
}

/// Every sort of record in the topic of alerts, beside the name of its golden file.
pub fn alert_records() -> Vec<(&'static str, Record)> {
    let answer =
        |refused: Option<&str>| Answer { alert: ALERT, request: "r-2".into(), refused: refused.map(str::to_owned) };
    let read = vec![Pin { topic: "medfleet.facts.v1".into(), partition: 3, next_offset: 9_001 }];
    let answers = vec![answer(None), answer(Some("it is open: there is nothing to reopen"))];
    let message = MessageId(0xabcd);
    let intent = |occasion, channel| {
        News::Intended(Intent { id: message, alert: ALERT, occasion, person: "kim".into(), channel })
    };
    let ended = |outcome| News::Ended { message, outcome };
    let refused = Outcome::Refused { reason: "410 Gone".into() };
    let news = vec![
        ("opened", News::Opened(Writer::Sender)),
        ("rules", News::Rules("rules: []\n".into())),
        ("turn", News::Turn(Turn { read, steps: steps(), answers, demotions: Vec::new() })),
        ("turn_of_scores", News::Turn(turn_of_scores())),
        ("intended", intent(Occasion::Attention { call: 1, level: 2 }, Channel::Webhook("https://h.example/x".into()))),
        ("intended_over", intent(Occasion::Over { call: 1, level: 2 }, Channel::Email("kim@h.example".into()))),
        ("attempted", News::Attempted(message)),
        ("delivered", ended(Outcome::Delivered)),
        ("failed", ended(Outcome::Failed { reason: "connection refused".into() })),
        ("refused", ended(refused)),
    ];
    let record = |news| Record { life: Life(0x11fe), at: MORNING.plus_seconds(5), news };
    news.into_iter().map(|(name, news)| (name, record(news))).collect()
}

/// The vocabulary in which such a record first stood.
pub fn first_schema(record: &Record) -> u32 {
    match &record.news {
        News::Turn(turn) if !turn.demotions.is_empty() => 5,
        _ => 4,
    }
}
