//! A slow fold written from the definitions alone: tick by tick over the days, all facts at hand, nothing remembered.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::entry::{ErrorRow, IntervalRow, NoteRow, Reason, Row, Step, UsageRow};
use medfleet_domain::fact::{Body, Fact, Replacement, Run, Sample};
use medfleet_domain::human::Claimed;
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Span, Timestamp};

use crate::history::{DAYS, TICKS_PER_DAY, tick};

const NOBODY: (Epoch, Seq) = (Epoch(0), Seq(0));

/// One fact with where it was said; nobody else has its id, conflicts included.
#[derive(Clone)]
struct Known {
    id: (Epoch, Seq),
    /// Kept under another epoch because its identity was taken: no amendment means it.
    conflict: bool,
    site: SiteId,
    kind: DeviceKind,
    fact: Fact,
}

/// All rows that these records must have made, each once.
pub fn rows(records: &[Run]) -> BTreeMap<Row, i64> {
    let counting = counting(&known(records));
    let mut sums = BTreeMap::new();
    let mut add = |row: Row| *sums.entry(row).or_default() += 1;
    intervals(&counting).into_iter().for_each(|row| add(Row::Interval(row)));
    increments(&counting).into_iter().for_each(|row| add(Row::Usage(row)));
    for one in &counting {
        if matches!(one.fact.body, Body::Order(_) | Body::PmDone(_)) {
            add(Row::Note(NoteRow {
                at: one.fact.at,
                recorded_at: one.fact.known_at,
                site: one.site.clone(),
                kind: one.kind,
                body: one.fact.body.clone(),
                epoch: one.id.0,
                seq: one.id.1,
            }));
        }
        if let Body::Error(error) = &one.fact.body {
            let (epoch, seq) = one.id;
            add(Row::Error(ErrorRow {
                at: one.fact.at,
                site: one.site.clone(),
                kind: one.kind,
                error: error.clone(),
                epoch,
                seq,
            }));
        }
    }
    sums
}

fn known(records: &[Run]) -> Vec<Known> {
    let mut bytes_seen: BTreeSet<(Epoch, Seq, Vec<u8>)> = BTreeSet::new();
    let mut known: Vec<Known> = Vec::new();
    for run in records {
        for (nth, sealed) in run.facts.iter().enumerate() {
            let id = (run.epoch, Seq(run.first_seq.0 + nth as u64));
            if bytes_seen.insert((id.0, id.1, sealed.bytes.to_vec())) {
                known.push(Known {
                    conflict: known.iter().any(|one| one.id == id),
                    id,
                    site: run.site.clone(),
                    kind: run.kind,
                    fact: sealed.fact.clone(),
                });
            }
        }
    }
    known
}

struct Amends<'a> {
    by: &'a Known,
    target: SeqRange,
    replacement: Option<&'a Replacement>,
    author: &'a str,
    reason: &'a str,
}

fn amends(by: &Known) -> Option<Amends<'_>> {
    match &by.fact.body {
        Body::Amended(one) => Some(Amends {
            by,
            target: one.target,
            replacement: one.replacement.as_ref(),
            author: &one.author,
            reason: &one.reason,
        }),
        Body::ClockStep { suspect: Some(range), .. } => {
            Some(Amends { by, target: *range, replacement: None, author: "", reason: "clock_suspect" })
        }
        _ => None,
    }
}

/// What counts once every amendment is heard: the latest said wins, a voided one says nothing.
fn counting(known: &[Known]) -> Vec<Known> {
    let amendments: Vec<Amends<'_>> = known.iter().filter_map(amends).collect();
    let names = |one: &Amends<'_>, id: (Epoch, Seq)| one.target.contains(id.0, id.1);
    let voided = |one: &Amends<'_>| {
        amendments.iter().any(|void| void.replacement.is_none() && void.by.id != one.by.id && names(void, one.by.id))
    };
    let mut counting = Vec::new();
    for one in known {
        let naming = amendments.iter().filter(|amends| !one.conflict && names(amends, one.id) && !voided(amends));
        let last = naming.max_by_key(|amends| {
            let origin = (&amends.by.site, amends.by.fact.source.kind, &amends.by.fact.source.name);
            (amends.by.fact.known_at, amends.replacement, amends.author, amends.reason, origin)
        });
        match last {
            None if one.fact.clock == Clock::Suspect => {}
            None => counting.push(one.clone()),
            Some(Amends { replacement: None, .. }) => {}
            Some(Amends { by, replacement: Some(new), .. }) => {
                let keeps =
                    matches!(one.fact.body, Body::Asserted(_) | Body::Moved(_) | Body::Returned | Body::Order(_))
                        || one.fact.body.is_daily();
                let told_by = if keeps && one.fact.clock != Clock::Suspect { one } else { by };
                let mut corrected = Known { id: one.id, ..told_by.clone() };
                corrected.fact.known_at = by.fact.known_at;
                corrected.fact.at = new.at;
                corrected.fact.body = new.body.clone();
                counting.push(corrected);
            }
        }
    }
    counting
}

