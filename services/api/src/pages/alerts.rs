//! My alerts: what waits for somebody, by urgency and by what it does to patients; filters stand in the address.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use medfleet_alerts::rule::{Rule, Rules};
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::time::Timestamp;

use super::download::{File, FileQuery, Sheet};
use super::format::{duration, encoded, kind_title, plural};
use super::frame::{Choice, Frame, Pick};
use super::parts::Listed;
use super::{PageProblem, rendered};
use crate::period::PeriodQuery;
use crate::query;
use crate::rest;
use crate::service::App;

mod behind;
mod card;
mod counters;
mod figures;
mod foreseen;
mod impact;
mod kin;
mod narrow;
mod other;
mod press;
mod record;
mod voices;
mod words;

pub(super) use foreseen::demotion_words;
use impact::{Impact, Stock};
use narrow::{ME, NOBODY, Narrow};
use record::{Past, Record};
use voices::VoiceRow;
use words::{Sign, standing, urgency_sign};

/// Alerts on one page, so that all it loads stays below 60 kB; a file has all.
const ALERTS_SHOWN_MAX: usize = 25;
/// Voices on it that are heard, those that spoke last, and as many that are heard no more: over months there are many models.
const VOICES_SHOWN_MAX: usize = 8;
/// Whose alerts, with one tap.
const WHOSE: [(&str, &str); 3] = [("", "Anybody's"), (ME, "Mine"), (NOBODY, "Nobody's")];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/alerts", get(page))
        .route("/alerts/name", post(press::name))
        .route("/alerts/{alert}", get(card::page).post(press::press))
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    script: String,
    lines: Vec<Line>,
    total: String,
    /// How many ask for attention and were told to nobody.
    untold: usize,
    more: usize,
    shows: Vec<Choice>,
    whose: Vec<Choice>,
    /// Nobody has told this device a name, and theirs are asked for.
    nameless: bool,
    urgencies: Vec<Choice>,
    sites: Vec<Pick>,
    kinds: Vec<Pick>,
    people: Vec<Pick>,
    /// Choices that stand, in words; empty where all alerts of the sort are shown.
    narrowed: String,
    voices: Listed<VoiceRow>,
    /// Alerts that were over for too long to be shown, in words.
    forgotten: Option<String>,
    /// What the form of choices carries on.
    carried: Vec<(String, String)>,
}

struct Line {
    href: String,
    summary: String,
    place: String,
    urgency: Sign,
    standing: Sign,
    late: bool,
    since: String,
    impact: String,
    act: Option<String>,
}

/// An alert with what its place among the others rests on.
pub struct Weighed {
    pub alert: Alert,
    pub impact: Impact,
    /// When somebody should have acted, where its rule says so.
    pub act_by: Option<Timestamp>,
    pub room: Option<String>,
}

pub async fn page(
    app: State<App>,
    Query(asked): Query<PeriodQuery>,
    Query(narrow): Query<Narrow>,
    Query(file): Query<FileQuery>,
    headers: HeaderMap,
) -> Result<Response, PageProblem> {
    rest::alerts::abreast(&app)?;
    let wanted = file.wanted()?;
    narrow.check()?;
    let (open, period) = rest::scope(&app, &asked).await?;
    let known = Known::of(&app);
    let stock = Stock::of(&open, &known.alerts).await?;
    let past = Past::of(&known.alerts);
    let (now, me) = (query::now(), press::author(&headers));
    let fitting = known.alerts.iter().filter(|alert| narrow.fits(alert, me.as_deref()));
    let mut found: Vec<Weighed> = fitting.map(|alert| known.weigh(alert, &past, &stock)).collect();
    found.sort_by(foremost);
    let voices = voices::rows(&known.alerts, known.rules.as_ref(), &known.demotions, now);
    if let Some(wanted) = wanted {
        let one_row = "one alert, the most urgent first, with what its impact rests on";
        let of_voice = "one voice of one model under one rule, the one that spoke last first";
        let alerts = Sheet::new("alerts", one_row, figures::table(&found));
        let sheets = vec![alerts, Sheet::new("voices", of_voice, figures::of_voices(&voices))];
        return Ok(File::of(&app, &open, period, "alerts", sheets).await.answer(wanted)?);
    }
    let sites = query::sites(&open).await?;
    let mut frame = Frame::new(&app, &open, &asked, period).await?.titled("Alerts", Vec::new()).room("Alerts");
    frame.demo = sites.iter().any(|site| site.demo);
    frame.filters = narrow.filters();
    let name = |site: &str| sites.iter().find(|one| one.site == site).map_or(site, |one| one.name.as_str()).to_owned();
    let lines = found
        .iter()
        .take(ALERTS_SHOWN_MAX)
        .map(|one| line(&frame, one, &name(one.alert.about.site.as_str()), now))
        .collect();
    let urgencies = [("", "Any"), ("page", "Now"), ("soon", "Soon"), ("inbox", "Inbox")];
    let kind = |kind: &str| kind_title(kind).to_owned();
    let narrowed = narrow.words(name, kind);
    let mut people = picks(known.values(|alert| alert.assigned_to.clone()), narrow.assigned(), str::to_owned);
    for (value, label) in [(NOBODY, "Nobody"), (ME, "Me")] {
        let current = narrow.assigned() == Some(value);
        people.insert(0, Pick { value: value.into(), label: label.into(), current });
    }
    rendered(&AlertsPage {
        script: crate::assets::href("alerts.js"),
        total: plural(found.len(), "alert"),
        untold: found.iter().filter(|one| behind::is_untold(&app, &one.alert, now)).count(),
        more: found.len().saturating_sub(ALERTS_SHOWN_MAX),
        lines,
        shows: choices(&frame, "show", &[("open", "Open"), ("ended", "Ended"), ("all", "All")], narrow.show()),
        whose: choices(&frame, "assigned", &WHOSE, narrow.assigned().unwrap_or_default()),
        nameless: narrow.assigned() == Some(ME) && me.is_none(),
        urgencies: choices(&frame, "urgency", &urgencies, narrow.urgency().unwrap_or_default()),
        sites: picks(known.values(|alert| Some(alert.about.site.to_string())), narrow.site(), name),
        kinds: picks(known.values(|alert| Some(alert.about.kind.as_str().to_owned())), narrow.kind(), kind),
        people,
        narrowed,
        voices: voices::shown(voices, VOICES_SHOWN_MAX),
        forgotten: (known.forgotten > 0 && narrow.show() != "open").then(|| {
            let (count, days) = (plural(known.forgotten as usize, "alert"), medfleet_alerts::past::ENDED_KEPT_DAYS);
            format!("{count} ended more than {days} days ago and are not listed: the log has them")
        }),
        carried: frame.carried().into_iter().filter(|(name, _)| !matches!(&**name, "site" | "assigned")).collect(),
        frame,
    })
}

