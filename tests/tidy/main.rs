//! Tidy: the habits of the house as a plain test. Each rule lists everything that breaks it, with file and line.

mod documents;
mod layers;
mod metrics;
mod rust;
mod tree;

use std::collections::BTreeSet;

use layers::Layers;
use rust::{Source, line_of, words};
use tree::Tree;

const FILE_LIMIT_LINES: usize = 450;
const FUNCTION_LIMIT_LINES: usize = 90;
const DECISION_LIMIT_LINES: usize = 40;
const SCRIPT_LINE_LIMIT_CHARS: usize = 200;

/// All that may lie at the top of the repository.
const TOP: [&str; 18] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "clippy.toml",
    "crates",
    "dashboards",
    "docs",
    "infra",
    "proto",
    "rustfmt.toml",
    "services",
    "tests",
];

fn no_violations(rule: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{rule}: {} violations\n  {}\n", found.len(), found.join("\n  "));
}

fn rust_files(tree: &Tree) -> Vec<(&str, Source)> {
    let read = |path| tree.text(path).map(|text| (path, Source::new(&text)));
    tree.with_extension("rs").into_iter().filter_map(read).collect()
}

/// Sources of the product: all of `src` but the modules that are compiled for tests only.
fn product_files(tree: &Tree) -> Vec<(&str, Source)> {
    let files = rust_files(tree);
    let (mut of_tests, mut test_folders) = (BTreeSet::new(), Vec::new());
    for (path, source) in &files {
        for module in source.test_modules() {
            let folder = ["lib.rs", "main.rs", "mod.rs"].iter().find_map(|name| path.strip_suffix(name));
            let folder = folder.map_or_else(|| format!("{}/", path.trim_end_matches(".rs")), str::to_owned);
            of_tests.insert(format!("{folder}{module}.rs"));
            test_folders.push(format!("{folder}{module}/"));
        }
    }
    let of_test = |path: &str| of_tests.contains(path) || test_folders.iter().any(|folder| path.starts_with(folder));
    files.into_iter().filter(|(path, _)| path.contains("/src/") && !of_test(path)).collect()
}

#[test]
fn dependencies_point_down_only() {
    no_violations("layers", Layers::read(Tree::open().root()).violations());
}

#[test]
fn the_pure_crates_know_no_clock_no_files_and_no_runtime() {
    let rim = ["SystemTime", "Instant", "tokio", "async", "await", "thread", "rand", "println", "eprintln"];
    let rim_modules = ["std::fs", "std::net", "std::env", "std::io", "std::process"];
    let mut found = Vec::new();
    for (path, source) in product_files(&Tree::open()) {
        let pure = ["crates/domain/src/", "crates/wire/src/", "crates/risk/src/", "crates/alerts/src/"];
        if !pure.iter().any(|room| path.starts_with(room)) {
            continue;
        }
        let code = source.product_code();
        let named = rim.iter().flat_map(|word| words(&code, word).map(move |at| (*word, at)));
        let used = rim_modules.iter().flat_map(|module| code.match_indices(module).map(|(at, module)| (module, at)));
        found.extend(named.chain(used).map(|(word, at)| format!("{path}:{} says `{word}`", line_of(&code, at))));
    }
    no_violations("the middle is silent", found);
}

#[test]
fn every_source_file_begins_by_saying_what_it_is_for() {
    let tree = Tree::open();
    let silent = |path: &&str| !tree.text(path).is_some_and(|text| text.starts_with("//! "));
    let found =
        tree.with_extension("rs").into_iter().filter(silent).map(|path| format!("{path}: no `//! ` at the top"));
    no_violations("first lines", found.collect());
}

#[test]
fn files_and_functions_are_small() {
    let tree = Tree::open();
    let mut found = Vec::new();
    for (path, source) in rust_files(&tree) {
        let lines = source.text.lines().count();
        if lines > FILE_LIMIT_LINES {
            found.push(format!("{path}: {lines} lines, {FILE_LIMIT_LINES} at most"));
        }
        let long = source.functions().into_iter().filter(|function| function.lines > FUNCTION_LIMIT_LINES);
        found.extend(
            long.map(|function| format!("{path}:{}: fn {} has {} lines", function.line, function.name, function.lines)),
        );
    }
    no_violations("sizes", found);
}

