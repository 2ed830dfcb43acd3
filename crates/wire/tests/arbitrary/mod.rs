//! Any fact that a writer may write.

use medfleet_domain::alert::{AlertId, Asked, Finding, Wish};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::contract::*;
use medfleet_domain::fact::{
    Amendment, Body, DeviceError, Fact, JournalState, Replacement, Sample, Severity, Source, Stretch,
};
use medfleet_domain::fleet::{BaseHours, CALENDAR_STEP_MINUTES, Calendar, Site};
use medfleet_domain::human::*;
use medfleet_domain::id::{DeviceId, Epoch, Seq, SeqRange, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::order::{Ask, Request};
use medfleet_domain::risk::{CERTAIN_PPM, Ground, Scored, View};
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// Years 1 to 9999, the border days included.
fn days() -> impl Strategy<Value = Day> {
    let (first, last) = (Day::from_civil(1, 1, 1).0, Day::from_civil(9999, 12, 31).0);
    prop_oneof![4 => 0..40_000, 1 => Just(first), 1 => Just(last), 1 => first..=last].prop_map(Day)
}

fn instants() -> impl Strategy<Value = Timestamp> {
    (days(), 0..MICROS_PER_DAY).prop_map(|(day, micros)| day.start().plus_micros(micros))
}

fn spans() -> impl Strategy<Value = Span> {
    (instants(), instants()).prop_filter_map("a span is not empty", |(from, until)| Span::new(from, until).ok())
}

fn texts() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn names() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:-]{1,40}"
}

fn sites() -> impl Strategy<Value = SiteId> {
    names().prop_map(|name| SiteId::new(&name).unwrap())
}

fn seq_ranges() -> impl Strategy<Value = SeqRange> {
    (any::<u64>(), 1..u64::from(u32::MAX), 0..1_000_u64).prop_map(|(epoch, first, more)| SeqRange {
        epoch: Epoch(epoch),
        first: Seq(first),
        last: Seq(first + more),
    })
}

fn kinds() -> impl Strategy<Value = DeviceKind> {
    select([&DeviceKind::CATALOGUE[..], &[DeviceKind::Other]].concat())
}

fn conditions() -> impl Strategy<Value = Condition> {
    select(Condition::ALL.into_iter().filter(|condition| *condition != Condition::Unknown).collect::<Vec<_>>())
}

fn degradations() -> impl Strategy<Value = Degradation> {
    select(Degradation::ALL.to_vec())
}

fn registrations() -> impl Strategy<Value = Registration> {
    let words = (texts(), texts(), texts(), texts(), texts());
    let options = (of(texts()), of(days()), of(any::<i64>()), of(days()), of(texts()));
    (kinds(), words, options, of(select(Ownership::ALL.to_vec()))).prop_map(|(kind, words, options, ownership)| {
        let (make, model, serial, department, room) = words;
        let (asset_number, in_service, acquisition_cost_cents, end_of_support, cost_centre) = options;
        Registration {
            kind,
            make,
            model,
            serial,
            department,
            room,
            asset_number,
            in_service,
            acquisition_cost_cents,
            end_of_support,
            cost_centre,
            ownership,
        }
    })
}

fn orders() -> impl Strategy<Value = OrderPhase> {
    use Phase::*;
    let phase = select(vec![
        Opened,
        Assigned,
        Arrived,
        RepairStarted,
        WaitingStarted,
        WaitingEnded,
        Repaired,
        ReturnedToService,
        Closed,
        Cancelled,
        VendorCalled,
        RemoteConnected,
    ]);
    (names(), order_classes(), phase, of(parties()), of(spans()), texts()).prop_map(
        |(order, class, phase, waiting_for, planned, text)| OrderPhase {
            order,
            class,
            phase,
            waiting_for,
            planned,
            cause: text.clone(),
            text,
        },
    )
}

fn order_classes() -> impl Strategy<Value = OrderClass> {
    select(vec![OrderClass::Corrective, OrderClass::Preventive, OrderClass::Upgrade, OrderClass::Inspection])
}

