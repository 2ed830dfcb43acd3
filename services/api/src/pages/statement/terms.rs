//! What a contract says. Pure.

use medfleet_domain::contract::BasisPoints;
use medfleet_kpi::statement::{ContractVersion, Sheet};

use crate::pages::contracts::{clock_words, covers, hours_words};
use crate::pages::format::basis_points;

/// What the contract says; and since when that is known.
pub fn terms(version: &ContractVersion, sheet: Option<&Sheet>) -> Vec<(&'static str, String)> {
    let of = &version.contract;
    let excluded: Vec<String> = of.exclusions.iter().map(|one| one.as_str().replace('_', " ")).collect();
    let share = |points: BasisPoints| basis_points(points);
    let mut told = vec![
        ("Covers", covers(of)),
        ("Guarantee", format!("{} each {}", share(of.guarantee), of.period.as_str())),
        ("Hours", hours_words(&of.hours).to_owned()),
        ("Clock", clock_words(of)),
        (
            "Degraded counts",
            format!("minor {}, partial {}, severe {}", share(of.minor), share(of.partial), share(of.severe)),
        ),
        ("Excluded", if excluded.is_empty() { "nothing".to_owned() } else { excluded.join(", ") }),
        ("Version", format!("from {}, recorded {}", of.valid_from, version.recorded_at)),
    ];
    if let Some(at) = sheet.and_then(|sheet| sheet.calendar_recorded_at) {
        told.push(("Calendar", format!("recorded {at}")));
    }
    told
}
