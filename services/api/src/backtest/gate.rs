//! What a gate decided, as people read it: who speaks for which part and why, and the parts of which too few have failed.

use medfleet_kpi::table::{Cell, Figure, Table};
use medfleet_risk::gate::{Decision, Demands};
use medfleet_risk::promotion::Kept;

use super::{name, some};
use crate::pages::format::{kind_title, plural};
use crate::pages::parts::Listed;

/// Sorts of parts on a page that is served, so that all it loads stays below 60 kB; a file has all.
const LINES_SHOWN_MAX: usize = 15;
const SILENT_SHOWN_MAX: usize = 30;

pub struct Gate {
    /// Sorts of parts for which a voice could earn the word, those that failed most first.
    pub open: Listed<DecisionLine>,
    /// Sorts for which none could, each with its failures, those that failed most first.
    pub silent: Listed<String>,
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
        let mut decisions: Vec<&Decision> = decisions.iter().collect();
        decisions.sort_by_key(|one| std::cmp::Reverse(one.failures));
        let (silent, open): (Vec<&Decision>, Vec<&Decision>) = decisions.into_iter().partition(is_silent);
        let line = |one: &Decision| DecisionLine {
            sort: sort(one),
            speaks: name(one.speaks),
            failures: on(one.failures, one.devices),
            because: one.because.clone(),
            later: kept.map(|all| later(all.iter().find(|kept| kept.sort == one.sort))).unwrap_or_default(),
        };
        let named = |one: &Decision| format!("{} ({} on {})", sort(one), one.failures, one.devices);
        Self {
            open: Listed::of(open.into_iter().map(line), LINES_SHOWN_MAX),
            silent: Listed::of(silent.into_iter().map(named), SILENT_SHOWN_MAX),
            demands: on(demands.failures_min, demands.devices_min),
            is_reported: kept.is_some(),
        }
    }
}

/// A decision, and how it fared on the days that followed.
struct Row {
    one: Decision,
    kept: Option<Kept>,
}

/// All decisions, those of which too few have failed among them.
pub fn table(decisions: &[Decision], kept: &[Kept]) -> Table {
    let later = |one: &Decision| kept.iter().find(|kept| kept.sort == one.sort).cloned();
    let rows: Vec<Row> = decisions.iter().map(|one| Row { one: one.clone(), kept: later(one) }).collect();
    Table::of(&figures(), &rows)
}

fn figures() -> [Figure<Row>; 9] {
    [
        Figure::new("kind", "", "kind of equipment", |row| Cell::text(row.one.sort.kind.as_str())),
        Figure::new("component", "", "the part", |row| Cell::text(&row.one.sort.component)),
        Figure::new("speaks", "", "rules, hazard or trees", |row| Cell::text(row.one.speaks.as_str())),
        Figure::new("failures", "count", "failures it was decided on", |row| Cell::count(row.one.failures as u64)),
        Figure::new("devices", "count", "devices on which they happened", |row| Cell::count(row.one.devices as u64)),
        Figure::new("because", "", "why", |row| Cell::text(&row.one.because)),
        Figure::new(
            "held_later",
            "yes or no",
            "what it claimed held on the reported days; nothing: no claim, or not seen",
            |row| row.kept.as_ref().and_then(Kept::holds).map_or(Cell::Nothing, Cell::Flag),
        ),
        Figure::new("pr_auc_later", "0 to 1", "PR-AUC of who speaks, on those days", |row| {
            Cell::number(row.kept.as_ref().and_then(|kept| kept.pr_auc))
        }),
        Figure::new("rules_pr_auc_later", "0 to 1", "PR-AUC of the rules, on those days", |row| {
            Cell::number(row.kept.as_ref().and_then(|kept| kept.rules_pr_auc))
        }),
    ]
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
        assert_eq!(gate.open.lines.iter().map(|line| line.sort.as_str()).collect::<Vec<_>>(), ["CT: tube", "CT: door"]);
        assert_eq!(
            (gate.silent.lines, gate.demands),
            (vec!["CT: table (50 on 1)".to_owned()], "12 failures on 5 devices".into())
        );
        let strict = Gate::reported(&all, &[], &Demands::default());
        let (open, silent) = (&strict.open.lines, &strict.silent.lines);
        assert_eq!((open.len(), silent.len(), open[0].later.as_str()), (1, 2, "not seen again"));
    }

    #[test]
    fn of_many_sorts_those_that_failed_most_are_shown_and_the_file_has_all() {
        let named: Vec<String> = (0..300).map(|nth| format!("part_{nth}")).collect();
        let all: Vec<Decision> = named.iter().zip(0..).map(|(name, nth)| decision(name, nth, 9)).collect();
        let gate = Gate::decided(&all, &Demands { failures_min: 100, ..Demands::default() });
        assert_eq!((gate.open.lines.len(), gate.open.more), (LINES_SHOWN_MAX, 200 - LINES_SHOWN_MAX));
        assert_eq!((gate.silent.lines.len(), gate.silent.more), (SILENT_SHOWN_MAX, 100 - SILENT_SHOWN_MAX));
        assert_eq!((&*gate.open.lines[0].sort, &*gate.silent.lines[0]), ("CT: part 299", "CT: part 99 (99 on 9)"));
        assert_eq!(table(&all, &[]).rows.len(), 300);
    }
}
