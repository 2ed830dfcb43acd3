//! The API's description is a fence: it changes only together with its committed snapshot.

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[test]
fn the_description_equals_its_snapshot() {
    let now = medfleet_api::openapi_document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("MEDFLEET_TEST_BLESS").is_some() {
        std::fs::write(SNAPSHOT, &now).unwrap();
    }
    let committed = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    assert!(
        now == committed,
        "docs/openapi.json is old: look at the change, then run this test with MEDFLEET_TEST_BLESS=1"
    );
}
