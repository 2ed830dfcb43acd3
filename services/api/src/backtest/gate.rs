//! What a gate decided, as people read it: who speaks for which part and why, and the parts of which too few have failed.

use medfleet_risk::gate::{Decision, Demands};
use medfleet_risk::promotion::Kept;

use super::{name, some};
use crate::pages::format::{kind_title, plural};

pub struct Gate {
    /// Sorts of parts for which a voice could earn the word.
    pub lines: Vec<DecisionLine>,
    /// Sorts for which none could, each with its failures.
    pub silent: Vec<String>,
    /// What a voice must show first: `30 failures on 5 devices`.
    pub demands: String,
    /// It is shown how decisions fared later.
    pub is_reported: bool,
}

pub struct DecisionLine {
    pub sort: String,
    pub speaks: &'static str,
    pub failures: String,
    pub because: String,
    pub later: String,
}

impl Gate {
    /// Decisions as they were made.
    pub fn decided(decisions: &[Decision], demands: &Demands) -> Self {
        Self::of(decisions, None, demands)
    }

    /// The same, and how they fared on the days that followed.
    pub fn reported(decisions: &[Decision], kept: &[Kept], demands: &Demands) -> Self {
        Self::of(decisions, Some(kept), demands)
    }

    fn of(decisions: &[Decision], kept: Option<&[Kept]>, demands: &Demands) -> Self {
        let is_silent = |one: &&Decision| one.failures < demands.failures_min || one.devices < demands.devices_min;
        let (silent, open): (Vec<&Decision>, Vec<&Decision>) = decisions.iter().partition(is_silent);
        let line = |one: &Decision| DecisionLine {
            sort: sort(one),
            speaks: name(one.speaks),
            failures: on(one.failures, one.devices),
            because: one.because.clone(),
            later: kept.map(|all| later(all.iter().find(|kept| kept.sort == one.sort))).unwrap_or_default(),
        };
        Self {
            lines: open.into_iter().map(line).collect(),
            silent: silent
                .into_iter()
                .map(|one| format!("{} ({} on {})", sort(one), one.failures, one.devices))
                .collect(),
            demands: on(demands.failures_min, demands.devices_min),
            is_reported: kept.is_some(),
        }
    }
}

fn sort(decision: &Decision) -> String {
    format!("{}: {}", kind_title(decision.sort.kind.as_str()), decision.sort.component.replace('_', " "))
}

fn on(failures: usize, devices: usize) -> String {
    format!("{} on {}", plural(failures, "failure"), plural(devices, "device"))
}

fn later(kept: Option<&Kept>) -> String {
    let Some(kept) = kept else { return "not seen again".to_owned() };
    let words = match kept.holds() {
        Some(true) => "held",
        Some(false) => "did not hold",
        None => return "nothing claimed".to_owned(),
    };
    format!("{words}; PR-AUC {} beside {} of the rules", some(kept.pr_auc, 3), some(kept.rules_pr_auc, 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::kind::DeviceKind;
    use medfleet_risk::frame::PartSort;
    use medfleet_risk::horizon::Horizon;
    use medfleet_risk::voice::Speaker;

    fn decision(component: &str, failures: usize, devices: usize) -> Decision {
        Decision {
            sort: PartSort { kind: DeviceKind::Ct, component: component.into() },
            horizon: Horizon::Week,
            speaks: Speaker::Rules,
            failures,
            devices,
            rows: 1,
            contests: Vec::new(),
            because: "the rules speak".into(),
        }
    }

    #[test]
    fn sorts_of_which_too_few_failed_are_named_together_and_the_others_say_why() {
        let all = [decision("tube", 40, 9), decision("table", 50, 1), decision("door", 12, 6)];
        let demands = Demands { failures_min: 12, devices_min: 5, ..Demands::default() };
        let gate = Gate::decided(&all, &demands);
        assert_eq!(gate.lines.iter().map(|line| line.sort.as_str()).collect::<Vec<_>>(), ["CT: tube", "CT: door"]);
        assert_eq!(
            (gate.silent, gate.demands),
            (vec!["CT: table (50 on 1)".to_owned()], "12 failures on 5 devices".into())
        );
        let strict = Gate::reported(&all, &[], &Demands::default());
        assert_eq!((strict.lines.len(), strict.silent.len(), strict.lines[0].later.as_str()), (1, 2, "not seen again"));
    }
}
