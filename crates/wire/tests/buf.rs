//! The law of change of proto/, kept by buf: style, and nothing that breaks what was written before.
//!
//! `proto/golden/v1/image.binpb` is the baseline. To take an addition in, delete it and build it anew with `MEDFLEET_BLESS=1`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

fn proto() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto")
}

fn image() -> PathBuf {
    proto().join("golden/v1/image.binpb")
}

/// buf, as infra/dev/install.sh installs it. Without it these tests say so and pass, unless everything is required.
fn buf() -> Option<PathBuf> {
    let default = || Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cache/medfleet/tools");
    let tools = env::var_os("MEDFLEET_TOOLS").map_or_else(default, PathBuf::from);
    let buf = tools.join("python/bin/buf");
    if buf.exists() {
        return Some(buf);
    }
    let required = env::var_os("MEDFLEET_REQUIRE_BROKERS").is_some_and(|value| value == "1");
    assert!(!required, "{} is missing: run infra/dev/install.sh python", buf.display());
    println!("skipped: {} is missing: run infra/dev/install.sh python", buf.display());
    None
}

fn run<S: AsRef<OsStr>>(buf: &Path, arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(buf).args(arguments).output().expect("buf starts")
}

fn lint(buf: &Path, proto: &Path) -> Result<(), String> {
    verdict(run(buf, [OsStr::new("lint"), proto.as_os_str()]))
}

fn breaking(buf: &Path, proto: &Path) -> Result<(), String> {
    let image = image();
    verdict(run(buf, [OsStr::new("breaking"), proto.as_os_str(), OsStr::new("--against"), image.as_os_str()]))
}

fn verdict(output: Output) -> Result<(), String> {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// A copy of proto/ in which `from` in `file` reads `to`.
fn planted(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir_all(copy.path().join("medfleet/v1")).unwrap();
    fs::copy(proto().join("buf.yaml"), copy.path().join("buf.yaml")).unwrap();
    for entry in fs::read_dir(proto().join("medfleet/v1")).unwrap() {
        let path = entry.unwrap().path();
        let mut text = fs::read_to_string(&path).unwrap();
        if path.ends_with(file) {
            assert!(text.contains(from), "{file} does not contain `{from}`");
            text = text.replacen(from, to, 1);
        }
        fs::write(copy.path().join("medfleet/v1").join(path.file_name().unwrap()), text).unwrap();
    }
    copy
}

#[test]
fn proto_keeps_the_style() {
    let Some(buf) = buf() else { return };
    assert_eq!(lint(&buf, &proto()), Ok(()));
    let shouted = planted("fact.proto", "string source_name = 6;", "string SourceName = 6;");
    let said = lint(&buf, shouted.path()).expect_err("a field in the wrong case");
    assert!(said.contains("SourceName"), "{said}");
}

#[test]
fn proto_breaks_nothing_that_was_written() {
    let Some(buf) = buf() else { return };
    if !image().exists() && env::var_os("MEDFLEET_BLESS").is_some() {
        assert_eq!(
            verdict(run(&buf, ["build".as_ref(), proto().as_os_str(), "-o".as_ref(), image().as_os_str()])),
            Ok(())
        );
    }
    assert_eq!(breaking(&buf, &proto()), Ok(()));
}

#[test]
fn a_broken_law_of_change_is_found() {
    let Some(buf) = buf() else { return };
    let crimes = [
        ("fact.proto", "Clock clock = 4;", "Clock clock = 40;"),
        ("fact.proto", "sfixed64 until_us = 1;", "sint64 until_us = 1;"),
        ("fact.proto", "string counter = 1;", "string meter = 1;"),
        ("fact.proto", "CONDITION_PRODUCTIVE = 3;", "CONDITION_PRODUCTIVE = 6;"),
        ("batch.proto", "  uint64 number = 5;\n", ""),
    ];
    for (file, from, to) in crimes {
        let crime = planted(file, from, to);
        let said = breaking(&buf, crime.path()).expect_err(from);
        println!("{from} → {to:?}: {}", said.lines().next().unwrap_or_default());
        assert!(said.contains(file), "{said}");
    }
    let addition = planted("fact.proto", "string text = 6;", "string text = 6;\n  string module = 7;");
    assert_eq!(breaking(&buf, addition.path()), Ok(()), "an addition is no crime");
}
