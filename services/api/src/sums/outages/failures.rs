//! Failures of every device that began in a period, as they were known.

use std::collections::BTreeMap;

use medfleet_kpi::ask::EpisodeClass;
use medfleet_kpi::episodes::{Down as Stood, Episode, Order, episodes};

use super::super::book::Book;
use super::super::causes::{CauseKey, Known};
use super::super::grouped::stand;
use super::around::{Around, Then};
use super::{Device, Down, Outages, Phase, Step, Version, Why};

/// A period, seen from an instant, of devices of one kind or of all.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub from: i64,
    pub until: i64,
    pub now: i64,
    /// None: all that there is.
    pub known: Option<&'a Known>,
    pub kind: Option<&'a str>,
}

impl Asked<'_> {
    pub fn knows(&self, cause: CauseKey) -> bool {
        self.known.is_none_or(|known| known.holds(cause))
    }

    /// Whether what is asked about may sit there.
    pub fn is_about(&self, book: &Book, seat: u32) -> bool {
        self.kind.is_none_or(|kind| kind == kind_of(book, seat))
    }

    fn within(&self, at: i64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

impl Device<'_> {
    /// Whether an episode may begin in the period: one of its downs or orders does, or a time of service.
    fn may_fail(&self, asked: &Asked<'_>) -> bool {
        self.downs.iter().any(|down| asked.within(down.from))
            || self.phases.iter().any(|phase| asked.within(phase.at))
            || (!self.downs.is_empty() && self.versions.iter().any(|version| asked.within(version.from)))
    }

    /// Its times in service, wherever it was.
    fn service(&self, asked: &Asked<'_>) -> Vec<(i64, i64)> {
        let counts = |version: &&Version| version.in_service && asked.knows(version.cause);
        let span = |version: &Version| ((version.from, version.until), i64::from(version.weight));
        let mut spans = self.versions.iter().filter(counts).map(span).collect();
        stand(&mut spans);
        spans.into_iter().map(|(span, _)| span).collect()
    }

    /// Whether the inventory knows it.
    fn is_registered(&self, asked: &Asked<'_>) -> bool {
        let known = self.versions.iter().filter(|version| asked.knows(version.cause));
        known.map(|version| i64::from(version.weight)).sum::<i64>() > 0
    }
}

impl Outages {
    /// Seats of devices that may have failed.
    pub fn may_have_failed(&self, asked: &Asked<'_>) -> Vec<bool> {
        let may: Vec<bool> = self.devices().map(|device| device.may_fail(asked)).collect();
        self.of_seat.iter().map(|number| may[*number as usize]).collect()
    }

    /// By seat, how many failures began. A device that was of two kinds at a site had them as both.
    pub fn failures(&self, book: &Book, asked: &Asked<'_>, then: &Then) -> Vec<u64> {
        let mut counts = vec![0; book.names.seats.len()];
        let mut count = |onset: i64, seat: u32| counts[seat as usize] += u64::from(asked.within(onset));
        let kept = asked.known.is_none().then(|| self.begun.get_or_init(|| Begun::of(self, book, asked.now)));
        if let Some(begun) = kept.filter(|begun| begun.now == asked.now) {
            begun.within(asked.from, asked.until).iter().for_each(|(onset, seat)| count(*onset, *seat));
            let of_two_kinds = begun.of_two_kinds.iter().map(|number| self.device(*number));
            of_two_kinds.for_each(|device| each_failure(book, device, asked, then, &mut count));
        } else {
            let may = self.devices().filter(|device| device.may_fail(asked));
            may.for_each(|device| each_failure(book, device, asked, then, &mut count));
        }
        counts
    }
}

/// All failures at the newest cut, worked out by the first who asks and the same for all who come after. What is known of a
/// device does not depend on the kind asked about as long as it never was of another.
#[derive(Debug)]
pub struct Begun {
    now: i64,
    /// By onset: that, and the seats that count it.
    failures: Vec<(i64, u32)>,
    of_two_kinds: Vec<u32>,
}

impl Begun {
    fn of(outages: &Outages, book: &Book, now: i64) -> Self {
        let asked = Asked { from: i64::MIN, until: i64::MAX, now, known: None, kind: None };
        let mut begun = Self { now, failures: Vec::new(), of_two_kinds: Vec::new() };
        for (number, device) in (0..).zip(outages.devices()) {
            let kinds = device.seats.iter().map(|seat| kind_of(book, *seat));
            if kinds.clone().min() != kinds.max() {
                begun.of_two_kinds.push(number);
            } else if device.may_fail(&asked) {
                let mut add = |onset, seat| begun.failures.push((onset, seat));
                each_failure(book, device, &asked, &Then::default(), &mut add);
            }
        }
        begun.failures.sort_unstable();
        begun
    }

