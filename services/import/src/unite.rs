//! Spans of one device in one condition that overlap or touch are one: down is down, however many orders say so. Pure.

use medfleet_domain::time::{Span, Timestamp};

use crate::reader::Place;

/// A span that a row told; empty when it was put right at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    pub place: Place,
    pub from: Timestamp,
    /// None: it lasts to the end of the record.
    pub until: Option<Timestamp>,
    /// When the row was entered, if it says so.
    pub known: Option<Timestamp>,
    /// One of a series in which each begins where the last one ends: touching is nothing special.
    pub adjoins: bool,
}

/// A largest span that rows cover together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    pub span: Span,
    /// When the last of its rows was entered; None where one of them does not say.
    pub known: Option<Timestamp>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct United {
    /// In the order of time, none touching the next.
    pub wholes: Vec<Whole>,
    /// Rows whose span lies in or touches an earlier one.
    pub joined: Vec<Place>,
}

/// Unites spans in the order of their starts. What has no length adds no time, but may join.
pub fn unite(spoken: &mut [Spoken], record_end: Timestamp) -> United {
    spoken.sort_by_key(|one| (one.from, one.until.unwrap_or(Timestamp::MAX), one.place));
    let mut united = United::default();
    let mut open: Option<Whole> = None;
    for one in spoken {
        let until = one.until.unwrap_or(record_end).max(one.from);
        match &mut open {
            Some(whole) if one.from <= whole.span.until => {
                let reached = whole.span.until;
                whole.span.until = reached.max(until);
                whole.known = whole.known.zip(one.known).map(|(held, new)| held.max(new));
                if !one.adjoins || one.from < reached {
                    united.joined.push(one.place);
                }
            }
            _ => {
                let span = Span { from: one.from, until };
                united.wholes.extend(open.replace(Whole { span, known: one.known }));
            }
        }
    }
    united.wholes.extend(open);
    united.wholes.retain(|whole| whole.span.from < whole.span.until);
    united
}

#[cfg(test)]
mod tests {
    use super::*;

    fn united(spans: &[(i64, i64)]) -> (Vec<(i64, i64)>, Vec<u64>) {
        let place = |row| Place { table: 0, row, line: row + 1 };
        let spoken = |(row, (from, until)): (u64, &(i64, i64))| Spoken {
            place: place(row),
            from: Timestamp(*from),
            until: Some(Timestamp(*until)),
            known: Some(Timestamp(*until)),
            adjoins: false,
        };
        let mut all: Vec<Spoken> = (1..).zip(spans).map(spoken).collect();
        let United { wholes, joined } = unite(&mut all, Timestamp(1_000));
        let spans = wholes.iter().map(|whole| (whole.span.from.0, whole.span.until.0)).collect();
        (spans, joined.iter().map(|place| place.row).collect())
    }

    #[test]
    fn what_overlaps_or_touches_is_one() {
        assert_eq!(united(&[(0, 10), (5, 20), (20, 30), (31, 40)]), (vec![(0, 30), (31, 40)], vec![2, 3]));
    }

    #[test]
    fn a_short_one_inside_a_long_one_does_not_end_it() {
        assert_eq!(united(&[(50, 60), (0, 100), (10, 20)]), (vec![(0, 100)], vec![3, 1]));
    }

    #[test]
    fn one_of_no_length_is_nothing_but_may_join() {
        assert_eq!(united(&[(5, 5), (7, 9), (9, 9)]), (vec![(7, 9)], vec![3]));
        assert_eq!(united(&[(5, 5), (5, 8), (5, 5)]), (vec![(5, 8)], vec![3, 2]));
    }

    #[test]
    fn an_open_one_lasts_to_the_end_of_the_record_and_what_is_known_is_known_last() {
        let place = Place { table: 0, row: 1, line: 2 };
        let at = |from, known: Option<i64>| Spoken {
            place,
            from: Timestamp(from),
            until: None,
            known: known.map(Timestamp),
            adjoins: false,
        };
        let known = |all: &mut [Spoken]| unite(all, Timestamp(100)).wholes[0];
        assert_eq!(known(&mut [at(1, Some(7)), at(2, Some(5))]).known, Some(Timestamp(7)));
        assert_eq!(known(&mut [at(1, Some(7)), at(2, None)]).known, None);
        assert_eq!(known(&mut [at(1, None)]).span.until, Timestamp(100));
    }

    #[test]
    fn nothing_told_is_nothing_united() {
        assert_eq!(united(&[]), (vec![], vec![]));
    }
}
