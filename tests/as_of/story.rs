//! Stories of a few devices at two sites, heard by three agents: stretches, counters and errors on time and late, claims,
//! voids, orders, maintenance, moves, retirements, new calendars, contracts and statements issued under them.

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::contract::{
    BasisPoints, ClockStart, ClockStop, Contract, ContractHours, Exclusion, IssuedStatement, PeriodLength, Pin,
};
use medfleet_domain::fact::{Amendment, Body, DeviceError, Run, Sample, Severity, Stretch};
use medfleet_domain::fleet::{BaseHours, Calendar, Site};
use medfleet_domain::human::{
    Asserted, Claimed, Move, OrderClass, OrderPhase, Party, Phase, PmDone, PmOutcome, Registration, Retirement,
};
use medfleet_domain::id::{AgentId, DeviceId, Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Span, Timestamp};

use super::install::Writer;

pub const QUARTER: i64 = 15 * 60 * 1_000_000;
const MINUTE: i64 = 60_000_000;
/// Two days before New York changes to summer time.
pub const BEGIN: Timestamp = Day::from_civil(2026, 3, 6).start();
pub const DAYS: i64 = 9;
/// A story with long silences.
pub const SPARSE_DAYS: i64 = 70;
const SPARSE_PAUSE: i64 = 12 * 60;
pub const DEVICES: i64 = 7; // nobody ever registers the last of them
/// Records between two flushes, on average.
const FLUSH_EVERY: i64 = 10;
const SITES: [(&str, &str); 2] = [("east", "America/New_York"), ("west", "America/Denver")];
/// Who hears the devices; the last of them may be late as a whole.
pub const AGENTS: [&str; 3] = ["a-0", "a-1", "a-2"];
const KINDS: [DeviceKind; 3] = [DeviceKind::Ct, DeviceKind::Laser, DeviceKind::Ventilator];

/// What of a story had happened before an instant: a stretch only as far as it had come.
/// What is said of sites, and what takes something back, is knowledge.
pub fn happened(told: &[Told], before: Timestamp) -> Vec<Told> {
    let cut = |one: &Told| {
        let mut one = one.clone();
        let [sealed] = &mut one.run.facts[..] else { return Some(one) };
        let mut fact = sealed.fact.clone();
        // What holds from a later day on is not there yet.
        if matches!(&fact.body, Body::ContractDefined(contract) if contract.valid_from > before.day()) {
            return None;
        }
        let is_knowledge = one.run.subject.kind == SubjectKind::Site || matches!(fact.body, Body::Amended(_));
        if fact.at >= before && !is_knowledge {
            return None;
        }
        if let Body::Stretch(stretch) = &mut fact.body {
            stretch.until = stretch.until.min(before);
        }
        *sealed = medfleet_wire::seal(fact);
        Some(one)
    };
    told.iter().filter_map(cut).collect()
}

/// A record, when the log took it, and whether a flush follows.
#[derive(Clone)]
pub struct Told {
    pub run: Run,
    pub appended_at: Timestamp,
    pub flush: bool,
}

pub struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from `low` (included) to `high` (excluded).
    pub const fn within(&mut self, low: i64, high: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + (self.0 >> 1).cast_signed() % (high - low)
    }

    pub const fn one_in(&mut self, sides: i64) -> bool {
        self.within(0, sides) == 0
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        (1..all.len()).rev().for_each(|at| all.swap(at, self.within(0, at as i64 + 1) as usize));
    }
}

struct Device {
    machine: Writer,
    person: Writer,
    told_until: i64,
    /// What its counter says.
    counted: i64,
    retired: bool,
}

/// Ways in which the same facts come: what arrives, in which order and how often.
#[derive(Debug, Clone, Copy)]
pub enum Arrival {
    Shuffled,
    /// Everything twice, and the second time in another order.
    Twice,
    /// One agent is cut off: what it heard comes a month after all else.
    AgentLate,
}

