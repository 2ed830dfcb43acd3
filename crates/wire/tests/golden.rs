//! Golden bytes of every message with their JSON. They are kept for ever: what was once written is read for ever.
//!
//! `MEDFLEET_BLESS=1` writes the files that are missing. None is overwritten: to give up a golden, delete it, and say why.

mod samples;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use medfleet_domain::fact::Sealed;
use medfleet_wire as wire;
use medfleet_wire::Refusal;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

/// One message as this build writes it, and proof that it reads it back.
struct Golden {
    name: String,
    message: &'static str,
    bytes: Vec<u8>,
    read_back: Box<dyn Fn(&[u8])>,
}

impl Golden {
    fn new<T, E, D>(name: &str, message: &'static str, sample: T, encode: E, decode: D) -> Self
    where
        T: PartialEq + Debug + 'static,
        E: Fn(&T) -> Vec<u8>,
        D: Fn(&[u8]) -> Result<T, Refusal> + 'static,
    {
        let bytes = encode(&sample);
        let read_back = Box::new(move |bytes: &[u8]| assert_eq!(decode(bytes).as_ref(), Ok(&sample)));
        Self { name: name.into(), message, bytes, read_back }
    }

    fn file(&self, extension: &str) -> PathBuf {
        folder().join(format!("{}.{extension}", self.name))
    }

    fn shown(&self, bytes: &[u8]) -> DynamicMessage {
        let descriptor =
            pool().get_message_by_name(&format!("medfleet.v1.{}", self.message)).expect("the message is declared");
        DynamicMessage::decode(descriptor, bytes).expect("golden bytes are a message")
    }
}

fn goldens() -> Vec<Golden> {
    let mut all: Vec<Golden> = samples::facts()
        .into_iter()
        .map(|(name, fact)| {
            let name = format!("fact_{name}");
            Golden::new(&name, "Fact", wire::seal(fact), |sealed: &Sealed| sealed.bytes.to_vec(), wire::decode_fact)
        })
        .collect();
    all.extend((1..=wire::SCHEMA_VERSION).flat_map(enveloped));
    all.extend(samples::alert_records().into_iter().map(|(name, record)| {
        // Each as the vocabulary wrote it in which it first stood.
        let written = |record: &medfleet_domain::alert::record::Record| {
            let mut written = wire::pb::AlertRecord::decode(wire::encode_alert_record(record).as_slice()).unwrap();
            written.schema = samples::first_schema(record);
            written.encode_to_vec()
        };
        Golden::new(&format!("alert_{name}"), "AlertRecord", record, written, wire::decode_alert_record)
    }));
    all.extend(samples::risk_records().into_iter().map(|(name, record)| {
        let name = format!("risk_{name}");
        Golden::new(&name, "RiskRecord", record, wire::encode_risk_record, wire::decode_risk_record)
    }));
    all.extend([
        first_shape(),
        Golden::new("run", "Run", samples::run(), wire::encode_run, wire::decode_run),
        Golden::new("receipt", "Receipt", samples::receipt(), wire::encode_receipt, wire::decode_receipt),
        Golden::new("spooled", "Spooled", samples::spooled(), wire::encode_spooled, wire::decode_spooled),
        Golden::new(
            "quarantined",
            "Quarantined",
            samples::quarantined(),
            wire::encode_quarantined,
            wire::decode_quarantined,
        ),
        Golden::new("verdict", "Verdict", samples::verdict(), wire::encode_verdict, wire::decode_verdict),
    ]);
    all
}

/// Envelopes name the vocabulary of their writer: each that was ever in use is read for ever.
fn enveloped(schema: u32) -> [Golden; 2] {
    let name = |of: &str| if schema == 1 { of.to_owned() } else { format!("{of}_schema_{schema}") };
    let record = move |record: &wire::Record| {
        let mut written = wire::pb::LogRecord::decode(wire::encode_record(record).as_slice()).unwrap();
        written.schema = schema;
        written.encode_to_vec()
    };
    let batch = move |batch: &wire::Batch| {
        let mut written = wire::pb::Batch::decode(wire::encode_batch(batch).as_slice()).unwrap();
        written.schema = schema;
        written.encode_to_vec()
    };
    let read =
        move |bytes: &[u8]| wire::decode_batch(Bytes::copy_from_slice(bytes)).map(|batch| undamaged(batch, schema));
    [
        Golden::new(&name("log_record"), "LogRecord", samples::record(), record, wire::decode_record),
        Golden::new(&name("batch"), "Batch", samples::batch(), batch, read),
    ]
}

/// A stretch as it was written before facts had `known_at_us`: assumed to be known when it happened.
fn first_shape() -> Golden {
    let mut old = wire::pb::Fact::decode(wire::encode_fact(&samples::stretch()).as_slice()).unwrap();
    (old.known_at_us, old.known_assumed) = (None, false);
    let bytes = old.encode_to_vec();
    let fact = medfleet_domain::fact::Fact { known_at: samples::MORNING, known_assumed: true, ..samples::stretch() };
    let today = Sealed { fact, bytes: bytes.into() };
    Golden::new("fact_first_shape", "Fact", today, |sealed: &Sealed| sealed.bytes.to_vec(), wire::decode_fact)
}

fn undamaged(batch: wire::DecodedBatch, schema: u32) -> wire::Batch {
    assert_eq!(batch.schema, schema);
    let read = |sound: wire::SoundRun| wire::decode_run(&sound.bytes).expect("what is sound is read");
    let runs = batch.runs.into_iter().map(|run| read(run.expect("a run of the golden batch")));
    wire::Batch {
        agent: batch.agent,
        site: batch.site,
        session: batch.session,
        number: batch.number,
        runs: runs.collect(),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/golden/v1")
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(wire::pb::DESCRIPTORS).expect("the descriptors are a descriptor set")
}

/// The golden file, written first when it is missing and blessed.
fn golden_file(path: &Path, produced: &[u8]) -> Vec<u8> {
    if !path.exists() && std::env::var_os("MEDFLEET_BLESS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(path, produced).unwrap();
    }
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}: write it with MEDFLEET_BLESS=1", path.display()))
}

#[test]
fn every_message_is_written_and_read_as_its_golden_says() {
    for golden in goldens() {
        let bytes = golden_file(&golden.file("bin"), &golden.bytes);
        assert_eq!(golden.bytes, bytes, "{} is written differently now", golden.name);
        (golden.read_back)(&bytes);
    }
}

#[test]
fn every_golden_has_its_json() {
    for golden in goldens() {
        let message = golden.shown(&golden.bytes);
        let json = serde_json::to_string_pretty(&message).unwrap() + "\n";
        let kept = String::from_utf8(golden_file(&golden.file("json"), json.as_bytes())).unwrap();
        assert_eq!(json, kept, "{} reads differently as JSON now", golden.name);
        let mut parser = serde_json::Deserializer::from_str(&kept);
        let parsed = DynamicMessage::deserialize(message.descriptor(), &mut parser).unwrap();
        assert_eq!(
            parsed.encode_to_vec(),
            golden.bytes,
            "{}: the JSON says something else than the bytes",
            golden.name
        );
    }
}

#[test]
fn no_golden_file_is_without_a_reader() {
    let read: BTreeSet<String> = goldens().into_iter().map(|golden| golden.name).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "image" || read.contains(&name), "{} belongs to no sample", path.display());
    }
}

