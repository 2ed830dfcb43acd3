//! The tables up to an instant: what had happened before it, by all that is known. `at` asks for this; `as_of` asks what was
//! known, and both may be asked together. A file of SQL knows nothing of either: it reads the same names.

use medfleet_domain::time::Timestamp;
use medfleet_lake::SessionContext;

use crate::apart::{apart, instant};
use crate::error::KpiError;

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("../sql/happened/", $name, ".sql"))
    };
}

/// How rows of a table lie in time.
#[derive(Debug, Clone, Copy)]
enum InTime {
    /// From one instant to another that is told.
    Span { from: &'static str, until: &'static str },
    /// From an instant on, and perhaps to another.
    State { from: &'static str, until: &'static str },
    /// The same, beside agents' last signs of life.
    Head { from: &'static str, until: &'static str },
    /// At an instant.
    Event { at: &'static str },
    /// On a local day.
    Day { from: &'static str },
}

/// Tables of what happens. Of the others (facts, calendars, sites, verdicts) each row is knowledge: a correction that is said
/// later tells what was true before.
const TABLES: [(&str, InTime); 12] = [
    ("intervals", InTime::Span { from: "from_at", until: "until_at" }),
    ("heads", InTime::Head { from: "from_at", until: "until_at" }),
    ("devices", InTime::State { from: "valid_from", until: "valid_until" }),
    ("usage", InTime::Event { at: "at" }),
    ("errors", InTime::Event { at: "at" }),
    ("orders", InTime::Event { at: "at" }),
    ("maintenance", InTime::Event { at: "at" }),
    ("components", InTime::Event { at: "at" }),
    ("statements", InTime::Event { at: "at" }),
    ("scores", InTime::Event { at: "at" }),
    ("rollup_quarter", InTime::Event { at: "quarter_at" }),
    ("contracts", InTime::Day { from: "valid_from" }),
];

/// A session that sees what had happened before an instant. Plans only; nothing is read.
pub async fn happened(session: &SessionContext, before: Timestamp) -> Result<SessionContext, KpiError> {
    let in_time = |name: &str| TABLES.iter().find(|(table, _)| *table == name);
    apart(session, |name| in_time(name).map(|(_, in_time)| in_time.sql(name, before))).await
}

impl InTime {
    fn sql(self, table: &str, before: Timestamp) -> String {
        let instant = instant(before.0);
        // The day on which the instant lies has begun.
        let day = format!("arrow_cast(arrow_cast({}, 'Int32'), 'Date32')", before.day().0 + 1);
        let (file, from, until, at) = match self {
            Self::Span { from, until } => (sql!("spans"), from, until, instant),
            Self::State { from, until } => (sql!("states"), from, until, instant),
            Self::Head { from, until } => (sql!("heads"), from, until, instant),
            Self::Event { at } => (sql!("events"), at, "", instant),
            Self::Day { from } => (sql!("events"), from, "", day),
        };
        file.replace("{table}", table).replace("{from}", from).replace("{until}", until).replace("{at}", &at)
    }
}

#[cfg(test)]
mod tests {
    use medfleet_lake::schema;

    use super::*;

    #[test]
    fn every_table_that_is_cut_has_the_columns_it_is_cut_by() {
        for (name, in_time) in TABLES {
            let columns = &schema::table(name).expect("the table is defined").schema;
            let (from, until) = match in_time {
                InTime::Span { from, until } | InTime::State { from, until } | InTime::Head { from, until } => {
                    (from, until)
                }
                InTime::Event { at: from } | InTime::Day { from } => (from, from),
            };
            assert!(columns.field_with_name(from).is_ok() && columns.field_with_name(until).is_ok(), "{name}");
            assert!(!in_time.sql(name, Timestamp(0)).contains('{'), "{name}");
        }
    }
}
