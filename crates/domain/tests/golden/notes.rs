//! Notes: phases of orders, maintenance, replaced parts and contracts are rows as they stand, and can be taken back.

use medfleet_domain::entry::{NoteRow, Row};
use medfleet_domain::fact::Body;
use medfleet_domain::human::{Claimed, OrderClass, OrderPhase, Phase, PmDone, PmOutcome};
use medfleet_domain::order::{Ask, Request};
use medfleet_domain::risk::Scored;

use crate::given::{Device, S, Writer};

fn phase(order: &str, phase: Phase) -> Body {
    Body::Order(OrderPhase {
        order: order.into(),
        class: OrderClass::Corrective,
        phase,
        waiting_for: None,
        planned: None,
        cause: String::new(),
        text: String::new(),
    })
}

fn notes(device: &Device) -> Vec<NoteRow> {
    let net = device.view().net;
    let notes = net.into_iter().map(|(row, weight)| match row {
        Row::Note(note) => vec![note; usize::try_from(weight).expect("nothing is taken back that did not stand")],
        _ => Vec::new(),
    });
    notes.flatten().collect()
}

fn phases(device: &Device) -> Vec<Phase> {
    let phase = |note: NoteRow| if let Body::Order(one) = note.body { Some(one.phase) } else { None };
    notes(device).into_iter().filter_map(phase).collect()
}

#[test]
fn an_order_makes_one_row_a_phase_and_a_void_takes_it_back() {
    let mut device = Device::new();
    device.says(Writer::Person, "10:00", "10:05", phase("wo-1", Phase::Opened));
    device.hears(S, "09:00", "12:00");
    let wrong = device.says(Writer::Person, "11:00", "11:05", phase("wo-1", Phase::Cancelled));
    assert_eq!(phases(&device), [Phase::Opened, Phase::Cancelled]);
    device.voids("13:00", wrong, "kim", "wrong order");
    assert_eq!(phases(&device), [Phase::Opened]);
    let recorded = notes(&device)[0].recorded_at;
    assert_eq!(recorded, crate::given::at("10:05"));
    // With a claim every later record goes the careful way: rows are neither doubled nor lost.
    device.claims("14:00", Claimed::Down, "13:30", None);
    device.says(Writer::Person, "14:00", "14:00", phase("wo-2", Phase::Opened));
    device.hears(S, "12:00", "13:00");
    assert_eq!(phases(&device), [Phase::Opened, Phase::Opened]);
}

#[test]
fn a_correction_moves_a_phase_and_a_void_may_come_first() {
    let mut device = Device::new();
    let opened = device.says(Writer::Person, "10:00", "10:05", phase("wo-1", Phase::Opened));
    device.corrects("12:00", opened, "09:30", phase("wo-1", Phase::Opened));
    assert_eq!(notes(&device).iter().map(|note| note.at).collect::<Vec<_>>(), [crate::given::at("09:30")]);
    // A void that arrives before its target.
    let records = device.records.clone();
    let mut other = Device::retold(records.iter().rev(), |epoch| epoch);
    assert_eq!(notes(&other), notes(&device));
    let late = medfleet_domain::id::SeqRange {
        first: other.next(Writer::Binder),
        last: other.next(Writer::Binder),
        epoch: medfleet_domain::id::Epoch(Writer::Binder as u64 + 1),
    };
    other.voids("13:00", late, "kim", "never done");
    let done = PmDone { procedure: "annual".into(), due: None, outcome: PmOutcome::Completed, order: None };
    other.says(Writer::Binder, "12:30", "12:30", Body::PmDone(done));
    assert_eq!(notes(&other), notes(&device), "what was voided before it came makes no row");
}

#[test]
fn a_granted_request_makes_the_phase_it_asks_for_and_a_refused_one_none() {
    let mut device = Device::new();
    let ask = |device: &mut Device, id: &str, ask: Ask| {
        let request = Request { id: id.into(), author: "kim".into(), ask };
        device.says(Writer::Person, "10:00", "10:00", Body::Requested(Box::new(request)))
    };
    let registration = medfleet_domain::human::Registration {
        kind: medfleet_domain::kind::DeviceKind::Ct,
        make: String::new(),
        model: String::new(),
        serial: "SN-1".into(),
        department: String::new(),
        room: String::new(),
        asset_number: None,
        in_service: None,
        acquisition_cost_cents: None,
        end_of_support: None,
        cost_centre: None,
        ownership: None,
    };
    let open = Ask::OpenOrder { order: "wo-1".into(), class: OrderClass::Upgrade, text: "software".into() };
    ask(&mut device, "r-0", open.clone());
    assert_eq!(phases(&device), [], "refused: not registered");
    ask(&mut device, "r-1", Ask::Register(registration));
    let asked = ask(&mut device, "r-2", open);
    ask(&mut device, "r-3", Ask::AdvanceOrder { order: "wo-1".into(), phase: Phase::Arrived, waiting_for: None });
    assert_eq!(phases(&device), [Phase::Opened, Phase::Arrived]);
    let classes = notes(&device)
        .into_iter()
        .map(|note| if let Body::Order(one) = note.body { one.class } else { OrderClass::Corrective });
    assert_eq!(classes.collect::<Vec<_>>(), [OrderClass::Upgrade, OrderClass::Upgrade], "an order keeps its class");
    device.voids("11:00", asked, "kim", "asked by mistake");
    assert_eq!(phases(&device), [Phase::Arrived]);
}

#[test]
fn a_score_is_a_row_as_it_stands_and_nobody_takes_back_what_was_said() {
    let mut device = Device::new();
    let scores =
        |device: &Device| device.view().net.into_iter().filter(|(row, _)| matches!(row, Row::Score(_))).count();
    let scored = Scored {
        run: "r".into(),
        model: "m".into(),
        horizon_hours: 168,
        risk_ppm: 10_000,
        component: "tube".into(),
        component_ppm: 9_000,
        voice: "rules".into(),
        views: Vec::new(),
        grounds: Vec::new(),
    };
    let told = device.says(Writer::Person, "10:00", "10:00", Body::Scored(Box::new(scored)));
    device.hears(S, "09:00", "12:00");
    assert_eq!(scores(&device), 1);
    device.voids("13:00", told, "kim", "wrong");
    // With a claim every later record goes the careful way.
    device.claims("14:00", Claimed::Down, "13:30", None);
    device.hears(S, "12:00", "13:00");
    assert_eq!(scores(&device), 1);
}
