//! Every query of the Grafana dashboards is understood, and those of the new figures say what the functions say. That each gives
//! rows over a demo is shown by `tests/pipeline/test_grafana.py`.

use serde_json::Value;

use super::rig::{Rig, column, told};

const SINCE: &str = "'2026-03-02T00:00:00.000Z'";
const UNTIL: &str = "'2026-03-03T00:00:00.000Z'";

/// Title and text of every SQL query of every dashboard.
fn queries() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dashboards/grafana");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let board: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            let title = format!("{}: {}", board["title"].as_str().unwrap(), panel["title"].as_str().unwrap());
            let targets = panel["targets"].as_array().into_iter().flatten();
            let texts = targets.filter_map(|target| target["rawSql"].as_str());
            found.extend(texts.map(|text| (title.clone(), expanded(text))));
        }
    }
    found
}

/// A query with its macros as the data source writes them, over one Monday of the north.
fn expanded(text: &str) -> String {
    let text = text.replace("$__timeFrom()", SINCE).replace("$__timeTo()", UNTIL);
    let text = each_call(&text, "$__timeFilter(", |of| format!("{of} BETWEEN {SINCE} AND {UNTIL}"));
    let text = each_call(&text, "$__timeGroup(", |of| {
        let (of, _) = of.split_once(',').unwrap();
        format!("floor(extract(epoch from {of})/86400)*86400")
    });
    each_call(&text, "${", |of| {
        let value = match of {
            "site" => "north",
            "kind" => "ct",
            "device" => "ct-north",
            _ => "anything",
        };
        format!("'{value}'")
    })
}

/// What stands between the beginning of a macro and its end.
fn each_call(text: &str, begin: &str, made: impl Fn(&str) -> String) -> String {
    let end = if begin.ends_with('(') { ')' } else { '}' };
    let mut parts = text.split(begin);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, after) = part.split_once(end).unwrap();
        whole += &made(&inside.replace(":sqlstring", ""));
        whole += after;
    }
    whole
}

fn query_of(title: &str) -> String {
    let found = queries().into_iter().find(|(of, _)| of == title);
    found.unwrap_or_else(|| panic!("no panel is called {title}")).1
}

#[tokio::test]
async fn every_query_of_the_dashboards_is_answered() {
    let rig = Rig::open().await;
    let leader = rig.client("leader").await;
    let queries = queries();
    assert!(queries.len() > 40, "{} queries", queries.len());
    for (title, sql) in queries {
        assert!(!sql.contains('$'), "{title}: nothing expands {sql}");
        let answer = leader.simple_query(&sql).await;
        assert!(answer.is_ok(), "{title}: {:?}: {sql}", answer.err());
    }
}

#[tokio::test]
async fn panels_of_limits_clocks_and_shares_say_what_the_functions_say() {
    let rig = Rig::open().await;
    let leader = rig.client("leader").await;
    let row = told(&leader, &query_of("Site: Failure rate")).await.remove(0);
    let withheld = ["at least", "failures per device-year", "at most", "MTBF"].map(|name| row.get(name));
    let of = format!("SELECT failures, failure_rate_is_enough FROM scorecards({SINCE}, {UNTIL}, 'north')");
    let wanted = told(&leader, &of).await.remove(0);
    assert_eq!(wanted.get(1), Some("f"), "too few for a rate");
    assert_eq!((row.get("failures"), withheld), (wanted.get(0), [None; 4]), "a panel withholds what pages withhold");
    let clocks = told(&leader, &query_of("Site: Clocks of repairs")).await.remove(0);
    assert_eq!((clocks.get("orders"), clocks.get("turnaround, median")), (Some("1"), Some("1.0")));
    // Never in use; of 96 quarter-hours four are silent, and would be use at best.
    let share = told(&leader, &query_of("Site: In use at once")).await.remove(0);
    let number = |name: &str| share.get(name).unwrap().parse::<f64>().unwrap();
    assert_eq!(["median", "95th percentile", "were it idle", "were it use", "peak"].map(number), [0.0; 5]);
    assert!((number("coverage") - 92.0 / 96.0).abs() < 1e-12, "{share:?}");
    let counted = format!("SELECT quarters, unknown_quarters FROM concurrency({SINCE}, {UNTIL}, 'north')");
    let counted = told(&leader, &counted).await.remove(0);
    assert_eq!((counted.get(0), counted.get(1)), (Some("92"), Some("4")));
    let sites = column(&leader, &query_of("Kind: Sites compared")).await;
    assert_eq!(sites, ["north", "south"]);
}
