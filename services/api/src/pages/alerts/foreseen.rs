//! What stands behind an alert that a model raised: what each voice says, why, and how the risk came to be what it is.

use std::fmt::Write as _;

use medfleet_alerts::rule::Rule;
use medfleet_alerts::voices::{demotion_of, heard};
use medfleet_domain::alert::Spoken;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::record::Demotion;
use medfleet_domain::risk::{CERTAIN_PPM, Scored};
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_risk::voice::Speaker;

use super::behind::opened_until;
use crate::backtest::name;
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::pages::format::{Clock, chance_percent};
use crate::query;

/// Days of scores that are drawn.
const DAYS: i64 = 60;
/// The horizon of a score that is shown where none raised the alert.
const SHOWN_HOURS: u32 = 168;
/// The plot in its own units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 60.0;

pub struct Foreseen {
    pub title: &'static str,
    /// `The trees of model 00aa… give the tube a chance of 41 % to fail within 7 days`.
    pub says: String,
    pub grounds: Vec<String>,
    pub voices: Vec<VoiceLine>,
    pub trend: Option<Trend>,
    pub demoted: Option<String>,
}

/// What one voice says of the part.
pub struct VoiceLine {
    pub voice: String,
    pub chance: String,
    pub width: String,
    /// Why it is heard or not.
    pub standing: &'static str,
}

/// The device's risk over the last days, as a line.
pub struct Trend {
    pub line: String,
    /// Height of the rule's limit, where it lies within the plot.
    pub limit: Option<String>,
    /// The same in words.
    pub words: String,
}

impl Foreseen {
    /// The score that raised the alert; of any other alert the newest of its device; None where nobody scored that.
    pub async fn of(
        open: &OpenCut,
        alert: &Alert,
        rule: Option<&Rule>,
        demotions: &[Demotion],
        clock: Clock,
    ) -> Result<Option<Self>, ApiError> {
        // What was scored after an alert that no score raised foresaw nothing of it.
        let until = if alert.score.is_some() { open.at() } else { opened_until(alert) };
        let from = until.plus_micros(-DAYS * MICROS_PER_DAY);
        let mut told = query::scores_told(open, alert.about.subject.name(), from.day()).await?;
        told.retain(|(at, _)| *at <= until);
        let newest = || told.iter().rev().find(|(_, scored)| scored.horizon_hours == SHOWN_HOURS).map(|(_, one)| one);
        let Some((spoken, part)) = alert
            .score
            .clone()
            .map(|spoken| (spoken, alert.about.part.clone()))
            .or_else(|| newest().and_then(|scored| spoken_of(scored, demotions)))
        else {
            return Ok(None);
        };
        told.retain(|(_, scored)| scored.horizon_hours == spoken.horizon_hours);
        let now = |(_, scored): &(Timestamp, Scored)| heard(scored, demotions).map(|(_, ppm)| ppm);
        let own = told.iter().rev().find(|(_, scored)| scored.component == part && scored.model == spoken.model);
        Ok(Some(Self {
            title: if alert.score.is_some() { "Why a failure is expected" } else { "What was foreseen" },
            says: says(&spoken, &part.replace('_', " "), own.filter(|_| alert.score.is_some()).and_then(now)),
            grounds: own.map(|(_, scored)| grounds(scored)).unwrap_or_default(),
            voices: own.map(|(_, scored)| voices(scored, demotions)).unwrap_or_default(),
            trend: trend(&told, rule.filter(|_| alert.score.is_some()).and_then(|rule| rule.at_least), clock),
            demoted: demoted(&spoken, demotions, clock),
        }))
    }
}

/// What the voice that is heard says in a score, and of which part.
fn spoken_of(scored: &Scored, demotions: &[Demotion]) -> Option<(Spoken, String)> {
    let (voice, ppm) = heard(scored, demotions)?;
    let (model, voice) = (scored.model.clone(), voice.to_owned());
    Some((Spoken { model, voice, horizon_hours: scored.horizon_hours, ppm }, scored.component.clone()))
}

/// What was said, and what is said of it now where that is another chance.
fn says(spoken: &Spoken, part: &str, now: Option<u32>) -> String {
    let (who, chance) = (voice_name(&spoken.voice), chance_percent(spoken.ppm));
    let now = now.map(chance_percent).filter(|now| *now != chance);
    format!(
        "Model {}, by its {who}: {chance} that the {part} fails within {}{}",
        spoken.model,
        ahead(spoken.horizon_hours),
        now.map(|now| format!(" (when it was raised; {now} by the newest score)")).unwrap_or_default()
    )
}

pub fn ahead(hours: u32) -> String {
    if hours % 24 == 0 && hours > 24 { format!("{} days", hours / 24) } else { format!("{hours} hours") }
}

pub fn voice_name(voice: &str) -> String {
    Speaker::parse(voice).map_or_else(|| voice.to_owned(), |speaker| name(speaker).to_lowercase())
}

fn grounds(scored: &Scored) -> Vec<String> {
    scored.grounds.iter().map(|ground| ground.says.clone()).collect()
}

