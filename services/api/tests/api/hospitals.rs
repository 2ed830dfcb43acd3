//! Six made-up hospitals with a week or two of plausible life: rounds of use, nights, failures, silence.

use medfleet_domain::time::Timestamp;
use medfleet_lake::rows::{DeviceRow, ErrorRow, UsageRow};
use medfleet_lake::{Day, UtcMicros};

use super::{DAY, Fleet, HOUR, MINUTE, device, head, office_hours, sign_of_life, site, text, told};

const SITES: [(&str, &str, &str, &str); 6] = [
    ("harbor", "Harbor General", "America/New_York", "Northeast"),
    ("st-anne", "St. Anne Medical Center", "America/New_York", "Northeast"),
    ("lakeside", "Lakeside Hospital", "America/Chicago", "Midwest"),
    ("prairie", "Prairie Regional", "America/Chicago", "Midwest"),
    ("mesa", "Mesa University Hospital", "America/Denver", "Mountain"),
    ("juniper", "Juniper Community", "America/Denver", "Mountain"),
];
/// Kind, letters of its names, how many at the first site, make and model.
const KINDS: [(&str, &str, usize, &str, &str); 15] = [
    ("anesthesia", "an", 4, "Aldous", "Atmos 5"),
    ("ct", "ct", 2, "Helion", "Axial 64"),
    ("defibrillator", "df", 5, "Corvane", "Pulse X"),
    ("fetal_monitor", "fm", 3, "Natus", "Duo"),
    ("infusion_pump", "ip", 12, "Meridian", "Drip 8"),
    ("injector", "in", 1, "Helion", "Flow"),
    ("laser", "la", 1, "Brightline", "CO2-40"),
    ("mri", "mr", 1, "Helion", "Tesla 3"),
    ("patient_monitor", "pm", 10, "Corvane", "Vista"),
    ("sterilizer", "st", 2, "Autark", "Steam 600"),
    ("surgical_robot", "sr", 1, "Fathom", "Arm IV"),
    ("ultrasound", "us", 3, "Sonara", "E9"),
    ("ventilator", "ve", 5, "Aldous", "Breath 2"),
    ("vr_ai", "vr", 1, "Mirror", "Twin"),
    ("xray", "xr", 2, "Helion", "Ray 2"),
];
const DAYS: i64 = 9;

/// A small deterministic source of chance: the sample looks the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

pub fn six_hospitals(now: Timestamp) -> Fleet {
    let mut fleet = Fleet::default();
    let begin = (now.0 - DAYS * DAY).div_euclid(DAY) * DAY;
    for (number, (name, title, zone, region)) in SITES.into_iter().enumerate() {
        fleet.sites.push(site(name, title, zone, region));
        fleet.calendars.extend(office_hours(name));
        // One site's agent is silent for half a day, and one is silent now.
        let agent_seen = if name == "juniper" { now.0 - 50 * MINUTE } else { now.0 - 20_000_000 };
        fleet.heads.push(sign_of_life(&format!("agent-{name}"), name, agent_seen));
        for (kind, letters, most, make, model) in KINDS {
            let count = (most - most * number / 9).max(usize::from(number < 5));
            for index in 1..=count {
                if kind == "laser" && number > 2 {
                    continue;
                }
                let mut of = device(&format!("{name}-{letters}-{index:02}"), name, kind, begin - 900 * DAY);
                of.make = Some(text(make));
                of.model = Some(text(model));
                of.serial = Some(text(&format!("SN-{number}{index:04}")));
                of.department = Some(text("Clinical engineering"));
                of.room = Some(text(&format!("{}.{:02}", number + 1, index * 3)));
                live(&mut fleet, &of, begin, now.0, agent_seen, number, index);
                fleet.devices.push(of);
            }
        }
    }
    fleet
}

/// The life of one device, as it was told.
fn live(fleet: &mut Fleet, of: &DeviceRow, begin: i64, now: i64, seen: i64, number: usize, index: usize) {
    let seed = of
        .device
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut dice = Dice(seed | 1);
    if dice.roll(23) == 0 {
        return; // registered, never heard
    }
    let silent = (begin + 3 * DAY + 2 * HOUR, begin + 3 * DAY + 15 * HOUR);
    let edge = now.div_euclid(HOUR) * HOUR;
    let failing = dice.roll(9) == 0 || number == 3 && index == 1;
    let mut at = begin + dice.roll(50) as i64 * MINUTE;
    let (mut condition, mut from) = ("standby", at);
    while at < now {
        let hour = (at - 6 * HOUR).rem_euclid(DAY) / HOUR;
        let busy = (7..18).contains(&hour);
        let length = (12 + dice.roll(if busy { 50 } else { 300 }) as i64) * MINUTE;
        (condition, from) = (next(&mut dice, busy, failing), at);
        let length = if condition == "unscheduled_down" { length * 5 } else { length };
        let until = at + length;
        let holes = number == 4 && from < silent.1 && until > silent.0 || dice.roll(160) == 0;
        if !holes {
            fleet.intervals.extend(told(of, condition, from, until.min(edge).max(from)));
        }
        if condition == "unscheduled_down" {
            fleet.errors.push(fault(of, from, &mut dice));
        }
        if condition == "productive" && from < edge {
            fleet.usage.push(reading(of, until.min(edge)));
        }
        at = until;
    }
    let mut open = head(of, "live", condition, from, None);
    open.agent = Some(text(&format!("agent-{}", &*of.site)));
    open.edge_at = Some(UtcMicros(edge.min(seen)));
    fleet.heads.push(open);
    if number == 1 && index == 2 {
        let mut claim = head(of, "claim", "unscheduled_down", edge, None);
        claim.author = Some(text("k.moreno"));
        fleet.heads.push(claim);
    }
}

fn next(dice: &mut Dice, busy: bool, failing: bool) -> &'static str {
    match (dice.roll(if failing { 40 } else { 400 }), busy) {
        (0 | 1, _) => "unscheduled_down",
        (2, true) => "scheduled_down",
        (3, true) => "engineering",
        (_, true) if dice.roll(10) < 6 => "productive",
        _ => "standby",
    }
}

fn fault(of: &DeviceRow, at: i64, dice: &mut Dice) -> ErrorRow {
    const FAULTS: [(&str, &str, &str, &str); 4] = [
        ("E-2041", "power", "major", "Supply voltage out of range"),
        ("E-1107", "motion", "minor", "Drive stalled, homed again"),
        ("E-3300", "cooling", "warning", "Inlet temperature high"),
        ("E-0900", "self_test", "critical", "Self test failed at start"),
    ];
    let (code, family, severity, words) = FAULTS[dice.roll(4) as usize];
    ErrorRow {
        device: of.device.clone(),
        site: of.site.clone(),
        kind: of.kind.clone(),
        day: Day(at.div_euclid(DAY) as i32),
        at: UtcMicros(at),
        code: text(code),
        family: Some(text(family)),
        severity: text(severity),
        text: Some(text(words)),
        seq: at,
        weight: 1,
        ..ErrorRow::default()
    }
}

fn reading(of: &DeviceRow, at: i64) -> UsageRow {
    UsageRow {
        device: of.device.clone(),
        site: of.site.clone(),
        kind: of.kind.clone(),
        day: Day(at.div_euclid(DAY) as i32),
        counter: text("procedures"),
        unit: text("procedures"),
        source: text("device"),
        at: UtcMicros(at),
        increment_milli: 1_000,
        step: "counted".into(),
        seq: at,
        weight: 1,
        ..UsageRow::default()
    }
}