#[test]
fn the_product_neither_unwraps_nor_leaves_things_for_later() {
    let mut found = Vec::new();
    for (path, source) in product_files(&Tree::open()) {
        let code = source.product_code();
        for banned in [".unwrap()", "todo!", "unimplemented!", "dbg!"] {
            found.extend(code.match_indices(banned).map(|(at, _)| format!("{path}:{}: {banned}", line_of(&code, at))));
        }
    }
    no_violations("unfinished code", found);
}

#[test]
fn no_file_speaks_of_later_or_of_the_machine_it_was_written_on() {
    // Put together here, so that this file does not break its own rule.
    let later = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let machine = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];
    let tree = Tree::open();
    let mut found = Vec::new();
    for path in tree.paths().filter(|path| !path.ends_with(".lock") && !path.starts_with("tests/fixtures/")) {
        let Some(text) = tree.text(path) else { continue };
        let words = later.iter().flat_map(|word| rust::words(&text, word).map(move |at| (*word, at)));
        let places = machine.iter().flat_map(|place| text.match_indices(place).map(|(at, place)| (place, at)));
        found.extend(words.chain(places).map(|(what, at)| format!("{path}:{}: {what}", line_of(&text, at))));
    }
    no_violations("leftovers", found);
}

#[test]
fn packages_come_from_the_public_registries_by_their_default_names() {
    let tree = Tree::open();
    let mut found = Vec::new();
    let mut check = |path: &str, allowed: &dyn Fn(&str) -> bool| {
        for (number, line) in (1..).zip(tree.text(path).unwrap_or_default().lines()) {
            if !allowed(line.trim()) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    };
    for path in tree.paths() {
        match path.rsplit('/').next().unwrap_or(path) {
            "Cargo.lock" => check(path, &|line| {
                !line.starts_with("source = ")
                    || line == "source = \"registry+https://github.com/rust-lang/crates.io-index\""
            }),
            "Cargo.toml" | "config.toml" => {
                check(path, &|line| {
                    !line.starts_with("registry") && !line.starts_with("replace-with") && !line.contains("git = ")
                });
            }
            "package-lock.json" => {
                check(path, &|line| !line.starts_with("\"resolved\"") || line.contains("\"https://registry.npmjs.org/"))
            }
            "pom.xml" => check(path, &|line| !line.contains("<url>") && !line.contains("epository>")),
            name if name.starts_with("requirements") => {
                check(path, &|line| !line.contains("index-url") && !line.contains("://"))
            }
            ".npmrc" => check(path, &|line| !line.contains("://")),
            "pip.conf" | "settings.xml" => check(path, &|_| false),
            _ => {}
        }
    }
    no_violations("registries", found);
}

#[test]
fn metric_names_carry_room_noun_and_unit_and_exist_where_they_are_named() {
    let tree = Tree::open();
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let mut everywhere = Vec::new();
    for (path, source) in product_files(&tree) {
        let (rooms, made) = (metrics::rooms(&source), metrics::made(&source));
        found.extend(
            made.iter()
                .filter_map(|one| Some(format!("{path}:{}: `{}`: {}", one.line, one.name, metrics::objection(one)?))),
        );
        for one in made {
            known.extend(rooms.iter().map(|room| format!("medfleet_{room}_{}", one.name)));
            if rooms.is_empty() {
                everywhere.push(format!("_{}", one.name));
            }
        }
    }
    assert!(known.len() > 20, "only {} metrics found: the rule would not be tested", known.len());
    let is_known = |name: &str| {
        let series = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        known.contains(series) || everywhere.iter().any(|end| series.ends_with(end.as_str()))
    };
    for path in
        tree.paths().filter(|path| ["docs/", "infra/", "dashboards/grafana/"].iter().any(|room| path.starts_with(room)))
    {
        let text = tree.text(path).unwrap_or_default();
        let unknown = metrics::named(&text).into_iter().filter(|name| !is_known(name));
        found.extend(unknown.map(|name| format!("{path}: no code makes the metric `{name}`")));
    }
    no_violations("metric names", found);
}

#[test]
fn every_alert_rule_has_a_runbook_that_names_it_and_a_test() {
    let tree = Tree::open();
    let text = |path: &str| tree.text(path).unwrap_or_default();
    let (rules, tests) = (text("infra/prometheus/rules.yml"), text("infra/prometheus/rules_test.yml"));
    let value = |block: &str, key: &str| {
        block.lines().find_map(|line| line.trim().strip_prefix(key)).map(|value| value.trim().to_owned())
    };
    let mut found = Vec::new();
    let alerts: Vec<&str> = rules.split("- alert:").skip(1).collect();
    assert!(alerts.len() > 10, "only {} alerts found: the rule would not be tested", alerts.len());
    for block in alerts {
        let alert = block.lines().next().unwrap_or_default().trim();
        let runbook = value(block, "runbook:").unwrap_or_default();
        if !text(&runbook).contains(&format!("`{alert}`")) {
            found.push(format!("{alert}: its runbook `{runbook}` does not name it"));
        }
        if !tests.contains(&format!("alertname: {alert}\n")) {
            found.push(format!("{alert}: no test in infra/prometheus/rules_test.yml"));
        }
    }
    no_violations("alert rules", found);
}

#[test]
fn every_sql_file_says_what_one_row_means() {
    let tree = Tree::open();
    let silent = |path: &&str| !tree.text(path).is_some_and(|text| text.starts_with("-- "));
    let found = tree
        .with_extension("sql")
        .into_iter()
        .filter(silent)
        .map(|path| format!("{path}: the first line is no comment"));
    no_violations("SQL files", found.collect());
}

#[test]
fn decisions_are_short_and_numbered_without_gap() {
    let tree = Tree::open();
    let mut found = Vec::new();
    let decisions: Vec<&str> = tree.paths().filter(|path| path.starts_with("docs/decisions/")).collect();
    for (number, path) in (1..).zip(&decisions) {
        let text = tree.text(path).unwrap_or_default();
        if !path.starts_with(&format!("docs/decisions/{number:04}-")) {
            found.push(format!("{path}: number {number:04} was expected here"));
        }
        let lines = text.lines().count();
        if lines > DECISION_LIMIT_LINES {
            found.push(format!("{path}: {lines} lines, {DECISION_LIMIT_LINES} at most"));
        }
        for part in ["## Context", "## Decision", "## Outcome"] {
            if !text.contains(part) {
                found.push(format!("{path}: no `{part}`"));
            }
        }
    }
    no_violations("decisions", found);
}

#[test]
fn every_file_lies_in_a_room_of_the_plan() {
    let tree = Tree::open();
    let tops: BTreeSet<&str> = tree.paths().filter_map(|path| path.split('/').next()).collect();
    let found = tops.into_iter().filter(|top| !TOP.contains(top)).map(|top| format!("{top} is no room of the house"));
    no_violations("rooms", found.collect());
}

#[test]
fn documents_point_at_files_and_tests_that_exist() {
    let tree = Tree::open();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (_, source) in rust_files(&tree) {
        // Laws are listed in a macro, so any identifier counts.
        let words = source.code.split(|c: char| c != '_' && !c.is_alphanumeric());
        names.extend(words.filter(|word| word.contains('_')).map(str::to_owned));
    }
    let mut found = Vec::new();
    for path in tree.with_extension("md") {
        let text = tree.text(path).unwrap_or_default();
        found.extend(documents::lost_places(&tree, path, &text));
        found.extend(documents::lost_tests(&names, path, &text));
    }
    no_violations("documents", found);
}

#[test]
fn scripts_of_the_pages_are_our_own() {
    let tree = Tree::open();
    let mut found = Vec::new();
    for path in tree.with_extension("js").into_iter().chain(tree.with_extension("mjs")) {
        let text = tree.text(path).unwrap_or_default();
        if path.contains("node_modules/") || path.contains(".min.") {
            found.push(format!("{path}: third-party code is installed, never committed"));
        }
        if !text.starts_with("// ") {
            found.push(format!("{path}: the first line does not say what it is for"));
        }
        if text.lines().any(|line| line.chars().count() > SCRIPT_LINE_LIMIT_CHARS) {
            found.push(format!("{path}: has lines as packed code has them"));
        }
    }
    no_violations("scripts", found);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let tree = Tree::open();
    let manifests = tree.paths().filter(|path| path.ends_with("/Cargo.toml"));
    let lax = |path: &&str| !tree.text(path).is_some_and(|text| text.contains("[lints]\nworkspace = true"));
    no_violations(
        "lints",
        manifests.filter(lax).map(|path| format!("{path}: no `[lints] workspace = true`")).collect(),
    );
    assert!(tree.contains("Cargo.toml"), "the workspace has a manifest");
}
