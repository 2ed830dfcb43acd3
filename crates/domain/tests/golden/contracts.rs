//! Golden cases about base hours and contracts: what counts, what is uncovered or excluded, and what an amendment moves.

use medfleet_domain::condition::Degradation;
use medfleet_domain::contract::*;
use medfleet_domain::entry::{Reason, Row};
use medfleet_domain::fleet::{BaseHours, Calendar};
use medfleet_domain::human::{Claimed, OrderClass, Party, Phase};
use medfleet_domain::id::Cause;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::local::{Calendars, LocalClock, Recorded};
use medfleet_domain::spans::Spans;
use medfleet_domain::statement::*;
use medfleet_domain::time::{Day, MICROS_PER_HOUR, MICROS_PER_SECOND, Span, Timestamp};

use crate::given::{Device, S, UD, at, span};

const CT: DeviceKind = DeviceKind::Ct;

fn hours(weekdays: std::ops::RangeInclusive<u8>, from_hour: u16, until_hour: u16) -> Vec<BaseHours> {
    let open = |weekday| BaseHours { weekday, from_minute: from_hour * 60, until_minute: until_hour * 60 };
    weekdays.map(open).collect()
}

fn recorded(valid_from: Day, recorded_at: Day, hours: Vec<BaseHours>) -> Recorded {
    let calendar = Calendar { kind: None, valid_from, hours };
    Recorded { recorded_at: recorded_at.start(), calendar }
}

fn day(month: u32, date: u32) -> Day {
    Day::from_civil(2026, month, date)
}

fn march() -> Span {
    Span { from: day(3, 1).start(), until: day(4, 1).start() }
}

fn contract() -> Contract {
    Contract {
        number: "SC-1".into(),
        vendor: "Acme".into(),
        phone: String::new(),
        kind: Some(CT),
        devices: Vec::new(),
        valid_from: day(1, 1),
        valid_until: None,
        guarantee: BasisPoints(9_800),
        period: PeriodLength::Month,
        hours: ContractHours::AroundTheClock,
        minor: BasisPoints(0),
        partial: BasisPoints(5_000),
        severe: BasisPoints(7_500),
        exclusions: Vec::new(),
        starts: ClockStart::Onset,
        stops: ClockStop::ReturnedToUse,
    }
}

/// What a device's ledger gives a statement; every row has the same cause, which is not looked at here.
fn pieces(device: &Device) -> Vec<Piece> {
    let net = device.view().net;
    let rows = net.keys().filter_map(|row| if let Row::Interval(one) = row { Some(one) } else { None });
    let piece = rows.map(|row| Piece {
        span: row.span,
        condition: row.condition,
        degradation: row.degradation,
        overrun: row.reason == Reason::MaintenanceOverrun,
        conflict: row.conflict,
        cause: Cause { partition: 0, offset: 0 },
    });
    piece.collect()
}

fn stated(contract: &Contract, period: Span, hours: &Spans, pieces: &[Piece], orders: &[OrderFact]) -> Statement {
    let in_service = Spans::from(period);
    state(&Given { contract, period, hours, in_service: &in_service, pieces, orders })
}

fn whole_hours(micros: i64) -> i64 {
    assert_eq!(micros % MICROS_PER_HOUR, 0, "{micros} is no whole number of hours");
    micros / MICROS_PER_HOUR
}

fn new_york() -> LocalClock {
    let utc = |month, date, hour: i64| day(month, date).start().plus_seconds(hour * 3_600);
    LocalClock::new(-5 * 3_600, [(utc(3, 8, 7), -4 * 3_600), (utc(11, 1, 6), -5 * 3_600)])
}

#[test]
fn golden_20_down_overnight_counts_one_base_hour_and_shows_ten_as_uncovered() {
    let calendars = Calendars::new(vec![recorded(day(1, 1), day(1, 1), hours(1..=5, 8, 17))]);
    let base = calendars.base_hours(CT, &LocalClock::utc(), march());
    assert_eq!(whole_hours(base.micros()), 198);
    let mut device = Device::new();
    device.claims("-11 22:10", Claimed::Down, "-11 22:00", None);
    device.claims("-10 09:00", Claimed::Usable, "-10 09:00", None);
    let contract = Contract { hours: ContractHours::OfSite, ..contract() };
    let statement = stated(&contract, march(), &base, &pieces(&device), &[]);
    assert_eq!(whole_hours(statement.micros(Class::Counted)), 1);
    assert_eq!(whole_hours(statement.micros(Class::Uncovered)), 10);
    let rated = statement.figure().rated().expect("there are base hours");
    assert!((rated.uptime - 0.994_949).abs() < 1e-6, "{rated:?}");
    assert_eq!(rated.best, rated.uptime);
    assert!((rated.worst - 0.0).abs() < 1e-12, "nothing else is known of March: {rated:?}");
}