    fn within(&self, from: i64, until: i64) -> &[(i64, u32)] {
        let at = |end: i64| self.failures.partition_point(|(onset, _)| *onset < end);
        &self.failures[at(from)..at(until).max(at(from))]
    }
}

/// Failures of a device, whenever they began: onset, and each seat at the site where it did.
fn each_failure(book: &Book, device: Device<'_>, asked: &Asked<'_>, then: &Then, each: &mut impl FnMut(i64, u32)) {
    let around = Around { book, device, known: asked.known.map(|known| (known, then)) };
    let service = device.service(asked);
    let serves = |at: i64| service.iter().any(|(from, until)| (*from..*until).contains(&at));
    let nobodys = !device.is_registered(asked);
    let found = of_device(book, device, asked, &around, &service);
    let failed = found.iter().filter(|one| one.class == EpisodeClass::Failure && (nobodys || serves(one.onset)));
    for one in failed {
        let here = device.seats.iter().filter(|seat| site_of(book, **seat) == one.site);
        here.for_each(|seat| each(one.onset, *seat));
    }
}

fn of_device<'a>(
    book: &'a Book,
    device: Device<'a>,
    asked: &Asked<'_>,
    around: &Around<'_>,
    service: &[(i64, i64)],
) -> Vec<Episode<'a>> {
    let mut downs = if registered(book, device, asked) { stood(book, device, asked, service) } else { Vec::new() };
    episodes(&mut downs, &orders(book, device, asked), around, asked.now)
}

fn kind_of(book: &Book, seat: u32) -> &str {
    &book.names.tracks[book.names.seats[seat as usize].track as usize].kind
}

fn site_of(book: &Book, seat: u32) -> &str {
    &book.names.tracks[book.names.seats[seat as usize].track as usize].site
}

/// Whether the device was ever registered as what is asked about.
fn registered(book: &Book, device: Device<'_>, asked: &Asked<'_>) -> bool {
    device.versions.iter().any(|version| asked.knows(version.cause) && asked.is_about(book, version.seat))
}

/// The downs that stand, while it was in service.
fn stood<'a>(book: &'a Book, device: Device<'_>, asked: &Asked<'_>, service: &[(i64, i64)]) -> Vec<Stood<'a>> {
    let counts = |down: &&Down| {
        asked.knows(down.cause)
            && match down.why {
                Why::Failed { .. } => true,
                Why::Claimed => down.from < asked.now,
                Why::Overrun | Why::Unknown => false,
            }
    };
    let row = |down: &Down| ((down.from, down.until, down.why, down.seat), i64::from(down.weight));
    let mut downs = device.downs.iter().filter(counts).map(row).collect();
    stand(&mut downs);
    let served = downs.into_iter().flat_map(|((from, until, why, seat), _)| {
        let until = if why == Why::Claimed { until.min(asked.now) } else { until };
        let parts = service.iter().map(move |(begin, end)| (from.max(*begin), until.min(*end)));
        parts.filter(|(from, until)| from < until).map(move |(from, until)| Stood {
            from,
            until,
            site: site_of(book, seat),
            told: !matches!(why, Why::Failed { told: false }),
        })
    });
    served.collect()
}

/// What the phases of one order say.
struct Life<'a> {
    site: &'a str,
    corrective: bool,
    cancelled: bool,
    opened: i64,
    returned: Option<i64>,
    closed: Option<i64>,
}

/// Corrective orders that stand and were not cancelled.
fn orders<'a>(book: &'a Book, device: Device<'a>, asked: &Asked<'_>) -> Vec<Order<'a>> {
    let counts = |phase: &&Phase| asked.knows(phase.cause) && asked.is_about(book, phase.seat);
    let row =
        |one: &'a Phase| ((&*one.order, one.corrective, one.step, one.at, one.fact, one.seat), i64::from(one.weight));
    let mut phases = device.phases.iter().filter(counts).map(row).collect();
    stand(&mut phases);
    let mut lives: BTreeMap<&str, Life<'a>> = BTreeMap::new();
    for ((order, corrective, step, at, _, seat), _) in phases {
        let site = site_of(book, seat);
        let new = Life { site, corrective: false, cancelled: false, opened: at, returned: None, closed: None };
        let life = lives.entry(order).or_insert(new);
        // Its site is where it was opened.
        (life.opened, life.site) = (life.opened, life.site).min((at, site));
        life.corrective |= corrective;
        life.cancelled |= step == Step::Cancelled;
        let reached = match step {
            Step::Returned => &mut life.returned,
            Step::Closed => &mut life.closed,
            Step::Other | Step::Cancelled => continue,
        };
        *reached = Some(reached.map_or(at, |before| before.min(at)));
    }
    let stand = lives.into_iter().filter(|(_, life)| life.corrective && !life.cancelled);
    stand
        .map(|(name, life)| Order {
            name,
            site: life.site,
            opened: life.opened,
            finished: life.returned.or(life.closed),
        })
        .collect()
}
