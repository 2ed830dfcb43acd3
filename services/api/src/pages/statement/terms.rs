//! What a contract says, and statements in a line each for a file. Pure.

use medfleet_domain::contract::BasisPoints;
use medfleet_domain::statement::Rated;
use medfleet_kpi::statement::{ContractVersion, Sheet};
use medfleet_kpi::table::{Cell, Figure, Table};

use crate::pages::contracts::{clock_words, covers, hours_words};
use crate::pages::format::basis_points;
use crate::rest::contracts::name_of;
use crate::rest::sheet;

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

/// Statements in a line each, for a file.
pub fn summary_table(sheets: &[Sheet]) -> Table {
    fn figure(name: &'static str, unit: &'static str, meaning: &'static str, of: fn(&Sheet) -> Cell) -> Figure<Sheet> {
        Figure { name, unit, meaning, of }
    }
    fn rated(sheet: &Sheet, of: fn(Rated) -> f64) -> Cell {
        Cell::number(sheet.statement.figure().rated().map(of))
    }
    let shown = [
        figure("statement", "text", "its name once it is issued", |one| Cell::Text(name_of(one))),
        figure("contract", "text", "number of the contract", |one| Cell::text(&one.version.contract.number)),
        figure("device", "text", "the device", |one| Cell::text(&one.device)),
        figure("first_day", "day", "first local day of the period", |one| Cell::Text(one.days.0.to_string())),
        figure("until_day", "day", "first local day after it", |one| Cell::Text(one.days.1.to_string())),
        figure("is_open", "yes or no", "the period is not over", |one| Cell::Flag(one.is_open)),
        figure("guarantee", "ratio", "guaranteed uptime", |one| {
            Cell::Number(f64::from(one.version.contract.guarantee.0) / f64::from(BasisPoints::WHOLE.0))
        }),
        figure("uptime", "ratio", "(base − weighted downtime) ÷ base", |one| rated(one, |rated| rated.uptime)),
        figure("worst", "ratio", "were all unknown down", |one| rated(one, |rated| rated.worst)),
        figure("best", "ratio", "were all conflict up", |one| rated(one, |rated| rated.best)),
        figure("coverage", "ratio", "known ÷ base", |one| rated(one, |rated| rated.coverage)),
        figure("judged", "text", "met, missed or undecided", |one| {
            let judged = sheet::judged(&one.version.contract, one.statement.figure());
            Cell::text(judged.as_deref().unwrap_or_default())
        }),
        figure("base_seconds", "seconds", "hours of the contract in service", |one| {
            Cell::seconds(one.statement.figure().base_micros)
        }),
        figure("weighted_down_seconds", "seconds", "downtime that counts, by its weight", |one| {
            Cell::Number(one.statement.figure().weighted_micros_bp as f64 / f64::from(BasisPoints::WHOLE.0) / 1e6)
        }),
        figure("unknown_seconds", "seconds", "unknown within the hours", |one| {
            Cell::seconds(one.statement.figure().unknown_micros)
        }),
    ];
    Table::of(&shown, sheets)
}
