//! Grows a large lake: a quiet fleet of many devices over many months, told day by day through the fold.
//!
//! A device's day is one record with one stretch (standby all day) or three (a session of use in the day's working hours).
//! On top of that: failures of hours to days, yearly maintenance, dead agents (nothing told), cut links (told one day late,
//! a few up to 30 days), people's claims of downtime and their ends, stretches that are voided later, devices never heard,
//! sites in six time zones, calendars of their own for some kinds, and sites that gain Saturdays half-way.

use std::path::Path;
use std::time::Instant;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::{Amendment, Body, Stretch};
use medfleet_domain::fleet::{BaseHours, Calendar, Site};
use medfleet_domain::human::{Asserted, Claimed};
use medfleet_domain::id::{AgentId, DeviceId, Seq, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};
use medfleet_lake::{Reader, ReaderLimits, checkpoint_if_due, compact_at_rest, schema};

use crate::extras::{self, Failure};
use crate::install::{Install, Writer};

#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub devices: usize,
    pub sites: usize,
    pub days: i32,
}

/// First day told.
pub const FIRST: Day = Day::from_civil(2025, 10, 1);
const ZONES: [&str; 6] = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Phoenix",
    "Pacific/Honolulu",
];
const UPKEEP_DAYS: i32 = 30;
/// Kind, devices in a thousand, days in a hundred on which one is used.
const KINDS: [(DeviceKind, usize, u64); 15] = [
    (DeviceKind::InfusionPump, 380, 20),
    (DeviceKind::PatientMonitor, 230, 25),
    (DeviceKind::Ventilator, 80, 20),
    (DeviceKind::Defibrillator, 80, 5),
    (DeviceKind::Ultrasound, 50, 45),
    (DeviceKind::Anesthesia, 40, 50),
    (DeviceKind::FetalMonitor, 30, 30),
    (DeviceKind::Sterilizer, 25, 60),
    (DeviceKind::Xray, 25, 65),
    (DeviceKind::Injector, 15, 50),
    (DeviceKind::Ct, 12, 70),
    (DeviceKind::Mri, 10, 70),
    (DeviceKind::Laser, 10, 30),
    (DeviceKind::SurgicalRobot, 8, 50),
    (DeviceKind::VrAi, 5, 20),
];

/// A small source of chance that needs no state between days.
pub fn roll(parts: &[u64], sides: u64) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for part in parts {
        hash = (hash ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^= hash >> 29;
    }
    hash % sides
}

struct Device {
    number: u64,
    sites: u64,
    agent: u64,
    machine: Writer,
    person: Writer,
    used_percent: u64,
    /// Hours of UTC that the site's clock is behind, roughly: it only says when sessions begin.
    behind_hours: i64,
    /// Down until this instant.
    down_until: Timestamp,
    claimed_until: Option<Timestamp>,
    last_first_seq: Option<Seq>,
    /// Phases of orders that are still to be told.
    orders: Vec<(Timestamp, Body)>,
    silent: bool,
}

/// A record that a cut link holds back.
struct HeldBack {
    until: Day,
    run: medfleet_domain::fact::Run,
}

/// Grows a lake, or goes on with one of the same size that was left on the way.
pub async fn grow(folder: &Path, size: Size) -> anyhow::Result<()> {
    let mut install = Install::open(folder).await?;
    let mut devices = settle(&mut install, size).await?;
    let mut held_back: Vec<HeldBack> = Vec::new();
    let started = Instant::now();
    for day in (FIRST.0..FIRST.0 + size.days).map(Day) {
        calendars_change(&mut install, size, day)?;
        let late = held_back.extract_if(.., |held| held.until <= day).collect::<Vec<_>>();
        for (index, held) in late.iter().enumerate() {
            install.append(&held.run, day.start().plus_micros(MICROS_PER_HOUR + index as i64))?;
        }
        for device in &mut devices {
            tell(&mut install, device, day, &mut held_back)?;
        }
        if install.is_behind() {
            continue;
        }
        let facts = install.flush(day.end().plus_micros(MICROS_PER_HOUR / 2)).await?;
        let told = day.0 - FIRST.0 + 1;
        // A worker tidies up every minute.
        if told % UPKEEP_DAYS == 0 {
            tidy_up(&install).await?;
        }
        if told % 10 == 0 || told == size.days {
            let seconds = started.elapsed().as_secs();
            println!("{day}: {told} of {} days, {facts} facts, {seconds} s", size.days);
        }
    }
    tidy_up(&install).await
}

