//! One sample of every message, with every field set in at least one of them.
#![allow(dead_code, unused_imports)] // each test file uses its own part of the samples

mod alerts;

use medfleet_domain::alert::{Asked, Finding, Wish};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::contract::*;
use medfleet_domain::fact::{
    Amendment, Body, DeviceError, Fact, JournalState, Replacement, Run, Sample, Severity, Source, Stretch,
};
use medfleet_domain::fleet::{BaseHours, Calendar, Site};
use medfleet_domain::human::*;
use medfleet_domain::id::{AgentId, DeviceId, Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::order::{Ask, Request};
use medfleet_domain::risk::{Ground, ModelTrained, ModelWithdrawn, RiskNews, RiskRecord, Scored, ScoringBegun, View};
use medfleet_domain::time::{Day, Span, Timestamp};
use medfleet_wire::{
    Batch, Disposition, Fate, FateKind, Quarantined, Receipt, Refusal, Spooled, Verdict, VerdictKind, seal,
};

use alerts::ALERT;
pub use alerts::{alert_records, first_schema};

/// 2026-03-08T06:30:00Z, the morning on which daylight saving begins in North America.
pub const MORNING: Timestamp = Timestamp::from_seconds(1_772_951_400);

pub fn subject() -> Subject {
    Subject::new(SubjectKind::Device, "st-mary.ct-7").unwrap()
}

pub fn site() -> SiteId {
    SiteId::new("st-mary").unwrap()
}

pub fn agent() -> AgentId {
    AgentId::new("edge-1").unwrap()
}

pub fn seqs(first: u64, last: u64) -> SeqRange {
    SeqRange { epoch: Epoch(0x0123_4567_89ab_cdef), first: Seq(first), last: Seq(last) }
}

pub fn fact(body: Body) -> Fact {
    Fact {
        at: MORNING,
        known_at: MORNING.plus_seconds(2),
        known_assumed: true,
        clock: Clock::Holdover,
        source: Source { kind: SourceKind::Device, name: "modbus".into() },
        body,
    }
}

pub fn stretch() -> Fact {
    let until = MORNING.plus_seconds(1_800);
    fact(Body::Stretch(Stretch { until, condition: Condition::Productive, degradation: Degradation::Minor }))
}

pub fn run() -> Run {
    Run {
        subject: subject(),
        epoch: seqs(1, 1).epoch,
        first_seq: Seq(41),
        site: site(),
        kind: DeviceKind::Ct,
        agent: Some(agent()),
        facts: vec![seal(stretch()), seal(fact(Body::Heartbeat(None))), seal(fact(usage()))],
    }
}

pub fn batch() -> Batch {
    let other = Run { subject: Subject::agent(&agent()), kind: DeviceKind::Other, first_seq: Seq(7), ..run() };
    Batch { agent: agent(), site: site(), session: 0xfeed, number: 12, runs: vec![run(), other] }
}

pub fn receipt() -> Receipt {
    let unknown_site = Refusal::UnknownSite { site: "st-mary".into() };
    assert_eq!(unknown_site.disposition(), Disposition::Held);
    let fates = vec![
        Fate::stored(subject(), seqs(41, 43)),
        Fate::refused(subject(), seqs(44, 44), &unknown_site),
        Fate {
            subject: Subject::agent(&agent()),
            seqs: seqs(7, 9),
            kind: FateKind::Poison,
            reason: "undecodable".into(),
        },
    ];
    Receipt { session: 0xfeed, number: 12, fates }
}

pub fn spooled() -> Spooled {
    let fact = seal(stretch());
    Spooled { subject: subject(), epoch: Epoch(u64::MAX), seq: Seq(1), site: site(), kind: DeviceKind::Ct, fact }
}

pub fn quarantined() -> Quarantined {
    Quarantined {
        origin: "medfleet/v1/st-mary/18/edge-1/batch".into(),
        reason: "unknown_body".into(),
        payload: medfleet_wire::encode_run(&run()),
        received_at: MORNING.plus_seconds(3),
        subject: Some(subject()),
        seqs: Some(seqs(41, 43)),
    }
}

pub fn verdict() -> Verdict {
    let text = "order `wo-9` is unknown: open it first".into();
    Verdict { request_id: "r-1".into(), subject: subject(), kind: VerdictKind::Refused, text }
}

/// Every body, beside the name of its golden file.
pub fn facts() -> Vec<(&'static str, Fact)> {
    let target = seqs(3, 3);
    let reason = || String::from("test signal");
    let place = || Binding { place: "AE:CT7".into() };
    let new = Replacement { at: MORNING.plus_seconds(60), body: usage() };
    let amend = |replacement| {
        Body::Amended(Box::new(Amendment { target, replacement, author: "kim".into(), reason: reason() }))
    };
    let bodies = vec![
        ("opened", Body::Opened { previous: Some(seqs(1, 900)) }),
        ("began", Body::Began { condition: Condition::UnscheduledDown, degradation: Degradation::Severe }),
        ("stretch", stretch().body),
        ("error", error()),
        ("usage", usage()),
        ("heartbeat", Body::Heartbeat(None)),
        ("heartbeat_with_journal", Body::Heartbeat(Some(Box::new(journal())))),
        ("clock_step", clock_step()),
        ("tombstone", Body::Tombstone { target: seqs(4, 6), reason: "invalid_value".into() }),
        ("registered", Body::Registered(Box::new(registration()))),
        ("bound", Body::Bound(place())),
        ("unbound", Body::Unbound(place())),
        ("moved", Body::Moved(Move { site: site(), department: "radiology".into(), room: "B1.04".into() })),
        ("loaned", Body::Loaned(Loan { to_site: site(), until: Some(MORNING.plus_seconds(86_400)) })),
        ("returned", Body::Returned),
        ("retired", Body::Retired(Retirement { reason: "replaced".into() })),
        ("component_replaced", component_replaced()),
        ("work_order", order_phase()),
        ("asserted_partial", asserted(Claimed::Partial(Degradation::Partial), Some(7_200))),
        ("asserted_maintenance", asserted(Claimed::Maintenance { planned: Some(planned()) }, Some(7_200))),
        ("asserted_down", asserted(Claimed::Down, None)),
        ("asserted_usable", asserted(Claimed::Usable, None)),
        ("work_order_remote", remote_order()),
        ("pm_done", pm_done()),
        ("corrected", amend(Some(new))),
        ("voided", amend(None)),
        ("requested_register", requested(Ask::Register(registration()))),
        ("requested_retire", requested(Ask::Retire { reason: reason() })),
        ("requested_open_order", requested(open_order())),
        ("requested_advance_order", requested(advance_order())),
        ("site_defined", site_defined()),
        ("calendar_defined", calendar_defined()),
        ("contract_defined", contract_defined("")),
        ("contract_with_phone", contract_defined("+1 555 0100")),
        ("statement_issued", statement_issued()),
        ("alert_asked_acknowledge", alert_asked(Wish::Acknowledge)),
        ("alert_asked_assign", alert_asked(Wish::Assign { to: "lee".into() })),
        ("alert_asked_snooze", alert_asked(Wish::Snooze { until: MORNING.plus_seconds(3_600) })),
        ("alert_asked_close", alert_asked(Wish::Resolve { reason: reason() })),
        ("alert_asked_reopen", alert_asked(Wish::Reopen)),
        ("alert_asked_judge", alert_asked(Wish::Judge { finding: Finding::OtherPart { part: "table".into() } })),
        ("scored", scored(Vec::new())),
        ("scored_by_voices", scored(views())),
    ];
    bodies.into_iter().map(|(name, body)| (name, fact(body))).collect()
}

fn journal() -> JournalState {
    JournalState {
        accepted_facts: 12_345,
        waiting_facts: 67,
        used_bytes: 4_194_304,
        capacity_bytes: 1_073_741_824,
        oldest_known_at: Some(MORNING.plus_seconds(-90)),
    }
}

fn error() -> Body {
    Body::Error(DeviceError {
        code: "E-4711".into(),
        family: "tube".into(),
        severity: Severity::Major,
        component: "x-ray tube".into(),
        cause_domain: "hardware".into(),
        text: "arc über limit".into(),
    })
}

fn usage() -> Body {
    Body::Usage(Sample {
        counter: "scan_seconds".into(),
        component: "tube".into(),
        unit: "s".into(),
        value_milli: 81_250_500,
        modulus_milli: Some(100_000_000),
    })
}

fn clock_step() -> Body {
    let last_agreement = Some(MORNING.plus_seconds(-600));
    Body::ClockStep { step_micros: -3_600_000_000, last_agreement, suspect: Some(seqs(30, 40)) }
}

pub fn registration() -> Registration {
    Registration {
        kind: DeviceKind::Ct,
        make: "Acme".into(),
        model: "Slice 64".into(),
        serial: "SN-0042".into(),
        department: "radiology".into(),
        room: "B1.04".into(),
        asset_number: Some("A-1001".into()),
        in_service: Some(Day::from_civil(2019, 4, 1)),
        acquisition_cost_cents: Some(98_000_000),
        end_of_support: Some(Day::from_civil(2031, 12, 31)),
        cost_centre: Some("4200".into()),
        ownership: Some(Ownership::Leased),
    }
}

fn component_replaced() -> Body {
    Body::ComponentReplaced(ComponentReplaced {
        component: "tube".into(),
        old_serial: Some("T-1".into()),
        new_serial: Some("T-2".into()),
        preventive: true,
        order: Some("wo-1".into()),
    })
}

fn planned() -> Span {
    Span { from: MORNING, until: MORNING.plus_seconds(3_600) }
}

fn order_phase() -> Body {
    Body::Order(OrderPhase {
        order: "wo-1".into(),
        class: OrderClass::Corrective,
        phase: Phase::WaitingStarted,
        waiting_for: Some(Party::Parts),
        planned: Some(planned()),
        cause: "tube arc".into(),
        text: "tube ordered".into(),
    })
}

fn remote_order() -> Body {
    let Body::Order(phase) = order_phase() else { unreachable!("an order is an order") };
    Body::Order(OrderPhase { phase: Phase::RemoteConnected, waiting_for: None, planned: None, ..phase })
}

fn asserted(claim: Claimed, until_seconds: Option<i64>) -> Body {
    let until = until_seconds.map(|seconds| MORNING.plus_seconds(seconds));
    Body::Asserted(Asserted {
        claim,
        until,
        author: "kim".into(),
        reason: "phone call".into(),
        order: Some("wo-1".into()),
    })
}

fn pm_done() -> Body {
    let due = Some(Day::from_civil(2026, 3, 31));
    Body::PmDone(PmDone { procedure: "annual".into(), due, outcome: PmOutcome::InUse, order: Some("wo-2".into()) })
}

fn requested(ask: Ask) -> Body {
    Body::Requested(Box::new(Request { id: "r-1".into(), author: "kim".into(), ask }))
}

fn alert_asked(wish: Wish) -> Body {
    Body::AlertAsked(Asked { id: "r-2".into(), author: "kim".into(), alert: ALERT, wish })
}

fn open_order() -> Ask {
    Ask::OpenOrder { order: "wo-3".into(), class: OrderClass::Preventive, text: "annual inspection".into() }
}

fn advance_order() -> Ask {
    Ask::AdvanceOrder { order: "wo-3".into(), phase: Phase::RepairStarted, waiting_for: Some(Party::Vendor) }
}

fn site_defined() -> Body {
    let (title, time_zone, region) = ("St Mary".into(), "America/Chicago".into(), "Midwest".into());
    Body::SiteDefined(Site { title, time_zone, region, demo: true })
}

fn calendar_defined() -> Body {
    let hours = vec![BaseHours { weekday: 1, from_minute: 7 * 60, until_minute: 18 * 60 + 30 }];
    Body::CalendarDefined(Calendar { kind: Some(DeviceKind::Mri), valid_from: Day::from_civil(2026, 1, 1), hours })
}

fn contract_defined(phone: &str) -> Body {
    let points = BasisPoints;
    Body::ContractDefined(Box::new(Contract {
        number: "SC-7".into(),
        vendor: "Acme".into(),
        phone: phone.into(),
        kind: Some(DeviceKind::Ct),
        devices: vec![DeviceId::new("st-mary.ct-7").unwrap()],
        valid_from: Day::from_civil(2026, 1, 1),
        valid_until: Some(Day::from_civil(2029, 1, 1)),
        guarantee: points(9_800),
        period: PeriodLength::Quarter,
        hours: ContractHours::Own(vec![BaseHours { weekday: 1, from_minute: 480, until_minute: 1_020 }]),
        minor: points(1_000),
        partial: points(5_000),
        severe: points(7_500),
        exclusions: vec![Exclusion::MaintenanceFromBoth, Exclusion::Upgrade],
        starts: ClockStart::VendorCalled,
        stops: ClockStop::RemoteConnected,
    }))
}

fn statement_issued() -> Body {
    Body::StatementIssued(Box::new(IssuedStatement {
        statement: "SC-7/2026-Q1/st-mary.ct-7".into(),
        contract: "SC-7".into(),
        period: planned(),
        cut: 4_711,
        as_of: MORNING.plus_seconds(7_200),
        pins: vec![Pin { topic: "medfleet.facts.v1".into(), partition: 3, next_offset: 9_001 }],
        contract_valid_from: Day::from_civil(2026, 1, 1),
        contract_recorded_at: MORNING.plus_seconds(-3_600),
        calendar_recorded_at: Some(MORNING.plus_seconds(-7_200)),
        base_micros: 3_600_000_000,
        weighted_micros_bp: 4_500_000_000_000,
        unknown_micros: 60_000_000,
        conflict_micros_bp: 600_000_000_000,
        author: "kim".into(),
    }))
}

fn scored(views: Vec<View>) -> Body {
    let ground = Ground {
        name: "part_errors_7d".into(),
        says: "7 errors of this part in the last 7 days".into(),
        value_milli: Some(7_000),
        adds_milli: Some(1_850),
    };
    Body::Scored(Box::new(Scored {
        run: "2026-03-01/168/00aa11bb22cc33dd".into(),
        model: "00aa11bb22cc33dd".into(),
        horizon_hours: 168,
        risk_ppm: 412_000,
        component: "tube".into(),
        component_ppm: 380_500,
        voice: "trees".into(),
        grounds: vec![ground],
        views,
    }))
}

fn views() -> Vec<View> {
    [("rules", 20_000), ("hazard", 90_000), ("trees", 380_500)]
        .map(|(voice, ppm)| View { voice: voice.into(), ppm })
        .into()
}

/// Every sort of record in the topic of risk, beside the name of its golden file.
pub fn risk_records() -> Vec<(&'static str, RiskRecord)> {
    let pins = || vec![Pin { topic: "medfleet.facts.v1".into(), partition: 3, next_offset: 9_001 }];
    let trained = ModelTrained {
        model: "00aa11bb22cc33dd".into(),
        horizon_hours: 168,
        seed: 7,
        cut: 4_711,
        pins: pins(),
        period: planned(),
        report: "{}".into(),
    };
    let begun = ScoringBegun {
        run: "2026-03-01/168/00aa11bb22cc33dd".into(),
        model: "00aa11bb22cc33dd".into(),
        horizon_hours: 168,
        instant: MORNING,
        cut: 4_712,
        pins: pins(),
    };
    let withdrawn =
        ModelWithdrawn { model: "00aa11bb22cc33dd".into(), by: "kim".into(), reason: "it knew the repair".into() };
    let news = [
        ("trained", RiskNews::Trained(trained)),
        ("scoring", RiskNews::Scoring(begun)),
        ("withdrawn", RiskNews::Withdrawn(withdrawn)),
    ];
    news.into_iter().map(|(name, news)| (name, RiskRecord { at: MORNING.plus_seconds(5), news })).collect()
}

pub fn record() -> medfleet_wire::Record {
    medfleet_wire::Record { run: run(), received_at: MORNING.plus_seconds(5), implausible: vec![Seq(42)] }
}
