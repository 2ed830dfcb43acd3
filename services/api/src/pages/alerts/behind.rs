//! What stands behind an alert: what the device reported, who repairs it, what was found before, what is free now.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_alerts::delivery::Message;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{Ending, Urgency};
use medfleet_domain::contract::Contract;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_kpi::ask::Repair;

use super::impact::Stock;
use super::words;
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::covered;
use crate::pages::format::{Clock, duration, encoded, plural};
use crate::pages::frame::{Choice, Frame};
use crate::period::Period;
use crate::query::{self, DeviceVersion, Reported};
use crate::service::App;

/// Days of errors and counters on a card.
const DAYS: i64 = 30;
/// An error so long before the alert may name its part.
const NAMED_BEFORE_MICROS: i64 = MICROS_PER_DAY;
const OPENED_WITHIN_MICROS: i64 = 60 * 60 * 1_000_000;
const FAMILIES_MAX: usize = 12;
const CASES_MAX: usize = 5;
/// Nobody said what fixed it.
const UNTOLD: &str = "not known";
const FREE_MAX: usize = 12;
const MESSAGES_MAX: usize = 12;
/// After so long without a message there will be none.
const UNTOLD_MICROS: i64 = 60 * 1_000_000;
/// A message that fails is tried several times in so long.
const UNDELIVERED_MICROS: i64 = 5 * 60 * 1_000_000;
/// A line of errors in its own units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 60.0;

pub struct FamilyLine {
    pub family: String,
    pub code: String,
    pub severity: String,
    pub count: String,
    pub last: String,
    pub text: String,
}

/// Errors of every day as a line.
pub struct ErrorTrend {
    pub line: String,
    /// The same in words.
    pub words: String,
}

pub struct CaseLine {
    pub href: String,
    pub device: String,
    /// Empty where the alert named none.
    pub part: String,
    pub at: String,
    pub found: String,
    pub fixed: String,
}

pub struct FreeLine {
    pub device: String,
    pub href: String,
    pub room: String,
    pub since: String,
}

/// Who repairs the device, as far as a contract says so.
pub struct Repairer {
    pub who: String,
    /// Those that its contracts name; none where no contract names one.
    pub phones: Vec<Phone>,
    pub contracts: Vec<Choice>,
}

pub struct Phone {
    pub shown: String,
    /// For a link that dials.
    pub dialled: String,
}

pub(super) fn month(now: Timestamp, open: &OpenCut) -> Period {
    let until = shown_until(open, now);
    Period { from: until.plus_micros(-DAYS * MICROS_PER_DAY), until }
}

/// Until when errors and counters are shown.
pub fn shown_until(open: &OpenCut, now: Timestamp) -> Timestamp {
    open.at().min(now)
}

/// Errors of the last days, newest first.
pub async fn errors(open: &OpenCut, device: Option<&DeviceVersion>, now: Timestamp) -> Result<Vec<Reported>, ApiError> {
    let Some(device) = device else { return Ok(Vec::new()) };
    query::errors(open, &device.device, month(now, open)).await
}

/// What opened an alert was said by then: it may have reached us much later.
pub fn opened_until(alert: &Alert) -> Timestamp {
    alert.raised_at.min(alert.began.plus_micros(OPENED_WITHIN_MICROS))
}

/// The part that is suspected: the alert's own, else the one that an error named shortly before.
pub fn part(alert: &Alert, errors: &[Reported]) -> String {
    if !alert.about.part.is_empty() {
        return spaced(&alert.about.part);
    }
    let from = alert.began.plus_micros(-NAMED_BEFORE_MICROS);
    let near = |error: &&Reported| error.at >= from && error.at <= opened_until(alert) && error.component.is_some();
    match errors.iter().find(near) {
        Some(error) => {
            let component = error.component.as_deref().unwrap_or_default();
            format!("{}, named by error {}", spaced(component), error.code)
        }
        None => "Not known: nothing names one".to_owned(),
    }
}

pub fn spaced(code: &str) -> String {
    code.replace('_', " ")
}