impl Arrival {
    pub const ALL: [Self; 3] = [Self::Shuffled, Self::Twice, Self::AgentLate];
    pub const LATE_MICROS: i64 = 30 * 24 * 60 * MINUTE;

    /// The same story told in another way, `late` being the agent that may be cut off. What is said of sites keeps its place: it has a topic of its own.
    pub fn of(self, told: &[Told], late: &str, seed: u64) -> Vec<Told> {
        let mut chance = Chance::new(seed ^ 0xa11);
        let is_site = |one: &&Told| one.run.subject.kind == SubjectKind::Site;
        let sites: Vec<Told> = told.iter().filter(is_site).cloned().collect();
        let mut devices: Vec<Told> = told.iter().filter(|one| !is_site(one)).cloned().collect();
        match self {
            Self::Shuffled => chance.shuffle(&mut devices),
            Self::Twice => {
                let mut again = devices.clone();
                chance.shuffle(&mut again);
                devices.extend(again);
            }
            Self::AgentLate => {
                let is_late = |one: &Told| one.run.agent.as_ref().is_some_and(|agent| agent.as_str() == late);
                devices.sort_by_key(is_late);
                let late = devices.iter_mut().filter(|one| is_late(one));
                late.for_each(|one| one.appended_at = one.appended_at.plus_micros(Self::LATE_MICROS));
            }
        }
        let mut all: Vec<Told> = sites.into_iter().chain(devices).collect();
        // The log takes what comes at the time it comes.
        let mut newest = all[0].appended_at;
        for one in &mut all {
            newest = newest.max(one.appended_at);
            one.appended_at = newest;
        }
        all
    }
}

pub struct Story {
    days: i64,
    /// Minutes between two records, at most.
    pause: i64,
    chance: Chance,
    devices: Vec<Device>,
    told: Vec<Told>,
    /// Epochs of sites' writers: each statement has its own.
    statements: u64,
}

impl Story {
    pub fn new(seed: u64) -> Self {
        let chance = Chance::new(seed ^ 0x5bd1);
        Self { days: DAYS, pause: 90, chance, devices: Vec::new(), told: Vec::new(), statements: 0 }
    }

    /// Devices of which nothing is heard for weeks.
    pub fn sparse(seed: u64) -> Self {
        Self { days: SPARSE_DAYS, pause: SPARSE_PAUSE, ..Self::new(seed) }
    }

    pub fn tell(mut self) -> Vec<Told> {
        let mut now = BEGIN.0 - 24 * 60 * MINUTE;
        for site in 0..SITES.len() {
            let (name, zone) = SITES[site];
            let defined = Site { title: name.into(), time_zone: zone.into(), region: String::new(), demo: true };
            self.say(site, vec![Body::SiteDefined(defined), self_calendar(None, BEGIN.day(), 8, 17)], now);
            let contract = self.contract(BEGIN.day());
            self.say(site, vec![contract], now);
        }
        for number in 0..DEVICES {
            self.register(number, number as usize % 2, KINDS[number as usize % 3], now);
            now += MINUTE;
        }
        let end = BEGIN.0 + self.days * 24 * 60 * MINUTE;
        while now < end {
            now += self.chance.within(0, self.pause) * MINUTE;
            match self.chance.within(0, 48) {
                0 => self.new_calendar(now),
                1 => self.moved_or_retired(now),
                2 | 3 => self.voided(now),
                4..=8 => self.claimed(now),
                9..=12 => self.worked(now),
                13..=18 => self.counted(now),
                19 => self.erred(now),
                20 => self.issued(now),
                21 => self.new_contract(now),
                _ => self.stretch(now),
            }
        }
        self.told
    }

    fn append(&mut self, run: Run, now: i64) {
        let flush = self.chance.one_in(FLUSH_EVERY);
        self.told.push(Told { run, appended_at: Timestamp(now), flush });
    }

