//! One alert as its evidence card: first what a technician needs at the door, then what it rests on.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use medfleet_alerts::book::Case;
use medfleet_alerts::rule::{Rule, When};
use medfleet_domain::alert::AlertId;
use medfleet_domain::id::SubjectKind;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use serde::Deserialize;

use super::behind::{self, CaseLine, ErrorTrend, FamilyLine, FreeLine, Repairer};
use super::counters::{self, CounterLine};
use super::foreseen::Foreseen;
use super::impact::Stock;
use super::kin::Kin;
use super::other;
use super::record::{Past, Record};
use super::words::{self, Sign, standing, urgency_sign};
use super::{Known, press};
use crate::cuts::OpenCut;
use crate::pages::format::{Clock, kind_title};
use crate::pages::frame::{Choice, Frame};
use crate::pages::now::Now;
use crate::pages::{PageProblem, rendered};
use crate::period::PeriodQuery;
use crate::query::{self, DeviceVersion, Site};
use crate::rest;
use crate::rest::alerts::{abreast, read_id, unknown};
use crate::service::App;

/// Facts so long around the time in which it was opened are shown.
const FACTS_BEFORE_MICROS: i64 = 15 * 60 * 1_000_000;
const FACTS_AFTER_MICROS: i64 = 60 * 1_000_000;
/// How long a press of the button puts an alert to sleep.
const SNOOZE_SECONDS: i64 = 8 * 3_600;
/// Steps of a life that stand on the card, the newest.
const LIFE_SHOWN_MAX: usize = 10;
const GUARD: &str = "An alert or a prediction never postpones maintenance that the manufacturer prescribes.";

#[derive(Debug, Default, Deserialize)]
pub struct CardQuery {
    /// The request that was just made.
    asked: Option<String>,
}

#[derive(Template)]
#[template(path = "alert.html")]
struct CardPage {
    frame: Frame,
    script: String,
    id: String,
    urgency: Sign,
    standing: Sign,
    late: bool,
    finding: Option<String>,
    summary: String,
    subject: String,
    subject_href: Option<String>,
    about: String,
    place: String,
    now: Option<Now>,
    part: String,
    act: String,
    act_passed: bool,
    first_check: String,
    repairer: Repairer,
    record: String,
    impact: String,
    /// What became of the request that was just made.
    told: Option<Told>,
    taps: Taps,
    clock: String,
    life: Vec<(String, String)>,
    messages: Vec<String>,
    /// Cards of the same incident, each with what it is to this one.
    kin: Vec<(&'static str, Choice)>,
    /// It asks for attention, and nobody was told.
    untold: bool,
    /// Words and name of parts that may have been meant.
    other_parts: Vec<(String, String)>,
    /// Steps of its life that are not shown.
    earlier: usize,
    facts: Option<String>,
    fact: Option<String>,
    families: Vec<FamilyLine>,
    error_trend: Option<ErrorTrend>,
    counters: Vec<CounterLine>,
    similar: Vec<CaseLine>,
    free: Vec<FreeLine>,
    guard: Option<&'static str>,
    foreseen: Option<Foreseen>,
}

/// What may be asked of it, and by whom.
struct Taps {
    author: Option<String>,
    key: String,
    open: bool,
    untaken: bool,
    withdrawn: bool,
    snooze_until: String,
}

struct Told {
    class: &'static str,
    words: String,
}

pub async fn page(
    app: State<App>,
    Path(text): Path<String>,
    Query(asked): Query<PeriodQuery>,
    Query(card): Query<CardQuery>,
    headers: HeaderMap,
) -> Result<Response, PageProblem> {
    abreast(&app)?;
    let id = read_id(&text)?;
    let case = app.alerts.look(|book| book.case(id).cloned()).ok_or_else(|| unknown(&text))?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let frame = Frame::new(&app, &open, &asked, period).await?;
    let site = query::sites(&open).await?.into_iter().find(|site| site.site == case.alert.about.site.as_str());
    let seen = Seen::of(&app, &open, case, site).await?;
    let told = card.asked.as_deref().map(|request| told(&seen.case, request));
    let taps = taps(&seen, press::author(&headers));
    rendered(&seen.compose(&app, &open, frame, told, taps).await?)
}

/// The alert and what is known around it.
struct Seen {
    case: Case,
    known: Known,
    stock: Stock,
    site: Option<Site>,
    device: Option<DeviceVersion>,
    clock: Clock,
    now: Timestamp,
}

impl Seen {
    async fn of(app: &App, open: &OpenCut, case: Case, site: Option<Site>) -> Result<Self, PageProblem> {
        let subject = &case.alert.about.subject;
        let device = match subject.kind {
            SubjectKind::Device => query::device(open, subject.name()).await?.pop(),
            _ => None,
        };
        Ok(Self {
            known: Known::of(app),
            stock: Stock::of(open, std::slice::from_ref(&case.alert)).await?,
            clock: Clock::of(site.as_ref().map_or("UTC", |site| site.time_zone.as_str())),
            now: query::now(),
            case,
            site,
            device,
        })
    }

