//! Repairs of one subject that overlap or touch are one outage: down is down, however many orders say so. Pure.

use medfleet_domain::time::{Span, Timestamp};

/// A span that a repair was said to take; empty when it was put right at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub row: u64,
    pub from: Timestamp,
    pub until: Timestamp,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct United {
    /// In the order of time, none touching the next.
    pub outages: Vec<Span>,
    /// Rows whose repair lies in or touches an earlier one.
    pub joined: Vec<u64>,
}

/// Unites spans that come in the order of their starts. What has no length adds no time, but may join.
pub fn unite(told: impl IntoIterator<Item = Told>) -> United {
    let mut united = United::default();
    let mut open: Option<Span> = None;
    for Told { row, from, until } in told {
        match &mut open {
            Some(outage) if from <= outage.until => {
                outage.until = outage.until.max(until);
                united.joined.push(row);
            }
            _ => {
                united.outages.extend(open.replace(Span { from, until }));
            }
        }
    }
    united.outages.extend(open);
    united.outages.retain(|outage| outage.from < outage.until);
    united
}

#[cfg(test)]
mod tests {
    use super::*;

    fn united(spans: &[(i64, i64)]) -> (Vec<(i64, i64)>, Vec<u64>) {
        let told =
            (1..).zip(spans).map(|(row, (from, until))| Told { row, from: Timestamp(*from), until: Timestamp(*until) });
        let United { outages, joined } = unite(told);
        (outages.iter().map(|span| (span.from.0, span.until.0)).collect(), joined)
    }

    #[test]
    fn repairs_that_overlap_or_touch_are_one_outage() {
        assert_eq!(united(&[(0, 10), (5, 20), (20, 30), (31, 40)]), (vec![(0, 30), (31, 40)], vec![2, 3]));
    }

    #[test]
    fn a_short_repair_inside_a_long_one_does_not_end_it() {
        assert_eq!(united(&[(0, 100), (10, 20), (50, 60)]), (vec![(0, 100)], vec![2, 3]));
    }

    #[test]
    fn a_repair_of_no_length_is_no_outage_but_may_join_one() {
        assert_eq!(united(&[(5, 5), (7, 9), (9, 9)]), (vec![(7, 9)], vec![3]));
        assert_eq!(united(&[(5, 5), (5, 8), (5, 5)]), (vec![(5, 8)], vec![2, 3]));
    }

    #[test]
    fn nothing_told_is_nothing_united() {
        assert_eq!(united(&[]), (vec![], vec![]));
    }
}
