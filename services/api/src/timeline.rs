//! A device's time without holes: what the ledger says, then what is claimed or was last heard beyond its edge, and the
//! silence between. Pure.

use medfleet_domain::time::Timestamp;

use crate::period::Period;
use crate::query::Piece;

/// Who speaks for a piece. The order is who is believed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Ledger,
    /// A person's claim beyond the edge of the ledger.
    Claim,
    /// Last heard, not yet closed: provisional.
    Live,
    /// Nobody: unknown.
    Gap,
}

impl Origin {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Claim => "claim",
            Self::Live => "live",
            Self::Gap => "gap",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "ledger" => Self::Ledger,
            "claim" => Self::Claim,
            "live" => Self::Live,
            _ => Self::Gap,
        }
    }
}

/// The pieces in order of time without overlap, with a piece of origin [`Origin::Gap`] wherever nothing is known.
pub fn without_holes(mut pieces: Vec<Piece>, period: Period) -> Vec<Piece> {
    pieces.sort_by_key(|piece| (piece.origin, piece.from, piece.until));
    let mut placed: Vec<Piece> = Vec::with_capacity(pieces.len() * 2 + 1);
    for piece in pieces {
        let free = free_spans(&placed, piece.from.max(period.from), piece.until.min(period.until));
        placed.extend(free.into_iter().map(|(from, until)| Piece { from, until, ..piece.clone() }));
        placed.sort_by_key(|piece| piece.from);
    }
    let holes = free_spans(&placed, period.from, period.until);
    placed.extend(holes.into_iter().map(|(from, until)| silence(from, until)));
    placed.sort_by_key(|piece| piece.from);
    placed
}

/// What of `from..until` no placed piece covers; `placed` is in order and free of overlap.
fn free_spans(placed: &[Piece], from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut free = Vec::new();
    let mut at = from;
    let first = placed.partition_point(|piece| piece.until <= from);
    for piece in placed[first..].iter().take_while(|piece| piece.from < until) {
        if at < piece.from {
            free.push((at, piece.from));
        }
        at = at.max(piece.until);
    }
    if at < until {
        free.push((at, until));
    }
    free
}

fn silence(from: Timestamp, until: Timestamp) -> Piece {
    Piece {
        origin: Origin::Gap,
        from,
        until,
        condition: "unknown".to_owned(),
        degradation: "none".to_owned(),
        reason: None,
        source_kind: String::new(),
        assumed: false,
        conflict: false,
        claim: false,
        author: None,
    }
}

/// Neighbours that say the same, as one: rows are cut at every hour, which helps no reader.
pub fn merged(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::new();
    for piece in pieces {
        match merged.last_mut() {
            Some(last) if last.until == piece.from && says_the_same(last, &piece) => last.until = piece.until,
            _ => merged.push(piece),
        }
    }
    merged
}

fn says_the_same(one: &Piece, other: &Piece) -> bool {
    let said = |piece: &Piece| Piece { from: Timestamp(0), until: Timestamp(0), ..piece.clone() };
    said(one) == said(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(origin: Origin, condition: &str, from: i64, until: i64) -> Piece {
        let blank = silence(Timestamp(from), Timestamp(until));
        Piece { origin, condition: condition.to_owned(), ..blank }
    }

    fn told(pieces: Vec<Piece>) -> String {
        let period = Period { from: Timestamp(0), until: Timestamp(100) };
        let all = merged(without_holes(pieces, period));
        let word =
            |piece: &Piece| format!("{} {} {}–{}", piece.origin.as_str(), piece.condition, piece.from.0, piece.until.0);
        all.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn silence_is_drawn_and_hours_are_joined() {
        let pieces = vec![
            piece(Origin::Ledger, "standby", 10, 20),
            piece(Origin::Ledger, "standby", 20, 30),
            piece(Origin::Ledger, "productive", 60, 70),
        ];
        assert_eq!(
            told(pieces),
            "gap unknown 0–10, ledger standby 10–30, gap unknown 30–60, ledger productive 60–70, gap unknown 70–100"
        );
    }

    #[test]
    fn a_claim_beyond_the_edge_is_believed_before_what_was_last_heard() {
        let pieces = vec![
            piece(Origin::Live, "standby", 40, 90),
            piece(Origin::Claim, "unscheduled_down", 50, 200),
            piece(Origin::Ledger, "standby", 0, 40),
        ];
        assert_eq!(told(pieces), "ledger standby 0–40, live standby 40–50, claim unscheduled_down 50–100");
    }

    #[test]
    fn a_device_never_heard_is_one_gap() {
        assert_eq!(told(Vec::new()), "gap unknown 0–100");
    }
}