    async fn compose(
        self,
        app: &App,
        open: &OpenCut,
        mut frame: Frame,
        told: Option<Told>,
        taps: Taps,
    ) -> Result<CardPage, PageProblem> {
        let alert = &self.case.alert;
        let name = alert.about.subject.name();
        let errors = behind::errors(open, self.device.as_ref(), self.now).await?;
        let repairer = Repairer::of(open, &frame, self.device.as_ref()).await?;
        let foreseen = Foreseen::of(open, alert, self.known.rule(alert), &self.known.demotions, self.clock).await?;
        let moved = counters::counters(open, self.device.as_ref(), self.now).await?;
        let rule = self.known.rule(alert);
        let past = Past::of(&self.known.alerts);
        let record = Record::of(&past, alert);
        let (act, act_passed) = self.act(rule);
        let site_name = self.site.as_ref().map_or(alert.about.site.as_str(), |site| site.name.as_str()).to_owned();
        let present = self.stock.present(name).map(|live| Now::of(live, &site_name, open.made_at(), String::new()));
        frame.demo = self.site.as_ref().is_some_and(|site| site.demo);
        let is_device = alert.about.subject.kind == SubjectKind::Device;
        let facts = is_device.then(|| {
            let (from, until) = (
                alert.began.plus_micros(-FACTS_BEFORE_MICROS),
                behind::opened_until(alert).plus_micros(FACTS_AFTER_MICROS),
            );
            frame.evidence(name, from, until)
        });
        let similar: Vec<_> = past.similar(alert).collect();
        let kin = Kin::of(app, alert);
        let life = kin.life(&self.case, self.clock);
        let crumbs = vec![frame.crumb("Alerts", "/alerts")];
        Ok(CardPage {
            script: crate::assets::href("alerts.js"),
            id: alert.id.to_string(),
            urgency: urgency_sign(alert.about.urgency),
            standing: standing(alert, self.now),
            late: alert.late,
            finding: alert.finding.as_ref().map(|finding| {
                let before = alert.judged.as_ref().is_some_and(|(_, at)| *at < alert.raised_at);
                let earlier = if before { ", before it came back" } else { "" };
                format!("{}{earlier}", words::finding(finding))
            }),
            summary: alert.summary.clone(),
            subject: name.to_owned(),
            subject_href: is_device.then(|| frame.link(&format!("/devices/{name}"))),
            about: self.about(),
            place: self.place(&site_name),
            now: present.filter(|_| is_device),
            part: behind::part(alert, &errors),
            act,
            act_passed,
            first_check: rule.and_then(|rule| rule.first_check.clone()).unwrap_or_else(|| "The rule names none".into()),
            repairer,
            record: record.words(),
            impact: self.stock.impact(alert, &record, &self.known.demotions).words(),
            told,
            taps,
            clock: self.site.as_ref().map_or("UTC", |site| site.time_zone.as_str()).to_owned(),
            earlier: life.len().saturating_sub(LIFE_SHOWN_MAX),
            life: life.into_iter().take(LIFE_SHOWN_MAX).map(|(at, words)| (self.clock.second(at), words)).collect(),
            kin: kin.cards(&frame),
            messages: behind::messages(app, alert),
            untold: behind::is_untold(app, alert, self.now),
            other_parts: other::parts(app, alert, &errors, &moved),
            facts,
            fact: alert.fact.map(|fact| format!("{}, number {}", fact.epoch, fact.first.0)),
            families: behind::families(&errors, self.clock),
            error_trend: behind::error_trend(&errors, behind::shown_until(open, self.now), self.clock),
            counters: counters::counter_lines(moved, self.known.rules.as_ref(), alert),
            similar: behind::case_lines(&frame, alert, &similar, &self.stock.repairs, self.clock),
            free: behind::free_lines(&frame, &self.stock, alert),
            guard: guard(alert.about.kind, rule),
            foreseen,
            frame: frame.titled(alert.summary.clone(), crumbs).room("Alerts"),
        })
    }

