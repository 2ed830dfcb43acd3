//! Contract statements over a cut: the golden figures from facts to sheet, issuing, and the adjustments of the next one.

use medfleet_domain::condition::Degradation;
use medfleet_domain::contract::*;
use medfleet_domain::fact::Body;
use medfleet_domain::human::Claimed;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::statement::{Class, Maintenance};
use medfleet_domain::time::Day;
use medfleet_kpi::Question;
use medfleet_kpi::backdated::{Part, backdated};
use medfleet_kpi::registry::view;
use medfleet_kpi::statement::{Adjustment, Asked, Sheet, issued, statement};
use medfleet_lake::SessionContext;

use crate::given::{HOUR, House, S, UD, at, span};

/// Of all CTs, with what the parties most often agree.
pub fn contract() -> Contract {
    Contract {
        number: "SC-1".into(),
        vendor: "Acme".into(),
        phone: String::new(),
        kind: Some(DeviceKind::Ct),
        devices: Vec::new(),
        valid_from: Day::from_civil(2026, 1, 1),
        valid_until: None,
        guarantee: BasisPoints(9_800),
        period: PeriodLength::Month,
        hours: ContractHours::OfSite,
        minor: BasisPoints(0),
        partial: BasisPoints(5_000),
        severe: BasisPoints(7_500),
        exclusions: vec![Exclusion::MaintenanceFromDowntime],
        starts: ClockStart::Onset,
        stops: ClockStop::ReturnedToUse,
    }
}

fn covered() -> House {
    let mut house = House::new();
    house.register("ct-7", "02-01 00:00");
    house.fleet("01-01 00:00", Body::ContractDefined(Box::new(contract())));
    house
}

async fn sheet(session: &SessionContext, month: u32, now: &str) -> Option<Sheet> {
    let asked = Asked { device: "ct-7", contract: "SC-1", day: Day::from_civil(2026, month, 10), now: at(now) };
    statement(session, asked).await.expect("the statement can be computed")
}

#[tokio::test]
async fn golden_20_from_facts_to_the_sheet_one_hour_counts_and_ten_are_uncovered() {
    let mut house = covered();
    house.hears("ct-7", S, "03-09 08:00", "03-09 22:00");
    house.claims("ct-7", "03-09 22:05", Claimed::Down, "03-09 22:00", None);
    house.claims("ct-7", "03-10 09:00", Claimed::Usable, "03-10 09:00", None);
    house.hears("ct-7", S, "03-10 09:00", "03-10 12:00");
    let sheet = sheet(&house.session().await, 3, "04-05 00:00").await.expect("a contract covers it");
    let figure = sheet.statement.figure();
    assert_eq!(figure.base_micros, 198 * HOUR);
    assert_eq!((sheet.statement.micros(Class::Counted), sheet.statement.micros(Class::Uncovered)), (HOUR, 10 * HOUR));
    assert!((figure.rated().expect("base hours").uptime - 0.994_949).abs() < 1e-6);
    let counted = sheet.statement.lines.iter().find(|line| line.class == Class::Counted).expect("an hour");
    assert_eq!(counted.span, span("03-10 08:00", "03-10 09:00"));
    assert!(!counted.causes.is_empty(), "every line names its log records");
    assert!(!sheet.is_open && sheet.calendar_recorded_at == Some(at("01-01 00:00")));
}

#[tokio::test]
async fn golden_24_both_treatments_of_maintenance_stand_on_the_sheet_by_name() {
    let mut house = covered();
    house.hears("ct-7", S, "03-10 08:00", "03-10 10:00");
    let planned = Some(span("03-10 10:00", "03-10 12:00"));
    house.claims("ct-7", "03-10 12:00", Claimed::Maintenance { planned }, "03-10 10:00", Some("03-10 12:00"));
    house.hears("ct-7", UD, "03-10 14:00", "03-10 15:00");
    let sheet = sheet(&house.session().await, 3, "04-05 00:00").await.expect("a contract covers it");
    let figures = Maintenance::ALL.map(|variant| {
        let figure = sheet.statement.variant(variant);
        (variant.as_str(), figure.base_micros / HOUR, figure.weighted_micros_bp / HOUR / 10_000)
    });
    let expected = [
        ("counts as downtime", 198, 3),
        ("excluded from downtime only", 198, 1),
        ("excluded from downtime and base", 196, 1),
    ];
    assert_eq!(figures, expected);
    assert_eq!(sheet.statement.maintenance.as_str(), "excluded from downtime only");
}