    fn say(&mut self, site: usize, bodies: Vec<Body>, now: i64) {
        let id = SiteId::new(SITES[site].0).unwrap();
        let mut writer = Writer::new(Subject::site(&id), id, DeviceKind::Other, None);
        self.statements += 1;
        writer.epoch = Epoch(self.statements);
        let said = Timestamp(now);
        let run = writer.record(bodies.into_iter().map(|body| (said, body)).collect(), said);
        self.append(run, now);
    }

    fn register(&mut self, number: i64, site: usize, kind: DeviceKind, now: i64) {
        let id = DeviceId::new(&format!("d-{number}")).unwrap();
        let site = SiteId::new(SITES[site].0).unwrap();
        let writer = |agent| Writer::new(Subject::device(&id), site.clone(), kind, agent);
        let machine = writer(Some(AgentId::new(AGENTS[number as usize % AGENTS.len()]).unwrap()));
        let mut device = Device { machine, person: writer(None), told_until: BEGIN.0, counted: 0, retired: false };
        if number + 1 < DEVICES {
            let registered = Body::Registered(Box::new(registration(kind)));
            let run = device.person.record(vec![(Timestamp(now), registered)], Timestamp(now));
            self.append(run, now);
        }
        self.devices.push(device);
    }

    fn some_device(&mut self) -> usize {
        self.chance.within(0, DEVICES) as usize
    }

    /// The next stretch of a device, or one about a time long gone.
    fn stretch(&mut self, now: i64) {
        let at = self.some_device();
        let late = self.chance.one_in(5);
        // What nobody heard stays unknown where little is heard.
        let heard = if self.days == DAYS { 0 } else { now - 2 * 24 * 60 * MINUTE };
        let next = self.devices[at].told_until.max(heard);
        let from = if late { self.chance.within(BEGIN.0, now.max(BEGIN.0 + 1)) } else { next };
        let from = if self.chance.one_in(2) { from } else { from + self.chance.within(0, 40) * MINUTE };
        let length = self.chance.within(1, 900) * MINUTE + self.chance.within(0, 3) * 1_234_567;
        let until = (from + length).min(Timestamp(from).day().end().0).min(now);
        if until <= from {
            return;
        }
        let condition = match self.chance.within(0, 12) {
            0 => Condition::UnscheduledDown,
            1 => Condition::ScheduledDown,
            2 => Condition::Engineering,
            3..=6 => Condition::Productive,
            _ => Condition::Standby,
        };
        let device = &mut self.devices[at];
        device.told_until = device.told_until.max(until);
        let stretch = Stretch { until: Timestamp(until), condition, degradation: Degradation::None };
        let run = device.machine.record(vec![(Timestamp(from), Body::Stretch(stretch))], Timestamp(until));
        self.append(run, now);
    }

    /// What a counter says now, or said hours ago; now and then it begins anew.
    fn counted(&mut self, now: i64) {
        let at = self.some_device();
        let said = if self.chance.one_in(4) { now - self.chance.within(0, 600) * MINUTE } else { now };
        let gained = self.chance.within(0, 90);
        let device = &mut self.devices[at];
        device.counted = if self.chance.one_in(12) { 3 } else { device.counted + gained };
        let (counter, component, unit) = ("exams".into(), String::new(), "1".into());
        let value_milli = device.counted * 1_000;
        let body = Body::Usage(Sample { counter, component, unit, value_milli, modulus_milli: None });
        let run = device.machine.record(vec![(Timestamp(said.max(BEGIN.0)), body)], Timestamp(now));
        self.append(run, now);
    }

    fn erred(&mut self, now: i64) {
        let at = self.some_device();
        let (code, family, component) = ("E-17".into(), "cooling".into(), "tube".into());
        let (cause_domain, text) = Default::default();
        let body = Body::Error(DeviceError { code, family, severity: Severity::Major, component, cause_domain, text });
        let run = self.devices[at].machine.record(vec![(Timestamp(now), body)], Timestamp(now));
        self.append(run, now);
    }