#[test]
fn every_field_of_every_message_stands_in_a_golden() {
    let mut seen = BTreeSet::new();
    for golden in goldens() {
        note_fields(&golden.shown(&golden.bytes), &mut seen);
    }
    let declared: BTreeSet<String> = pool()
        .all_messages()
        .flat_map(|message| {
            let fields: Vec<String> = message.fields().map(|field| field.full_name().to_owned()).collect();
            if fields.is_empty() { vec![message.full_name().to_owned()] } else { fields }
        })
        .collect();
    let missing: Vec<&String> = declared.difference(&seen).collect();
    assert!(missing.is_empty(), "add these to a sample: {missing:#?}");
}

/// Notes each set field, and a message without fields by its own name.
fn note_fields(message: &DynamicMessage, seen: &mut BTreeSet<String>) {
    seen.insert(message.descriptor().full_name().to_owned());
    for (field, value) in message.fields() {
        seen.insert(field.full_name().to_owned());
        match value {
            Value::Message(inner) => note_fields(inner, seen),
            Value::List(items) => items.iter().filter_map(Value::as_message).for_each(|inner| note_fields(inner, seen)),
            _ => {}
        }
    }
}

#[test]
fn a_fact_of_the_first_shape_is_known_when_it_happened() {
    let golden = first_shape();
    let bytes = golden_file(&golden.file("bin"), &golden.bytes);
    let sealed = wire::decode_fact(&bytes).unwrap();
    assert_eq!(sealed.fact.known_at, sealed.fact.at);
    assert!(sealed.fact.known_assumed);
    assert_eq!(sealed.bytes, bytes, "the archive keeps what was written, not what was read");
}