/// A claim, in the order that decides between claims: from, said, then content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    from: Timestamp,
    until: Option<Timestamp>,
    said_at: Timestamp,
    claimed: Claimed,
    author: String,
    site: SiteId,
    kind: DeviceKind,
}

fn claims(counting: &[Known]) -> Vec<Claim> {
    let claims = counting.iter().filter_map(|one| match &one.fact.body {
        Body::Asserted(said) => Some(Claim {
            from: one.fact.at,
            until: said.until,
            said_at: one.fact.known_at,
            claimed: said.claim,
            author: said.author.clone(),
            site: one.site.clone(),
            kind: one.kind,
        }),
        _ => None,
    });
    claims.collect()
}

/// Severity of what a claim does at an instant; nothing for "usable".
fn severity(claim: &Claim, at: Timestamp) -> Option<(u8, Degradation)> {
    match claim.claimed {
        Claimed::Usable => None,
        Claimed::Partial(class) => Some((1, class)),
        Claimed::Maintenance { planned: Some(window) } if window.until <= at => Some((3, Degradation::None)),
        Claimed::Maintenance { .. } => Some((2, Degradation::None)),
        Claimed::Down => Some((4, Degradation::None)),
    }
}

fn last_open(claims: &[Claim], at: Timestamp) -> Option<&Claim> {
    let open = claims.iter().filter(|claim| claim.until.is_none() && claim.from <= at);
    open.max_by_key(|claim| (claim.from, claim.said_at, *claim))
}

fn worst(claims: &[Claim], at: Timestamp) -> Option<((u8, Degradation), &Claim)> {
    let bounded = claims.iter().filter(|claim| claim.from <= at && claim.until.is_some_and(|until| at < until));
    let in_force = bounded.chain(last_open(claims, at));
    in_force.filter_map(|claim| severity(claim, at).map(|severity| (severity, claim))).max()
}

fn intervals(counting: &[Known]) -> Vec<IntervalRow> {
    let claims = claims(counting);
    let stretches: Vec<(Span, &Known)> = counting.iter().filter_map(|one| Some((one.fact.span()?, one))).collect();
    let said = claims.iter().flat_map(|claim| {
        let edges = [Some(claim.from), claim.until].into_iter().flatten();
        edges.filter(|edge| *edge <= claim.said_at)
    });
    let Some(edge) = stretches.iter().map(|(span, _)| span.until).chain(said).max() else {
        return Vec::new();
    };
    let cuts = cuts(&stretches, &claims, edge);
    let mut rows: Vec<IntervalRow> = Vec::new();
    for ticks in 0..(DAYS + 4) * TICKS_PER_DAY {
        let span = Span { from: tick(ticks), until: tick(ticks + 1) };
        let covering: Vec<_> =
            stretches.iter().filter(|(over, _)| over.contains(span.from)).map(|(_, one)| *one).collect();
        let claim = if span.from < edge { worst(&claims, span.from) } else { None };
        let Some(row) = judged(span, &covering, claim) else { continue };
        match rows.last_mut() {
            Some(last) if last.span.until == span.from && !cuts.contains(&span.from) => last.span.until = span.until,
            _ => rows.push(row),
        }
    }
    rows
}

fn cuts(stretches: &[(Span, &Known)], claims: &[Claim], edge: Timestamp) -> BTreeSet<Timestamp> {
    let mut cuts: BTreeSet<Timestamp> = stretches.iter().flat_map(|(span, _)| [span.from, span.until]).collect();
    cuts.extend((0..DAYS + 4).map(|day| tick(day * TICKS_PER_DAY)));
    cuts.insert(edge);
    for claim in claims {
        cuts.insert(claim.from);
        cuts.extend(claim.until);
        if let Claimed::Maintenance { planned: Some(window) } = claim.claimed {
            let just_before = window.until.plus_micros(-1);
            let lasts = |at| match claim.until {
                Some(until) => claim.from <= at && at < until,
                None => last_open(claims, at) == Some(claim),
            };
            if lasts(window.until) && lasts(just_before) {
                cuts.insert(window.until);
            }
        }
    }
    cuts
}

