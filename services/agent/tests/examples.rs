//! The example files are the manual, so they must be read by the agent as they stand.

use std::path::Path;

use medfleet_agent::AgentConfig;
use medfleet_agent::source::{self, SourceConfig};
use medfleet_runtime::Layers;

fn example(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_example_configuration_is_read_and_usable() {
    let config: AgentConfig = Layers::new().file(Some(&example("agent.example.toml"))).unwrap().build().unwrap();
    config.check().unwrap();
    assert_eq!(source::build(&config.source).unwrap().len(), 2);
}

#[test]
fn what_is_commented_out_shows_the_defaults() {
    let text = std::fs::read_to_string(example("agent.example.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let shown = text.lines().map(|line| {
        line.strip_prefix('#').filter(|rest| rest.contains(" = ") && !rest.starts_with(' ')).unwrap_or(line)
    });
    let shown: Vec<&str> = shown.take_while(|line| !line.starts_with("# A file of what was seen earlier")).collect();
    let path = folder.path().join("agent.toml");
    std::fs::write(&path, shown.join("\n")).unwrap();
    let spelt_out: AgentConfig = Layers::new().file(Some(&path)).unwrap().build().unwrap();
    let left_out: AgentConfig = Layers::new().file(Some(&example("agent.example.toml"))).unwrap().build().unwrap();
    let told = |config: &AgentConfig| format!("{:?} {:?} {:?}", config.journal, config.mqtt, config.batch);
    assert_eq!(told(&spelt_out), told(&left_out));
}

#[test]
fn the_example_mapping_is_read() {
    let text = format!("path = 'history.csv'\nmapping = '{}'", example("replay.example.toml").display());
    let config = toml::from_str(&text).unwrap();
    source::build(&[SourceConfig::Replay(config)]).unwrap();
}

#[test]
fn a_misspelt_key_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let text = std::fs::read_to_string(example("agent.example.toml")).unwrap().replace("host =", "hots =");
    std::fs::write(&path, text).unwrap();
    let error = Layers::new().file(Some(&path)).unwrap().build::<AgentConfig>().unwrap_err();
    assert!(format!("{error:?}").contains("hots"), "{error:?}");
}