/// Errors by family and code, the most frequent first.
pub fn families(errors: &[Reported], clock: Clock) -> Vec<FamilyLine> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Reported>> = BTreeMap::new();
    for error in errors {
        groups.entry((error.family.as_deref().unwrap_or_default(), error.code.as_str())).or_default().push(error);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(key, all)| (std::cmp::Reverse(all.len()), *key));
    let line = |((family, code), all): ((&str, &str), Vec<&Reported>)| {
        let newest = all.iter().max_by_key(|error| error.at);
        FamilyLine {
            family: if family.is_empty() { "no family".to_owned() } else { spaced(family) },
            code: code.to_owned(),
            severity: newest.map(|error| error.severity.clone()).unwrap_or_default(),
            count: all.len().to_string(),
            last: newest.map(|error| clock.minute(error.at)).unwrap_or_default(),
            text: newest.and_then(|error| error.text.clone()).unwrap_or_default(),
        }
    };
    groups.into_iter().take(FAMILIES_MAX).map(line).collect()
}

/// Errors of each of the last days, counted back from the end of what is shown; None where there was none.
pub fn error_trend(errors: &[Reported], until: Timestamp, clock: Clock) -> Option<ErrorTrend> {
    let mut counts = [0_usize; DAYS as usize];
    for error in errors {
        let ago = (until.micros() - error.at.micros()).div_euclid(MICROS_PER_DAY);
        let day = usize::try_from(DAYS - 1 - ago).ok().and_then(|day| counts.get_mut(day));
        day.into_iter().for_each(|count| *count += 1);
    }
    let (day, most) =
        counts.iter().copied().enumerate().max_by_key(|(_, count)| *count).filter(|(_, most)| *most > 0)?;
    let begins = until.plus_micros((day as i64 - DAYS) * MICROS_PER_DAY);
    let x = |day: usize| day as f64 / (counts.len() - 1) as f64 * WIDTH;
    let y = |count: usize| HEIGHT - 1.0 - count as f64 / most as f64 * (HEIGHT - 2.0);
    let point = |(day, count): (usize, &usize)| format!("{:.1},{:.1}", x(day), y(*count));
    let points: Vec<String> = counts.iter().enumerate().map(point).collect();
    let total = plural(counts.iter().sum(), "error");
    let words =
        format!("{total} in {DAYS} days, {most} at most within a day, the one from {} on", clock.minute(begins));
    Some(ErrorTrend { line: format!("M{}", points.join("L")), words })
}

/// What earlier alerts of the sort turned out to be: those about the same part first, and of these the ones with a verdict.
pub fn case_lines(frame: &Frame, of: &Alert, similar: &[&Alert], repairs: &[Repair], clock: Clock) -> Vec<CaseLine> {
    let line = |case: &&Alert| CaseLine {
        href: frame.link(&super::card::address(case.id)),
        device: case.about.subject.name().to_owned(),
        part: spaced(&case.about.part),
        at: clock.minute(case.began),
        found: case.finding.as_ref().map_or_else(|| "no verdict".to_owned(), words::finding),
        fixed: fixed_by(case, repairs),
    };
    nearest(of, similar, repairs).iter().take(CASES_MAX).map(line).collect()
}

/// Those of the same part first, and of these the ones that teach something: a verdict, or what fixed it.
fn nearest<'a>(of: &Alert, similar: &[&'a Alert], repairs: &[Repair]) -> Vec<&'a Alert> {
    let mut cases = similar.to_vec();
    cases.sort_by_cached_key(|case| {
        (case.about.part != of.about.part, case.finding.is_none(), fixed_by(case, repairs) == UNTOLD)
    });
    cases
}