fn judged(span: Span, covering: &[&Known], claim: Option<((u8, Degradation), &Claim)>) -> Option<IntervalRow> {
    let heard = heard(span, covering);
    let Some(((severity, class), claim)) = claim else { return heard };
    let asserted = |condition, reason, conflict, degradation| IntervalRow {
        span,
        site: claim.site.clone(),
        kind: claim.kind,
        condition,
        degradation,
        reason,
        source: SourceKind::Person,
        asserted: true,
        conflict,
        author: claim.author.clone(),
    };
    let observed = heard.clone().filter(|row| row.source != SourceKind::Assumed);
    let up = observed.as_ref().is_some_and(|row| {
        matches!(row.condition, Condition::Productive | Condition::Standby | Condition::Engineering)
    });
    let used = observed.is_some_and(|row| row.condition == Condition::Productive);
    let none = Degradation::None;
    Some(match (severity, heard) {
        (4, _) => asserted(Condition::UnscheduledDown, Reason::Claimed, up, none),
        (3, _) => asserted(Condition::UnscheduledDown, Reason::MaintenanceOverrun, used, none),
        (2, _) => asserted(Condition::ScheduledDown, Reason::Claimed, used, none),
        (_, None) => asserted(Condition::Unknown, Reason::PartialInSilence, false, class),
        (_, Some(row)) if matches!(row.condition, Condition::ScheduledDown | Condition::UnscheduledDown) => row,
        (_, Some(row)) => {
            IntervalRow { degradation: row.degradation.max(class), asserted: true, author: claim.author.clone(), ..row }
        }
    })
}

fn heard(span: Span, covering: &[&Known]) -> Option<IntervalRow> {
    let source = covering.iter().map(|one| one.fact.source.kind).max()?;
    let voices: Vec<_> = covering.iter().filter(|one| one.fact.source.kind == source).collect();
    let says = |one: &&&Known| match &one.fact.body {
        Body::Stretch(stretch) => Some((stretch.condition, stretch.degradation)),
        _ => None,
    };
    let said: Vec<(Condition, Degradation)> = voices.iter().filter_map(says).collect();
    let has = |condition| said.iter().any(|(one, _)| *one == condition);
    let down = has(Condition::UnscheduledDown) || has(Condition::ScheduledDown);
    let up = has(Condition::Productive) || has(Condition::Engineering) || has(Condition::Standby);
    let condition = match (up, down) {
        (true, true) => Condition::Unknown,
        _ if has(Condition::UnscheduledDown) => Condition::UnscheduledDown,
        _ if has(Condition::ScheduledDown) => Condition::ScheduledDown,
        _ if has(Condition::Productive) => Condition::Productive,
        _ if has(Condition::Engineering) => Condition::Engineering,
        _ => Condition::Standby,
    };
    Some(IntervalRow {
        span,
        site: voices.iter().map(|one| one.site.clone()).min()?,
        kind: voices[0].kind,
        condition,
        degradation: said.iter().map(|(_, degradation)| *degradation).max()?,
        reason: if up && down { Reason::Contradiction } else { Reason::Reported },
        source,
        asserted: false,
        conflict: false,
        author: String::new(),
    })
}

fn increments(counting: &[Known]) -> Vec<UsageRow> {
    let mut series: BTreeMap<(&str, &str, &str), BTreeMap<i64, Vec<(&Known, &Sample)>>> = BTreeMap::new();
    for one in counting {
        if let Body::Usage(sample) = &one.fact.body {
            let key = (sample.counter.as_str(), sample.component.as_str(), one.fact.source.name.as_str());
            series.entry(key).or_default().entry(one.fact.at.second()).or_default().push((one, sample));
        }
    }
    let mut rows = Vec::new();
    for (key, seconds) in series {
        let readings: Vec<_> = seconds
            .into_values()
            .filter_map(|said| {
                said.into_iter()
                    .max_by_key(|(one, sample)| (sample.value_milli, one.fact.at, *sample, one.site.clone()))
            })
            .collect();
        for pair in readings.windows(2) {
            let ((_, before), (one, now)) = (pair[0], pair[1]);
            let (increment_milli, step) = gained(before, now);
            rows.push(UsageRow {
                at: one.fact.at,
                site: one.site.clone(),
                kind: one.kind,
                sample: now.clone(),
                source: key.2.into(),
                increment_milli,
                step,
                epoch: NOBODY.0,
                seq: NOBODY.1,
            });
        }
    }
    rows
}

fn gained(before: &Sample, now: &Sample) -> (i64, Step) {
    let gained = now.value_milli - before.value_milli;
    match now.modulus_milli {
        _ if before.unit != now.unit => (0, Step::UnitChanged),
        _ if gained >= 0 => (gained, Step::Counted),
        Some(modulus) if (gained + modulus) * 2 <= modulus && gained + modulus >= 0 => {
            (gained + modulus, Step::Wrapped)
        }
        _ => (now.value_milli, Step::Reset),
    }
}