#[test]
fn golden_21_days_of_23_and_25_hours_around_the_clock() {
    let around = hours(1..=7, 0, 24);
    let clock = new_york();
    let length = |date: Day| clock.weekly(&around, clock.days(date, date.next())).micros();
    assert_eq!(whole_hours(length(day(3, 8))), 23);
    assert_eq!(whole_hours(length(day(11, 1))), 25);
    assert_eq!(whole_hours(length(day(3, 9))), 24);
    // 01:30 to 03:30 on the wall is 06:30 to 07:30 UTC: the hour from two to three does not exist.
    let mut device = Device::new();
    device.claims("-12 08:00", Claimed::Down, "-12 06:30", Some("-12 07:30"));
    let period = clock.days(day(3, 8), day(3, 9));
    let base = clock.weekly(&around, period);
    let statement = stated(&contract(), period, &base, &pieces(&device), &[]);
    assert_eq!(whole_hours(statement.micros(Class::Counted)), 1);
    assert_eq!(whole_hours(statement.figure().base_micros), 23);
    // Office hours of that day follow the wall clock too.
    let morning = clock.weekly(&hours(7..=7, 1, 4), period);
    assert_eq!(whole_hours(morning.micros()), 2);
}

#[test]
fn golden_22_at_each_second_the_largest_weight_counts() {
    let mut device = Device::new();
    device.hears(S, "09:00", "13:00");
    device.claims("12:00", Claimed::Partial(Degradation::Partial), "10:00", Some("12:00"));
    device.claims("12:00", Claimed::Down, "11:00", Some("11:30"));
    let day = span("00:00", "+1 00:00");
    let statement = stated(&contract(), day, &Spans::from(day), &pieces(&device), &[]);
    assert_eq!(statement.figure().weighted_micros_bp, 5 * MICROS_PER_HOUR / 4 * 10_000);
    // The same said by two witnesses whose pieces overlap: never a plain sum.
    let piece = |from, until, condition, degradation| Piece {
        span: span(from, until),
        condition,
        degradation,
        overrun: false,
        conflict: false,
        cause: Cause { partition: 0, offset: 1 },
    };
    let overlapping = [
        piece("11:00", "11:30", UD, Degradation::None),
        piece("10:00", "12:00", S, Degradation::Partial),
        piece("11:15", "11:20", S, Degradation::Severe),
    ];
    let statement = stated(&contract(), day, &Spans::from(day), &overlapping, &[]);
    assert_eq!(statement.figure().weighted_micros_bp, 5 * MICROS_PER_HOUR / 4 * 10_000);
}

#[test]
fn golden_23_saturdays_from_may_leave_march_alone_and_backdating_is_an_amendment() {
    let mut all =
        vec![recorded(day(1, 1), day(1, 1), hours(1..=5, 8, 17)), recorded(day(5, 1), day(4, 20), hours(1..=6, 8, 17))];
    let utc = LocalClock::utc();
    let base =
        |all: &[Recorded], within| whole_hours(Calendars::new(all.to_vec()).base_hours(CT, &utc, within).micros());
    let may = Span { from: day(5, 1).start(), until: day(6, 1).start() };
    assert_eq!((base(&all, march()), base(&all, may)), (198, (21 + 5) * 9));
    // Said on 2 May: so it was since 1 March. Who looks as of 1 May does not have this line.
    let as_of_1_may = all.clone();
    all.push(recorded(day(3, 1), day(5, 2), hours(1..=6, 8, 17)));
    assert_eq!(base(&all, march()), 198 + 4 * 9);
    assert_eq!(base(&as_of_1_may, march()), 198);
    assert_eq!(base(&all, may), (21 + 5) * 9, "May has a calendar of its own");
    assert_eq!(
        Calendars::new(all).recorded_at(CT, &utc, march()),
        Some(day(5, 2).start()),
        "the date of the amendment"
    );
}

