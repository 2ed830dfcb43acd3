//! The `.sql` files, put together from their shared parts: those of the views, and those that pages and the api ask too.

use std::sync::LazyLock;

macro_rules! own {
    ($name:literal) => {
        include_str!(concat!("../sql/", $name, ".sql"))
    };
}

/// Files that others name as `{part}`, beside those of the KPI room. A part may name the parts below it in the list.
const PARTS: [(&str, &str); 4] = [
    ("{models}", own!("models")),
    ("{figures}", own!("figures")),
    ("{totals}", own!("totals")),
    ("{sums}", own!("sums")),
];

fn whole(sql: &str) -> String {
    let own = PARTS.iter().fold(sql.to_owned(), |text, (name, part)| text.replace(name, part));
    medfleet_kpi::registry::whole(&own)
}

macro_rules! file {
    ($static:ident, $text:expr) => {
        pub static $static: LazyLock<String> = LazyLock::new(|| whole($text));
    };
}
file!(UPTIME, own!("uptime"));
file!(UPTIME_BY_DEVICE, own!("uptime_by_device"));
file!(TIMELINE, own!("timeline"));
file!(DEVICES_AT, own!("devices_at"));
file!(SITES, "{sites}");

/// One table as it was before an instant; `{table}` is its name.
pub const BEFORE: &str = own!("before");

/// The views: a name is a file. Their parameters are the cut's own.
pub static VIEWS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let files = [
        ("agents", own!("agents")),
        ("alert_steps", own!("alert_steps")),
        ("alerts", "{alerts}"),
        ("calendars", own!("calendars")),
        ("components", own!("components")),
        ("cut_info", own!("cut_info")),
        ("device_now", own!("device_now")),
        ("device_versions", own!("device_versions")),
        ("devices", own!("devices")),
        ("errors", own!("errors")),
        ("facts", own!("facts")),
        ("foretold", "{foretold}"),
        ("gate_decisions", own!("gate_decisions")),
        ("intervals", own!("intervals")),
        ("maintenance", own!("maintenance")),
        ("models", own!("models")),
        ("orders", own!("orders")),
        ("rollup_day", own!("rollup_day")),
        ("rollup_quarter", own!("rollup_quarter")),
        ("scores", own!("scores")),
        ("scores_now", own!("scores_now")),
        ("sites", "{sites}"),
        ("usage", own!("usage")),
        ("verdicts", own!("verdicts")),
    ];
    files.map(|(name, sql)| (name, whole(sql))).to_vec()
});

/// The views that are functions too, of what was known or had happened: those over tables of facts. Alerts and models tell when
/// each of their rows was said.
pub const SEEN: [&str; 17] = [
    "calendars",
    "components",
    "device_now",
    "device_versions",
    "devices",
    "errors",
    "facts",
    "intervals",
    "maintenance",
    "orders",
    "rollup_day",
    "rollup_quarter",
    "scores",
    "scores_now",
    "sites",
    "usage",
    "verdicts",
];

/// What one row of a view or function means: the head of its file.
pub fn meaning(sql: &str) -> String {
    let head = sql.lines().map_while(|line| line.strip_prefix("-- "));
    head.collect::<Vec<_>>().join(" ").trim_start_matches("One row: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_is_left_unnamed_and_every_file_says_what_a_row_is() {
        let functions = [&UPTIME, &UPTIME_BY_DEVICE, &TIMELINE, &DEVICES_AT].map(|sql| sql.as_str());
        for sql in VIEWS.iter().map(|(_, sql)| sql.as_str()).chain(functions) {
            assert!(!sql.contains('{'), "{sql}");
            assert!(sql.starts_with("-- One row: "), "{sql}");
        }
        assert!(SEEN.iter().all(|name| VIEWS.iter().any(|(view, _)| view == name)), "{SEEN:?}");
        assert_eq!(meaning("-- One row: one site\n-- as it is.\nSELECT 1"), "one site as it is.");
    }
}
