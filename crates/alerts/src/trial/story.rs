//! What a trial gives: one line of YAML is one fact, or one wish of a person.

use std::collections::BTreeMap;

use medfleet_domain::alert::{Finding, Step, Wish};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Amendment, Body, DeviceError, Fact, Sample, Severity, Source};
use medfleet_domain::human::{Asserted, Claimed, OrderClass, OrderPhase, Phase, PmDone, PmOutcome, Retirement};
use medfleet_domain::id::{AgentId, Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::risk::{CERTAIN_PPM, Scored, View};
use medfleet_domain::time::{Span, Timestamp};
use serde::Deserialize;

use super::time;
use crate::desk::{Desk, Entry, Told};

const SITE: &str = "st-mary";
const AGENT: &str = "edge-1";

/// One given fact. `says` names it; the other fields fill it in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    at: String,
    /// When it reached the log; at once when left out.
    heard: Option<String>,
    device: Option<String>,
    agent: Option<String>,
    site: Option<String>,
    kind: Option<String>,
    says: String,
    #[serde(default)]
    part: String,
    /// The counter that wears the part; without it the part is a counter's name.
    counter: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    /// Value of a counter, in its unit, or a probability.
    value: Option<f64>,
    order: Option<String>,
    from: Option<String>,
    until: Option<String>,
    /// Number of the fact, to be named by one that voids it.
    number: Option<u64>,
    rule: Option<String>,
    by: Option<String>,
    /// Whom an alert is given to.
    to: Option<String>,
    /// Of a score: its model, the voice that the gate lets speak, the horizon, and what each voice says, simplest first.
    model: Option<String>,
    voice: Option<String>,
    horizon_hours: Option<u32>,
    #[serde(default)]
    views: Vec<(String, f64)>,
    /// When it could be known; when it happened, where left out.
    known: Option<String>,
    /// An import tells it: no agent observed it.
    #[serde(default)]
    imported: bool,
}

impl Given {
    pub fn heard_at(&self) -> Result<Timestamp, String> {
        time(self.heard.as_deref().unwrap_or(&self.at))
    }

    /// The rule and subject of the alert, the wish and its author, if this is what a person asks.
    pub fn wish(&self) -> Option<(&str, &str, Result<Wish, String>, &str)> {
        let part = || (!self.part.is_empty()).then(|| self.part.clone());
        let judged = |finding| Ok(Wish::Judge { finding });
        let needs = |field: &str| format!("`{}` at {} needs `{field}`", self.says, self.at);
        let wish = match self.says.as_str() {
            "acknowledge" => Ok(Wish::Acknowledge),
            "assign" => self.to.clone().map(|to| Wish::Assign { to }).ok_or_else(|| needs("to")),
            "snooze" => {
                self.until.as_deref().ok_or_else(|| needs("until")).and_then(time).map(|until| Wish::Snooze { until })
            }
            "resolve" => Ok(Wish::Resolve { reason: "done".into() }),
            "reopen" => Ok(Wish::Reopen),
            "confirm" => judged(Finding::Confirmed),
            "wear_replaced" => judged(Finding::WearReplaced),
            "nothing_found" => judged(Finding::NothingFound),
            "not_done" => judged(Finding::NotDone),
            "other_part" => {
                part().map(|part| Wish::Judge { finding: Finding::OtherPart { part } }).ok_or_else(|| needs("part"))
            }
            _ => return None,
        };
        Some((self.rule.as_deref()?, self.name(), wish, self.by.as_deref().unwrap_or("kim")))
    }

    pub fn tell(&self, desk: &mut Desk, entry: Entry) -> Result<Vec<Step>, String> {
        let agent_id = AgentId::new(self.agent.as_deref().unwrap_or(AGENT)).map_err(|invalid| invalid.to_string())?;
        let subject = self.subject()?;
        let at = time(&self.at)?;
        if self.says == "model_withdrawn" {
            return Ok(desk.withdraw_model(entry.at, self.model()));
        }
        let fact = Fact {
            at,
            known_at: self.known.as_deref().map_or(Ok(at), time)?,
            known_assumed: false,
            clock: Clock::Synchronised,
            source: Source { kind: self.witness(), name: "trial".into() },
            body: self.body()?,
        };
        let site = SiteId::new(self.site.as_deref().unwrap_or(SITE)).map_err(|invalid| invalid.to_string())?;
        let kind = DeviceKind::parse(self.kind.as_deref().unwrap_or("ct")).map_err(|invalid| invalid.to_string())?;
        let seq = Seq(self.number.unwrap_or(1_000 + entry.cause.offset));
        let agent = (!self.imported).then_some(&agent_id);
        let told = Told { subject: &subject, site: &site, kind, agent, epoch: Epoch(1), seq, fact: &fact };
        Ok(desk.admit(entry, told))
    }

    fn witness(&self) -> SourceKind {
        if self.imported { SourceKind::Record } else { SourceKind::Device }
    }