#[test]
fn golden_24_maintenance_in_base_hours_in_both_variants_by_name() {
    let mut device = Device::new();
    device.hears(S, "08:00", "10:00");
    let claim = Claimed::Maintenance { planned: Some(span("10:00", "12:00")) };
    device.claims("12:00", claim, "10:00", Some("12:00"));
    device.claims("15:00", Claimed::Down, "14:00", Some("15:00"));
    device.hears(S, "12:00", "14:00");
    device.hears(S, "15:00", "18:00");
    let day = span("08:00", "18:00");
    let with = |exclusion| Contract { exclusions: vec![exclusion], ..contract() };
    for (contract, named, base_hours, down_hours) in [
        (with(Exclusion::MaintenanceFromDowntime), "excluded from downtime only", 10, 1),
        (with(Exclusion::MaintenanceFromBoth), "excluded from downtime and base", 8, 1),
        (contract(), "counts as downtime", 10, 3),
    ] {
        let statement = stated(&contract, day, &Spans::from(day), &pieces(&device), &[]);
        assert_eq!(statement.maintenance.as_str(), named);
        let figure = statement.figure();
        assert_eq!(whole_hours(figure.base_micros), base_hours, "{named}");
        assert_eq!(figure.weighted_micros_bp, down_hours * MICROS_PER_HOUR * 10_000, "{named}");
        assert_eq!(figure.unknown_micros, 0);
        let both = statement.variant(Maintenance::FromBoth).rated().map(|rated| rated.uptime);
        let only = statement.variant(Maintenance::FromDowntime).rated().map(|rated| rated.uptime);
        assert_eq!((both, only), (Some(7.0 / 8.0), Some(9.0 / 10.0)), "every statement computes both");
    }
}

#[test]
fn golden_25_an_issued_statement_stays_and_the_next_shows_what_changed_with_its_facts() {
    let mut device = Device::new();
    device.hears(S, "00:00", "08:00");
    device.hears(S, "12:00", "+1 00:00");
    let day = span("00:00", "+1 00:00");
    let all = Spans::from(day);
    let issued = stated(&contract(), day, &all, &pieces(&device), &[]);
    let figure = issued.figure();
    assert_eq!((figure.weighted_micros_bp, whole_hours(figure.unknown_micros)), (0, 4));
    // The backlog that arrives two days later says what happened in the silence.
    device.hears(UD, "08:00", "11:00");
    device.hears(S, "11:00", "12:00");
    let now = stated(&contract(), day, &all, &pieces(&device), &[]);
    assert_eq!(issued.figure(), figure, "what was issued is a value: nothing moves it");
    assert_eq!(now.figure().weighted_micros_bp, 3 * MICROS_PER_HOUR * 10_000);
    let changed = changes(&issued.lines, &now.lines);
    let unknown = Some((Class::Unknown, BasisPoints::WHOLE));
    let seen: Vec<_> = changed.iter().map(|one| (one.span, one.was, one.is)).collect();
    let down = Some((Class::Counted, BasisPoints::WHOLE));
    assert_eq!(seen, [(span("08:00", "11:00"), unknown, down), (span("11:00", "12:00"), unknown, None)]);
    assert!(!changed[0].causes.is_empty(), "an adjustment names its log records");
}

fn phase(order: &str, phase: Phase, when: &str, waiting_for: Option<Party>, cause_code: &str) -> OrderFact {
    OrderFact {
        order: order.into(),
        class: OrderClass::Corrective,
        phase,
        waiting_for,
        cause_code: cause_code.into(),
        at: at(when),
        cause: Cause { partition: 0, offset: at(when).0.unsigned_abs() / MICROS_PER_SECOND as u64 },
    }
}

fn down_all_day() -> Vec<Piece> {
    let mut device = Device::new();
    device.hears(S, "06:00", "08:00");
    device.hears(UD, "08:00", "16:00");
    device.hears(S, "16:00", "18:00");
    pieces(&device)
}