fn parties() -> impl Strategy<Value = Party> {
    select(vec![Party::InHouse, Party::Vendor, Party::Parts, Party::Facility, Party::User])
}

fn claims() -> impl Strategy<Value = Claimed> {
    prop_oneof![
        Just(Claimed::Usable),
        Just(Claimed::Down),
        degradations().prop_map(Claimed::Partial),
        of(spans()).prop_map(|planned| Claimed::Maintenance { planned }),
    ]
}

fn wishes() -> impl Strategy<Value = Wish> {
    let findings = prop_oneof![
        Just(Finding::Confirmed),
        names().prop_map(|part| Finding::OtherPart { part }),
        Just(Finding::WearReplaced),
        Just(Finding::NothingFound),
        Just(Finding::NotDone),
    ];
    prop_oneof![
        Just(Wish::Acknowledge),
        texts().prop_map(|to| Wish::Assign { to }),
        instants().prop_map(|until| Wish::Snooze { until }),
        texts().prop_map(|reason| Wish::Resolve { reason }),
        Just(Wish::Reopen),
        findings.prop_map(|finding| Wish::Judge { finding }),
    ]
}

fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![
        registrations().prop_map(Ask::Register),
        texts().prop_map(|reason| Ask::Retire { reason }),
        (names(), order_classes(), texts()).prop_map(|(order, class, text)| Ask::OpenOrder { order, class, text }),
        orders().prop_map(|o| Ask::AdvanceOrder { order: o.order, phase: o.phase, waiting_for: o.waiting_for }),
    ]
}

fn base_hours() -> impl Strategy<Value = Vec<BaseHours>> {
    let steps = 24 * 60 / CALENDAR_STEP_MINUTES;
    let hours = (1..=7_u8, 0..steps, 1..=steps).prop_map(|(weekday, from, until)| BaseHours {
        weekday,
        from_minute: from.min(until - 1) * CALENDAR_STEP_MINUTES,
        until_minute: until * CALENDAR_STEP_MINUTES,
    });
    prop::collection::vec(hours, 0..8)
}

fn calendars() -> impl Strategy<Value = Calendar> {
    (of(kinds()), days(), base_hours()).prop_map(|(kind, valid_from, hours)| Calendar { kind, valid_from, hours })
}

fn contracts() -> impl Strategy<Value = Contract> {
    let points = || (0..=10_000_u16).prop_map(BasisPoints);
    let hours = prop_oneof![
        Just(ContractHours::OfSite),
        Just(ContractHours::AroundTheClock),
        base_hours().prop_map(ContractHours::Own),
    ];
    let devices = prop::collection::vec(names().prop_map(|name| DeviceId::new(&name).unwrap()), 0..3);
    let scope = (names(), texts(), of(kinds()), devices, (days(), of(1..2_000_i32)));
    let clocks = (select(ClockStart::ALL), select(ClockStop::ALL), select(PeriodLength::ALL));
    let weights = (points(), points(), points(), points());
    (scope, clocks, weights, hours, prop::collection::vec(select(Exclusion::ALL), 0..5)).prop_map(
        |(
            (number, vendor, kind, devices, (valid_from, length)),
            (starts, stops, period),
            weights,
            hours,
            exclusions,
        )| {
            let (guarantee, minor, partial, severe) = weights;
            let last = Day::from_civil(9999, 12, 31).0;
            let valid_until = length.map(|days| Day((valid_from.0 + days).min(last))).filter(|day| *day > valid_from);
            Contract {
                number,
                vendor,
                phone: format!("+{}", guarantee.0),
                kind,
                devices,
                valid_from,
                valid_until,
                guarantee,
                period,
                hours,
                minor,
                partial,
                severe,
                exclusions,
                starts,
                stops,
            }
        },
    )
}

