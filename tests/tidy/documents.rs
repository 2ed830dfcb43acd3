//! What documents point at: other files, and tests by their names.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::Tree;

const ROOMS: [&str; 7] = ["crates/", "services/", "tests/", "docs/", "infra/", "proto/", "dashboards/"];
/// A word in code style with so many underscores is a sentence, and sentences are names of tests.
const TEST_NAME_MIN_UNDERSCORES: usize = 4;

/// Links and paths of one document that lead nowhere.
pub fn lost_places(tree: &Tree, path: &str, text: &str) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let linked = links(text).map(|target| folder.join(target));
    let named = coded(text).filter(|word| is_place(word)).map(|place| place.into());
    let lost = linked.chain(named).filter(|place| !tree.root().join(place).exists());
    lost.map(|place| format!("{path}: `{}` leads nowhere", place.display())).collect()
}

/// Tests that a document names and that no source has.
pub fn lost_tests(names: &BTreeSet<String>, path: &str, text: &str) -> Vec<String> {
    let plain =
        |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let tests = coded(text).filter(plain).filter(|word| word.matches('_').count() >= TEST_NAME_MIN_UNDERSCORES);
    let lost = tests.filter(|name| !names.contains(*name) && !name.starts_with("medfleet_"));
    lost.map(|name| format!("{path}: no test is called `{name}`")).collect()
}

/// Targets of links to files, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let near = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    near.map(|target| target.split('#').next().unwrap_or(target))
}

/// Everything between single back quotes; blocks of code are no prose.
fn coded(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}

fn is_place(word: &str) -> bool {
    let whole = !word.contains(|c: char| c.is_whitespace() || "*<>{}…".contains(c));
    whole && ROOMS.iter().any(|room| word.starts_with(room))
}

mod tests {
    use std::collections::BTreeSet;

    use super::{coded, is_place, links, lost_tests};

    const TEXT: &str =
        "see [it](a.md#b), [there](https://x.y) and `crates/log/src` ```sh\n`no`\n``` `a_test_with_a_name`, `x_y`";

    #[test]
    fn links_places_and_names_are_told_apart() {
        assert_eq!(links(TEXT).collect::<Vec<_>>(), ["a.md"]);
        let places: Vec<_> = coded(TEXT).filter(|word| is_place(word)).collect();
        assert_eq!(places, ["crates/log/src"]);
        assert_eq!(lost_tests(&BTreeSet::new(), "d", TEXT).len(), 1);
        assert!(lost_tests(&BTreeSet::from(["a_test_with_a_name".to_owned()]), "d", TEXT).is_empty());
    }
}
