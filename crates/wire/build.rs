//! Compiles proto/ without protoc: Rust types, and the descriptor set that renders any message as JSON.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const PROTO_ROOT: &str = "../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    let package = Path::new(PROTO_ROOT).join("medfleet/v1");
    println!("cargo::rerun-if-changed={}", package.display());
    let mut files =
        fs::read_dir(&package)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "proto"));
    files.sort();

    let mut compiler = protox::Compiler::new([PROTO_ROOT])?;
    compiler.include_imports(true).include_source_info(false).open_files(files)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("medfleet.binpb"), compiler.encode_file_descriptor_set())?;
    // A fact's bytes stay where they were read: a record of many facts is one allocation.
    prost_build::Config::new()
        .bytes([".medfleet.v1.Run.facts", ".medfleet.v1.Spooled.fact"])
        // What is large and rare does not make every fact large.
        .boxed(".medfleet.v1.Fact.body.registered")
        .boxed(".medfleet.v1.Fact.body.requested")
        .boxed(".medfleet.v1.Fact.body.scored")
        .boxed(".medfleet.v1.Fact.body.contract_defined")
        .boxed(".medfleet.v1.Fact.body.statement_issued")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
