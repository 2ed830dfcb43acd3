//! Golden 11 whole: what is seen at an address counts for the device that the address names, whatever is said when.

use medfleet_domain::condition::Condition;
use medfleet_domain::entry::{HeadRole, Row};
use medfleet_domain::fact::{Body, Replacement};
use medfleet_domain::human::Claimed;
use medfleet_domain::id::{Epoch, Seq, SeqRange};
use medfleet_domain::time::Span;

use crate::given::{P, S, UD, at, claimed, span};
use crate::street::{Street, amended, bound, device, place, record, stretch, unbound};

const SEEN_BY: u64 = 5;
const SAID_BY: u64 = 9;

fn sums(street: &Street, window: Span) -> Vec<(&'static str, Condition, i64)> {
    let named = |name: &str| ["ct-7", "ct-9"].into_iter().find(|one| *one == name).expect("one of two devices");
    street.seconds(window).into_iter().map(|((name, condition), sum)| (named(&name), condition, sum)).collect()
}

fn sees(street: &mut Street, seq: u64, condition: Condition, from: &str, until: &str) {
    street.append(record(&place(), SEEN_BY, seq, at(from), at(until), stretch(condition, at(until))));
}

fn says(street: &mut Street, name: &str, seq: u64, when: &str, known: &str, body: Body) {
    street.append(record(&device(name), SAID_BY, seq, at(when), at(known), body));
}

fn said(seq: u64) -> SeqRange {
    SeqRange::one(Epoch(SAID_BY), Seq(seq))
}

/// CT_ROOM2 names CT-7 until 12:00 and CT-9 from 13:00; CT-7 is asserted down since 10:30; standby is seen 11–14.
fn room_two() -> Street {
    let mut street = Street::default();
    says(&mut street, "ct-7", 1, "08:00", "08:00", bound());
    says(&mut street, "ct-7", 2, "10:30", "10:30", claimed(Claimed::Down, None));
    sees(&mut street, 1, S, "11:00", "12:00");
    street.settle();
    says(&mut street, "ct-7", 3, "12:00", "12:05", unbound());
    sees(&mut street, 2, S, "12:00", "13:00");
    street.settle();
    says(&mut street, "ct-9", 1, "13:00", "13:10", bound());
    sees(&mut street, 3, S, "13:00", "14:00");
    street.settle();
    street
}

#[test]
fn golden_11_an_address_bears_witness_for_the_device_it_names() {
    let mut street = room_two();
    let window = span("10:30", "14:00");
    assert_eq!(sums(&street, window), [("ct-7", UD, 5_400), ("ct-9", S, 3_600)], "12–13 waits in the place");
    let seven = &street.devices[&device("ct-7")].net;
    let conflict: i64 = seven
        .keys()
        .map(|row| match row {
            Row::Interval(row) if row.conflict => row.span.micros() / 1_000_000,
            _ => 0,
        })
        .sum();
    assert_eq!(conflict, 3_600, "its standby 11–12 is flagged");
    let claim = seven.keys().find_map(|row| match row {
        Row::Head(head) if head.role == HeadRole::Claim => Some((head.condition, head.until)),
        _ => None,
    });
    assert_eq!(claim, Some((UD, None)), "CT-7 stays down");
    assert_eq!(street.settle(), 0, "nothing is owed twice");
    says(&mut street, "ct-9", 2, "12:00", "15:00", bound());
    street.settle();
    assert_eq!(sums(&street, window), [("ct-7", UD, 5_400), ("ct-9", S, 7_200)], "bound later");
}

#[test]
fn golden_11_what_was_given_wrongly_is_taken_back() {
    let mut street = Street::default();
    let window = span("08:00", "14:00");
    says(&mut street, "ct-7", 1, "08:00", "08:00", bound());
    for (seq, hour) in (1..).zip(9..13) {
        sees(&mut street, seq, P, &format!("{hour:02}:00"), &format!("{:02}:00", hour + 1));
        street.settle();
    }
    assert_eq!(sums(&street, window), [("ct-7", P, 4 * 3_600)]);
    says(&mut street, "ct-7", 2, "10:30", "13:05", unbound());
    street.settle();
    assert_eq!(sums(&street, window), [("ct-7", P, 5_400)], "cut within the hour");
    says(&mut street, "ct-9", 1, "10:30", "13:06", bound());
    street.settle();
    assert_eq!(sums(&street, window), [("ct-7", P, 5_400), ("ct-9", P, 9_000)]);
    says(&mut street, "ct-7", 3, "13:10", "13:10", amended(said(2), None));
    says(&mut street, "ct-9", 2, "13:11", "13:11", amended(said(1), None));
    street.settle();
    assert_eq!(sums(&street, window), [("ct-7", P, 4 * 3_600)], "given again in another generation");
    let moved = Replacement { at: at("11:00"), body: bound() };
    says(&mut street, "ct-7", 4, "13:20", "13:20", amended(said(1), Some(moved)));
    street.settle();
    assert_eq!(sums(&street, window), [("ct-7", P, 7_200)], "a binding corrected to begin later");
    let missing: u64 = street.devices.values().map(|book| book.ledger.missing_facts()).sum();
    assert_eq!(missing, 0, "a copy leaves no gap");
}

#[test]
fn golden_11_a_fact_of_the_place_corrected_or_voided_is_so_for_the_device() {
    let mut street = Street::default();
    let window = span("08:00", "14:00");
    sees(&mut street, 1, P, "09:00", "10:00");
    sees(&mut street, 2, P, "10:00", "11:00");
    says(&mut street, "ct-7", 1, "08:00", "12:00", bound());
    street.settle();
    let seen = |seq| SeqRange::one(Epoch(SEEN_BY), Seq(seq));
    let standby = Replacement { at: at("09:30"), body: stretch(S, at("10:00")) };
    street.append(record(&place(), SEEN_BY, 3, at("12:10"), at("12:10"), amended(seen(1), Some(standby))));
    street.append(record(&place(), SEEN_BY, 4, at("12:11"), at("12:11"), amended(seen(2), None)));
    street.settle();
    assert_eq!(sums(&street, window), [("ct-7", S, 1_800)]);
}

#[test]
fn golden_11_what_goes_on_at_an_address_is_live_only_while_it_names_the_device() {
    let mut street = Street::default();
    let live = |street: &Street| {
        let heads = street.devices[&device("ct-7")].net.keys();
        heads.filter(|row| matches!(row, Row::Head(head) if head.role == HeadRole::Live)).count()
    };
    says(&mut street, "ct-7", 1, "08:00", "08:00", bound());
    let began = Body::Began { condition: S, degradation: medfleet_domain::condition::Degradation::None };
    street.append(record(&place(), SEEN_BY, 1, at("09:00"), at("09:00"), began));
    street.settle();
    assert_eq!(live(&street), 1);
    says(&mut street, "ct-7", 2, "10:00", "10:00", unbound());
    street.settle();
    assert_eq!(live(&street), 0);
}

#[test]
fn golden_11_a_copy_is_known_when_the_binding_is() {
    let mut street = Street::default();
    sees(&mut street, 1, P, "09:00", "10:00");
    says(&mut street, "ct-7", 1, "08:00", "15:00", bound());
    sees(&mut street, 2, P, "15:00", "16:00");
    street.settle();
    let copies = street.log.iter().filter(|run| run.epoch.holds_copies()).flat_map(|run| &run.facts);
    let known: Vec<_> = copies.map(|sealed| sealed.fact.known_at).collect();
    assert_eq!(known, [at("15:00"), at("16:00")], "and not before the fact itself");
}
