//! A statement as tables of a file. Pure.

use medfleet_domain::contract::BasisPoints;
use medfleet_domain::statement::{Changed, Class, Figure as Counted, Maintenance, Rated};
use medfleet_kpi::statement::{Adjustment, Sheet};
use medfleet_kpi::table::{Cell, Figure, Table};

use super::lines::CLASSES;
use crate::rest::contracts::name_of;
use crate::rest::sheet::{self, records};

fn figure<T>(name: &'static str, unit: &'static str, meaning: &'static str, of: fn(&T) -> Cell) -> Figure<T> {
    Figure { name, unit, meaning, of }
}

fn weighted_seconds(figure: Counted) -> Cell {
    Cell::Number(figure.weighted_micros_bp as f64 / f64::from(BasisPoints::WHOLE.0) / 1e6)
}

/// How long each class lasted, unweighted.
pub fn class_table(sheet: &Sheet) -> Table {
    type Lasted = (Class, i64, &'static str);
    let shown = [
        figure::<Lasted>("class", "text", "why spans count or not", |(class, ..)| Cell::text(class.as_str())),
        figure::<Lasted>("seconds", "seconds", "how long they lasted", |(_, micros, _)| Cell::seconds(*micros)),
        figure::<Lasted>("means", "text", "what the class is", |(.., means)| Cell::text(means)),
    ];
    let lasted = |(class, means): (Class, &'static str)| (class, sheet.statement.micros(class), means);
    Table::of(&shown, &CLASSES.map(lasted))
}

/// The figure under every treatment of maintenance; the contract's own is marked.
pub fn treatment_table(sheet: &Sheet) -> Table {
    type Treated = (Maintenance, bool, Counted);
    fn rated(one: &Treated, of: fn(Rated) -> f64) -> Cell {
        Cell::number(one.2.rated().map(of))
    }
    let shown = [
        figure::<Treated>("treatment", "text", "what becomes of maintenance", |one| Cell::text(one.0.as_str())),
        figure("is_the_contracts", "yes or no", "the contract names this one", |one| Cell::Flag(one.1)),
        figure("uptime", "ratio", "(base − weighted downtime) ÷ base", |one| rated(one, |rated| rated.uptime)),
        figure("worst", "ratio", "were all unknown down", |one| rated(one, |rated| rated.worst)),
        figure("best", "ratio", "were all conflict up", |one| rated(one, |rated| rated.best)),
        figure("base_seconds", "seconds", "hours that count", |one| Cell::seconds(one.2.base_micros)),
        figure("weighted_down_seconds", "seconds", "downtime that counts, by its weight", |one| {
            weighted_seconds(one.2)
        }),
    ];
    let treated = |one: Maintenance| (one, one == sheet.statement.maintenance, sheet.statement.variant(one));
    Table::of(&shown, &Maintenance::ALL.map(treated))
}

/// A span that later facts judge otherwise.
struct Moved {
    statement: String,
    issued: Counted,
    told: Counted,
    now: Option<Counted>,
    span: Changed,
}

/// What later facts made of earlier statements, span by span.
pub fn adjustment_table(all: &[Adjustment]) -> Table {
    fn judged(counts: Option<(Class, BasisPoints)>) -> Cell {
        Cell::text(counts.map_or("worked", |(class, _)| class.as_str()))
    }
    fn uptime(figure: Counted) -> Cell {
        Cell::number(figure.rated().map(|rated| rated.uptime))
    }
    let shown = [
        figure::<Moved>("statement", "text", "the one that was issued", |one| Cell::text(&one.statement)),
        figure("uptime_issued", "ratio", "as it was issued", |one| uptime(one.issued)),
        figure("uptime_told", "ratio", "as it was last told, by itself or a later statement", |one| uptime(one.told)),
        figure("uptime_now", "ratio", "by what is known now; empty: no longer covered", |one| {
            one.now.map_or(Cell::Nothing, uptime)
        }),
        figure("from_at", "instant, UTC", "from here", |one| Cell::Text(one.span.span.from.to_string())),
        figure("until_at", "instant, UTC", "to here", |one| Cell::Text(one.span.span.until.to_string())),
        figure("was", "text", "its class as it was last told", |one| judged(one.span.was)),
        figure("is", "text", "its class now", |one| judged(one.span.is)),
        figure("records", "text", "places in the log, partition:offset", |one| Cell::Text(records(&one.span.causes))),
    ];
    let moved = |one: &Adjustment, span: &Changed| Moved {
        statement: one.issued.statement.clone(),
        issued: one.issued.figure(),
        told: one.told,
        now: one.now.as_ref().map(|now| now.statement.figure()),
        span: span.clone(),
    };
    let spans: Vec<Moved> = all.iter().flat_map(|one| one.changed.iter().map(move |span| moved(one, span))).collect();
    Table::of(&shown, &spans)
}

/// Statements in a line each, for a file.
pub fn summary_table(sheets: &[Sheet]) -> Table {
    fn rated(sheet: &Sheet, of: fn(Rated) -> f64) -> Cell {
        Cell::number(sheet.statement.figure().rated().map(of))
    }
    let shown = [
        figure::<Sheet>("statement", "text", "its name once it is issued", |one| Cell::Text(name_of(one))),
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
            weighted_seconds(one.statement.figure())
        }),
        figure("unknown_seconds", "seconds", "unknown within the hours", |one| {
            Cell::seconds(one.statement.figure().unknown_micros)
        }),
    ];
    Table::of(&shown, sheets)
}