fn statements() -> impl Strategy<Value = IssuedStatement> {
    let pins = (names(), any::<u32>(), any::<u64>()).prop_map(|(topic, partition, next_offset)| Pin {
        topic,
        partition,
        next_offset,
    });
    let sums = (0..i64::MAX, 0..i64::MAX, 0..i64::MAX, 0..i64::MAX);
    let known = (instants(), days(), instants(), of(instants()));
    (names(), names(), spans(), any::<i64>(), known, prop::collection::vec(pins, 0..4), sums, texts()).prop_map(
        |(statement, contract, period, cut, known, pins, sums, author)| IssuedStatement {
            statement,
            contract,
            period,
            cut,
            as_of: known.0,
            pins,
            contract_valid_from: known.1,
            contract_recorded_at: known.2,
            calendar_recorded_at: known.3,
            base_micros: sums.0,
            weighted_micros_bp: sums.1,
            unknown_micros: sums.2,
            conflict_micros_bp: sums.3,
            author,
        },
    )
}

fn scores() -> impl Strategy<Value = Scored> {
    let ground = (names(), texts(), of(any::<i64>()), of(any::<i64>()))
        .prop_map(|(name, says, value_milli, adds_milli)| Ground { name, says, value_milli, adds_milli });
    let chances = (0..=CERTAIN_PPM, 0..=CERTAIN_PPM);
    let views = prop::collection::vec((names(), 0..=CERTAIN_PPM).prop_map(|(voice, ppm)| View { voice, ppm }), 0..3);
    let said = (chances, texts(), texts(), prop::collection::vec(ground, 0..3), views);
    (names(), names(), any::<u32>(), said).prop_map(
        |(run, model, horizon_hours, (chances, component, voice, grounds, views))| Scored {
            run,
            model,
            horizon_hours,
            risk_ppm: chances.0,
            component,
            component_ppm: chances.1,
            voice,
            grounds,
            views,
        },
    )
}

fn machine_bodies() -> impl Strategy<Value = Body> {
    let sample = (names(), texts(), texts(), 0..i64::MAX, of(1..i64::MAX)).prop_map(
        |(counter, component, unit, value_milli, modulus_milli)| Sample {
            counter,
            component,
            unit,
            value_milli,
            modulus_milli,
        },
    );
    let error =
        (names(), texts(), select(Severity::ALL.to_vec()), texts()).prop_map(|(code, family, severity, text)| {
            DeviceError { code, family, severity, component: text.clone(), cause_domain: String::new(), text }
        });
    prop_oneof![
        of(seq_ranges()).prop_map(|previous| Body::Opened { previous }),
        (conditions(), degradations()).prop_map(|(condition, degradation)| Body::Began { condition, degradation }),
        (instants(), conditions(), degradations()).prop_map(|(until, condition, degradation)| Body::Stretch(Stretch {
            until,
            condition,
            degradation
        })),
        error.prop_map(Body::Error),
        sample.prop_map(Body::Usage),
        of(journals()).prop_map(|journal| Body::Heartbeat(journal.map(Box::new))),
        (any::<i64>(), of(instants()), of(seq_ranges())).prop_map(|(step_micros, last_agreement, suspect)| {
            Body::ClockStep { step_micros, last_agreement, suspect }
        }),
        (seq_ranges(), texts()).prop_map(|(target, reason)| Body::Tombstone { target, reason }),
        scores().prop_map(|scored| Body::Scored(Box::new(scored))),
    ]
}

fn journals() -> impl Strategy<Value = JournalState> {
    let most = i64::MAX.cast_unsigned();
    let facts = (0..=most).prop_flat_map(|accepted| (Just(accepted), 0..=accepted));
    (facts, 0..=most, 0..=most, of(instants())).prop_map(
        |((accepted_facts, waiting_facts), used_bytes, capacity_bytes, oldest_known_at)| JournalState {
            accepted_facts,
            waiting_facts,
            used_bytes,
            capacity_bytes,
            oldest_known_at,
        },
    )
}

