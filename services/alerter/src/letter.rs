//! What a message says, the same by every channel: what is the matter, where, since when, and where to take it.

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::message::{Intent, MessageId, Occasion};
use medfleet_domain::alert::{Ending, Urgency};
use medfleet_domain::time::Timestamp;
use serde_json::{Value, json};

/// A message that is to be sent, and the alert as it stands.
#[derive(Debug, Clone)]
pub struct Letter {
    pub id: MessageId,
    pub occasion: Occasion,
    pub person: String,
    /// Where it goes, as its channel understands it.
    pub address: String,
    pub alert: Alert,
    /// The alert's page, if people can reach one.
    pub link: Option<String>,
}

impl Letter {
    pub fn new(intent: &Intent, alert: &Alert, public_url: Option<&str>) -> Self {
        let link = link(alert, public_url);
        let (person, address) = (intent.person.clone(), intent.channel.address().to_owned());
        Self { id: intent.id, occasion: intent.occasion, person, address, alert: alert.clone(), link }
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.occasion, Occasion::Over { .. })
    }

    /// One line: what people see first on a phone.
    pub fn subject(&self) -> String {
        let about = &self.alert.about;
        let word = match (self.is_over(), about.urgency) {
            (true, _) => "Over",
            (false, Urgency::Page) => "Now",
            (false, Urgency::Soon) => "Soon",
            (false, Urgency::Inbox) => "Note",
        };
        format!("[{word}] {} ({})", self.alert.summary, about.site)
    }

    /// What there is to say, as pairs of a label and a value.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let (alert, about) = (&self.alert, &self.alert.about);
        let mut lines = vec![
            ("Site", about.site.to_string()),
            ("What", format!("{} ({})", about.subject.name(), about.kind.title())),
        ];
        if !about.part.is_empty() {
            lines.push(("Part", about.part.clone()));
        }
        lines.push(("Since", readable(alert.began)));
        lines.push(("Rule", about.rule.clone()));
        if let Some(to) = &alert.assigned_to {
            lines.push(("Given to", to.clone()));
        }
        if let Some(by) = &alert.acknowledged_by {
            lines.push(("Taken by", by.clone()));
        }
        if alert.escalations > 0 && !self.is_over() {
            lines.push(("Level", format!("{} (nobody has taken it)", alert.escalations)));
        }
        if self.is_over() {
            lines.push(("Over", ended(alert)));
        }
        lines.extend(self.link.clone().map(|link| ("Open", link)));
        lines
    }

    pub fn text(&self) -> String {
        let lines: Vec<String> = self.lines().into_iter().map(|(label, value)| format!("{label}: {value}")).collect();
        format!("{}\n\n{}\n", self.alert.summary, lines.join("\n"))
    }

    pub fn html(&self) -> String {
        let row = |(label, value): (&str, String)| {
            let value = match label {
                "Open" => format!("<a href=\"{0}\">{0}</a>", escaped(&value)),
                _ => escaped(&value),
            };
            format!("<tr><th align=\"left\">{label}</th><td>{value}</td></tr>")
        };
        let rows: String = self.lines().into_iter().map(row).collect();
        let summary = escaped(&self.alert.summary);
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{summary}</title></head>\
             <body><h1>{summary}</h1><table cellpadding=\"4\">{rows}</table></body></html>\n"
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let (alert, about) = (&self.alert, &self.alert.about);
        let ended = alert.ended.as_ref().map(|(at, _)| at.to_string());
        json!({
            "type": if self.is_over() { "alert.over" } else { "alert.raised" },
            "timestamp": alert.raised_at.to_string(),
            "data": {
                "alert": alert.id.to_string(),
                "rule": about.rule,
                "subject": about.subject.to_string(),
                "part": about.part,
                "site": about.site.as_str(),
                "kind": about.kind.as_str(),
                "urgency": about.urgency.as_str(),
                "summary": alert.summary,
                "began_at": alert.began.to_string(),
                "ended_at": ended,
                "level": alert.escalations,
                "person": self.person,
                "acknowledged_by": alert.acknowledged_by,
                "url": self.link,
            },
        })
    }
}