/// What the topic and the rules say, taken at once.
pub struct Known {
    pub alerts: Vec<Alert>,
    pub rules: Option<Rules>,
    /// Voices that are heard no more.
    pub demotions: Vec<Demotion>,
    /// How many have been over for too long to be remembered.
    pub forgotten: u64,
}

impl Known {
    pub fn of(app: &App) -> Self {
        app.alerts.look(|book| Self {
            alerts: book.cases().map(|case| case.alert.clone()).collect(),
            rules: book.rules().and_then(|text| Rules::read(text).ok()),
            demotions: book.demotions().to_vec(),
            forgotten: book.forgotten(),
        })
    }

    pub fn rule(&self, alert: &Alert) -> Option<&Rule> {
        self.rules.as_ref().and_then(|rules| rules.named(&alert.about.rule))
    }

    pub fn weigh(&self, alert: &Alert, past: &Past<'_>, stock: &Stock) -> Weighed {
        let within = self.rule(alert).and_then(|rule| rule.act_within_minutes);
        Weighed {
            impact: stock.impact(alert, &Record::of(past, alert), &self.demotions),
            act_by: within.map(|minutes| alert.raised_at.plus_seconds(i64::from(minutes) * 60)),
            room: stock.room(alert.about.subject.name()),
            alert: alert.clone(),
        }
    }

    /// What alerts have of something, each once, in order.
    fn values(&self, value: impl Fn(&Alert) -> Option<String>) -> Vec<String> {
        let mut values: Vec<String> = self.alerts.iter().filter_map(value).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// Open ones first, then the urgent, then those that do more harm, then the newer.
fn foremost(a: &Weighed, b: &Weighed) -> std::cmp::Ordering {
    let rank = |one: &Weighed| (one.alert.is_open(), one.alert.about.urgency, !one.alert.late);
    rank(b)
        .cmp(&rank(a))
        .then_with(|| b.impact.hours().total_cmp(&a.impact.hours()))
        .then_with(|| (b.alert.raised_at, b.alert.id).cmp(&(a.alert.raised_at, a.alert.id)))
}

fn line(frame: &Frame, one: &Weighed, site: &str, now: Timestamp) -> Line {
    let alert = &one.alert;
    let place = [Some(kind_title(alert.about.kind.as_str())), Some(site), one.room.as_deref()];
    Line {
        href: frame.link(&format!("/alerts/{}", alert.id)),
        summary: alert.summary.clone(),
        place: place.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        urgency: urgency_sign(alert.about.urgency),
        standing: standing(alert, now),
        late: alert.late,
        since: format!("began {} ago", duration(now.0 - alert.began.0)),
        impact: one.impact.words(),
        act: one.act_by.filter(|_| alert.wants_attention(now)).map(|by| words::due(by, now)),
    }
}

fn choices(frame: &Frame, filter: &'static str, all: &[(&str, &str)], own: &str) -> Vec<Choice> {
    let kept: String = frame
        .filters
        .iter()
        .filter(|(name, _)| *name != filter)
        .map(|(name, value)| format!("&{name}={}", encoded(value)))
        .collect();
    let choice = |(value, label): &(&str, &str)| Choice {
        label: (*label).to_owned(),
        href: format!("?{}{kept}&{filter}={value}", frame.query),
        current: *value == own,
    };
    all.iter().map(choice).collect()
}

fn picks(values: Vec<String>, own: Option<&str>, label: impl Fn(&str) -> String) -> Vec<Pick> {
    let pick = |value: String| Pick { label: label(&value), current: own == Some(value.as_str()), value };
    values.into_iter().map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::alerts::record::tests::alert;
    use medfleet_domain::alert::Urgency;

    fn weighed(id: u64, urgency: Urgency, hours: Option<f64>) -> Weighed {
        let mut alert = alert(id);
        alert.about.urgency = urgency;
        Weighed { alert, impact: Impact::of_hours(hours), act_by: None, room: None }
    }

    #[test]
    fn what_is_urgent_and_harmful_stands_first_and_what_has_ended_last() {
        let mut ended = weighed(1, Urgency::Page, Some(99.0));
        ended.alert.withdrawn = true;
        let mut all = vec![
            ended,
            weighed(2, Urgency::Soon, Some(50.0)),
            weighed(3, Urgency::Page, None),
            weighed(4, Urgency::Page, Some(2.0)),
        ];
        all.sort_by(foremost);
        assert_eq!(all.iter().map(|one| one.alert.id.0).collect::<Vec<_>>(), [4, 3, 2, 1]);
    }
}
