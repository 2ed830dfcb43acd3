//! Sets of time as sorted spans that neither touch nor overlap: what calendars, exclusions and service times are.

use crate::time::{Span, Timestamp};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans {
    all: Vec<Span>,
}

impl Spans {
    /// Spans in any order, touching or overlapping.
    pub fn of(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().filter(|span| span.from < span.until).collect();
        spans.sort_unstable();
        let mut all: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match all.last_mut() {
                Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
                _ => all.push(span),
            }
        }
        Self { all }
    }

    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.all.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn micros(&self) -> i64 {
        self.iter().map(Span::micros).sum()
    }

    pub fn contains(&self, at: Timestamp) -> bool {
        let after = self.all.partition_point(|span| span.from <= at);
        after > 0 && at < self.all[after - 1].until
    }

    /// What lies in both.
    pub fn and(&self, other: &Self) -> Self {
        let (mut one, mut two) = (self.all.iter().peekable(), other.all.iter().peekable());
        let mut all = Vec::new();
        while let (Some(&&a), Some(&&b)) = (one.peek(), two.peek()) {
            all.extend(a.clip(b));
            if a.until <= b.until {
                one.next();
            } else {
                two.next();
            }
        }
        Self { all }
    }

    pub fn clip(&self, within: Span) -> Self {
        Self { all: self.iter().filter_map(|span| span.clip(within)).collect() }
    }

    /// What lies in this set and not in the other.
    pub fn without(&self, other: &Self) -> Self {
        let mut all = Vec::new();
        for mut span in self.iter() {
            let first = other.all.partition_point(|hole| hole.until <= span.from);
            for hole in other.all[first..].iter().take_while(|hole| hole.from < span.until) {
                all.extend(Span::new(span.from, hole.from).ok());
                span.from = hole.until;
            }
            all.extend(Span::new(span.from, span.until).ok());
        }
        Self { all }
    }

    /// The first and last instants of every span, in order.
    pub fn edges(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.all.iter().flat_map(|span| [span.from, span.until])
    }
}

impl From<Span> for Spans {
    fn from(span: Span) -> Self {
        Self::of([span])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spans: &[(i64, i64)]) -> Spans {
        Spans::of(spans.iter().map(|&(from, until)| Span { from: Timestamp(from), until: Timestamp(until) }))
    }

    #[test]
    fn touching_spans_become_one_and_empty_ones_vanish() {
        assert_eq!(set(&[(5, 7), (1, 3), (3, 4), (9, 9)]), set(&[(1, 4), (5, 7)]));
        assert_eq!(set(&[(1, 4), (5, 7)]).micros(), 5);
    }

    /// Every set over eight instants against every other: the algebra is that of the instants.
    #[test]
    fn the_algebra_of_spans_is_that_of_the_instants_in_them() {
        let bits = |mask: u32| {
            Spans::of(
                (0..6)
                    .filter(move |at| mask >> at & 1 == 1)
                    .map(|at| Span { from: Timestamp(at), until: Timestamp(at + 1) }),
            )
        };
        for (a, b) in (0..64).flat_map(|a| (0..64).map(move |b| (a, b))) {
            assert_eq!(bits(a).and(&bits(b)), bits(a & b));
            assert_eq!(bits(a).without(&bits(b)), bits(a & !b), "{a:b} without {b:b}");
            assert!((0..6).all(|at| bits(a).contains(Timestamp(at)) == (a >> at & 1 == 1)));
        }
    }
}
