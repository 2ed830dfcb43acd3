//! The messages of proto/medfleet/v1 as they lie on the wire. Only this crate turns them into domain values.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/medfleet.v1.rs"));

/// All messages as a `FileDescriptorSet`: what a tool needs to show any of them as JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/medfleet.binpb"));
