//! Scoring: what a model says of every device at given instants. One instant is scored as a year of them is.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::prelude::SessionContext;
use medfleet_domain::id::DeviceId;
use medfleet_domain::risk::{CERTAIN_PPM, Ground, Scored, View};
use medfleet_domain::time::Timestamp;
use medfleet_risk::column::Column;
use medfleet_risk::frame::Frame;
use medfleet_risk::model::Model;
use medfleet_risk::voice::Speaker;
use medfleet_risk::voice::trees::Input;

use crate::features::{FEATURES_SQL, LifeLimits, Question, Roll, SAID, SILENTLY, Tense};
use crate::gather::Gatherer;
use crate::{Error, udf};

/// Grounds told with a score, at most.
const GROUNDS_MAX: usize = 4;

/// Each voice and the chance that it gives.
pub type Views = [(Speaker, f64); 3];

/// What a model says of one device at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceScore {
    pub device: DeviceId,
    pub at: Timestamp,
    /// Chance that any part fails within the horizon.
    pub risk: f64,
    /// The part most at risk, its own chance, who says so, and why.
    pub component: Arc<str>,
    pub component_risk: f64,
    pub voice: Speaker,
    pub grounds: Vec<Ground>,
    /// What each voice says of that part, simplest first, whoever may speak.
    pub views: Views,
}

impl DeviceScore {
    /// As a fact says it.
    pub fn scored(&self, run: &str, model: &str, horizon_hours: u32) -> Scored {
        Scored {
            run: run.to_owned(),
            model: model.to_owned(),
            horizon_hours,
            risk_ppm: ppm(self.risk),
            component: self.component.as_ref().to_owned(),
            component_ppm: ppm(self.component_risk),
            voice: self.voice.as_str().to_owned(),
            grounds: self.grounds.clone(),
            views: self
                .views
                .iter()
                .map(|(voice, chance)| View { voice: voice.as_str().into(), ppm: ppm(*chance) })
                .collect(),
        }
    }
}

fn ppm(chance: f64) -> u32 {
    (chance.clamp(0.0, 1.0) * f64::from(CERTAIN_PPM)).round() as u32
}

/// The feature query with the voice beside it: the same query, asked of a model.
fn sql() -> String {
    format!(
        "SELECT f.*, {} AS {SAID} FROM ({FEATURES_SQL}) AS f JOIN groups AS g ON g.part_group = f.part_group \
         ORDER BY f.device, f.part_group, f.now",
        udf::call("g.kind", "g.make_model", "g.component")
    )
}

/// Scores every device that can be spoken of at these instants, in order of device and instant.
pub async fn score(
    session: &SessionContext,
    gatherer: &Gatherer,
    model: &Arc<Model>,
    limits: &LifeLimits,
    instants: &[Timestamp],
) -> Result<Vec<DeviceScore>, Error> {
    session.register_udf(udf::risk(Arc::clone(model)));
    let roll = Roll::of_sorts(gatherer, model.sorts().cloned());
    roll.register_groups(session)?;
    let question = Question { instants, limits, keep: &|_| 1.0, tense: Tense::Present, done: SILENTLY };
    let (frame, said) = roll.said_by(session, &question, &sql()).await?;
    let names: Vec<&DeviceId> = gatherer.devices().map(|(name, _)| name).collect();
    let mut devices: BTreeMap<(u32, Timestamp), Vec<usize>> = BTreeMap::new();
    for row in 0..frame.len() {
        devices.entry((frame.row(row).device, frame.row(row).at)).or_default().push(row);
    }
    let worst_of = |(key, rows): ((u32, Timestamp), Vec<usize>)| {
        let worst = rows.iter().copied().max_by(|a, b| said[*a].total_cmp(&said[*b]))?;
        let none: f64 = rows.iter().map(|row| 1.0 - said[*row]).product();
        Some((key, worst, 1.0 - none))
    };
    let worst: Vec<((u32, Timestamp), usize, f64)> = devices.into_iter().filter_map(worst_of).collect();
    let views = views(model, &frame, &worst.iter().map(|(_, row, _)| *row).collect::<Vec<_>>());
    let one = |(((device, at), worst, risk), views): (((u32, Timestamp), usize, f64), Views)| {
        let group = frame.group(worst);
        let voice = model.speaker(&group.sort());
        Some(DeviceScore {
            device: (*names.get(device as usize)?).clone(),
            at,
            risk,
            component: group.component.clone(),
            component_risk: said[worst],
            voice,
            grounds: grounds(model, voice, &frame, worst),
            views,
        })
    };
    Ok(worst.into_iter().zip(views).filter_map(one).collect())
}

/// What each voice says of these rows, whether it may speak or not.
fn views(model: &Model, frame: &Frame, rows: &[usize]) -> Vec<Views> {
    let by_voice = Speaker::VOICES.map(|voice| (voice, model.scores(voice, frame, rows)));
    let of_row =
        |row: usize| by_voice.each_ref().map(|(voice, scores)| (*voice, model.probability(*voice, scores[row])));
    (0..rows.len()).map(of_row).collect()
}

/// Why a voice says what it says of one row.
pub fn grounds(model: &Model, voice: Speaker, frame: &Frame, row: usize) -> Vec<Ground> {
    match voice {
        Speaker::Trees => {
            let reasons = model.trees.reasons(frame, &model.hazards, row);
            let for_it = reasons.into_iter().filter(|(_, adds)| *adds > 0.0).take(GROUNDS_MAX);
            for_it.map(|(input, adds)| of_input(input, adds, frame, row)).collect()
        }
        Speaker::Hazard => {
            let age = frame.value(row, Column::PartAge);
            let says = format!("parts of this sort fail at this age ({age:.0} on its own clock)");
            vec![Ground { name: Column::PartAge.as_str().into(), says, value_milli: milli(age), adds_milli: None }]
        }
        _ => {
            let rule = model.rules.strongest(frame, row);
            let of_rule = |(rule, counted): (&medfleet_risk::voice::rules::Rule, f64)| Ground {
                name: rule.name.clone(),
                says: rule.says.clone(),
                value_milli: milli(counted),
                adds_milli: None,
            };
            rule.map(of_rule).into_iter().collect()
        }
    }
}

fn of_input(input: Input, adds: f64, frame: &Frame, row: usize) -> Ground {
    let (name, says, value) = match input {
        Input::Column(column) | Input::Seldom(column) => {
            let value = frame.value(row, column);
            let shown = if value.is_nan() { "nothing known".to_owned() } else { short(value) };
            (column.as_str(), format!("{}: {shown}", column.says()), value)
        }
        Input::Pooled => ("pooled", "how often such parts fail at this age".to_owned(), f64::NAN),
        Input::Warned => {
            let heard = frame.value(row, Column::LifeErrors30d);
            let says = format!(
                "its errors since it last failed or was replaced come as before a failure: {} in 30 days",
                short(heard)
            );
            ("warned", says, heard)
        }
        Input::Sort => ("sort", "how often parts of this sort fail".to_owned(), f64::NAN),
    };
    Ground { name: name.into(), says, value_milli: milli(value), adds_milli: milli(adds) }
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn milli(value: f64) -> Option<i64> {
    (!value.is_nan()).then(|| (value * 1_000.0).round() as i64)
}