#[tokio::test]
async fn a_contract_recorded_late_is_listed_with_the_points_by_which_it_moved_the_figure() {
    let mut house = covered();
    house.hears("ct-7", S, "03-10 08:00", "03-10 17:00");
    let partial = Claimed::Partial(Degradation::Partial);
    house.claims("ct-7", "03-10 14:00", partial, "03-10 10:00", Some("03-10 14:00"));
    let whole = Contract { valid_from: Day::from_civil(2026, 3, 1), partial: BasisPoints(10_000), ..contract() };
    house.fleet("05-02 09:00", Body::ContractDefined(Box::new(whole)));
    let march = Question::new(at("03-01 00:00"), at("04-01 00:00"), at("06-01 00:00"));
    let listed = backdated(&house.session().await, &march).await.expect("it answers");
    let part = |over: i64| Some(Part { over: over * HOUR, under: 198 * HOUR });
    assert_eq!((listed.len(), listed[0].version.contract.as_deref()), (1, Some("SC-1")));
    assert_eq!((listed[0].before, listed[0].after), (part(196), part(194)), "four hours at half, then as a whole");
    assert!(listed[0].points().is_some_and(|points| (points + 200.0 / 198.0).abs() < 1e-9));
}

#[tokio::test]
async fn golden_25_what_is_issued_stays_and_later_facts_adjust_the_next_statement() {
    let mut house = covered();
    house.hears("ct-7", S, "03-10 08:00", "03-10 10:00");
    house.hears("ct-7", S, "03-10 14:00", "03-10 17:00");
    let cut = house.now();
    let then = sheet(&house.as_of(cut).await, 3, "04-05 09:00").await.expect("a contract covers it");
    let pins = [("medfleet.facts.v1", cut.0), ("medfleet.fleet.v1", cut.1)];
    let pins = pins.map(|(topic, next_offset)| Pin { topic: topic.into(), partition: 0, next_offset }).to_vec();
    let fact = then.issue("SC-1/2026-03/ct-7", "kim", 41, at("04-05 08:59"), pins);
    house.record("ct-7", "04-05 09:00", Body::StatementIssued(Box::new(fact)));
    // Two days later the agent delivers what it had seen: down from ten to one.
    let late = house.told_at + 1;
    for hour in 0..3 {
        let from = at("03-10 10:00").plus_micros(hour * HOUR);
        house.backlog("ct-7", UD, from, from.plus_micros(HOUR), at("04-07 09:00"));
    }
    let session = house.session().await;
    let asked = Question::new(at("03-01 00:00"), at("05-01 00:00"), at("05-05 09:00")).of_device("ct-7");
    let mut all = issued(&session, &asked).await.expect("the view answers");
    let issued = all.pop().expect("it was issued");
    assert_eq!((issued.weighted_micros_bp, issued.base_micros), (0, 198 * HOUR), "as it was issued");
    assert_eq!(issued.offsets["medfleet.facts.v1/0"], cut.0 as i64);
    // Computed again at the cut it pins, it says the same; at today's it does not.
    let pinned = (issued.offsets["medfleet.facts.v1/0"] as u64, issued.offsets["medfleet.fleet.v1/0"] as u64);
    let again = sheet(&house.as_of(pinned).await, 3, "04-05 09:00").await.expect("a contract covers it");
    assert_eq!(again, then);
    let now = sheet(&session, 3, "05-05 09:00").await.expect("a contract covers it");
    let adjustment = Adjustment::of(issued, &again, Some(now)).expect("something changed");
    let now = adjustment.now.expect("it is still covered").statement.figure();
    assert_eq!((adjustment.told, now.weighted_micros_bp), (adjustment.issued.figure(), 3 * HOUR * 10_000));
    let spans: Vec<_> = adjustment.changed.iter().map(|one| (one.span, one.is.map(|(class, _)| class))).collect();
    assert_eq!(spans, [(span("03-10 10:00", "03-10 13:00"), Some(Class::Counted))]);
    let offsets: Vec<u64> = adjustment.changed[0].causes.iter().map(|cause| cause.offset).collect();
    assert_eq!(offsets, [late, late + 1, late + 2], "with its facts");
}

