//! How the voices of models fare with technicians: what they raised, what was found, and which are heard no more. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use medfleet_alerts::rule::Rules;
use medfleet_alerts::voices::{demotion_of, false_alerts};
use medfleet_domain::alert::Finding;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::time::Timestamp;

use super::foreseen::{ahead, demotion_words, voice_name};
use crate::pages::format::{Clock, some_percent};
use crate::pages::parts::Listed;

/// One voice of one model under one rule.
pub struct VoiceRow {
    pub voice: String,
    pub model: String,
    pub rule: String,
    pub ahead: String,
    pub raised: usize,
    pub right: usize,
    pub wrong: usize,
    /// Share of verdicts that were right.
    pub precision: String,
    /// `2 of 3 (kim)`: most false alerts of its model for one technician within the last week, and the budget.
    pub week: String,
    pub standing: String,
    pub is_heard: bool,
    /// When it last raised an alert.
    pub last: Timestamp,
}

/// Those that are heard no more first, then those that spoke last.
pub fn rows(alerts: &[Alert], rules: Option<&Rules>, demotions: &[Demotion], now: Timestamp) -> Vec<VoiceRow> {
    let mut groups: BTreeMap<(&str, &str, &str, u32), Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        if let Some(score) = &alert.score {
            let key = (&*score.model, &*score.voice, &*alert.about.rule, score.horizon_hours);
            groups.entry(key).or_default().push(alert);
        }
    }
    // Of a model once, however many voices and rules it has.
    let models: BTreeSet<&str> = groups.keys().map(|(model, ..)| *model).collect();
    let misled: BTreeMap<&str, BTreeMap<String, u32>> =
        models.into_iter().map(|model| (model, false_alerts(alerts, model, now))).collect();
    let row = |((model, voice, rule, hours), own): ((&str, &str, &str, u32), Vec<&Alert>)| {
        let found = |right: bool| own.iter().filter(|one| verdict(one) == Some(right)).count();
        let (right, wrong) = (found(true), found(false));
        let demotion = demotion_of(demotions, model, voice);
        VoiceRow {
            voice: voice_name(voice),
            model: model.to_owned(),
            rule: rule.to_owned(),
            ahead: ahead(hours),
            raised: own.len(),
            right,
            wrong,
            precision: some_percent((right + wrong > 0).then(|| right as f64 / (right + wrong) as f64)),
            week: week(&misled[model], rules.and_then(|rules| rules.named(rule)?.false_alerts_per_technician_week_max)),
            standing: demotion.map_or_else(|| "Is heard".to_owned(), |one| demotion_words(one, Clock::of("UTC"))),
            is_heard: demotion.is_none(),
            last: own.iter().map(|one| one.raised_at).max().unwrap_or(Timestamp(0)),
        }
    };
    let mut rows: Vec<VoiceRow> = groups.into_iter().map(row).collect();
    rows.sort_by_key(|row| (row.is_heard, Reverse(row.last)));
    rows
}

/// So many of those that are heard no more, and so many of the others.
pub fn shown(rows: Vec<VoiceRow>, each_max: usize) -> Listed<VoiceRow> {
    let all = rows.len();
    let (heard, silent): (Vec<VoiceRow>, Vec<VoiceRow>) = rows.into_iter().partition(|row| row.is_heard);
    let lines: Vec<VoiceRow> = silent.into_iter().take(each_max).chain(heard.into_iter().take(each_max)).collect();
    Listed { more: all - lines.len(), lines }
}

fn verdict(alert: &Alert) -> Option<bool> {
    alert.finding.as_ref().and_then(Finding::was_right)
}

/// Whoever found nothing most often within the last week, beside the budget.
fn week(by_technician: &BTreeMap<String, u32>, budget: Option<u32>) -> String {
    let most = by_technician.iter().max_by_key(|(_, count)| **count);
    let of = budget.map_or_else(|| ", no budget".to_owned(), |budget| format!(" of {budget}"));
    most.map_or_else(|| format!("0{of}"), |(by, count)| format!("{count}{of} ({by})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::alerts::record::tests::alert;
    use medfleet_domain::alert::Spoken;
    use medfleet_domain::time::MICROS_PER_DAY;

    fn judged(id: u64, finding: Finding, by: &str, day: i64) -> Alert {
        let score = Spoken { model: "m".into(), voice: "trees".into(), horizon_hours: 168, ppm: 400_000 };
        let judged = Some((by.to_owned(), Timestamp(day * MICROS_PER_DAY)));
        Alert { score: Some(score), finding: Some(finding), judged, ..alert(id) }
    }

    #[test]
    fn verdicts_are_counted_by_voice_and_the_week_by_technician() {
        let all = [
            judged(1, Finding::Confirmed, "kim", 20),
            judged(2, Finding::NothingFound, "kim", 1),
            judged(3, Finding::NothingFound, "kim", 20),
            judged(4, Finding::NothingFound, "lee", 19),
            judged(5, Finding::NothingFound, "kim", 19),
            alert(6),
        ];
        let rows = rows(&all, None, &[], Timestamp(21 * MICROS_PER_DAY));
        assert_eq!((rows.len(), rows[0].raised, rows[0].right, rows[0].wrong), (1, 5, 1, 4));
        assert_eq!((&*rows[0].week, rows[0].is_heard), ("2, no budget (kim)", true));
    }

    #[test]
    fn of_the_voices_of_many_models_those_that_spoke_last_come_first() {
        let of_model = |nth: u64| {
            let mut one = judged(nth, Finding::Confirmed, "kim", 1);
            one.score = one.score.map(|score| Spoken { model: format!("{:02}", 99 - nth).into(), ..score });
            Alert { raised_at: Timestamp(nth as i64 * MICROS_PER_DAY), ..one }
        };
        let all: Vec<Alert> = (1..=60).map(of_model).collect();
        let shown = shown(rows(&all, None, &[], Timestamp(0)), 8);
        assert_eq!((shown.lines.len(), shown.more), (8, 52));
        assert_eq!((&*shown.lines[0].model, &*shown.lines[7].model), ("39", "46"));
        let (model, voice, rule, technician) = ("98".into(), "trees".into(), "device-failed".into(), "kim".into());
        let (false_alerts, false_alerts_max, at) = (4, 3, Timestamp(0));
        let demoted = Demotion { model, voice, rule, technician, false_alerts, false_alerts_max, at };
        let with_it = super::shown(rows(&all, None, &[demoted], Timestamp(0)), 8).lines;
        let first = (&*with_it[0].model, with_it[0].is_heard, with_it.len());
        assert_eq!(first, ("98", false, 9), "it spoke first of all, and is heard no more");
    }
}