    /// A statement about the days before, as somebody issued it.
    fn issued(&mut self, now: i64) {
        let at = self.some_device();
        let person = &mut self.devices[at].person;
        let day = Timestamp(now).day();
        let (read, figure) = (self.told.len() as i64, self.chance.within(0, 3_600) * 1_000_000);
        let body = IssuedStatement {
            statement: format!("SC-1-{}", person.written()),
            contract: "SC-1".into(),
            period: Span { from: Day(day.0 - 2).start(), until: day.start() },
            cut: read,
            as_of: Timestamp(now - MINUTE),
            pins: vec![Pin { topic: "medfleet.facts.v1".into(), partition: 0, next_offset: read.unsigned_abs() }],
            contract_valid_from: BEGIN.day(),
            contract_recorded_at: Timestamp(BEGIN.0 - 24 * 60 * MINUTE),
            calendar_recorded_at: None,
            base_micros: 2 * 24 * 60 * MINUTE,
            weighted_micros_bp: figure * 10_000,
            unknown_micros: figure / 2,
            conflict_micros_bp: 0,
            author: "p".into(),
        };
        let run = person.record(vec![(Timestamp(now), Body::StatementIssued(Box::new(body)))], Timestamp(now));
        self.append(run, now);
    }

    fn new_contract(&mut self, now: i64) {
        let site = self.chance.within(0, 2) as usize;
        let valid_from = Day(Timestamp(now).day().0 + self.chance.within(-6, 4) as i32);
        let contract = self.contract(valid_from);
        self.say(site, vec![contract], now);
    }

    fn contract(&mut self, valid_from: Day) -> Body {
        Body::ContractDefined(Box::new(Contract {
            number: "SC-1".into(),
            vendor: "v".into(),
            phone: String::new(),
            kind: self.chance.one_in(2).then_some(DeviceKind::Ct),
            devices: Vec::new(),
            valid_from,
            valid_until: None,
            guarantee: BasisPoints(9_000 + self.chance.within(0, 999) as u16),
            period: PeriodLength::Month,
            hours: ContractHours::OfSite,
            minor: BasisPoints(0),
            partial: BasisPoints(5_000),
            severe: BasisPoints(7_500),
            exclusions: vec![Exclusion::Facility, Exclusion::User],
            starts: ClockStart::Onset,
            stops: ClockStop::ReturnedToUse,
        }))
    }

    fn claimed(&mut self, now: i64) {
        let at = self.some_device();
        let from = now - self.chance.within(0, 3_000) * MINUTE / 10;
        let until = self.chance.one_in(2).then(|| Timestamp(from + self.chance.within(5, 2_000) * MINUTE));
        let (claim, until) = match self.chance.within(0, 4) {
            0 => (Claimed::Usable, None),
            1 => (Claimed::Maintenance { planned: None }, until),
            2 => (Claimed::Partial(Degradation::Partial), until),
            _ => (Claimed::Down, until),
        };
        let asserted = Asserted { claim, until, author: "p".into(), reason: "r".into(), order: None };
        self.noted(at, Timestamp(from), Body::Asserted(asserted), now);
    }

    fn noted(&mut self, at: usize, said: Timestamp, body: Body, now: i64) {
        let run = self.devices[at].person.record(vec![(said, body)], Timestamp(now));
        self.append(run, now);
    }

