//! Which room may depend on which, as `cargo metadata` sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Every room beside the rooms beneath it that it may use. Pure rooms may use nothing but values.
const ROOMS: [(&str, &[&str]); 19] = [
    ("medfleet-fuzz", &[]),
    ("medfleet-domain", &[]),
    ("medfleet-wire", &["medfleet-domain"]),
    ("medfleet-journal", &[]),
    ("medfleet-runtime", &[]),
    ("medfleet-log", &["medfleet-journal"]),
    ("medfleet-lake", &[]),
    ("medfleet-kpi", &["medfleet-domain", "medfleet-wire", "medfleet-lake"]),
    ("medfleet-simulator", &["medfleet-domain"]),
    ("medfleet-risk", &["medfleet-domain"]),
    ("medfleet-alerts", &["medfleet-domain"]),
    (
        "medfleet-scorer",
        &["medfleet-domain", "medfleet-wire", "medfleet-log", "medfleet-lake", "medfleet-risk", "medfleet-runtime"],
    ),
    ("medfleet-import", &["medfleet-domain", "medfleet-wire"]),
    ("medfleet-agent", &["medfleet-domain", "medfleet-wire", "medfleet-journal", "medfleet-runtime"]),
    ("medfleet-ingest", &["medfleet-domain", "medfleet-wire", "medfleet-log", "medfleet-runtime"]),
    ("medfleet-processor", &["medfleet-domain", "medfleet-wire", "medfleet-log", "medfleet-lake", "medfleet-runtime"]),
    ("medfleet-alerter", &["medfleet-domain", "medfleet-wire", "medfleet-alerts", "medfleet-log", "medfleet-runtime"]),
    ("medfleet-sql", &["medfleet-domain", "medfleet-lake", "medfleet-kpi", "medfleet-risk", "medfleet-runtime"]),
    (
        "medfleet-api",
        &[
            "medfleet-domain",
            "medfleet-wire",
            "medfleet-alerts",
            "medfleet-log",
            "medfleet-lake",
            "medfleet-kpi",
            "medfleet-risk",
            "medfleet-runtime",
        ],
    ),
];
/// Those that may use every room.
const ROOFS: [&str; 3] = ["medfleet", "medfleet-tests", "medfleet-bench"];
/// All that the domain may be built from.
const PURE: [&str; 4] = ["bytes", "serde", "thiserror", "twox-hash"];
/// What must not be found anywhere beneath the agent: it runs on small machines in hospitals.
const TOO_HEAVY_FOR_THE_EDGE: [&str; 5] = ["rdkafka", "datafusion", "deltalake-core", "arrow", "axum"];

/// Packages by name, each with the packages it is built from; tests' own needs are left out.
pub struct Layers {
    rooms: BTreeSet<String>,
    built_from: BTreeMap<String, BTreeSet<String>>,
}

impl Layers {
    pub fn read(root: &Path) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let asked = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &host()];
        let answer = Command::new(cargo).args(asked).current_dir(root).output().expect("cargo can be run");
        assert!(answer.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&answer.stderr));
        Self::of(&serde_json::from_slice(&answer.stdout).expect("cargo metadata is JSON"))
    }

    fn of(metadata: &Value) -> Self {
        let names: BTreeMap<&str, &str> =
            list(&metadata["packages"]).map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let named = |id: &Value| names[text(id)].to_owned();
        let rooms = list(&metadata["workspace_members"]).map(named).collect();
        let mut built_from: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let of_product = |needed: &&Value| list(&needed["dep_kinds"]).any(|kind| kind["kind"].is_null());
            let needed = list(&node["deps"]).filter(of_product).map(|needed| named(&needed["pkg"]));
            built_from.entry(named(&node["id"])).or_default().extend(needed);
        }
        Self { rooms, built_from }
    }

    pub fn violations(&self) -> Vec<String> {
        let mut found = self.upward();
        let impure = self.built_from["medfleet-domain"].iter().filter(|needed| !PURE.contains(&needed.as_str()));
        found.extend(
            impure.map(|needed| format!("medfleet-domain uses {needed}: the domain is built from values alone")),
        );
        let carried = self.tree_of("medfleet-agent");
        let heavy = TOO_HEAVY_FOR_THE_EDGE.iter().filter(|heavy| carried.contains(**heavy));
        found.extend(heavy.map(|heavy| format!("{heavy} is in the tree of medfleet-agent: the edge stays small")));
        found
    }

    fn upward(&self) -> Vec<String> {
        let mut found = Vec::new();
        for room in self.rooms.iter().filter(|room| !ROOFS.contains(&room.as_str())) {
            let Some((_, beneath)) = ROOMS.iter().find(|(name, _)| name == room) else {
                found.push(format!("{room} has no place in the layers: add it to ROOMS and to docs/ARCHITECTURE.md"));
                continue;
            };
            let used = self.built_from[room].iter().filter(|needed| self.rooms.contains(*needed));
            let wrong = used.filter(|needed| !beneath.contains(&needed.as_str()));
            found.extend(wrong.map(|needed| format!("{room} uses {needed}, which is not beneath it")));
        }
        found
    }

    fn tree_of<'a>(&'a self, room: &'a str) -> BTreeSet<&'a str> {
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![room]);
        while let Some(package) = waiting.pop() {
            let needed = self.built_from.get(package).into_iter().flatten().map(String::as_str);
            waiting.extend(needed.filter(|needed| seen.insert(*needed)));
        }
        seen
    }
}

fn host() -> String {
    let answer = Command::new("rustc").arg("-vV").output().expect("rustc can be run");
    let said = String::from_utf8(answer.stdout).expect("rustc speaks UTF-8");
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc names its host").to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

mod tests {
    use serde_json::json;

    use super::{Layers, ROOMS};

    fn house(extra: (&str, &str)) -> Layers {
        let mut names: Vec<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
        names.extend(["rdkafka", "tokio"]);
        let package = |name: &&str| json!({"id": name, "name": name});
        let node = |name: &&str| {
            let deps =
                if *name == extra.0 { json!([{"pkg": extra.1, "dep_kinds": [{"kind": null}]}]) } else { json!([]) };
            json!({"id": name, "deps": deps})
        };
        Layers::of(&json!({
            "packages": names.iter().map(package).collect::<Vec<_>>(),
            "workspace_members": ROOMS.map(|(name, _)| name),
            "resolve": {"nodes": names.iter().map(node).collect::<Vec<_>>()},
        }))
    }

    #[test]
    fn a_wrong_edge_of_every_sort_is_found() {
        assert!(house(("medfleet-wire", "medfleet-domain")).violations().is_empty());
        let wrong = [
            ("medfleet-domain", "tokio"),
            ("medfleet-domain", "medfleet-wire"),
            ("medfleet-api", "medfleet-ingest"),
            ("medfleet-agent", "rdkafka"),
            ("medfleet-runtime", "medfleet-domain"),
        ];
        for edge in wrong {
            assert!(!house(edge).violations().is_empty(), "{edge:?} was not found");
        }
    }
}