#[test]
fn clocks_start_and_stop_at_the_facts_the_contract_names() {
    let orders = [
        phase("wo-1", Phase::Opened, "09:00", None, ""),
        phase("wo-1", Phase::VendorCalled, "10:00", None, ""),
        phase("wo-1", Phase::RemoteConnected, "11:00", None, ""),
        phase("wo-1", Phase::Arrived, "13:00", None, ""),
        phase("wo-1", Phase::Repaired, "15:00", None, ""),
        phase("wo-1", Phase::ReturnedToService, "16:00", None, ""),
    ];
    let day = span("06:00", "18:00");
    for (starts, stops, hours) in [
        (ClockStart::Onset, ClockStop::ReturnedToUse, [0, 8, 0]),
        (ClockStart::Onset, ClockStop::Arrived, [0, 5, 3]),
        (ClockStart::Reported, ClockStop::ReturnedToUse, [1, 7, 0]),
        (ClockStart::VendorCalled, ClockStop::RemoteConnected, [2, 1, 5]),
        (ClockStart::VendorCalled, ClockStop::Repaired, [2, 5, 1]),
    ] {
        let contract = Contract { starts, stops, ..contract() };
        let statement = stated(&contract, day, &Spans::from(day), &down_all_day(), &orders);
        let classes = [Class::BeforeClock, Class::Counted, Class::AfterClock];
        assert_eq!(classes.map(|class| whole_hours(statement.micros(class))), hours, "{starts:?} to {stops:?}");
        let counted = statement.lines.iter().find(|line| line.class == Class::Counted).expect("something counts");
        assert!(starts == ClockStart::Onset || counted.orders.contains("wo-1"), "{counted:?}");
    }
    // Nobody called the vendor: nothing counts, and it is shown.
    let contract = Contract { starts: ClockStart::VendorCalled, ..contract() };
    let statement = stated(&contract, day, &Spans::from(day), &down_all_day(), &orders[..1]);
    assert_eq!(whole_hours(statement.micros(Class::BeforeClock)), 8);
}

#[test]
fn waits_for_facility_and_user_are_excluded_where_the_contract_says_so() {
    let orders = [
        phase("wo-1", Phase::Opened, "08:30", None, "device"),
        phase("wo-1", Phase::WaitingStarted, "09:00", Some(Party::Facility), "device"),
        phase("wo-1", Phase::WaitingEnded, "11:00", Some(Party::Facility), "device"),
        phase("wo-1", Phase::WaitingStarted, "11:00", Some(Party::Parts), "device"),
        phase("wo-1", Phase::WaitingEnded, "15:00", None, "device"),
    ];
    let day = span("06:00", "18:00");
    let with = |exclusions: &[Exclusion]| Contract { exclusions: exclusions.to_vec(), ..contract() };
    let counted = |contract: &Contract, orders: &[OrderFact]| {
        whole_hours(stated(contract, day, &Spans::from(day), &down_all_day(), orders).micros(Class::Counted))
    };
    assert_eq!(counted(&with(&[]), &orders), 8);
    assert_eq!(counted(&with(&[Exclusion::Facility]), &orders), 6);
    assert_eq!(counted(&with(&[Exclusion::User]), &orders), 8, "waiting for parts is the vendor's affair");
    // A cause that is the user's takes the whole trouble out, from before the order was opened.
    let misuse = [phase("wo-2", Phase::Opened, "08:30", None, "accessory")];
    assert_eq!(counted(&with(&[Exclusion::User]), &misuse), 0);
    // A cancelled order rules nothing.
    let cancelled = [misuse[0].clone(), phase("wo-2", Phase::Cancelled, "09:00", None, "")];
    assert_eq!(counted(&with(&[Exclusion::User]), &cancelled), 8);
}

#[test]
fn a_device_answers_only_for_the_time_it_is_in_service() {
    let day = span("06:00", "18:00");
    let in_service = Spans::from(span("09:00", "12:00"));
    let pieces = down_all_day();
    let statement = state(&Given {
        contract: &contract(),
        period: day,
        hours: &Spans::from(day),
        in_service: &in_service,
        pieces: &pieces,
        orders: &[],
    });
    assert_eq!(whole_hours(statement.figure().base_micros), 3);
    assert_eq!(whole_hours(statement.micros(Class::Counted)), 3);
}

#[test]
fn every_second_of_the_base_is_worked_counted_excluded_or_unknown() {
    // Over all shifts of a down by quarter-hours: base = sound + counted + unknown, whatever the hours.
    let base = Spans::of([span("07:15", "10:45"), span("13:00", "15:30")]);
    let period = span("06:00", "18:00");
    for shift in 0..40 {
        let from = at("06:00").plus_seconds(shift * 900);
        let down = Span { from, until: Timestamp(from.0 + 2 * MICROS_PER_HOUR) };
        let piece = |span, condition| Piece {
            span,
            condition,
            degradation: Degradation::None,
            overrun: false,
            conflict: false,
            cause: Cause { partition: 0, offset: 2 },
        };
        let pieces = [piece(down, UD)];
        let statement = stated(&contract(), period, &base, &pieces, &[]);
        let figure = statement.figure();
        assert_eq!(figure.weighted_micros_bp, base.and(&Spans::from(down)).clip(period).micros() * 10_000);
        assert_eq!(figure.unknown_micros, base.without(&Spans::from(down)).micros());
    }
}