fn voices(scored: &Scored, demotions: &[Demotion]) -> Vec<VoiceLine> {
    let heard = heard(scored, demotions).map(|(voice, _)| voice);
    let earned = scored.views.iter().position(|view| view.voice == scored.voice);
    let line = |(at, view): (usize, &medfleet_domain::risk::View)| VoiceLine {
        voice: voice_name(&view.voice),
        chance: chance_percent(view.ppm),
        width: format!("{:.1}%", f64::from(view.ppm) / f64::from(CERTAIN_PPM) * 100.0),
        standing: match () {
            () if Some(&*view.voice) == heard => "is heard",
            () if demotion_of(demotions, &scored.model, &view.voice).is_some() => {
                "heard no more: too many false alerts"
            }
            () if Some(at) > earned => "has not earned the word",
            () => "simpler",
        },
    };
    scored.views.iter().enumerate().map(line).collect()
}

fn demoted(spoken: &Spoken, demotions: &[Demotion], clock: Clock) -> Option<String> {
    demotion_of(demotions, &spoken.model, &spoken.voice).map(|one| demotion_words(one, clock))
}

/// `The trees of model 00aa… are heard no more since …: kim found nothing 4 times within a week, 3 are allowed`.
pub fn demotion_words(one: &Demotion, clock: Clock) -> String {
    let Demotion { model, technician, false_alerts, false_alerts_max, at, .. } = one;
    format!(
        "The {} of model {model} are heard no more since {}: {technician} found nothing {false_alerts} times within a week, \
         {false_alerts_max} are allowed. A simpler voice speaks, if it has something to say",
        voice_name(&one.voice),
        clock.minute(*at)
    )
}

/// A line through the scores; a single one is no trend.
fn trend(told: &[(Timestamp, Scored)], limit: Option<f64>, clock: Clock) -> Option<Trend> {
    let (first, last) = (told.first()?, told.last()?);
    let chance = |scored: &Scored| f64::from(scored.risk_ppm) / f64::from(CERTAIN_PPM);
    let top = told.iter().map(|(_, scored)| chance(scored)).chain(limit).fold(0.01, f64::max);
    let span = (last.0.micros() - first.0.micros()) as f64;
    if span <= 0.0 {
        return None;
    }
    let y = |chance: f64| HEIGHT - chance / top * (HEIGHT - 2.0) - 1.0;
    let mut line = String::new();
    for (at, scored) in told {
        let x = (at.micros() - first.0.micros()) as f64 / span * WIDTH;
        let _ = write!(line, "{}{x:.1},{:.1}", if line.is_empty() { "M" } else { "L" }, y(chance(scored)));
    }
    let words = format!(
        "{} on {}, {} on {}{}",
        chance_percent(first.1.risk_ppm),
        clock.day(first.0),
        chance_percent(last.1.risk_ppm),
        clock.day(last.0),
        limit
            .map(|limit| format!("; an alert from {} on for a single part", chance_percent((limit * 1e6) as u32)))
            .unwrap_or_default()
    );
    Some(Trend { line, limit: limit.map(|limit| format!("{:.1}", y(limit))), words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::risk::View;

    fn scored(risk_ppm: u32) -> Scored {
        let view = |voice: &str, ppm| View { voice: voice.into(), ppm };
        Scored {
            run: "r".into(),
            model: "m".into(),
            horizon_hours: 168,
            risk_ppm,
            component: "tube".into(),
            component_ppm: risk_ppm,
            voice: "hazard".into(),
            grounds: Vec::new(),
            views: vec![view("rules", 10_000), view("hazard", 400_000), view("trees", 900_000)],
        }
    }

    fn demotion(voice: &str) -> Demotion {
        let (model, rule, technician) = ("m".into(), "at-risk".into(), "kim".into());
        Demotion {
            model,
            voice: voice.into(),
            rule,
            technician,
            false_alerts: 4,
            false_alerts_max: 3,
            at: Timestamp(0),
        }
    }

    #[test]
    fn a_chance_that_has_changed_is_said_as_it_was_and_as_it_is() {
        let spoken = Spoken { model: "m".into(), voice: "trees".into(), horizon_hours: 168, ppm: 400_000 };
        assert_eq!(says(&spoken, "tube", None), "Model m, by its trees: 40 % that the tube fails within 7 days");
        assert_eq!(says(&spoken, "tube", Some(400_100)), says(&spoken, "tube", None));
        let wanted = "Model m, by its trees: 40 % that the tube fails within 7 days (when it was raised; 12 % by the newest score)";
        assert_eq!(says(&spoken, "tube", Some(120_000)), wanted);
    }

    #[test]
    fn a_voice_is_heard_that_has_earned_the_word_and_kept_to_its_budget() {
        let standings = |demotions: &[Demotion]| {
            voices(&scored(1), demotions).into_iter().map(|line| line.standing).collect::<Vec<_>>()
        };
        assert_eq!(standings(&[]), ["simpler", "is heard", "has not earned the word"]);
        assert_eq!(
            standings(&[demotion("hazard")]),
            ["is heard", "heard no more: too many false alerts", "has not earned the word"]
        );
    }

    #[test]
    fn a_trend_needs_two_days_and_is_told_in_words() {
        let day = |day: i64, ppm| (Timestamp(day * MICROS_PER_DAY), scored(ppm));
        assert!(trend(&[day(1, 10_000)], None, Clock::of("UTC")).is_none());
        let drawn = trend(&[day(1, 30_000), day(9, 410_000)], Some(0.3), Clock::of("UTC")).expect("two days");
        assert!(drawn.line.starts_with("M0.0,") && drawn.line.contains("L300.0,1.0"), "{}", drawn.line);
        assert!(drawn.words.starts_with("3.0 % on ") && drawn.words.contains("41 % on"), "{}", drawn.words);
    }
}
