//! The roll of a comparison: every device at every site with its time in service, its failures and its hours down. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use medfleet_domain::time::Day;
use medfleet_kpi::Question as Asks;
use medfleet_kpi::comparison::{Interned, Member, Roll, Seen, age_band, make_model};

use super::super::answer::{Days, Question};
use super::super::book::Book;
use super::super::entry::{CONDITIONS, Entry, TOLD};
use super::super::service::{How, Served as InService};
use super::around::Then;
use super::failures::Asked;
use super::{Outages, Version, Why, day_of};

/// Entries of days that were read.
pub type Read<'a> = [(Day, Arc<Vec<Entry>>)];

/// Of an earlier state so many days may have to be read entry by entry.
const UNSETTLED_DAYS_MAX: i32 = 14;

/// A device in service at one site.
struct Served {
    micros: i64,
    make_model: u32,
    since: Option<Day>,
}

impl Book {
    /// Days whose entries are needed beside those of the period: of an earlier state, those that were not over then. None:
    /// too many.
    pub fn unsettled(&self, question: &Question<'_>, asked: &Asks) -> Option<Vec<Day>> {
        let Some(known) = question.known else { return Some(Vec::new()) };
        let last = self.told_until.day().0.min(day_of(asked.now.0) + 1);
        let days = (0..=UNSETTLED_DAYS_MAX).map(|back| Day(last - back));
        let days: Vec<Day> = days.take_while(|day| !self.settled(*day, known)).collect();
        (days.len() <= UNSETTLED_DAYS_MAX as usize).then_some(days)
    }

    /// Everybody who is compared; None where the tables must be asked.
    pub fn roll(&self, question: &Question<'_>, days: &Days, read: &Read<'_>, asks: &Asks) -> Option<Roll> {
        let earlier_is_lost = question.known.is_some() && !self.crowded.is_empty();
        if self.outages.given_up || earlier_is_lost {
            return None;
        }
        let kind = Some(asks.scope.kind.as_str()).filter(|kind| !kind.is_empty());
        let asked = Asked { from: asks.from.0, until: asks.until.0, now: asks.now.0, known: question.known, kind };
        let then = self.then(&asked, read);
        let failures = self.outages.failures(self, &asked, &then);
        let in_service = self.services.served(&self.names, question);
        let down = self.outages.down(self.names.seats.len(), &asked, &in_service);
        let mut roll = Maker::new(self, &asked);
        let (mut served, mut strangers) = (Vec::new(), Vec::new());
        // Seats lie beside each other as devices do, and not in the order in which they are shown.
        let mut serve = |seat| self.outages.served(seat, &asked, &mut roll.make_models);
        let all = 0..self.names.seats.len() as u32;
        let mut of_seat: Vec<Option<Served>> =
            all.map(|seat| if asked.is_about(self, seat) { serve(seat) } else { None }).collect();
        for seat in roll.seats(&asked) {
            match of_seat[seat as usize].take() {
                Some(of) => served.push((seat, Some(of))),
                // One that is known to the inventory was elsewhere then, or not in service.
                None if in_service.how(seat) == How::Unregistered => {
                    strangers.push(seat);
                    served.push((seat, None));
                }
                None => {}
            }
        }
        let heard = self.heard_of(&strangers, question, days, read);
        let mut unknown = self.outages.unknown(&asked);
        for claim in self.told_apart(question, days, &[]).filter(|claim| !claim.what.is_known()) {
            *unknown.entry(claim.seat).or_default() += i64::from(claim.weight) * (claim.until - claim.from);
        }
        for (seat, of) in served {
            let told = heard.get(&seat).map(|told| &told[..CONDITIONS]);
            let is_heard = || told.is_some_and(|told| told.iter().any(|sum| *sum != 0));
            let while_heard = || told.map_or(0, |told| told.iter().sum());
            if of.is_some() || is_heard() || unknown.get(&seat).is_some_and(|micros| *micros != 0) {
                let of = of.unwrap_or_else(|| roll.stranger(while_heard()));
                roll.add(seat, of, failures[seat as usize], down[seat as usize], asks);
            }
        }
        Some(roll.done(&self.known_by_site(question, &in_service, days, read, &asked)?))
    }