/// Sites, calendars and registrations, all told a month before the first day.
async fn settle(install: &mut Install, size: Size) -> anyhow::Result<Vec<Device>> {
    let said = Day(FIRST.0 - 30).start();
    for number in 0..size.sites {
        let site = Site {
            title: format!("Hospital {number:02}"),
            time_zone: ZONES[number % ZONES.len()].to_owned(),
            region: "North".to_owned(),
            demo: true,
        };
        let mut bodies = vec![(said, Body::SiteDefined(site))];
        bodies.push((said, Body::CalendarDefined(calendar(None, FIRST.0 - 60, 1..=5, 8, 17))));
        if number % 2 == 0 {
            for kind in [DeviceKind::Ventilator, DeviceKind::PatientMonitor] {
                bodies.push((said, Body::CalendarDefined(calendar(Some(kind), FIRST.0 - 60, 1..=7, 0, 24))));
            }
        }
        install.append(&site_writer(number)?.record(bodies, said), said)?;
    }
    let mut devices = Vec::with_capacity(size.devices);
    for number in 0..size.devices {
        let mut device = device(number, size.sites)?;
        let registration = extras::registration(device.machine.kind, number);
        let run = device.person.record(vec![(said, Body::Registered(Box::new(registration)))], said);
        install.append(&run, said.plus_micros(MICROS_PER_HOUR))?;
        devices.push(device);
    }
    if !install.is_behind() {
        install.flush(said.plus_micros(2 * MICROS_PER_HOUR)).await?;
    }
    Ok(devices)
}

fn site_name(number: usize) -> anyhow::Result<SiteId> {
    Ok(SiteId::new(&format!("site-{number:02}"))?)
}

fn site_writer(number: usize) -> anyhow::Result<Writer> {
    let site = site_name(number)?;
    Ok(Writer::new(Subject::site(&site), site, DeviceKind::Other, None))
}

fn device(number: usize, sites: usize) -> anyhow::Result<Device> {
    let site = number % sites;
    let mut share = (number / sites * 7) % 1_000;
    let mut found = KINDS[0];
    for kind in KINDS {
        found = kind;
        if share < kind.1 {
            break;
        }
        share -= kind.1;
    }
    // Every site has every kind: the first of a site's devices are one of each.
    let kind = KINDS.get(number / sites).copied().unwrap_or(found);
    let id = DeviceId::new(&format!("d{number:06}"))?;
    let agent = AgentId::new(&format!("agent-{site:02}-{}", number / sites % 10))?;
    Ok(Device {
        number: number as u64,
        sites: sites as u64,
        agent: (site * 10 + number / sites % 10) as u64,
        machine: Writer::new(Subject::device(&id), site_name(site)?, kind.0, Some(agent)),
        person: Writer::new(Subject::device(&id), site_name(site)?, kind.0, None),
        used_percent: kind.2,
        behind_hours: [5, 6, 7, 8, 7, 10][site % ZONES.len()],
        down_until: Timestamp::MIN,
        claimed_until: None,
        last_first_seq: None,
        orders: Vec::new(),
        silent: roll(&[number as u64, 7], 50) == 0,
    })
}

fn calendar(
    kind: Option<DeviceKind>,
    valid_from: i32,
    weekdays: std::ops::RangeInclusive<u8>,
    from: u16,
    until: u16,
) -> Calendar {
    let hours = |weekday| BaseHours { weekday, from_minute: from * 60, until_minute: until * 60 };
    Calendar { kind, valid_from: Day(valid_from), hours: weekdays.map(hours).collect() }
}

/// Every fourth site gains Saturdays half-way, said ten days before.
fn calendars_change(install: &mut Install, size: Size, day: Day) -> anyhow::Result<()> {
    if day.0 != FIRST.0 + size.days / 2 {
        return Ok(());
    }
    for number in (0..size.sites).step_by(4) {
        let mut writer = site_writer(number)?;
        writer.epoch = medfleet_domain::id::Epoch::derived(&[b"saturdays", &number.to_le_bytes()]);
        let calendar = Body::CalendarDefined(calendar(None, day.0 + 10, 1..=6, 8, 17));
        install.append(&writer.record(vec![(day.start(), calendar)], day.start()), day.start())?;
    }
    Ok(())
}

/// One device's day.
fn tell(install: &mut Install, device: &mut Device, day: Day, held_back: &mut Vec<HeldBack>) -> anyhow::Result<()> {
    let number = device.number;
    let chance = |what: u64, sides: u64| roll(&[number, day.0 as u64, what], sides);
    let agent = device.agent;
    let by_agent = |what: u64, sides: u64| roll(&[agent, day.0 as u64, what, 1], sides);
    let appended = day.end().plus_micros(chance(1, 600) as i64 * 1_000_000);
    if !device.silent && by_agent(2, 150) != 0 {
        let (mut bodies, failed) = stretches(device, day);
        bodies.extend(extras::by_machine(number, day, failed));
        let run = device.machine.record(bodies, day.end());
        device.last_first_seq = Some(run.first_seq);
        match by_agent(3, 4_000) {
            0..10 => held_back.push(HeldBack { until: day.next(), run }),
            10 => held_back.push(HeldBack { until: Day(day.0 + 2), run }),
            11..21 if chance(4, 60) == 0 => {
                held_back.push(HeldBack { until: Day(day.0 + 5 + chance(5, 25) as i32), run })
            }
            _ => install.append(&run, appended)?,
        }
        if let Some(failure) = failed {
            device.orders.extend(extras::order(number, failure));
        }
    }
    people(install, device, day, appended)
}

