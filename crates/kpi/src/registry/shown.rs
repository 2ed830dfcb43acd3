//! How columns are shown outside: one name and one unit in SQL, JSON and CSV alike. Inside, a view sums whole microseconds.
//!
//! `down_us` is shown as `down_seconds`, `onset_us` as the instant `onset_at`, `gained_milli` as `gained`; the rest as it is.

use super::{Column, Unit, View};

impl Column {
    /// The name it is shown under.
    pub fn shown(&self) -> String {
        let stem = |suffix: &str| self.name.strip_suffix(suffix).unwrap_or(self.name);
        match self.unit {
            Unit::Micros => format!("{}_seconds", stem("_us")),
            Unit::InstantMicros => format!("{}_at", stem("_us")),
            Unit::Milli => stem("_milli").to_owned(),
            _ => self.name.to_owned(),
        }
    }

    /// The unit it is shown in.
    pub const fn shown_unit(&self) -> &'static str {
        match self.unit {
            Unit::Text => "text",
            Unit::Flag => "yes or no",
            Unit::Count => "count",
            Unit::Micros => "seconds",
            Unit::InstantMicros => "instant, UTC",
            Unit::Day => "day",
            Unit::Milli => "the counter's unit",
            Unit::Number => "number",
            Unit::Bytes => "bytes",
        }
    }

    fn shown_sql(&self) -> String {
        let (name, shown) = (self.name, self.shown());
        match self.unit {
            Unit::Micros => format!("{name} / 1e6 AS {shown}"),
            Unit::InstantMicros => {
                format!("arrow_cast({name}, 'Timestamp(Microsecond, Some(\"UTC\"))') AS {shown}")
            }
            Unit::Milli => format!("{name} / 1e3 AS {shown}"),
            _ => name.to_owned(),
        }
    }
}

impl View {
    /// The view with its columns as they are shown.
    pub fn shown_sql(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(Column::shown_sql).collect();
        format!("-- One row: {}\nSELECT {}\nFROM (\n{}\n) AS answer", self.one_row(), columns.join(", "), self.sql())
    }
}

#[cfg(test)]
mod tests {
    use super::super::views;

    #[test]
    fn a_shown_name_says_its_unit_and_is_used_once() {
        for view in views() {
            let mut names: Vec<String> = view.columns.iter().map(super::Column::shown).collect();
            assert!(names.iter().all(|name| !name.ends_with("_us") && !name.ends_with("_milli")), "{names:?}");
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), view.columns.len(), "{}", view.name);
        }
    }
}
