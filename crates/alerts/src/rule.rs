//! Rules: what is worth an alert, as YAML that a department writes. Checked when read; a wrong rule is named with its cure.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::alert::Urgency;
use medfleet_domain::fact::Severity;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_HOUR, MICROS_PER_MINUTE};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Defaults, where a rule says nothing.
const HOLD_MINUTES: u32 = 0;
const QUIET_MINUTES: u32 = 24 * 60;
const REOPEN_MINUTES: u32 = 24 * 60;
const LATE_MINUTES: u32 = 15;
const SETTLE_MINUTES: u32 = 5;
const SILENT_MINUTES: u32 = 30;
const HORIZON_HOURS: u32 = 168;
const ORDER_HOLDS_HOURS: u32 = 72;

/// The rules that travel in the binary.
const EMBEDDED: &str = include_str!("../rules/rules.yaml");

/// What a rule watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The device shows a fault state, or a person claims it is down.
    DeviceFailed,
    /// The device reports an error of `severity` or worse.
    DeviceError,
    /// Nothing is heard of a device whose agent lives.
    DeviceSilent,
    AgentSilent,
    /// No agent of the site is heard: one incident, whatever stands behind it.
    SiteSilent,
    /// A counter has used `at_least` of its life.
    LifeNear,
    /// Planned maintenance is due and not done.
    PmOverdue,
    /// The voice that may speak for a part gives it a chance of `at_least` to fail within `horizon_hours`.
    AtRisk,
}

impl When {
    /// Whether it is part of a failure of its device, where that comes: what foretells it, or comes with it.
    pub const fn goes_with_failure(self) -> bool {
        matches!(self, Self::DeviceError | Self::AtRisk)
    }
}

/// One rule as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    pub when: When,
    pub urgency: Urgency,
    /// What the alert is called; `{part}`, in words, and `{subject}` are filled in.
    pub says: String,
    /// Kinds and sites it holds for; all when left out.
    #[serde(default)]
    pub kinds: Vec<String>,
    #[serde(default)]
    pub sites: Vec<String>,
    /// For errors: this severity or worse. `critical` when left out.
    pub severity: Option<String>,
    /// For errors: only these families.
    #[serde(default)]
    pub families: BTreeSet<String>,
    /// For life counters, a share of the limit; for risk, a probability.
    pub at_least: Option<f64>,
    /// For life counters: the limit of each counter, in its unit.
    #[serde(default)]
    pub limits: BTreeMap<String, f64>,
    /// For silence: after so long. For the others: the problem must last so long first.
    pub after_minutes: Option<u32>,
    /// For errors: over when none has come for so long.
    pub quiet_minutes: Option<u32>,
    /// The same problem within so long after its end is the same incident.
    pub reopen_minutes: Option<u32>,
    /// What is heard later than this is a matter of the past until it is seen to go on.
    pub late_minutes: Option<u32>,
    /// Minutes after which an alert that nobody acknowledged goes to the next level.
    #[serde(default)]
    pub escalate_minutes: Vec<u32>,
    /// For failures: an order that nobody had touched for so long when it began, and a window that had begun so long before
    /// without any work, keep it quiet no more; 72 when left out.
    pub order_holds_hours: Option<u32>,
    /// For risk: how far ahead the score looks; 168 when left out.
    pub horizon_hours: Option<u32>,
    /// For risk: one technician may find nothing so often within a week. A voice that goes beyond it is heard no more.
    pub false_alerts_per_technician_week_max: Option<u32>,
    /// Somebody should act within so long of its being raised.
    pub act_within_minutes: Option<u32>,
    /// What a technician looks at first.
    pub first_check: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rules: Vec<Rule>,
}

impl Rule {
    pub fn holds_for(&self, site: &str, kind: DeviceKind) -> bool {
        let named = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
        named(&self.sites, site) && named(&self.kinds, kind.as_str())
    }

    pub fn severity(&self) -> Severity {
        self.severity.as_deref().and_then(Severity::parse).unwrap_or(Severity::Critical)
    }

    pub fn after_micros(&self) -> i64 {
        let silent = matches!(self.when, When::DeviceSilent | When::AgentSilent | When::SiteSilent);
        micros(self.after_minutes, if silent { SILENT_MINUTES } else { HOLD_MINUTES })
    }

    pub fn quiet_micros(&self) -> i64 {
        micros(self.quiet_minutes, QUIET_MINUTES)
    }

    pub fn reopen_micros(&self) -> i64 {
        micros(self.reopen_minutes, REOPEN_MINUTES)
    }

    pub fn late_micros(&self) -> i64 {
        micros(self.late_minutes, LATE_MINUTES)
    }

    pub fn order_holds_micros(&self) -> i64 {
        i64::from(self.order_holds_hours.unwrap_or(ORDER_HOLDS_HOURS)) * MICROS_PER_HOUR
    }

    pub fn horizon_hours(&self) -> u32 {
        self.horizon_hours.unwrap_or(HORIZON_HOURS)
    }

    pub fn horizon_micros(&self) -> i64 {
        i64::from(self.horizon_hours()) * MICROS_PER_HOUR
    }

    /// So long after a late alert the backlog behind it has been heard: what has not ended by then goes on.
    pub const fn settle_micros() -> i64 {
        SETTLE_MINUTES as i64 * MICROS_PER_MINUTE
    }

    /// The level that an alert of this age has reached without being acknowledged.
    pub fn level(&self, age_micros: i64) -> u8 {
        let passed =
            self.escalate_minutes.iter().filter(|minutes| i64::from(**minutes) * MICROS_PER_MINUTE <= age_micros);
        passed.count().min(usize::from(u8::MAX)) as u8
    }