    /// A phase of an order, or a maintenance that was done, told up to a night late. Whoever waits does so for two at once.
    fn worked(&mut self, now: i64) {
        let at = self.some_device();
        let mut said = Timestamp(now - self.chance.within(0, 900) * MINUTE);
        let order = format!("wo-{at}-{}", self.chance.within(0, 4));
        if self.chance.one_in(4) {
            let outcome = if self.chance.one_in(3) { PmOutcome::CouldNotLocate } else { PmOutcome::Completed };
            let order = self.chance.one_in(2).then_some(order);
            let done = PmDone { procedure: "annual".into(), due: Some(said.day()), outcome, order };
            return self.noted(at, said, Body::PmDone(done), now);
        }
        let (phase, bodies) = match self.chance.within(0, 4) {
            0 => (Phase::WaitingStarted, 2),
            1 => (Phase::WaitingEnded, 1),
            _ => (Phase::ALL[self.chance.within(0, Phase::ALL.len() as i64) as usize], 1),
        };
        let class = if self.chance.one_in(4) { OrderClass::Preventive } else { OrderClass::Corrective };
        for _ in 0..bodies {
            let waits = matches!(phase, Phase::WaitingStarted | Phase::WaitingEnded) && !self.chance.one_in(8);
            let waiting_for = waits.then_some(Party::ALL[self.chance.within(0, Party::ALL.len() as i64) as usize]);
            let (cause, text, order) = (String::new(), String::new(), order.clone());
            let body = Body::Order(OrderPhase { order, class, phase, waiting_for, planned: None, cause, text });
            self.noted(at, said, body, now);
            said = Timestamp(said.0 + self.chance.within(0, 90) * MINUTE).min(Timestamp(now));
        }
    }

    fn voided(&mut self, now: i64) {
        let at = self.some_device();
        let device = &mut self.devices[at];
        let by_person = self.chance.one_in(3);
        let (epoch, next) = match by_person {
            true => (device.person.epoch, device.person.written() + 1),
            false => (device.machine.epoch, device.machine.written() + 1),
        };
        // The registration of a person's epoch stays.
        let lowest = if by_person { 2 } else { 1 };
        if next <= lowest {
            return;
        }
        let first = self.chance.within(lowest as i64, next as i64) as u64;
        let last = (first + self.chance.within(0, 3) as u64).min(next - 1);
        let target = SeqRange { epoch, first: Seq(first), last: Seq(last) };
        let amendment = Amendment { target, replacement: None, author: "p".into(), reason: "wrong".into() };
        self.noted(at, Timestamp(now), Body::Amended(Box::new(amendment)), now);
    }

    fn moved_or_retired(&mut self, now: i64) {
        let at = self.some_device();
        let device = &mut self.devices[at];
        let said = Timestamp(now - self.chance.within(0, 600) * MINUTE);
        let body = if self.chance.one_in(3) && !device.retired {
            device.retired = true;
            Body::Retired(Retirement { reason: "old".into() })
        } else {
            let other = SITES.iter().find(|(name, _)| *name != device.machine.site.as_str()).unwrap().0;
            let site = SiteId::new(other).unwrap();
            device.machine.site = site.clone();
            device.person.site = site.clone();
            Body::Moved(Move { site, department: String::new(), room: String::new() })
        };
        self.noted(at, said, body, now);
    }

    fn new_calendar(&mut self, now: i64) {
        let site = self.chance.within(0, 2) as usize;
        let kind = self.chance.one_in(2).then_some(DeviceKind::Laser);
        let from = self.chance.within(0, 12) as u16;
        let until = from + self.chance.within(1, 12) as u16;
        let valid_from = Day(Timestamp(now).day().0 + self.chance.within(-6, 4) as i32);
        self.say(site, vec![self_calendar(kind, valid_from, from, until)], now);
    }
}

fn self_calendar(kind: Option<DeviceKind>, valid_from: Day, from: u16, until: u16) -> Body {
    let hours = |weekday| BaseHours { weekday, from_minute: from * 60, until_minute: until * 60 };
    Body::CalendarDefined(Calendar { kind, valid_from, hours: (1..=7).map(hours).collect() })
}

fn registration(kind: DeviceKind) -> Registration {
    Registration {
        kind,
        make: "M".into(),
        model: "X".into(),
        serial: "1".into(),
        department: String::new(),
        room: String::new(),
        asset_number: None,
        in_service: None,
        acquisition_cost_cents: None,
        end_of_support: None,
        cost_centre: None,
        ownership: None,
    }
}