#[tokio::test]
async fn a_voided_contract_covers_nothing_and_a_version_holds_from_the_next_period() {
    let mut house = covered();
    house.hears("ct-7", UD, "03-10 08:00", "03-10 10:00");
    let stricter = Contract { valid_from: Day::from_civil(2026, 3, 15), guarantee: BasisPoints(9_900), ..contract() };
    house.fleet("03-12 09:00", Body::ContractDefined(Box::new(stricter)));
    let session = house.session().await;
    let guarantee = |sheet: Option<Sheet>| sheet.map(|sheet| sheet.version.contract.guarantee.0);
    assert_eq!(guarantee(sheet(&session, 3, "05-01 00:00").await), Some(9_800));
    assert_eq!(guarantee(sheet(&session, 4, "05-01 00:00").await), Some(9_900));
    assert_eq!(guarantee(sheet(&session, 1, "05-01 00:00").await), None, "it was not in service in January");
    let other = Asked { device: "ct-7", contract: "SC-9", day: Day::from_civil(2026, 3, 1), now: at("05-01 00:00") };
    assert_eq!(statement(&session, other).await.expect("it answers"), None);
}

#[tokio::test]
async fn every_version_of_a_contract_is_a_row_with_its_terms() {
    let mut house = covered();
    let own = Contract {
        valid_from: Day::from_civil(2026, 3, 15),
        valid_until: Some(Day::from_civil(2027, 1, 1)),
        guarantee: BasisPoints(9_900),
        hours: ContractHours::AroundTheClock,
        ..contract()
    };
    house.fleet("03-12 09:00", Body::ContractDefined(Box::new(own)));
    let asked = Question::new(at("03-01 00:00"), at("04-01 00:00"), at("04-01 00:00"));
    let versions = view("contract_versions").expect("there is such a view");
    let rows = versions.table(&house.session().await, &asked).await.expect("the view answers").objects();
    let terms = |nth: usize| {
        ["contract", "kind", "valid_from_day", "valid_until_day", "guarantee_bp", "period", "hours", "partial_bp"]
            .map(|name| rows[nth][name].to_string())
    };
    assert_eq!(rows.len(), 2, "{rows:#?}");
    // Days since 1970: 1 January and 15 March 2026, 1 January 2027.
    let whole = ["\"SC-1\"", "\"ct\"", "20454", "null", "9800", "\"month\"", "\"of_site\"", "5000"];
    let stricter = ["\"SC-1\"", "\"ct\"", "20527", "20819", "9900", "\"month\"", "\"around_the_clock\"", "5000"];
    assert_eq!((terms(0), terms(1)), (whole.map(String::from), stricter.map(String::from)));
    assert_eq!(
        (&rows[0]["exclusions"], &rows[0]["clock_starts"]),
        (&"maintenance_from_downtime".into(), &"onset".into())
    );
    assert_eq!(rows[1]["recorded_at"], "2026-03-12T09:00:00Z");
    let elsewhere = versions.table(&house.session().await, &asked.of_site("south")).await.expect("it answers");
    assert!(elsewhere.rows.is_empty(), "of another site");
}
