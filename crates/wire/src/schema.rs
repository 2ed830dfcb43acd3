//! The version of the vocabulary, and the upcasters that read what older writers wrote.
//!
//! A fact is archived without its envelope, so it must be readable alone: an upcaster recognises an old shape by what is
//! absent in it, runs on every fact at the door, and changes nothing in today's shape. The rest of the house knows only that.
//! The schema number of an envelope says which vocabulary its writer had; it decides whether an unknown word is news or a mistake.

use crate::pb;

/// The vocabulary of this build. It grows by one when a body, an enum value or a field is added.
pub const SCHEMA_VERSION: u32 = 6;

/// Every upcaster, oldest shape first.
const UPCASTERS: [fn(&mut pb::Fact); 1] = [know_when_it_happened];

pub(crate) fn upcast(fact: &mut pb::Fact) {
    for upcaster in UPCASTERS {
        upcaster(fact);
    }
}

/// The first shape had no `known_at_us`: such a fact is assumed to be known when it happened.
fn know_when_it_happened(fact: &mut pb::Fact) {
    if fact.known_at_us.is_none() {
        fact.known_at_us = Some(fact.at_us);
        fact.known_assumed = true;
    }
}
