//! Trials: rules run on given facts, written so that a technician can read them. What `medfleet rules test` runs.
//!
//! Times are `09:30` or, on later days, `2 09:30`. Between the first and the last the clock ticks every minute.

mod story;

use medfleet_domain::alert::record::Demotion;
use medfleet_domain::alert::{Change, Step};
use medfleet_domain::id::Cause;
use medfleet_domain::time::{MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};
use serde::Deserialize;

use crate::Error;
use crate::desk::{Desk, Entry, Granted};
use crate::rule::Rules;
use story::Given;

/// Longest trial: a longer one would tick for minutes.
const LONGEST_DAYS: i64 = 60;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrialFile {
    trials: Vec<Trial>,
}

/// What is given, and all that is to come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    pub name: String,
    given: Vec<Given>,
    /// When the clock stops; with the last given fact when left out.
    until: Option<String>,
    /// `09:02 device-failed ct-1 raised`, in order.
    expect: Vec<String>,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub name: String,
    pub expected: Vec<String>,
    pub seen: Vec<String>,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        self.expected == self.seen
    }
}

/// Reads the trials of one file and runs them, each on a desk of its own.
pub fn run(rules: &Rules, text: &str) -> Result<Vec<Outcome>, Error> {
    let file: TrialFile =
        serde_yaml_ng::from_str(text).map_err(|source| Error::Unreadable { what: "the trials", source })?;
    file.trials.into_iter().map(|trial| trial.run(rules)).collect()
}

impl Trial {
    fn run(self, rules: &Rules) -> Result<Outcome, Error> {
        let refuse = |flaw: String| Error::Trial { trial: self.name.clone(), flaw };
        let mut desk = Desk::new(rules.clone());
        let mut told = Vec::new();
        for given in &self.given {
            told.push((given.heard_at().map_err(refuse)?, given));
        }
        told.sort_by_key(|(heard, _)| *heard);
        let stop = match &self.until {
            Some(text) => time(text).map_err(refuse)?,
            None => told.last().map_or(Timestamp(0), |(heard, _)| *heard),
        };
        let start = told.first().map_or(stop, |(heard, _)| *heard);
        if stop.micros() - start.micros() > LONGEST_DAYS * MICROS_PER_DAY {
            return Err(refuse(format!("it lasts more than {LONGEST_DAYS} days: bring its times closer together")));
        }
        let (mut seen, mut offset, mut next) = (Vec::new(), 0, 0);
        let mut now = Timestamp(start.micros().div_euclid(MICROS_PER_MINUTE) * MICROS_PER_MINUTE);
        while now <= stop {
            while let Some((heard, given)) = told.get(next).filter(|(heard, _)| *heard <= now) {
                let entry = Entry { cause: Cause { partition: 0, offset }, at: *heard };
                let came = tell(&mut desk, entry, given).map_err(refuse)?;
                seen.extend(lines(&desk, &came));
                (offset, next) = (offset + 1, next + 1);
            }
            let by_time = desk.tick(Entry { cause: Cause { partition: 0, offset }, at: now });
            seen.extend(by_time.iter().map(|step| line(&desk, step)));
            offset += 1;
            now = now.plus_micros(MICROS_PER_MINUTE);
        }
        Ok(Outcome { name: self.name, expected: self.expect, seen })
    }
}

fn tell(desk: &mut Desk, entry: Entry, given: &Given) -> Result<Granted, String> {
    if let Some((rule, subject, wish, by)) = given.wish() {
        let meant = desk.alerts().filter(|alert| alert.about.rule == rule && alert.about.subject.name() == subject);
        let latest = meant.max_by_key(|alert| alert.raised_at).map(|alert| alert.id);
        let alert = latest.ok_or_else(|| format!("there is no alert of `{rule}` for `{subject}` to be asked of"))?;
        return desk.ask(entry, alert, &wish?, by).map_err(|refusal| refusal.to_string());
    }
    Ok(Granted { steps: given.tell(desk, entry)?, demotion: None })
}

/// What came of something given, a line each.
fn lines(desk: &Desk, came: &Granted) -> Vec<String> {
    let demoted = |one: &Demotion| format!("{} {} {} {} demoted", shown(one.at), one.rule, one.model, one.voice);
    let steps = came.steps.iter().map(|step| line(desk, step));
    steps.chain(came.demotion.iter().map(demoted)).collect()
}

/// A step as trials write it.
fn line(desk: &Desk, step: &Step) -> String {
    let mut words = vec![shown(step.at)];
    if let Some(alert) = desk.alert(step.alert) {
        words.extend([alert.about.rule.clone(), alert.about.subject.name().to_owned(), alert.about.part.clone()]);
    }
    words.push(step.change.name().to_owned());
    if matches!(step.change, Change::Raised { late: true, .. } | Change::Reopened { late: true, .. }) {
        words.push("late".into());
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

/// `09:30` of the first day, or `2 09:30` of the second.
fn time(text: &str) -> Result<Timestamp, String> {
    let read = || {
        let (day, clock) = text.split_once(' ').unwrap_or(("1", text));
        let (hours, minutes) = clock.split_once(':')?;
        let (day, hours, minutes): (i64, i64, i64) = (day.parse().ok()?, hours.parse().ok()?, minutes.parse().ok()?);
        let fits = (1..=400).contains(&day) && (0..24).contains(&hours) && (0..60).contains(&minutes);
        fits.then(|| Timestamp((day - 1) * MICROS_PER_DAY + (hours * 60 + minutes) * MICROS_PER_MINUTE))
    };
    read().ok_or_else(|| format!("`{text}` is no time: write 09:30, or 2 09:30 for the second day"))
}

fn shown(at: Timestamp) -> String {
    let (day, of_day) = (at.micros().div_euclid(MICROS_PER_DAY), at.micros().rem_euclid(MICROS_PER_DAY));
    let minutes = of_day / MICROS_PER_MINUTE;
    let clock = format!("{:02}:{:02}", minutes / 60, minutes % 60);
    if day == 0 { clock } else { format!("{} {clock}", day + 1) }
}