fn human_bodies() -> impl Strategy<Value = Body> {
    let outcomes = vec![PmOutcome::Completed, PmOutcome::CouldNotLocate, PmOutcome::InUse, PmOutcome::Removed];
    prop_oneof![
        registrations().prop_map(|registration| Body::Registered(Box::new(registration))),
        names().prop_map(|place| Body::Bound(Binding { place })),
        names().prop_map(|place| Body::Unbound(Binding { place })),
        (sites(), texts(), texts()).prop_map(|(site, department, room)| Body::Moved(Move { site, department, room })),
        (sites(), of(instants())).prop_map(|(to_site, until)| Body::Loaned(Loan { to_site, until })),
        Just(Body::Returned),
        texts().prop_map(|reason| Body::Retired(Retirement { reason })),
        (names(), of(texts()), of(texts()), any::<bool>(), of(names())).prop_map(
            |(component, old_serial, new_serial, preventive, order)| {
                Body::ComponentReplaced(ComponentReplaced { component, old_serial, new_serial, preventive, order })
            }
        ),
        orders().prop_map(Body::Order),
        (claims(), of(instants()), texts(), texts(), of(names())).prop_map(|(claim, until, author, reason, order)| {
            Body::Asserted(Asserted { claim, until, author, reason, order })
        }),
        (texts(), of(days()), select(outcomes), of(names()))
            .prop_map(|(procedure, due, outcome, order)| Body::PmDone(PmDone { procedure, due, outcome, order })),
        (names(), texts(), asks()).prop_map(|(id, author, ask)| Body::Requested(Box::new(Request { id, author, ask }))),
        (names(), names(), any::<u64>(), wishes()).prop_map(|(id, author, alert, wish)| {
            Body::AlertAsked(Asked { id, author, alert: AlertId(alert), wish })
        }),
        (texts(), names(), texts(), any::<bool>())
            .prop_map(|(title, time_zone, region, demo)| Body::SiteDefined(Site { title, time_zone, region, demo })),
        calendars().prop_map(Body::CalendarDefined),
        contracts().prop_map(|contract| Body::ContractDefined(Box::new(contract))),
        statements().prop_map(|statement| Body::StatementIssued(Box::new(statement))),
    ]
}

fn bodies() -> impl Strategy<Value = Body> {
    let said = || prop_oneof![machine_bodies(), human_bodies()];
    let replacement = of((instants(), said()).prop_map(|(at, body)| Replacement { at, body }));
    let amended =
        (seq_ranges(), replacement, texts(), texts()).prop_map(|(mut target, replacement, author, reason)| {
            if replacement.is_some() {
                target.last = target.first;
            }
            Body::Amended(Box::new(Amendment { target, replacement, author, reason }))
        });
    prop_oneof![4 => said(), 1 => amended]
}

/// Puts the ends of spans right: drawn apart from the fact's time, they would seldom fit it.
fn fit(at: Timestamp, body: &mut Body) {
    let later = at.plus_micros(1).min(at.day().end());
    match body {
        Body::Stretch(stretch) => stretch.until = stretch.until.clamp(later, at.day().end()),
        Body::Asserted(asserted) if asserted.claim == Claimed::Usable => asserted.until = None,
        Body::Asserted(asserted) => {
            asserted.until = asserted.until.map(|until| until.max(later));
            if asserted.claim == Claimed::Partial(Degradation::None) {
                asserted.claim = Claimed::Partial(Degradation::Severe);
            }
        }
        Body::Amended(amendment) => {
            if let Some(new) = &mut amendment.replacement {
                fit(new.at, &mut new.body);
            }
        }
        _ => {}
    }
}

pub fn facts() -> impl Strategy<Value = Fact> {
    let source = (select(SourceKind::ALL.to_vec()), texts()).prop_map(|(kind, name)| Source { kind, name });
    (instants(), instants(), any::<bool>(), select(Clock::ALL.to_vec()), source, bodies()).prop_map(
        |(at, known_at, known_assumed, clock, source, mut body)| {
            fit(at, &mut body);
            Fact { at, known_at, known_assumed, clock, source, body }
        },
    )
}
