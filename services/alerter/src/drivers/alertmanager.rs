//! Alertmanager, API version 2. It forgets what nobody repeats, so open alerts are told again every minute; each carries an
//! end far ahead, so that a medfleet that is gone is not taken for a fleet that is well.

use async_trait::async_trait;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::message::Outcome;
use medfleet_domain::time::Timestamp;
use serde_json::{Value, json};

use super::Driver;
use super::http::Http;
use crate::letter::Letter;
use crate::topic::now;

/// An open alert ends by itself so long after it was told last.
const OPEN_FOR_SECONDS: i64 = 24 * 3_600;

pub struct Alertmanager {
    http: Http,
}

impl Alertmanager {
    pub fn new(http: Http) -> Self {
        Self { http }
    }

    /// Tells these alerts at once, open or not.
    pub async fn tell<'a>(&self, address: &str, alerts: impl Iterator<Item = (&'a Alert, Option<String>)>) -> Outcome {
        let at = now();
        let alerts: Vec<Value> = alerts.map(|(alert, link)| shown(alert, link.as_deref(), at)).collect();
        let url = format!("{}/api/v2/alerts", address.trim_end_matches('/'));
        self.http.post(&url, &[], Value::from(alerts).to_string().into_bytes()).await
    }
}

#[async_trait]
impl Driver for Alertmanager {
    async fn send(&self, letter: &Letter) -> Outcome {
        self.tell(&letter.address, std::iter::once((&letter.alert, letter.link.clone()))).await
    }
}

/// Labels tell alerts apart and never change in a life; what may change is an annotation.
fn shown(alert: &Alert, link: Option<&str>, now: Timestamp) -> Value {
    let about = &alert.about;
    let ends = match &alert.ended {
        Some((at, _)) => *at,
        None if alert.is_open() => now.plus_seconds(OPEN_FOR_SECONDS),
        None => now,
    };
    json!({
        "labels": {
            "alertname": about.rule,
            "alert": alert.id.to_string(),
            "site": about.site.as_str(),
            "kind": about.kind.as_str(),
            "subject": about.subject.name(),
            "part": about.part,
            "urgency": about.urgency.as_str(),
        },
        "annotations": { "summary": alert.summary },
        "startsAt": alert.began.min(ends).to_string(),
        "endsAt": ends.to_string(),
        "generatorURL": link.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use medfleet_domain::alert::message::Channel;

    use super::*;

    #[test]
    fn an_open_alert_ends_far_ahead_and_a_closed_one_when_it_ended() {
        let channel = || Channel::Alertmanager("http://am.example".into());
        let (open, over) =
            (crate::letter::tests::letter(channel(), false), crate::letter::tests::letter(channel(), true));
        let at = Timestamp::from_seconds(1_772_960_000);
        let (open, over) = (shown(&open.alert, None, at), shown(&over.alert, None, at));
        assert_eq!(open["endsAt"], at.plus_seconds(OPEN_FOR_SECONDS).to_string());
        assert_eq!(over["endsAt"], "2026-03-08T06:40:00Z");
        assert_eq!(open["labels"], over["labels"], "a label that changed would make another alert of it");
    }
}