    fn then(&self, asked: &Asked<'_>, read: &Read<'_>) -> Then {
        let Some(known) = asked.known else { return Then::default() };
        let may = self.outages.may_have_failed(asked);
        let is_asked = |seat: u32| may.get(seat as usize).copied().unwrap_or(false);
        let late = self.late.values().flatten();
        Then::of(known, late, read.iter().map(|(day, entries)| (day.0, entries.as_slice())), is_asked, asked.now)
    }

    /// By seat, what was told in the period of devices that were not in service there.
    fn heard_of(
        &self,
        seats: &[u32],
        question: &Question<'_>,
        days: &Days,
        read: &Read<'_>,
    ) -> HashMap<u32, [i64; TOLD]> {
        let mut told: HashMap<u32, [i64; TOLD]> = HashMap::new();
        if seats.is_empty() {
            return told;
        }
        let stretches: Vec<_> = self.whole_days(days).collect();
        for seat in seats {
            let mut sums = Default::default();
            if let Some(of) = self.seats.get(*seat as usize) {
                stretches.iter().for_each(|days| of.add_range(days.start, days.end, &mut sums));
            }
            let mut first = [0; TOLD];
            first.copy_from_slice(&sums[..TOLD]);
            told.insert(*seat, first);
        }
        let mut add = |entry: &Entry, sign| {
            if let Some(sums) = told.get_mut(&entry.seat) {
                entry.add_to(sums, sign, &[]);
            }
        };
        self.unknown_late(question, days).for_each(|entry| add(entry, -1));
        self.told_apart(question, days, read).for_each(|entry| add(&entry, 1));
        told
    }

    /// Entries of days that are not added up as wholes, and claims, as far as they are known and lie in the period.
    fn told_apart<'a>(
        &'a self,
        question: &'a Question<'_>,
        days: &'a Days,
        read: &'a Read<'_>,
    ) -> impl Iterator<Item = Entry> + 'a {
        let of_days = read.iter().filter(|(day, _)| days.read.contains(day)).flat_map(|(_, entries)| entries.iter());
        let told_then = |entry: &&Entry| question.known.is_none_or(|known| known.holds(entry.cause));
        let (from, until) = (question.period.from.0, question.period.until.0);
        of_days.chain(&self.claims).filter(told_then).filter_map(move |entry| entry.clip(from, until))
    }

    /// Microseconds in which a condition is known, and devices of which something is, by site.
    fn known_by_site(
        &self,
        question: &Question<'_>,
        served: &InService,
        days: &Days,
        read: &Read<'_>,
        asked: &Asked<'_>,
    ) -> Option<HashMap<String, (i64, i64)>> {
        let of_period = read.iter().filter(|(day, _)| days.read.contains(day)).flat_map(|(_, entries)| entries.iter());
        let rows = self.answer_of(question, served, days, of_period)?;
        let mut known: HashMap<String, (i64, i64)> = HashMap::new();
        for row in rows.into_iter().filter(|row| asked.kind.is_none_or(|kind| kind == row.kind)) {
            let (micros, monitored) = known.entry(row.site).or_default();
            *micros += row.measure.known();
            *monitored += row.measure.monitored;
        }
        Some(known)
    }
}

impl Outages {
    /// Time in service in a seat within the period; None: none of it.
    fn served(&self, seat: u32, asked: &Asked<'_>, make_models: &mut Interned) -> Option<Served> {
        let versions = self.versions.of(*self.of_seat.get(seat as usize)?);
        let counts = |version: &&Version| {
            version.seat == seat
                && version.in_service
                && asked.knows(version.cause)
                && version.from < asked.until
                && version.until > asked.from
        };
        let mut of = versions.iter().filter(counts);
        let (first, second) = (of.next()?, of.next());
        let micros = |version: &Version| version.until.min(asked.until) - version.from.max(asked.from);
        if second.is_none() {
            let served = Served { micros: micros(first), make_model: first.make_model, since: first.since };
            return (first.weight > 0).then_some(served);
        }
        let mut weights: BTreeMap<_, (i64, &Version)> = BTreeMap::new();
        for one in versions.iter().filter(counts) {
            let identity = (one.from, one.until, one.make, one.model, one.since);
            weights.entry(identity).or_insert((0, one)).0 += i64::from(one.weight);
        }
        let stand: Vec<(i64, &Version)> = weights.into_values().filter(|(weight, _)| *weight > 0).collect();
        let word = |number: Option<u32>| number.map(|number| &*self.words.names[number as usize]);
        let make = stand.iter().filter_map(|(_, one)| word(one.make)).max();
        let model = stand.iter().filter_map(|(_, one)| word(one.model)).max();
        (!stand.is_empty()).then(|| Served {
            micros: stand.iter().map(|(weight, one)| weight * micros(one)).sum(),
            make_model: make_models.number(&make_model(make, model)),
            since: stand.iter().filter_map(|(_, one)| one.since).min(),
        })
    }

