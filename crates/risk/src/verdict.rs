//! Verdicts: what a technician found at an alert, as a label of a part. A label counts from when it was said, and no earlier.

use std::sync::Arc;

use medfleet_domain::alert::{AlertId, Finding};
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};

use crate::fate::{Failure, PartHistory};

/// A failure so long after a verdict that confirms it is the one that was meant: what repeats within a week is no new one.
const SAME_AFTER_MICROS: i64 = 7 * MICROS_PER_DAY;
/// And so long before the alert: an onset is found to lie before the word that told of it.
const SAME_BEFORE_MICROS: i64 = MICROS_PER_DAY;

/// One verdict on one alert about a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub alert: AlertId,
    /// What the alert was about; empty for the device as a whole.
    pub part: Arc<str>,
    /// A score raised it: it said that the part would fail.
    pub foretold: bool,
    /// When it was raised or reopened last.
    pub raised_at: Timestamp,
    /// When this was said.
    pub judged_at: Timestamp,
    pub finding: Finding,
}

/// What a verdict says of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// It had failed, or would have: what was found is the failure.
    Event,
    /// Nobody looked: of what came after nobody knows whether the alert was about it.
    Unseen,
}

impl Verdict {
    /// The part of which it says anything, and what. Nothing found is no label: what became of the part says it. Only of an alert that
    /// foretold a failure does "confirmed" mean one; of a life limit it means that the counter was right.
    pub fn label(&self) -> Option<(&str, Label)> {
        let said = match &self.finding {
            Finding::OtherPart { part } => Some((&**part, Label::Event)),
            Finding::WearReplaced => Some((&*self.part, Label::Event)),
            Finding::Confirmed => self.foretold.then_some((&*self.part, Label::Event)),
            Finding::NotDone => self.foretold.then_some((&*self.part, Label::Unseen)),
            Finding::NothingFound => None,
        };
        said.filter(|(part, _)| !part.is_empty())
    }
}

/// Of each alert the verdict that had been said last by then. `told` is in the order of the log.
pub fn standing(told: &[Verdict], known: Timestamp) -> impl Iterator<Item = &Verdict> {
    let said = move |verdict: &Verdict| verdict.judged_at <= known;
    told.iter()
        .enumerate()
        .filter(move |(place, verdict)| {
            let later = |other: &Verdict| other.alert == verdict.alert && said(other);
            said(verdict) && !told[place + 1..].iter().any(later)
        })
        .map(|(_, verdict)| verdict)
}

