//! Which copies of one fact should stand, and how single facts become runs.

use super::Owed;
use super::copies::{parts, variant};
use super::naming::Tenure;
use super::stream::Told;
use crate::condition::Clock;
use crate::fact::{Body, Fact, Source, Stretch};
use crate::held::Held;
use crate::id::Subject;
use crate::kind::DeviceKind;
use crate::time::{Span, Timestamp};

/// A copy that should stand.
pub struct Wanted {
    pub device: Subject,
    pub kind: DeviceKind,
    pub parts: [Vec<u8>; 4],
    pub fact: Fact,
}

/// What an address says of the device it names. Statements of people and of writers about themselves stay in the place.
pub const fn is_given(body: &Body) -> bool {
    matches!(body, Body::Began { .. } | Body::Stretch(_) | Body::Error(_) | Body::Usage(_))
}

/// The copies of one fact that should stand: a stretch is cut where the name changes, and what is still going on counts
/// for the device only while the address names it.
pub fn wanted(tenures: &[Tenure], told: &Told, held: &Held, altered: bool) -> Vec<Wanted> {
    let copy = |tenure: &Tenure, at: Timestamp, body: Body, altered: bool| {
        let fact = Fact {
            at,
            known_at: held.said_at.max(tenure.known_at),
            known_assumed: told.known_assumed,
            // A suspect fact counts only once somebody has corrected it.
            clock: if told.clock == Clock::Suspect { Clock::Holdover } else { told.clock },
            source: Source { kind: held.source, name: held.source_name.clone() },
            body,
        };
        let parts = parts(tenure.name, held.epoch, &variant(&fact, altered));
        Wanted { device: tenure.device.clone(), kind: tenure.kind, parts, fact }
    };
    let Body::Stretch(stretch) = &held.body else {
        let mut named = tenures.iter().filter(|tenure| tenure.span.contains(held.at));
        let lasts = |tenure: &&Tenure| tenure.is_open() || !matches!(held.body, Body::Began { .. });
        let named = named.next().filter(lasts).filter(|_| is_given(&held.body));
        return named.map(|tenure| copy(tenure, held.at, held.body.clone(), altered)).into_iter().collect();
    };
    let whole = Span { from: held.at, until: stretch.until };
    let pieces = tenures.iter().filter_map(|tenure| Some((tenure, whole.clip(tenure.span)?)));
    let copies = pieces.map(|(tenure, piece)| {
        let body = Body::Stretch(Stretch { until: piece.until, ..stretch.clone() });
        copy(tenure, piece.from, body, altered || piece != whole)
    });
    copies.collect()
}

/// Runs of contiguous seqs out of single facts.
pub fn joined(mut owed: Vec<Owed>) -> Vec<Owed> {
    owed.sort_by(|a, b| (&a.device, a.epoch, a.first_seq).cmp(&(&b.device, b.epoch, b.first_seq)));
    let mut runs: Vec<Owed> = Vec::new();
    for one in owed {
        let follows = |run: &&mut Owed| {
            (&run.device, run.epoch, &run.site, run.kind, &run.agent)
                == (&one.device, one.epoch, &one.site, one.kind, &one.agent)
                && run.first_seq.0 + run.facts.len() as u64 == one.first_seq.0
        };
        match runs.last_mut().filter(follows) {
            Some(run) => run.facts.extend(one.facts),
            None => runs.push(one),
        }
    }
    runs
}
