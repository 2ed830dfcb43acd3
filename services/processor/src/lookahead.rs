//! What the next records need from the archive, gathered so that one question answers many of them. Pure.

use std::collections::{BTreeMap, HashMap};

use medfleet_domain::id::Subject;
use medfleet_domain::ledger::Needs;

use crate::book::Memory;
use crate::told::Told;

/// Facts looked ahead over for one question: foreseeing so many costs about as much as asking.
pub const LOOKAHEAD_MAX_FACTS: usize = 65_536;
/// Days of subjects asked for at once: each may hold some hundreds of facts.
const LOOKAHEAD_MAX_DAYS: usize = 1_024;

/// Needs by subject, each with what may be known of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub of: BTreeMap<Subject, Question>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// Nothing at or past this offset of the subject's partition may be seen, even if it is archived already: it is where
    /// the first record stands that is not admitted yet.
    pub below: u64,
    pub needs: Needs,
}

impl Asked {
    /// What the first of these records lacks, and what those after it will lack as far as can be foreseen now. They are
    /// in the order of the log, and none of them is admitted.
    pub fn of<'a>(memory: &Memory, first_lacks: Needs, told: impl IntoIterator<Item = &'a Told>) -> Self {
        let mut asked = Self::default();
        let mut below = HashMap::new();
        let (mut facts, mut days) = (0, 0);
        let mut lacks = Some(first_lacks);
        for told in told {
            if facts > LOOKAHEAD_MAX_FACTS || days > LOOKAHEAD_MAX_DAYS {
                break;
            }
            facts += told.fact_count();
            let below = *below.entry(told.place.home).or_insert(told.place.offset);
            let foreseen = || memory.ledgers.get(told.subject()).map_or_else(Needs::default, |it| told.foresee(it));
            let needs = lacks.take().unwrap_or_else(foreseen);
            if needs.is_empty() {
                continue;
            }
            let question = asked.of.entry(told.subject().clone());
            let question = question.or_insert(Question { below, needs: Needs::default() });
            days -= question.needs.days.len();
            question.needs.extend(needs);
            days += question.needs.days.len();
        }
        asked
    }
}