/// What the person who closed it said, else the order that was open then.
fn fixed_by(case: &Alert, repairs: &[Repair]) -> String {
    if let Some((_, Ending::By { person, reason })) = &case.ended {
        return format!("{reason} ({person})");
    }
    let until = case.ended.as_ref().map_or(case.raised_at, |(at, _)| *at);
    let opened = |repair: &&Repair| {
        repair.device == case.about.subject.name()
            && repair.opened <= until.plus_micros(MICROS_PER_DAY)
            && repair.finished.is_none_or(|finished| finished >= case.began)
    };
    match repairs.iter().filter(opened).max_by_key(|repair| repair.opened) {
        None => UNTOLD.to_owned(),
        Some(repair) => {
            let cause = repair.cause_code.as_deref().map(spaced).unwrap_or_else(|| "cause not told".to_owned());
            let took = match repair.finished {
                Some(_) => format!("back after {}", duration(repair.turnaround.micros)),
                None => "still open".to_owned(),
            };
            format!("order {}: {cause}, {took}", repair.work_order)
        }
    }
}

pub fn free_lines(frame: &Frame, stock: &Stock, alert: &Alert) -> Vec<FreeLine> {
    let line = |one: &crate::live::LiveDevice| FreeLine {
        href: frame.link(&format!("/devices/{}", one.device)),
        room: stock.room(&one.device).unwrap_or_else(|| "room not known".to_owned()),
        since: one.from.map(|from| duration(stock.at().0 - from.0)).unwrap_or_default(),
        device: one.device.clone(),
    };
    stock.free(alert).into_iter().take(FREE_MAX).map(line).collect()
}

/// Who was told, how, and what became of it.
pub fn messages(app: &App, alert: &Alert) -> Vec<String> {
    app.alerts.look(|book| {
        let line = |message: &Message| {
            let attempts = plural(message.attempts as usize, "attempt");
            let channel = message.intent.channel.name();
            format!("{} by {channel}: {}, {attempts}", message.intent.person, spaced(message.standing()))
        };
        let parts = book.parts(alert).map(|part| part.alert.id);
        parts.chain([alert.id]).flat_map(|id| book.outbox().of(id)).take(MESSAGES_MAX).map(line).collect()
    })
}

/// Whether it has asked for attention for a while and nobody was reached: there is no message about it, for nobody is on call, or none
/// was delivered. What can wait may wait for working hours, which are not known here.
pub fn is_untold(app: &App, alert: &Alert, now: Timestamp) -> bool {
    let asks = alert.about.urgency == Urgency::Page && alert.wants_attention(now);
    let waited = |micros: i64| now.micros() - alert.called_at.micros() >= micros;
    let reached_nobody = || {
        app.alerts.look(|book| {
            let called = book.parts(alert).filter(|part| part.alert.calls_for(alert)).map(|part| part.alert.id);
            let mut messages = called.chain([alert.id]).flat_map(|id| book.outbox().of(id)).peekable();
            match messages.peek() {
                None => waited(UNTOLD_MICROS),
                Some(_) => waited(UNDELIVERED_MICROS) && !messages.any(Message::is_delivered),
            }
        })
    };
    asks && reached_nobody()
}

impl Repairer {
    pub async fn of(open: &OpenCut, frame: &Frame, device: Option<&DeviceVersion>) -> Result<Self, ApiError> {
        let Some(device) = device else {
            return Ok(Self { who: "Not known".to_owned(), phones: Vec::new(), contracts: Vec::new() });
        };
        let today = open.at().day();
        let mut found = query::contracts_told(open, &device.site).await?;
        found.retain(|of| {
            let holds = of.valid_from <= today && of.valid_until.is_none_or(|until| today < until);
            holds && covered(of, device)
        });
        let number = |number: &String| Choice {
            href: frame.link(&format!("/contracts/{}/{}", device.site, encoded(number))),
            label: number.clone(),
            current: false,
        };
        let each_once = |of: fn(&Contract) -> &String| {
            let mut all: Vec<String> = found.iter().map(of).filter(|text| !text.is_empty()).cloned().collect();
            let mut seen = BTreeSet::new();
            all.retain(|text| seen.insert(text.clone()));
            all
        };
        Ok(Self {
            who: who_repairs(&found),
            phones: each_once(|of| &of.phone).into_iter().map(Phone::of).collect(),
            contracts: each_once(|of| &of.number).iter().map(number).collect(),
        })
    }
}