/// The day's conditions, and the failure that began on it.
fn stretches(device: &mut Device, day: Day) -> (Vec<(Timestamp, Body)>, Option<Failure>) {
    let number = device.number;
    let chance = |what: u64, sides: u64| roll(&[number, day.0 as u64, what], sides);
    let mut told: Vec<(Timestamp, Timestamp, Condition)> = Vec::new();
    let mut at = day.start();
    if device.down_until > at {
        let until = device.down_until.min(day.end());
        told.push((at, until, Condition::UnscheduledDown));
        at = until;
    }
    let hour = |hours: i64| day.start().plus_micros(hours * MICROS_PER_HOUR);
    let free = at == day.start();
    let failed = extras::failure(number, device.sites, day).filter(|_| free);
    if let Some(Failure { from, until }) = failed {
        // In the afternoon, for hours or days.
        device.down_until = until;
        let until = until.min(day.end());
        told.push((at, from, Condition::Standby));
        told.push((from, until, Condition::UnscheduledDown));
        at = until;
    } else if free && roll(&[device.number, 13], 365) == day.0 as u64 % 365 {
        told.push((at, hour(14), Condition::Standby));
        told.push((hour(14), hour(16), Condition::ScheduledDown));
        at = hour(16);
    } else if free && chance(14, 100) < device.used_percent {
        let from = hour(device.behind_hours + 8).plus_micros(chance(15, 240) as i64 * 60_000_000);
        let until =
            from.plus_micros((1 + chance(16, 8) as i64) * MICROS_PER_HOUR + chance(17, 3_600) as i64 * 1_000_000);
        told.push((at, from, Condition::Standby));
        told.push((from, until.min(day.end()), Condition::Productive));
        at = until.min(day.end());
    }
    if at < day.end() {
        told.push((at, day.end(), Condition::Standby));
    }
    let body =
        |(from, until, condition)| (from, Body::Stretch(Stretch { until, condition, degradation: Degradation::None }));
    (told.into_iter().map(body).collect(), failed)
}

/// A person claims downtime, ends a claim, or voids a day that was told wrongly.
fn people(install: &mut Install, device: &mut Device, day: Day, appended: Timestamp) -> anyhow::Result<()> {
    let number = device.number;
    let chance = |what: u64, sides: u64| roll(&[number, day.0 as u64, what], sides);
    let asserted =
        |claim| Asserted { claim, until: None, author: "k.moreno".into(), reason: "seen".into(), order: None };
    let at = day.start().plus_micros(15 * MICROS_PER_HOUR);
    let mut said = Vec::new();
    match device.claimed_until {
        Some(until) if until <= at => {
            said.push((at, Body::Asserted(asserted(Claimed::Usable))));
            device.claimed_until = None;
        }
        None if chance(20, 8_000) == 0 => {
            said.push((at, Body::Asserted(asserted(Claimed::Down))));
            device.claimed_until = Some(at.plus_micros((1 + chance(21, 3) as i64) * MICROS_PER_DAY));
        }
        _ => {}
    }
    if let (Some(first), 0) = (device.last_first_seq, chance(22, 20_000)) {
        let target = SeqRange::one(device.machine.epoch, first);
        let amendment =
            Amendment { target, replacement: None, author: "k.moreno".into(), reason: "wrong device".into() };
        said.push((day.end(), Body::Amended(Box::new(amendment))));
    }
    let due = device.orders.extract_if(.., |(at, _)| *at < day.end());
    said.extend(due);
    for one in said {
        let run = device.person.record(vec![one], appended);
        install.append(&run, appended.plus_micros(1))?;
    }
    Ok(())
}

/// What upkeep would have done by now.
async fn tidy_up(install: &Install) -> anyhow::Result<()> {
    // What is merged at once here has gathered for a month.
    let limits = ReaderLimits { memory_mebibytes: 6_144, ..ReaderLimits::default() };
    let reader = Reader::new(install.lake.clone(), limits)?;
    for def in schema::tables() {
        let Some(table) = install.lake.current(def).await? else { continue };
        compact_at_rest(&reader, &table).await?;
        checkpoint_if_due(&table).await?;
    }
    Ok(())
}