impl PartHistory {
    /// Takes in what verdicts say of this part.
    pub fn judged<'a>(mut self, component: &str, verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        for verdict in verdicts {
            match verdict.label().filter(|(part, _)| *part == component) {
                Some((_, Label::Event)) => self.confirm(verdict),
                Some((_, Label::Unseen)) => self.unseen.push(verdict.judged_at),
                None => {}
            }
        }
        self.failures.sort_by_key(|failure| failure.onset);
        self.unseen.sort_unstable();
        self
    }

    /// The failure that was found: the one an order tells of near it, else the replacement of the part near it, else the verdict.
    fn confirm(&mut self, verdict: &Verdict) {
        let from = verdict.raised_at.plus_micros(-SAME_BEFORE_MICROS);
        let until = verdict.judged_at.plus_micros(SAME_AFTER_MICROS);
        let near = |at: Timestamp| from <= at && at <= until;
        if self.failures.iter().any(|failure| near(failure.onset)) {
            return;
        }
        let replaced = self.taken_out.iter().copied().find(|at| near(*at));
        self.taken_out.retain(|at| !near(*at));
        let onset = replaced.unwrap_or(verdict.judged_at);
        self.failures.push(Failure { onset, returned: Some(onset) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fate::Spans;
    use crate::horizon::Horizon;
    use medfleet_domain::time::{Day, Span};

    fn day(day: i32) -> Timestamp {
        Day(20_000 + day).start()
    }

    /// About a tube, foretold on day 40 and judged on day 43.
    fn verdict(finding: Finding) -> Verdict {
        let (raised_at, judged_at) = (day(40), day(43));
        Verdict { alert: AlertId(1), part: "tube".into(), foretold: true, raised_at, judged_at, finding }
    }

    fn history() -> PartHistory {
        let watched = Span { from: day(0), until: day(100) };
        PartHistory { watched, failures: Vec::new(), taken_out: Vec::new(), unseen: Vec::new(), down: Spans::default() }
    }

    /// Whether the part failed within a week of these days.
    fn fates<const N: usize>(history: &PartHistory, days: [i32; N]) -> [Option<Option<bool>>; N] {
        days.map(|at| history.fate(day(at)).map(|fate| fate.within(Horizon::Week)))
    }

    #[test]
    fn what_was_confirmed_or_worn_failed_and_what_was_not_found_lived_on() {
        let of =
            |finding: Finding, part: &str| fates(&history().judged(part, [&verdict(finding)]), [35, 37, 42, 44, 63]);
        let (lived, failed) = (Some(Some(false)), Some(Some(true)));
        let event = [lived, failed, failed, None, lived];
        assert_eq!(of(Finding::Confirmed, "tube"), event);
        assert_eq!(of(Finding::WearReplaced, "tube"), event);
        assert_eq!(of(Finding::OtherPart { part: "detector".into() }, "detector"), event);
        assert_eq!(of(Finding::OtherPart { part: "detector".into() }, "tube"), [lived; 5]);
        assert_eq!(of(Finding::NothingFound, "tube"), [lived; 5]);
        assert_eq!(of(Finding::Confirmed, "detector"), [lived; 5]);
        let unseen = Some(None);
        assert_eq!(
            of(Finding::NotDone, "tube"),
            [lived, unseen, unseen, lived, lived],
            "from then on it is watched again"
        );
    }

    #[test]
    fn a_failure_after_nobody_looked_counts_from_then_on_and_not_before() {
        let mut history = history().judged("tube", [&verdict(Finding::NotDone)]);
        history.failures.push(Failure { onset: day(45), returned: Some(day(46)) });
        assert_eq!(fates(&history, [38, 42, 43, 44]), [Some(None), Some(None), Some(Some(true)), Some(Some(true))]);
    }

    #[test]
    fn a_failure_that_an_order_tells_is_not_counted_twice_and_a_replacement_is_when_it_was() {
        let failed =
            |onset: i32| PartHistory { failures: vec![Failure { onset: day(onset), returned: None }], ..history() };
        let onsets = |history: PartHistory| {
            let judged = history.judged("tube", [&verdict(Finding::WearReplaced)]);
            (judged.failures.iter().map(|failure| failure.onset).collect::<Vec<_>>(), judged.taken_out)
        };
        for near in [39, 43, 50] {
            assert_eq!(onsets(failed(near)), (vec![day(near)], vec![]));
        }
        assert_eq!(onsets(failed(51)).0, [day(43), day(51)]);
        let replaced = |at: i32| PartHistory { taken_out: vec![day(at)], ..history() };
        assert_eq!(onsets(replaced(41)), (vec![day(41)], vec![]), "on evidence: no censoring");
        assert_eq!(onsets(replaced(20)), (vec![day(43)], vec![day(20)]));
    }

    #[test]
    fn an_alert_that_foretold_nothing_confirms_no_failure() {
        let limit = |finding: Finding| Verdict { foretold: false, ..verdict(finding) };
        assert_eq!(limit(Finding::Confirmed).label(), None);
        assert_eq!(limit(Finding::NotDone).label(), None);
        assert_eq!(limit(Finding::WearReplaced).label(), Some(("tube", Label::Event)));
        let whole = Verdict { part: "".into(), ..limit(Finding::WearReplaced) };
        assert_eq!(whole.label(), None, "of no part");
    }

    #[test]
    fn of_each_alert_the_verdict_counts_that_was_said_last_by_then() {
        let said = |alert: u64, judged: i32, finding: Finding| Verdict {
            alert: AlertId(alert),
            judged_at: day(judged),
            ..verdict(finding)
        };
        let told = [said(1, 43, Finding::NothingFound), said(2, 44, Finding::NotDone), said(1, 50, Finding::Confirmed)];
        let known = |at: i32| standing(&told, day(at)).map(|one| one.finding.as_str()).collect::<Vec<_>>();
        assert_eq!(known(42), Vec::<&str>::new());
        assert_eq!(known(49), ["nothing_found", "not_done"]);
        assert_eq!(known(50), ["not_done", "confirmed"]);
    }
}