    pub fn summary(&self, subject: &str, part: &str) -> String {
        self.says.replace("{subject}", subject).replace("{part}", &part.replace('_', " "))
    }

    fn check(&self) -> Result<(), String> {
        for kind in &self.kinds {
            DeviceKind::parse(kind).map_err(|invalid| invalid.to_string())?;
        }
        if let Some(severity) = &self.severity {
            let known = Severity::ALL.map(Severity::as_str).join(", ");
            Severity::parse(severity).ok_or_else(|| format!("`{severity}` is no severity: use one of {known}"))?;
        }
        match (self.when, self.at_least) {
            (When::LifeNear | When::AtRisk, None) => return Err("`at_least` is missing: say from when on".into()),
            (When::AtRisk, Some(limit)) if !(limit > 0.0 && limit < 1.0) => {
                return Err(format!("`at_least` is {limit}: a probability lies between 0 and 1"));
            }
            (when, _) if when != When::AtRisk && self.false_alerts_per_technician_week_max.is_some() => {
                return Err(
                    "`false_alerts_per_technician_week_max` is for `at_risk`: only voices can be demoted".into()
                );
            }
            (When::LifeNear, _) if self.limits.is_empty() => {
                return Err("`limits` is empty: name counters and their life, in their unit".into());
            }
            _ => {}
        }
        if let Some((counter, limit)) = self.limits.iter().find(|(_, limit)| limit.is_nan() || **limit <= 0.0) {
            return Err(format!("the life of counter `{counter}` is {limit}: make it more than 0"));
        }
        if self.order_holds_hours.is_some() && self.when != When::DeviceFailed {
            return Err("`order_holds_hours` is for `device_failed`: other problems wait for the order's end".into());
        }
        if self.horizon_hours == Some(0) {
            return Err("`horizon_hours` is 0: say how far ahead, as the models do (24 or 168)".into());
        }
        if !self.escalate_minutes.is_sorted_by(|a, b| a < b) {
            return Err("`escalate_minutes` must rise from level to level".into());
        }
        Ok(())
    }
}

fn micros(minutes: Option<u32>, default: u32) -> i64 {
    i64::from(minutes.unwrap_or(default)) * MICROS_PER_MINUTE
}

/// Rules in the order of their file, each with a name of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules(Vec<Rule>);

impl Rules {
    pub fn embedded() -> Result<Self, Error> {
        Self::read(EMBEDDED)
    }

    /// The embedded rules as they were written.
    pub const fn embedded_text() -> &'static str {
        EMBEDDED
    }

    pub fn read(text: &str) -> Result<Self, Error> {
        let file: RuleFile =
            serde_yaml_ng::from_str(text).map_err(|source| Error::Unreadable { what: "the alert rules", source })?;
        let mut names = BTreeSet::new();
        for rule in &file.rules {
            rule.check().map_err(|flaw| Error::Rule { rule: rule.name.clone(), flaw })?;
            if !names.insert(rule.name.as_str()) {
                let flaw = "another rule has this name: give it one of its own".to_owned();
                return Err(Error::Rule { rule: rule.name.clone(), flaw });
            }
        }
        Ok(Self(file.rules))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    pub fn named(&self, name: &str) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.name == name)
    }

    /// The rules that watch this for a subject of this site and kind.
    pub fn watching<'a>(&'a self, when: When, site: &'a str, kind: DeviceKind) -> impl Iterator<Item = &'a Rule> {
        self.0.iter().filter(move |rule| rule.when == when && rule.holds_for(site, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match Rules::read(&format!("rules:\n  - {{ name: r, urgency: page, says: s, {text} }}")) {
            Ok(_) => String::new(),
            Err(error) => {
                std::error::Error::source(&error).map_or(error.to_string(), |source| format!("{error}: {source}"))
            }
        }
    }

    #[test]
    fn the_embedded_rules_are_sound() {
        let rules = Rules::embedded().expect("embedded rules can be read");
        assert!(rules.iter().count() >= 7);
    }

    #[test]
    fn a_wrong_rule_is_named_with_the_cure() {
        assert_eq!(refused("when: device_failed"), "");
        assert!(refused("when: device_error, severity: dreadful").contains("critical"));
        assert!(refused("when: at_risk").contains("at_least"));
        assert!(refused("when: at_risk, at_least: 30").contains("between 0 and 1"));
        assert!(refused("when: at_risk, at_least: 0.3, horizon_hours: 0").contains("how far ahead"));
        assert!(refused("when: device_failed, false_alerts_per_technician_week_max: 3").contains("at_risk"));
        assert!(refused("when: device_error, order_holds_hours: 3").contains("device_failed"));
        assert!(refused("when: life_near, at_least: 0.9").contains("limits"));
        assert!(refused("when: device_failed, kinds: [toaster]").contains("toaster"));
        assert!(refused("when: device_failed, escalate_minutes: [30, 10]").contains("rise"));
        assert!(refused("when: device_failed, after_hours: 3").contains("after_hours"));
    }

    #[test]
    fn levels_are_reached_one_after_the_other() {
        let rules =
            Rules::read("rules: [{name: r, when: device_failed, urgency: page, says: s, escalate_minutes: [15, 60]}]");
        let rules = rules.expect("sound");
        let level = |minutes: i64| rules.0[0].level(minutes * MICROS_PER_MINUTE);
        assert_eq!([14, 15, 59, 60].map(level), [0, 1, 1, 2]);
    }
}
