//! What belongs to one incident: an alert, those that became part of it, and the one that it became part of itself.

use medfleet_alerts::book::Case;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{AlertId, Change, Ending, Step};
use medfleet_domain::time::Timestamp;

use super::{card, words};
use crate::pages::format::Clock;
use crate::pages::frame::{Choice, Frame};
use crate::service::App;

pub struct Kin {
    parts: Vec<Case>,
    whole: Option<Alert>,
}

impl Kin {
    pub fn of(app: &App, alert: &Alert) -> Self {
        app.alerts.look(|book| Self {
            parts: book.parts(alert).cloned().collect(),
            whole: book.incident(alert).whole.cloned(),
        })
    }

    /// What happened to all of it, the newest first.
    pub fn life(&self, own: &Case, clock: Clock) -> Vec<(Timestamp, String)> {
        let of_part = |part: &Case| {
            let line = |one: &Step| (one.at, format!("{}: {}", part.alert.summary, of_part(one, own.alert.id, clock)));
            part.steps.iter().map(line).collect::<Vec<_>>()
        };
        let mut life: Vec<(Timestamp, String)> = self.parts.iter().flat_map(of_part).collect();
        life.extend(own.steps.iter().map(|one| (one.at, words::step(one, clock))));
        life.sort_by_key(|(at, _)| *at);
        life.reverse();
        life
    }

    /// The cards of the others, each with what it is to this one.
    pub fn cards(&self, frame: &Frame) -> Vec<(&'static str, Choice)> {
        let parts = self.parts.iter().map(|part| ("It took", &part.alert));
        let all = self.whole.iter().map(|whole| ("It is part of", whole)).chain(parts);
        let card = |alert: &Alert| Choice {
            href: frame.link(&card::address(alert.id)),
            label: alert.summary.clone(),
            current: false,
        };
        all.map(|(is, alert)| (is, card(alert))).collect()
    }
}

fn of_part(step: &Step, whole: AlertId, clock: Clock) -> String {
    match &step.change {
        Change::Resolved { because: Ending::PartOf(id) } if *id == whole => "became part of this".to_owned(),
        _ => words::step(step, clock),
    }
}