    /// By when somebody should act, and whether that has passed.
    fn act(&self, rule: Option<&Rule>) -> (String, bool) {
        let alert = &self.case.alert;
        if !alert.is_open() {
            return ("It has ended".to_owned(), false);
        }
        match rule.and_then(|rule| rule.act_within_minutes) {
            None => ("Not known: its rule does not say".to_owned(), false),
            Some(minutes) => {
                let by = alert.raised_at.plus_seconds(i64::from(minutes) * 60);
                (format!("{}, {}", self.clock.minute(by), words::due(by, self.now)), by < self.now)
            }
        }
    }

    fn about(&self) -> String {
        let about = &self.case.alert.about;
        let kind = match about.subject.kind {
            SubjectKind::Device => kind_title(about.kind.as_str()),
            SubjectKind::Site => "Site",
            _ => "Agent",
        };
        let make = self.device.as_ref().map(|device| [&device.make, &device.model]);
        let words = make.into_iter().flatten().flatten().map(String::as_str);
        std::iter::once(kind).chain(words).collect::<Vec<_>>().join(" ")
    }

    fn place(&self, site: &str) -> String {
        let Some(device) = &self.device else { return site.to_owned() };
        let room = device.room.clone().unwrap_or_else(|| "room not known".to_owned());
        [Some(room), device.department.clone(), Some(site.to_owned())]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · ")
    }
}

/// The sentence that keeps a prediction from putting off what the manufacturer prescribes.
fn guard(kind: DeviceKind, rule: Option<&Rule>) -> Option<&'static str> {
    let bound = kind.keeps_makers_schedule();
    let overdue = rule.is_some_and(|rule| rule.when == When::PmOverdue);
    (bound && !overdue).then_some(GUARD)
}

fn taps(seen: &Seen, author: Option<String>) -> Taps {
    let alert = &seen.case.alert;
    Taps {
        author,
        key: press::new_key(),
        open: alert.is_open(),
        untaken: alert.is_open() && alert.acknowledged_by.is_none(),
        withdrawn: alert.withdrawn,
        snooze_until: seen.now.plus_seconds(SNOOZE_SECONDS).to_string(),
    }
}

fn told(case: &Case, request: &str) -> Told {
    match case.answer(request) {
        None => Told { class: "told", words: "It is in the log and waits to be decided".to_owned() },
        Some(answer) => match &answer.refused {
            None => Told { class: "told", words: "Done".to_owned() },
            Some(why) => Told { class: "wrong", words: format!("Not done: {why}") },
        },
    }
}

/// Where a card is.
pub fn address(alert: AlertId) -> String {
    format!("/alerts/{alert}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imaging_and_lasers_keep_their_prescribed_maintenance() {
        let guarded = |kind| guard(kind, None).is_some();
        assert!(
            [DeviceKind::Ct, DeviceKind::Injector, DeviceKind::Ultrasound, DeviceKind::Laser].into_iter().all(guarded)
        );
        assert!(!guarded(DeviceKind::InfusionPump));
    }
}
