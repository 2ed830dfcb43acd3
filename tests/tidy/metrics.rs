//! The names of metrics where they are made, and wherever else they are named.

use std::collections::BTreeSet;

use medfleet_runtime::metrics::UNITS;

use crate::rust::{Source, line_of, words};

/// A metric as one source file makes it.
pub struct Made {
    pub line: usize,
    pub name: String,
    pub is_counter: bool,
}

/// The makers of a room, and whether they make counters.
const MAKERS: [(&str, bool); 6] = [
    ("counter", true),
    ("counter_vec", true),
    ("gauge", false),
    ("gauge_vec", false),
    ("histogram", false),
    ("histogram_vec", false),
];

/// Metrics that a file makes: calls of a maker whose first argument is a literal.
pub fn made(source: &Source) -> Vec<Made> {
    let code = source.product_code();
    let mut found = Vec::new();
    for (maker, is_counter) in MAKERS {
        for at in words(&code, maker).filter(|at| code[..*at].trim_end().ends_with('.')) {
            if let Some(name) = literal_argument(&source.text[at + maker.len()..]) {
                found.push(Made { line: line_of(&code, at), name, is_counter });
            }
        }
    }
    found
}

/// Rooms that a file names; a room that is a variable stands for every room.
pub fn rooms(source: &Source) -> Vec<String> {
    let code = source.product_code();
    let calls = words(&code, "room").filter(|at| code[..*at].ends_with('.'));
    calls.filter_map(|at| literal_argument(&source.text[at + "room".len()..])).collect()
}

fn literal_argument(rest: &str) -> Option<String> {
    let inside = rest.trim_start().strip_prefix('(')?.trim_start().strip_prefix('"')?;
    Some(inside.split_once('"')?.0.to_owned())
}

/// Why a name is against the rule `medfleet_<room>_<noun>_<unit>`, if it is.
pub fn objection(made: &Made) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let (noun, unit) = made.name.rsplit_once('_').unwrap_or(("", &made.name));
    if !made.name.chars().all(plain) || noun.is_empty() || made.name.contains("__") {
        return Some("lower case, a noun and then a unit, with one underscore between words".to_owned());
    }
    match (made.is_counter, unit) {
        (true, "total") => None,
        (true, _) => Some("a counter ends in _total".to_owned()),
        (false, unit) if UNITS.contains(&unit) => None,
        (false, unit) => Some(format!("`{unit}` is no unit of medfleet_runtime::metrics::UNITS")),
    }
}

/// Names of metrics in a text that is not code: a document, a rule, a dashboard.
pub fn named(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_name(c)).filter(|word| word.starts_with("medfleet_"));
    let is_metric =
        |word: &&str| word.rsplit_once('_').is_some_and(|(_, unit)| unit == "total" || UNITS.contains(&unit));
    words.filter(is_metric).collect()
}

mod tests {
    use super::{made, named, objection, rooms};
    use crate::rust::Source;

    #[test]
    fn names_are_found_where_they_are_made_and_judged() {
        let source = Source::new(
            "let room = metrics.room(\"ingest\");\nroom.counter(\"facts_total\", \"x\");\nroom\n    .gauge_vec(\n \"lag_count\")",
        );
        assert_eq!(rooms(&source), ["ingest"]);
        let found = made(&source);
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["facts_total", "lag_count"]);
        assert!(objection(&found[0]).is_none() && objection(&found[1]).is_some());
        assert_eq!(named("see `medfleet_ingest_facts_total` of medfleet_ingest").into_iter().count(), 1);
    }
}
