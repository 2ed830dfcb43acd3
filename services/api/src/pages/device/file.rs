//! The tables of a device's page as a file has them: whole, from the same views that REST and SQL answer.

use medfleet_kpi::Question;
use medfleet_kpi::backdated::VIEW;
use medfleet_kpi::registry::view;
use medfleet_kpi::table::{Cell, Figure, Table};

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::pages::download::Sheet;
use crate::period::Period;
use crate::query::{self, DeviceVersion, Reported, Scope};

/// Sheets by name, the view behind each, and what one row is.
const VIEWS: [(&str, &str, &str); 9] = [
    ("intervals", "pieces", "one span of the device in one condition, with the log record that made it so"),
    ("episodes", "failures", "one episode of trouble that began in the period"),
    ("orders", "repairs", "one corrective order opened in the period, with its clocks as far as they have run"),
    ("maintenance", "pm", "one planned maintenance that was due in the period, or carried into it"),
    ("amendments", "amendments", "what records of one day, taken after the period's end, changed in it for one reason"),
    ("amended_work", "amended_work", "one repair or planned maintenance of which records came after the period's end"),
    (
        "amended_counters",
        "amended_counters",
        "one counter whose gain was changed by records that came after the period's end",
    ),
    (
        "terms",
        "backdated",
        "one calendar, contract or time zone recorded after the period, with the device's uptime before and after it",
    ),
    ("counters", "cycles", "what one counter gained in the period"),
];

pub async fn sheets(
    open: &OpenCut,
    version: &DeviceVersion,
    period: Period,
    drawn: Period,
) -> Result<Vec<Sheet>, ApiError> {
    let device = version.device.as_str();
    let asked: Question = question(open, period, Scope { device, ..Scope::default() });
    // Terms are those of its site and kind.
    let here = question(open, period, Scope { site: &version.site, kind: &version.kind, device });
    let session = open.kpi().await?;
    let mut sheets = Vec::new();
    for (name, of, one_row) in VIEWS {
        sheets.push(Sheet::new(
            name,
            one_row,
            view(of)?.table(session, if of == VIEW { &here } else { &asked }).await?,
        ));
    }
    let errors = query::errors(open, device, drawn).await?;
    sheets.push(Sheet::new("errors", "one error code the device reported", Table::of(&errors_shown(), &errors)));
    Ok(sheets)
}

fn errors_shown() -> [Figure<Reported>; 6] {
    fn figure(
        name: &'static str,
        unit: &'static str,
        meaning: &'static str,
        of: fn(&Reported) -> Cell,
    ) -> Figure<Reported> {
        Figure { name, unit, meaning, of }
    }
    fn some(text: &Option<String>) -> Cell {
        Cell::text(text.as_deref().unwrap_or_default())
    }
    [
        figure("at", "instant, UTC", "when it was reported", |one| Cell::Text(one.at.to_string())),
        figure("code", "text", "as the device names it", |one| Cell::text(&one.code)),
        figure("family", "text", "as the catalogue groups it", |one| some(&one.family)),
        figure("severity", "text", "info, warning, minor, major or critical", |one| Cell::text(&one.severity)),
        figure("component", "text", "the part it is about", |one| some(&one.component)),
        figure("text", "text", "what the device says", |one| some(&one.text)),
    ]
}
