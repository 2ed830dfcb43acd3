//! The list of alerts as a table with its columns explained.

use medfleet_domain::alert::Finding;
use medfleet_domain::time::Timestamp;
use medfleet_kpi::table::{Cell, Figure, Table};

use super::Weighed;
use super::voices::VoiceRow;

pub fn table(rows: &[Weighed]) -> Table {
    Table::of(&figures(), rows)
}

pub fn of_voices(rows: &[VoiceRow]) -> Table {
    let figures: [Figure<VoiceRow>; 10] = [
        Figure::new("voice", "", "who spoke", |row| Cell::text(&row.voice)),
        Figure::new("model", "", "by which model", |row| Cell::text(&row.model)),
        Figure::new("rule", "", "the rule that raised alerts of it", |row| Cell::text(&row.rule)),
        Figure::new("ahead", "", "how far it looks ahead", |row| Cell::text(&row.ahead)),
        Figure::new("raised", "count", "alerts", |row| Cell::count(row.raised as u64)),
        Figure::new("right", "count", "alerts that a verdict confirms", |row| Cell::count(row.right as u64)),
        Figure::new("nothing_found", "count", "alerts of which nothing was found", |row| Cell::count(row.wrong as u64)),
        Figure::new(
            "week",
            "",
            "most false alerts of its model for one technician within 7 days, of the budget",
            |row| Cell::text(&row.week),
        ),
        Figure::new("is_heard", "yes or no", "it has not gone beyond that budget", |row| Cell::Flag(row.is_heard)),
        Figure::new("last_raised_at", "UTC", "its newest alert", |row| time(Some(row.last))),
    ];
    Table::of(&figures, rows)
}

fn time(at: Option<Timestamp>) -> Cell {
    at.map_or(Cell::Nothing, |at| Cell::Text(at.to_string()))
}

fn some(text: &Option<String>) -> Cell {
    text.as_deref().map_or(Cell::Nothing, Cell::text)
}

fn figures() -> [Figure<Weighed>; 22] {
    [
        Figure::new("alert", "", "its id for life", |row| Cell::Text(row.alert.id.to_string())),
        Figure::new("summary", "", "what it says", |row| Cell::text(&row.alert.summary)),
        Figure::new("rule", "", "the rule that raised it", |row| Cell::text(&row.alert.about.rule)),
        Figure::new("urgency", "", "page, soon or inbox", |row| Cell::text(row.alert.about.urgency.as_str())),
        Figure::new("open", "yes or no", "it has not ended", |row| Cell::Flag(row.alert.is_open())),
        Figure::new("late", "yes or no", "heard long after it happened; woke nobody", |row| Cell::Flag(row.alert.late)),
        Figure::new("site", "", "where", |row| Cell::text(row.alert.about.site.as_str())),
        Figure::new("kind", "", "kind of equipment", |row| Cell::text(row.alert.about.kind.as_str())),
        Figure::new("subject_kind", "", "device, agent or site", |row| {
            Cell::text(row.alert.about.subject.kind.as_str())
        }),
        Figure::new("subject", "", "what it is about", |row| Cell::text(row.alert.about.subject.name())),
        Figure::new("part", "", "suspected part or counter", |row| Cell::text(&row.alert.about.part)),
        Figure::new("room", "", "room of the device", |row| some(&row.room)),
        Figure::new("began_at", "UTC", "when the problem began", |row| time(Some(row.alert.began))),
        Figure::new("raised_at", "UTC", "when it was raised or reopened last", |row| time(Some(row.alert.raised_at))),
        Figure::new("act_by", "UTC", "when somebody should have acted", |row| time(row.act_by)),
        Figure::new("acknowledged_by", "", "who has seen it", |row| some(&row.alert.acknowledged_by)),
        Figure::new("assigned_to", "", "whose it is", |row| some(&row.alert.assigned_to)),
        Figure::new("ended_at", "UTC", "when it ended", |row| time(row.alert.ended.as_ref().map(|(at, _)| *at))),
        Figure::new("finding", "", "the latest verdict", |row| {
            row.alert.finding.as_ref().map(Finding::as_str).map_or(Cell::Nothing, Cell::text)
        }),
        Figure::new("free_equivalents", "devices", "same kind, same site, up and not in use", |row| {
            Cell::count(row.impact.free as u64)
        }),
        Figure::new(
            "chance",
            "0 to 1",
            "that it is right: the newest that a model says of it, else the share of verdicts on such alerts",
            |row| Cell::number(Some(row.impact.chance)),
        ),
        Figure::new("impact_hours", "hours", "chance × middle repair time ÷ (1 + free equivalents)", |row| {
            Cell::number(row.impact.known_hours())
        }),
    ]
}