    /// By seat, microseconds of unscheduled down in the period while it was in service.
    fn down(&self, seats: usize, asked: &Asked<'_>, served: &InService) -> Vec<i64> {
        let mut sums = vec![0; seats];
        let mut add = |seat: u32, weight: i64, from: i64, until: i64| {
            served.each_span(seat, from, until, |from, until| sums[seat as usize] += weight * (until - from));
        };
        self.each(asked, |why| why != Why::Unknown, &mut add);
        sums
    }

    /// By seat, microseconds of which a row says that they are unknown.
    fn unknown(&self, asked: &Asked<'_>) -> HashMap<u32, i64> {
        let mut sums = HashMap::new();
        self.each(asked, |why| why == Why::Unknown, &mut |seat, weight, from, until| {
            *sums.entry(seat).or_default() += weight * (until - from);
        });
        sums
    }

    fn each(&self, asked: &Asked<'_>, counts: impl Fn(Why) -> bool, add: &mut impl FnMut(u32, i64, i64, i64)) {
        for down in self.downs.all().filter(|down| counts(down.why) && asked.knows(down.cause)) {
            let end = if down.why == Why::Claimed { asked.until.min(asked.now) } else { asked.until };
            let (from, until) = (down.from.max(asked.from), down.until.min(end));
            if from < until {
                add(down.seat, i64::from(down.weight), from, until);
            }
        }
    }
}

/// A roll while it is written.
struct Maker<'a> {
    book: &'a Book,
    /// By track: place of its site and number of its kind.
    tracks: Vec<(u32, u32)>,
    make_models: Interned,
    roll: Roll,
}

impl<'a> Maker<'a> {
    fn new(book: &'a Book, asked: &Asked<'_>) -> Self {
        let mut sites: Vec<Arc<str>> = book.names.tracks.iter().map(|track| Arc::clone(&track.site)).collect();
        sites.sort_unstable();
        sites.dedup();
        let mut kinds = Interned::default();
        let place = |site: &Arc<str>| sites.binary_search(site).unwrap_or(0) as u32;
        let tracks = book.names.tracks.iter().map(|track| (place(&track.site), kinds.number(&track.kind))).collect();
        let members = Vec::with_capacity(if asked.kind.is_none() { book.names.seats.len() } else { 0 });
        let seen = vec![Seen::default(); sites.len()];
        let roll = Roll { sites, kinds: kinds.names, make_models: Vec::new(), members, seen };
        Self { book, tracks, make_models: book.outages.make_models.clone(), roll }
    }

    /// Seats of what is asked about, by site, kind and device.
    fn seats(&self, asked: &Asked<'_>) -> Vec<u32> {
        self.book.order.iter().copied().filter(|seat| asked.is_about(self.book, *seat)).collect()
    }

    /// A device that nobody registered: it was in service while it was heard.
    fn stranger(&mut self, micros: i64) -> Served {
        Served { micros, make_model: self.make_models.number(""), since: None }
    }

    fn add(&mut self, seat: u32, of: Served, failures: u64, down_micros: i64, asks: &Asks) {
        let named = &self.book.names.seats[seat as usize];
        let (site, kind) = self.tracks[named.track as usize];
        self.roll.seen[site as usize].in_service += of.micros;
        self.roll.members.push(Member {
            device: Arc::clone(&named.device),
            site,
            kind,
            make_model: of.make_model,
            age_band: age_band(of.since, asks),
            in_service_micros: of.micros,
            failures,
            unscheduled_down_micros: down_micros,
        });
    }

    fn done(mut self, known: &HashMap<String, (i64, i64)>) -> Roll {
        for (site, seen) in self.roll.sites.iter().zip(&mut self.roll.seen) {
            (seen.known, seen.monitored) = known.get(&**site).copied().unwrap_or_default();
        }
        self.roll.make_models = self.make_models.names;
        self.roll
    }
}
