//! The day fold: the intervals of one UTC day as a pure function of its stretches, the claims over it and the edge.

use crate::claim::{Claim, Claims, Force};
use crate::condition::{Condition, Degradation, SourceKind};
use crate::entry::{IntervalRow, Reason};
use crate::id::SiteId;
use crate::kind::DeviceKind;
use crate::time::{Span, Timestamp};

/// A stretch that counts: not suspect, not voided, corrected where it was.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    pub span: Span,
    pub condition: Condition,
    pub degradation: Degradation,
    pub source: SourceKind,
    pub site: &'a SiteId,
    pub kind: DeviceKind,
}

/// Telemetry's word on one segment, once precedence is settled.
struct Heard<'a> {
    condition: Condition,
    degradation: Degradation,
    source: SourceKind,
    site: &'a SiteId,
    kind: DeviceKind,
}

/// The rows within `bounds`, a day or a part that [`near`] gives, cut at every edge of every covering stretch and claim,
/// never merged.
pub fn intervals<'a>(
    bounds: Span,
    observed: impl IntoIterator<Item = Observed<'a>>,
    claims: &Claims,
    edge: Timestamp,
) -> Vec<IntervalRow> {
    let clipped = |one: Observed<'a>| one.span.clip(bounds).map(|span| Observed { span, ..one });
    let mut stretches: Vec<_> = observed.into_iter().filter_map(clipped).collect();
    stretches.sort_unstable_by_key(|one| one.span);
    let cuts = cuts(bounds, &stretches, claims, edge);
    let mut rows = Vec::with_capacity(stretches.len());
    let mut waiting = stretches.iter().copied().peekable();
    let mut covering: Vec<Observed<'_>> = Vec::new();
    for pair in cuts.windows(2) {
        let segment = Span { from: pair[0], until: pair[1] };
        covering.retain(|one| one.span.until > segment.from);
        while let Some(next) = waiting.next_if(|one| one.span.from <= segment.from) {
            covering.push(next);
        }
        let claim = if segment.from < edge { claims.at(segment.from) } else { None };
        rows.extend(judge(segment, hear(&covering), claim));
    }
    rows
}

/// The part of a day whose rows one more stretch may change: up to the cuts next to it. `edges` are those of all stretches
/// before it, in order. Only where nothing is claimed.
pub fn near(span: Span, edges: &[Timestamp]) -> Span {
    let bounds = span.from.day().span();
    let before = edges[..edges.partition_point(|edge| *edge <= span.from)].last();
    let after = edges.get(edges.partition_point(|edge| *edge < span.until));
    Span {
        from: before.map_or(bounds.from, |edge| bounds.from.max(*edge)),
        until: after.map_or(bounds.until, |edge| bounds.until.min(*edge)),
    }
}

fn cuts(bounds: Span, stretches: &[Observed<'_>], claims: &Claims, edge: Timestamp) -> Vec<Timestamp> {
    let mut cuts: Vec<Timestamp> = stretches.iter().flat_map(|one| [one.span.from, one.span.until]).collect();
    if !claims.is_empty() {
        let inside = |at: &Timestamp| bounds.from < *at && *at < bounds.until;
        cuts.extend(claims.edges().filter(inside));
        cuts.extend([bounds.from, bounds.until, edge.clamp(bounds.from, bounds.until)]);
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// Settles precedence: the strongest kind of source speaks; within it up against down is a contradiction.
fn hear<'a>(covering: &[Observed<'a>]) -> Option<Heard<'a>> {
    let source = covering.iter().map(|one| one.source).max()?;
    let voices = || covering.iter().filter(move |one| one.source == source);
    let (mut up, mut down) = (None, None);
    for voice in voices() {
        let side = if voice.condition.is_up() { &mut up } else { &mut down };
        *side = (*side).max(Some(voice.condition));
    }
    let condition = match (up, down) {
        (Some(_), Some(_)) => Condition::Unknown,
        (up, down) => up.or(down)?,
    };
    let degradation = voices().map(|one| one.degradation).max()?;
    let (site, kind) = voices().map(|one| (one.site, one.kind)).min()?;
    Some(Heard { condition, degradation, source, site, kind })
}

/// One segment's row, or none where nothing was heard and nothing is claimed.
fn judge(span: Span, heard: Option<Heard<'_>>, claim: Option<(Force, &Claim)>) -> Option<IntervalRow> {
    let Some((force, claim)) = claim else { return heard.map(|heard| reported(span, &heard)) };
    let claimed = |condition, reason, conflict| IntervalRow {
        span,
        site: claim.site.clone(),
        kind: claim.kind,
        condition,
        degradation: Degradation::None,
        reason,
        source: SourceKind::Person,
        asserted: true,
        conflict,
        author: claim.author.clone(),
    };
    let seen = |test: fn(Condition) -> bool| {
        heard.as_ref().is_some_and(|heard| heard.source != SourceKind::Assumed && test(heard.condition))
    };
    let in_use = |condition| condition == Condition::Productive;
    Some(match force {
        Force::Down => claimed(Condition::UnscheduledDown, Reason::Claimed, seen(Condition::is_up)),
        Force::Overrun => claimed(Condition::UnscheduledDown, Reason::MaintenanceOverrun, seen(in_use)),
        Force::Maintenance => claimed(Condition::ScheduledDown, Reason::Claimed, seen(in_use)),
        Force::Partial(class) => match &heard {
            None => IntervalRow { degradation: class, ..claimed(Condition::Unknown, Reason::PartialInSilence, false) },
            Some(heard) if heard.condition.is_down() => reported(span, heard),
            Some(heard) => {
                let row = reported(span, heard);
                let degradation = heard.degradation.max(class);
                IntervalRow { degradation, asserted: true, author: claim.author.clone(), ..row }
            }
        },
    })
}

fn reported(span: Span, heard: &Heard<'_>) -> IntervalRow {
    let contradicted = heard.condition == Condition::Unknown;
    IntervalRow {
        span,
        site: heard.site.clone(),
        kind: heard.kind,
        condition: heard.condition,
        degradation: heard.degradation,
        reason: if contradicted { Reason::Contradiction } else { Reason::Reported },
        source: heard.source,
        asserted: false,
        conflict: false,
        author: String::new(),
    }
}
