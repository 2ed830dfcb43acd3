//! What a later look at a period says that an issued statement did not: the adjustments of the next one.

use std::collections::BTreeSet;

use super::{Class, Line};
use crate::contract::BasisPoints;
use crate::id::Cause;
use crate::time::{Span, Timestamp};

/// How a line counts.
pub type Counts = (Class, BasisPoints);

/// A span that is judged otherwise now. None: it needed no line, because the device worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub span: Span,
    pub was: Option<Counts>,
    pub is: Option<Counts>,
    /// Log records behind the new judgement that the old one did not name, or behind the old one and gone.
    pub causes: BTreeSet<Cause>,
}

/// Every span on which two statements of one period differ, in order.
pub fn changes(old: &[Line], new: &[Line]) -> Vec<Changed> {
    let mut cuts: Vec<Timestamp> = old.iter().chain(new).flat_map(|line| [line.span.from, line.span.until]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut changed: Vec<Changed> = Vec::new();
    for pair in cuts.windows(2) {
        let span = Span { from: pair[0], until: pair[1] };
        let (was, is) = (at(old, span.from), at(new, span.from));
        let counts = |line: Option<&Line>| line.map(|line| (line.class, line.weight));
        if counts(was) == counts(is) {
            continue;
        }
        let causes = |line: Option<&Line>| line.map(|line| line.causes.clone()).unwrap_or_default();
        let one = Changed {
            span,
            was: counts(was),
            is: counts(is),
            causes: causes(was).symmetric_difference(&causes(is)).copied().collect(),
        };
        match changed.last_mut() {
            Some(last) if last.span.until == span.from && (last.was, last.is) == (one.was, one.is) => {
                last.span.until = span.until;
                last.causes.extend(one.causes);
            }
            _ => changed.push(one),
        }
    }
    changed
}

/// Lines are sorted and do not overlap.
fn at(lines: &[Line], at: Timestamp) -> Option<&Line> {
    let after = lines.partition_point(|line| line.span.from <= at);
    lines[..after].last().filter(|line| line.span.contains(at))
}
