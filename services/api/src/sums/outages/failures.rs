//! Failures of every device that began in a period, as they were known.

use std::collections::BTreeMap;

use medfleet_kpi::ask::EpisodeClass;
use medfleet_kpi::episodes::{Down as Stood, Episode, Order, episodes};

use super::super::book::Book;
use super::super::causes::{CauseKey, Known};
use super::around::{Around, Then};
use super::{Device, Down, Outages, Phase, Step, Why};

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

    fn within(&self, at: i64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

impl Device {
    /// Whether an episode may begin in the period: one of its downs or orders does, or a time of service.
    fn may_fail(&self, asked: &Asked<'_>) -> bool {
        self.downs.iter().any(|down| asked.within(down.from))
            || self.phases.iter().any(|phase| asked.within(phase.at))
            || (!self.downs.is_empty() && self.versions.iter().any(|version| asked.within(version.from)))
    }

    /// Its times in service, wherever it was.
    fn service(&self, asked: &Asked<'_>) -> Vec<(i64, i64)> {
        let mut weights: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for version in self.versions.iter().filter(|version| version.in_service && asked.knows(version.cause)) {
            *weights.entry((version.from, version.until)).or_default() += i64::from(version.weight);
        }
        weights.into_iter().filter(|(_, weight)| *weight > 0).map(|(span, _)| span).collect()
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
        let may: Vec<bool> = self.devices.iter().map(|device| device.may_fail(asked)).collect();
        self.of_seat.iter().map(|number| may[*number as usize]).collect()
    }

    /// By seat, how many failures began. A device that was of two kinds at a site had them as both.
    pub fn failures(&self, book: &Book, asked: &Asked<'_>, then: &Then) -> Vec<u64> {
        let mut counts = vec![0; book.names.seats.len()];
        let site = |seat: u32| &*book.names.tracks[book.names.seats[seat as usize].track as usize].site;
        for device in self.devices.iter().filter(|device| device.may_fail(asked)) {
            let around = Around { book, device, known: asked.known.map(|known| (known, then)) };
            let service = device.service(asked);
            let found = of_device(book, device, asked, &around, &service);
            let serves = |at: i64| service.iter().any(|(from, until)| (*from..*until).contains(&at));
            let nobodys = !device.is_registered(asked);
            let failed = found.iter().filter(|one| one.class == EpisodeClass::Failure && asked.within(one.onset));
            let failed = failed.filter(|one| nobodys || serves(one.onset));
            for one in failed {
                let here = device.seats.iter().filter(|seat| site(**seat) == one.site);
                here.for_each(|seat| counts[*seat as usize] += 1);
            }
        }
        counts
    }
}

fn of_device<'a>(
    book: &'a Book,
    device: &'a Device,
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
fn registered(book: &Book, device: &Device, asked: &Asked<'_>) -> bool {
    let is_kind = |seat| asked.kind.is_none_or(|kind| kind == kind_of(book, seat));
    device.versions.iter().any(|version| asked.knows(version.cause) && is_kind(version.seat))
}

/// The downs that stand, while it was in service.
fn stood<'a>(book: &'a Book, device: &Device, asked: &Asked<'_>, service: &[(i64, i64)]) -> Vec<Stood<'a>> {
    let mut weights: BTreeMap<(i64, i64, Why, u32), i64> = BTreeMap::new();
    let counts = |down: &&Down| {
        asked.knows(down.cause)
            && match down.why {
                Why::Failed { .. } => true,
                Why::Claimed => down.from < asked.now,
                Why::Overrun | Why::Unknown => false,
            }
    };
    for down in device.downs.iter().filter(counts) {
        *weights.entry((down.from, down.until, down.why, down.seat)).or_default() += i64::from(down.weight);
    }
    let stood = weights.into_iter().filter(|(_, weight)| *weight > 0);
    let served = stood.flat_map(|((from, until, why, seat), _)| {
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
fn orders<'a>(book: &'a Book, device: &'a Device, asked: &Asked<'_>) -> Vec<Order<'a>> {
    let counts =
        |phase: &&Phase| asked.knows(phase.cause) && asked.kind.is_none_or(|kind| kind == kind_of(book, phase.seat));
    let mut weights: BTreeMap<(&str, bool, Step, i64, (i64, i64), u32), i64> = BTreeMap::new();
    for one in device.phases.iter().filter(counts) {
        let identity = (&*one.order, one.corrective, one.step, one.at, one.fact, one.seat);
        *weights.entry(identity).or_default() += i64::from(one.weight);
    }
    let mut lives: BTreeMap<&str, Life<'a>> = BTreeMap::new();
    for ((order, corrective, step, at, _, seat), _) in weights.into_iter().filter(|(_, weight)| *weight > 0) {
        let site = site_of(book, seat);
        let new = Life { site, corrective: false, cancelled: false, opened: at, returned: None, closed: None };
        let life = lives.entry(order).or_insert(new);
        life.site = life.site.min(site);
        life.corrective |= corrective;
        life.cancelled |= step == Step::Cancelled;
        life.opened = life.opened.min(at);
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