/// Where the alert's card is, if the house can be reached under a name.
pub fn link(alert: &Alert, public_url: Option<&str>) -> Option<String> {
    public_url.map(|url| format!("{}/alerts/{}", url.trim_end_matches('/'), alert.id))
}

/// How an alert ended, in words.
fn ended(alert: &Alert) -> String {
    match &alert.ended {
        _ if alert.withdrawn => "what was said of it was taken back".to_owned(),
        Some((at, Ending::Over { .. })) => format!("by itself, {}", readable(*at)),
        Some((at, Ending::PartOf(other))) => format!("{}: part of alert {other}", readable(*at)),
        Some((at, Ending::Retired)) => format!("{}: retired", readable(*at)),
        Some((at, Ending::By { person, reason })) => format!("{} by {person}: {reason}", readable(*at)),
        None => "reopened meanwhile".to_owned(),
    }
}

/// To the minute, UTC.
fn readable(at: Timestamp) -> String {
    let text = at.to_string();
    let minute = text.get(..16).unwrap_or(&text).replace('T', " ");
    format!("{minute} UTC")
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
pub mod tests {
    use medfleet_domain::alert::message::Channel;
    use medfleet_domain::alert::{About, AlertId, Change};
    use medfleet_domain::id::{SiteId, Subject, SubjectKind};
    use medfleet_domain::kind::DeviceKind;

    use super::*;

    pub fn letter(channel: Channel, over: bool) -> Letter {
        let about = About {
            rule: "device-failed".into(),
            subject: Subject::new(SubjectKind::Device, "ct-1").unwrap(),
            part: "tube".into(),
            site: SiteId::new("st-mary").unwrap(),
            kind: DeviceKind::Ct,
            urgency: Urgency::Page,
        };
        let began = Timestamp::from_seconds(1_772_951_400);
        let change = Change::Raised {
            about,
            began,
            late: false,
            fact: None,
            summary: "ct-1 <failed> & stopped".into(),
            score: None,
        };
        let mut alert = Alert::begin(AlertId(7), &change, began).unwrap();
        if over {
            alert.evolve(&Change::Resolved { because: Ending::Over { at: began } }, began.plus_seconds(600));
        }
        let occasion =
            if over { Occasion::Over { call: 0, level: 0 } } else { Occasion::Attention { call: 0, level: 0 } };
        let id = MessageId::of(alert.id, occasion, &channel);
        let intent = Intent { id, alert: alert.id, occasion, person: "kim".into(), channel };
        Letter::new(&intent, &alert, Some("https://medfleet.example/"))
    }

    #[test]
    fn a_letter_says_the_same_as_text_and_as_html_and_nothing_in_it_is_markup() {
        let letter = letter(Channel::Email("kim@st-mary.example".into()), false);
        assert_eq!(letter.subject(), "[Now] ct-1 <failed> & stopped (st-mary)");
        let (text, html) = (letter.text(), letter.html());
        for said in ["st-mary", "ct-1 (CT)", "tube", "2026-03-08 06:30 UTC"] {
            assert!(text.contains(said) && html.contains(said), "{said}");
        }
        assert!(text.contains("https://medfleet.example/alerts/0000000000000007"));
        assert!(html.contains("&lt;failed&gt; &amp; stopped") && !html.contains("<failed>"), "{html}");
    }

    #[test]
    fn what_is_over_says_so_and_since_when() {
        let letter = letter(Channel::Webhook("https://h.example".into()), true);
        assert!(letter.subject().starts_with("[Over]"));
        assert!(letter.text().contains("Over: by itself, 2026-03-08 06:40 UTC"), "{}", letter.text());
        assert_eq!(letter.json()["type"], "alert.over");
    }
}
