//! The careful path: folds what a record touches anew on a copy of the ledger and takes the difference.

use std::collections::{BTreeMap, BTreeSet};

use super::counters::Seconds;
use super::{Filed, Ledger, Needs};
use crate::claim::Claims;
use crate::entry::{Change, ErrorRow, Row};
use crate::fold;
use crate::held::Held;
use crate::id::{Epoch, Seq, SeqRange};
use crate::spans::Spans;
use crate::time::{Day, Span, Timestamp};

/// What a record may change: days of stretches and errors, seconds of counters.
#[derive(Debug, Default)]
struct Scope {
    days: BTreeSet<Day>,
    seconds: Seconds,
}

impl Scope {
    fn cover(&mut self, held: &Held) {
        if !held.folds() {
            return;
        }
        self.days.insert(held.day());
        if let Some(reading) = held.reading() {
            self.seconds.entry(reading.series()).or_default().insert(reading.at.second());
        }
    }
}

impl Ledger {
    pub(super) fn refold(&self, filed: &[Filed], fresh: Vec<Held>) -> Result<(Ledger, Change), Needs> {
        let mut change = Change::default();
        let mut scope = Scope::default();
        fresh.iter().for_each(|held| scope.cover(held));
        let moved = self.amendments.moved_by(&fresh);
        let mut needs = Needs::default();
        for range in &moved {
            needs.gather(self.cover_named(&mut scope, range));
        }
        needs.gather(self.require_all(&scope.days));
        needs.or(())?;
        let mut next = self.clone();
        let late = Late::of(&fresh);
        let identities: Vec<(Epoch, Seq)> = fresh.iter().map(Held::identity).collect();
        next.remember(filed);
        next.store(fresh, &mut change);
        next.trace_amendments();
        let replacements = next.amendments.replacements(&moved, &identities);
        replacements.iter().for_each(|held| scope.cover(held));
        self.require_all(&scope.days)?;
        if !moved.is_empty() || !replacements.is_empty() {
            next.forget_amended_signs();
            next.find_latest_anew()?;
            next.find_last_readings_anew(&scope.seconds)?;
        }
        scope.days.extend(self.days_with_other_claims(&next));
        self.require_all(&scope.days)?;
        let (before, after) = (self.usage_near(&scope.seconds)?, next.usage_near(&scope.seconds)?);
        change.replace(before.into_iter().map(Row::Usage), after.into_iter().map(Row::Usage));
        let nothing_moves = moved.is_empty() && replacements.is_empty();
        if nothing_moves && self.claims().is_empty() && next.claims().is_empty() {
            late.change(self, &next, &mut change);
        } else {
            let (before, after) = (self.rows_of(&scope.days), next.rows_of(&scope.days));
            change.replace(before.0, after.0);
            change.replace(before.1, after.1);
        }
        change.replace(self.stated_rows(), next.stated_rows());
        if nothing_moves {
            change.replace([], next.notes_since(self.notes.len()));
        } else {
            change.replace(self.note_rows(), next.note_rows());
        }
        next.refresh_heads(&mut change);
        Ok((next, change))
    }

    /// Covers the facts of a range that were seen, wherever they are kept.
    fn cover_named(&self, scope: &mut Scope, range: &SeqRange) -> Result<(), Needs> {
        let Some(archived) = self.locate(range)? else { return Ok(()) };
        self.require_all(archived)?;
        let named =
            self.days.values().flat_map(|facts| facts.iter()).filter(|held| range.contains(held.epoch, held.seq));
        named.for_each(|held| scope.cover(held));
        Ok(())
    }

    /// Days whose claims, or the edge over them, differ between this ledger and the next.
    fn days_with_other_claims(&self, next: &Ledger) -> BTreeSet<Day> {
        let (old, new) = (self.claims(), next.claims());
        let (old_edge, new_edge) = (self.edge(), next.edge());
        let horizon = old_edge.max(new_edge);
        let mut spans: Vec<Span> = old.unlike(&new).filter_map(|claim| old.shadow(claim, horizon)).collect();
        spans.extend(new.unlike(&old).filter_map(|claim| new.shadow(claim, horizon)));
        let first = old.edges().chain(new.edges()).min().unwrap_or(Timestamp::MAX);
        spans.extend(Span::new(old_edge.min(new_edge).max(first), horizon).ok());
        spans.into_iter().flat_map(Span::days).collect()
    }

    /// Intervals and errors.
    fn rows_of(&self, days: &BTreeSet<Day>) -> (Vec<Row>, Vec<Row>) {
        let (claims, edge, corrected) = (self.claims(), self.edge(), self.corrected_daily());
        let (mut intervals, mut errors) = (Vec::new(), Vec::new());
        for &day in days {
            let stretches = self.counting(day, &corrected).filter_map(Held::observed);
            intervals.extend(fold::intervals(day.span(), stretches, &claims, edge).into_iter().map(Row::Interval));
            errors.extend(self.counting(day, &corrected).filter_map(Held::error_row).map(Row::Error));
        }
        (intervals, errors)
    }
}

/// New facts where nothing is claimed and none amends or is amended by a correction: rows change only next to their stretches.
struct Late {
    stretches: BTreeMap<Day, Vec<Span>>,
    errors: Vec<ErrorRow>,
}

impl Late {
    fn of(fresh: &[Held]) -> Self {
        let mut stretches: BTreeMap<Day, Vec<Span>> = BTreeMap::new();
        for span in fresh.iter().filter_map(Held::observed).map(|one| one.span) {
            stretches.entry(span.from.day()).or_default().push(span);
        }
        Self { stretches, errors: fresh.iter().filter_map(Held::error_row).collect() }
    }

    fn change(self, before: &Ledger, after: &Ledger, change: &mut Change) {
        let corrected = (before.corrected_daily(), after.corrected_daily());
        for (day, spans) in self.stretches {
            let old: Vec<_> = before.counting(day, &corrected.0).filter_map(Held::observed).collect();
            let new: Vec<_> = after.counting(day, &corrected.1).filter_map(Held::observed).collect();
            let mut edges: Vec<_> = old.iter().flat_map(|one| [one.span.from, one.span.until]).collect();
            edges.sort_unstable();
            for part in Spans::of(spans.into_iter().map(|span| fold::near(span, &edges))).iter() {
                let rows = |observed: &[_]| {
                    let rows = fold::intervals(part, observed.iter().copied(), &Claims::default(), Timestamp::MAX);
                    rows.into_iter().map(Row::Interval)
                };
                change.replace(rows(&old), rows(&new));
            }
        }
        let stands = |row: &ErrorRow| !after.amendments.speaks_for((row.epoch, row.seq));
        change.replace([], self.errors.into_iter().filter(stands).map(Row::Error));
    }
}
