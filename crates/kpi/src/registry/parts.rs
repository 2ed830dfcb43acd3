//! How `.sql` files are put together: `{name}` stands for the file of that name.

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("../../sql/", $name, ".sql"))
    };
}
pub(super) use sql;

/// Files that others name. A part may name the parts below it.
const PARTS: [(&str, &str); 30] = [
    ("{repairs}", sql!("repairs")),
    ("{pm}", sql!("pm")),
    ("{late}", sql!("parts/late")),
    ("{foretold}", sql!("parts/foretold")),
    ("{alerts}", sql!("parts/alerts")),
    ("{uptime}", sql!("uptime")),
    ("{failures}", sql!("failures")),
    ("{cycles}", sql!("cycles")),
    ("{in_service}", sql!("parts/in_service")),
    ("{trouble}", sql!("parts/trouble")),
    ("{earlier_downs}", sql!("parts/earlier_downs")),
    ("{carried}", sql!("parts/carried")),
    ("{asked}", sql!("parts/asked")),
    ("{numbered_downs}", sql!("parts/numbered_downs")),
    ("{worked}", sql!("parts/worked")),
    ("{down_islands}", sql!("parts/down_islands")),
    ("{order_lives}", sql!("parts/order_lives")),
    ("{order_waits}", sql!("parts/order_waits")),
    ("{order_phases}", sql!("parts/order_phases")),
    ("{risk_class}", sql!("parts/risk_class")),
    ("{timeline}", sql!("parts/timeline")),
    ("{live}", sql!("parts/live")),
    ("{sites}", sql!("parts/sites")),
    ("{served_downs}", sql!("parts/served_downs")),
    ("{heard}", sql!("parts/heard")),
    ("{within_service}", sql!("parts/within_service")),
    ("{service_times}", sql!("parts/service_times")),
    ("{registered}", sql!("parts/registered")),
    ("{device_versions}", sql!("parts/device_versions")),
    ("{heads}", sql!("parts/heads")),
];

/// Replaces every `{part}` by its file.
pub fn whole(sql: &str) -> String {
    PARTS.iter().fold(sql.to_owned(), |text, (name, part)| text.replace(name, part))
}

/// Names of the `$parameters` in a statement, repeats included.
pub(super) fn names(sql: &str) -> impl Iterator<Item = &str> {
    sql.split('$').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}