    fn name(&self) -> &str {
        self.device.as_deref().or(self.agent.as_deref()).unwrap_or(AGENT)
    }

    fn subject(&self) -> Result<Subject, String> {
        let kind = if self.device.is_some() { SubjectKind::Device } else { SubjectKind::Agent };
        Subject::new(kind, self.name()).map_err(|invalid| invalid.to_string())
    }

    fn number_given(&self) -> Result<f64, String> {
        self.value.ok_or_else(|| format!("`{}` at {} needs a `value`", self.says, self.at))
    }

    fn body(&self) -> Result<Body, String> {
        let shows = |condition| Ok(Body::Began { condition, degradation: Degradation::None });
        let claims = |claim| {
            Ok(Body::Asserted(Asserted {
                claim,
                until: None,
                author: "kim".into(),
                reason: "seen".into(),
                order: None,
            }))
        };
        match self.says.as_str() {
            "fails" => shows(Condition::UnscheduledDown),
            "works" => shows(Condition::Standby),
            "in_use" => shows(Condition::Productive),
            "in_maintenance" => shows(Condition::ScheduledDown),
            "lives" => Ok(Body::Heartbeat(None)),
            "claimed_down" => claims(Claimed::Down),
            "claimed_maintenance" => claims(Claimed::Maintenance { planned: None }),
            "claimed_usable" => claims(Claimed::Usable),
            "retired" => Ok(Body::Retired(Retirement { reason: "sold".into() })),
            "error" => self.error(),
            "risk" => self.score(),
            "counter" => Ok(Body::Usage(Sample {
                counter: self.counter.clone().unwrap_or_else(|| self.part.clone()),
                component: self.counter.as_ref().map_or_else(String::new, |_| self.part.clone()),
                unit: "1".into(),
                value_milli: (self.number_given()? * 1_000.0) as i64,
                modulus_milli: None,
            })),
            "voided" => {
                let seq = Seq(self.number_given()? as u64);
                let target = SeqRange::one(Epoch(1), seq);
                Ok(Body::Amended(Box::new(Amendment {
                    target,
                    replacement: None,
                    author: "kim".into(),
                    reason: "wrong device".into(),
                })))
            }
            "pm_done" => Ok(Body::PmDone(PmDone {
                procedure: "pm".into(),
                due: None,
                outcome: PmOutcome::Completed,
                order: self.order.clone(),
            })),
            other => self.order_phase(other),
        }
    }

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or("m-1")
    }

    fn score(&self) -> Result<Body, String> {
        let horizon_hours = self.horizon_hours.unwrap_or(168);
        let ppm = ppm_of(self.number_given()?);
        Ok(Body::Scored(Box::new(Scored {
            run: format!("{}/{horizon_hours}/{}", self.at, self.model()),
            model: self.model().to_owned(),
            horizon_hours,
            risk_ppm: ppm,
            component: self.part.clone(),
            component_ppm: ppm,
            voice: self.voice.clone().unwrap_or_else(|| "trees".into()),
            grounds: Vec::new(),
            views: self
                .views
                .iter()
                .map(|(voice, chance)| View { voice: voice.clone(), ppm: ppm_of(*chance) })
                .collect(),
        })))
    }

    fn error(&self) -> Result<Body, String> {
        let severity = self.severity.as_deref().unwrap_or("critical");
        Ok(Body::Error(DeviceError {
            code: "E1".into(),
            family: self.part.clone(),
            severity: Severity::parse(severity).ok_or_else(|| format!("`{severity}` is no severity"))?,
            component: self.part.clone(),
            cause_domain: "device".into(),
            text: String::new(),
        }))
    }

    fn order_phase(&self, says: &str) -> Result<Body, String> {
        let known: BTreeMap<&str, (OrderClass, Phase)> = BTreeMap::from([
            ("order_opened", (OrderClass::Corrective, Phase::Opened)),
            ("order_returned", (OrderClass::Corrective, Phase::ReturnedToService)),
            ("order_closed", (OrderClass::Corrective, Phase::Closed)),
            ("pm_opened", (OrderClass::Preventive, Phase::Opened)),
            ("pm_closed", (OrderClass::Preventive, Phase::Closed)),
        ]);
        let Some((class, phase)) = known.get(says).copied() else {
            return Err(format!("`{says}` is no fact of a trial: say fails, works, error, lives, order_opened, …"));
        };
        let planned = match (&self.from, &self.until) {
            (Some(from), Some(until)) => {
                Some(Span::new(time(from)?, time(until)?).map_err(|invalid| invalid.to_string())?)
            }
            _ => None,
        };
        let order = self.order.clone().unwrap_or_else(|| "wo-1".into());
        let (cause, text) = (String::new(), String::new());
        Ok(Body::Order(OrderPhase { order, class, phase, waiting_for: None, planned, cause, text }))
    }
}

fn ppm_of(chance: f64) -> u32 {
    (chance.clamp(0.0, 1.0) * f64::from(CERTAIN_PPM)).round() as u32
}
