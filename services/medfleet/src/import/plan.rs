//! An import worked out before its first fact: the sites, lives and rejects of one file under one mapping. Pure.

use medfleet_domain::condition::Clock;
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::fleet::Site;
use medfleet_domain::id::{SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Span, Timestamp};

use super::facts::Life;
use super::mapping::Mapping;
use super::nodes::Nodes;
use super::reader::{self, FileError};
use super::rejects::Rejects;
use super::rows;
use super::runs::{Import, Packer};

/// Facts are told window by window, in each all subjects: tables are cut by day, and a subject told from end to end would
/// leave a small file on each of its days.
const WINDOW_DAYS: i32 = 32;

pub struct Plan<'a> {
    /// Runs that define the sites; they go before all others.
    pub sites: Vec<Run>,
    pub rejects: Rejects,
    lives: Vec<(Life<'a>, Packer)>,
    /// The first day not yet told, and the day after the last.
    next: Day,
    until: Day,
}

impl<'a> Plan<'a> {
    pub fn of(file: &[u8], mapping: &'a Mapping, import: Import) -> Result<Self, FileError> {
        let mut rejects = Rejects::default();
        let mut nodes = Nodes::default();
        reader::read(
            file,
            mapping.delimiter,
            |header| mapping.fits(header),
            |number, row| match row.and_then(|row| rows::read(mapping, &row)) {
                Ok(said) => nodes.take(said, &mut rejects),
                Err(refused) => rejects.refuse(number, &refused),
            },
        )?;
        let defined = std::mem::take(&mut nodes.sites);
        let lives: Vec<(Life<'a>, Packer)> = nodes
            .into_sorted()
            .map(|node| {
                let told = &node.inventory;
                let packer = Packer::new(import, told.subject.clone(), told.site.clone(), told.registration.kind);
                (Life::new(mapping, node, &mut rejects), packer)
            })
            .collect();
        let spans = || lives.iter().filter_map(|(life, _)| life.span());
        let (from, until) = (spans().map(|span| span.from).min(), spans().map(|span| span.until).max());
        let from = from.unwrap_or(mapping.time.record_end);
        let sites = defined.into_iter().flat_map(|(id, site)| define(mapping, import, &id, site, from)).collect();
        let until = until.map_or(from.day(), |until| Timestamp(until.0 - 1).day().next());
        Ok(Self { sites, rejects, lives, next: from.day(), until })
    }

    pub fn subjects(&self) -> usize {
        self.lives.len()
    }

    /// Windows still to be told.
    pub fn windows(&self) -> u64 {
        u64::from((self.until.0 - self.next.0).max(0).unsigned_abs().div_ceil(WINDOW_DAYS.unsigned_abs()))
    }

    /// The runs of the next window, or None after the last.
    pub fn next_window(&mut self) -> Option<Vec<Run>> {
        if self.next >= self.until {
            return None;
        }
        let after = Day(self.next.0 + WINDOW_DAYS);
        let window = Span { from: self.next.start(), until: after.start() };
        self.next = after;
        Some(self.lives.iter_mut().flat_map(|(life, packer)| packer.pack(life.facts(window))).collect())
    }
}

fn define(mapping: &Mapping, import: Import, id: &SiteId, site: Site, at: Timestamp) -> Vec<Run> {
    let source = Source { kind: mapping.source.kind, name: mapping.source.name.clone() };
    let body = Body::SiteDefined(site);
    let fact = Fact { at, known_at: at, known_assumed: true, clock: Clock::Holdover, source, body };
    Packer::new(import, Subject::site(id), id.clone(), DeviceKind::Other).pack(vec![fact])
}