fn who_repairs(contracts: &[Contract]) -> String {
    let vendor = contracts.iter().map(|of| &of.vendor).find(|vendor| !vendor.is_empty());
    match (contracts.is_empty(), vendor) {
        (true, _) => "We do: no contract covers it".to_owned(),
        (false, Some(vendor)) => format!("{vendor}, under contract"),
        (false, None) => "A vendor whose name is not known".to_owned(),
    }
}

impl Phone {
    fn of(shown: String) -> Self {
        let dialled = shown.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        Self { shown, dialled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::alerts::record::tests::alert;

    fn error(second: i64, component: Option<&str>) -> Reported {
        Reported {
            at: Timestamp::from_seconds(second),
            code: "E7".into(),
            family: Some("hard_ware".into()),
            severity: "major".into(),
            component: component.map(str::to_owned),
            text: None,
        }
    }

    #[test]
    fn the_part_is_the_alerts_own_or_named_by_an_error_just_before() {
        let mut one = alert(100_000);
        assert_eq!(part(&one, &[]), "Not known: nothing names one");
        let errors = [error(100_001, Some("gantry")), error(99_990, Some("x_ray_tube")), error(1, Some("table"))];
        assert_eq!(part(&one, &errors), "x ray tube, named by error E7");
        one.about.part = "door_seal".into();
        assert_eq!(part(&one, &errors), "door seal");
    }

    #[test]
    fn a_phone_is_shown_as_it_was_told_and_dialled_without_its_spaces() {
        let phone = Phone::of("+1 (555) 01-00".to_owned());
        assert_eq!((&*phone.shown, &*phone.dialled), ("+1 (555) 01-00", "+15550100"));
    }

    #[test]
    fn the_most_frequent_family_stands_first() {
        let mut rare = error(5, None);
        rare.code = "A1".into();
        let lines = families(&[rare, error(3, None), error(4, None)], Clock::of("UTC"));
        assert_eq!(
            (lines[0].code.as_str(), lines[0].count.as_str(), lines[0].family.as_str()),
            ("E7", "2", "hard ware")
        );
        assert_eq!(lines[1].code, "A1");
    }

    #[test]
    fn errors_of_a_day_are_one_point_of_the_line_and_the_worst_day_is_named() {
        let until = Timestamp(40 * MICROS_PER_DAY);
        let at = |day: i64| Reported { at: Timestamp(day * MICROS_PER_DAY + 3_600_000_000), ..error(0, None) };
        assert!(error_trend(&[], until, Clock::of("UTC")).is_none());
        let trend = error_trend(&[at(10), at(39), at(39), at(2)], until, Clock::of("UTC")).expect("errors");
        assert!(trend.line.starts_with("M0.0,30.0L") && trend.line.ends_with("L300.0,1.0"), "{}", trend.line);
        assert_eq!(trend.line.matches('L').count(), 29);
        assert!(
            trend.words.starts_with("3 errors in 30 days, 2 at most within a day, the one from "),
            "{}",
            trend.words
        );
        assert!(trend.words.contains("9 Feb"), "{}", trend.words);
    }

    #[test]
    fn cases_of_the_same_part_stand_before_others_with_a_verdict() {
        let case = |id: u64, part: &str, finding| {
            let mut one = Alert { finding, ..alert(id) };
            one.about.part = part.into();
            one
        };
        let all = [
            case(1, "table", Some(medfleet_domain::alert::Finding::Confirmed)),
            case(2, "tube", None),
            case(3, "tube", Some(medfleet_domain::alert::Finding::Confirmed)),
        ];
        let nearest = nearest(&case(9, "tube", None), &all.iter().collect::<Vec<_>>(), &[]);
        assert_eq!(nearest.iter().map(|one| one.id.0).collect::<Vec<_>>(), [3, 2, 1]);
    }

    #[test]
    fn what_fixed_a_case_is_what_its_closer_said() {
        let mut case = alert(1);
        assert_eq!(fixed_by(&case, &[]), "not known");
        let because = Ending::By { person: "kim".into(), reason: "fuse replaced".into() };
        case.ended = Some((Timestamp::from_seconds(9), because));
        assert_eq!(fixed_by(&case, &[]), "fuse replaced (kim)");
    }
}
