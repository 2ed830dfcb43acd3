//! How many facts a second one core folds: plain records past the edge, devices with a claim, and late records.

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Fact, Run, Sample, Sealed, Severity, Source, Stretch};
use medfleet_domain::human::{Asserted, Claimed};
use medfleet_domain::id::{Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::ledger::Ledger;
use medfleet_domain::time::{Day, Timestamp};

const DEVICES: usize = 50_000;
const LATE_DEVICES: usize = 5_000;
const HOURS: u64 = 6;
const FACTS_PER_RUN: u64 = 4;

fn main() {
    let mut fleet: Vec<Ledger> = (0..DEVICES).map(|_| Ledger::default()).collect();
    let hours: Vec<u64> = (0..HOURS).collect();
    let plain = measure(&mut fleet, &hours);
    println!("plain:       {plain:>10.0} facts/s ({DEVICES} devices, {HOURS} hourly runs of {FACTS_PER_RUN})");

    let mut late: Vec<Ledger> = (0..LATE_DEVICES).map(|_| Ledger::default()).collect();
    measure(&mut late, &(0..HOURS).map(|hour| hour * 2).collect::<Vec<_>>());
    let late = measure(&mut late, &(0..HOURS).map(|hour| hour * 2 + 1).rev().collect::<Vec<_>>());
    println!("late:        {late:>10.0} facts/s ({LATE_DEVICES} devices, between hours already folded)");

    let mut claimed: Vec<Ledger> = (0..LATE_DEVICES).map(|_| Ledger::default()).collect();
    for (device, ledger) in claimed.iter_mut().enumerate() {
        admit(ledger, &claim(device));
    }
    let claimed = measure(&mut claimed, &hours);
    println!("with claims: {claimed:>10.0} facts/s ({LATE_DEVICES} devices, one claim each)");
}

/// Seconds this thread has spent on a core: other work on the machine does not blur the figure.
fn core_seconds() -> f64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux kernel with schedstat");
    let nanos = spent.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.expect("schedstat begins with nanoseconds") / 1e9
}

/// Facts a second over all devices; the making of the records is not counted.
fn measure(fleet: &mut [Ledger], hours: &[u64]) -> f64 {
    let mut facts = 0;
    let mut seconds = 0.0;
    for &hour in hours {
        let runs: Vec<Run> = (0..fleet.len()).map(|device| hourly(device, hour)).collect();
        let start = core_seconds();
        for (ledger, run) in fleet.iter_mut().zip(&runs) {
            facts += admit(ledger, run);
        }
        fleet.iter_mut().for_each(Ledger::committed);
        seconds += core_seconds() - start;
    }
    facts as f64 / seconds
}

fn admit(ledger: &mut Ledger, run: &Run) -> usize {
    loop {
        match ledger.admit(run, &[]) {
            Ok(admitted) => {
                assert!(!admitted.entries.is_empty());
                return run.facts.len();
            }
            Err(needs) => {
                assert!(!needs.days.is_empty(), "{needs:?} is not expected here");
                needs.days.into_iter().for_each(|day| ledger.supply_day(day, Vec::new()));
            }
        }
    }
}

fn hourly(device: usize, hour: u64) -> Run {
    let start = Day(20_000).start().plus_seconds(hour as i64 * 3_600);
    let half = start.plus_seconds(1_800);
    let end = start.plus_seconds(3_600);
    let bodies = [
        (start, stretch(Condition::Standby, half)),
        (half, stretch(Condition::Productive, end)),
        (half, error()),
        (end.plus_seconds(-1), sample(hour)),
    ];
    let facts = bodies.into_iter().map(|(at, body)| seal(at, body)).collect();
    run_of(device, Seq(hour * FACTS_PER_RUN + 1), facts)
}

fn claim(device: usize) -> Run {
    let down = Asserted { claim: Claimed::Down, until: None, author: "kim".into(), reason: "tube".into(), order: None };
    let mut run = run_of(device, Seq(1), vec![seal(Day(20_000).start(), Body::Asserted(down))]);
    run.epoch = Epoch(1);
    run
}

fn run_of(device: usize, first_seq: Seq, facts: Vec<Sealed>) -> Run {
    Run {
        subject: Subject::new(SubjectKind::Device, &format!("device-{device}")).expect("a good name"),
        epoch: Epoch(device as u64 + 7),
        first_seq,
        site: SiteId::new("north").expect("a good name"),
        kind: DeviceKind::Ct,
        agent: None,
        facts,
    }
}

/// Bytes of the length a fact has on the wire, different for each.
fn seal(at: Timestamp, body: Body) -> Sealed {
    let fact = Fact {
        at,
        known_at: at,
        known_assumed: false,
        clock: Clock::Synchronised,
        source: Source { kind: SourceKind::Device, name: "modbus".into() },
        body,
    };
    let mut bytes = vec![0u8; 64];
    bytes[..8].copy_from_slice(&at.0.to_le_bytes());
    Sealed { fact, bytes: bytes.into() }
}

fn stretch(condition: Condition, until: Timestamp) -> Body {
    Body::Stretch(Stretch { until, condition, degradation: Degradation::None })
}

fn error() -> Body {
    Body::Error(DeviceError {
        code: "E-417".into(),
        family: "tube".into(),
        severity: Severity::Minor,
        component: "tube".into(),
        cause_domain: "hardware".into(),
        text: "arc detected".into(),
    })
}

fn sample(hour: u64) -> Body {
    Body::Usage(Sample {
        counter: "exposures".into(),
        component: "tube".into(),
        unit: "scans".into(),
        value_milli: hour as i64 * 12_000,
        modulus_milli: None,
    })
}
