//! Packs journaled facts into one batch: runs of contiguous seqs, each fact in the bytes it was written in. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use medfleet_domain::fact::Run;
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject};
use medfleet_wire::{Batch, Spooled};

use crate::error::AgentError;
use crate::spool::Entry;
use crate::window::SentRun;

/// What one batch carries, and what the window has to remember of it.
pub struct Packed {
    pub batch: Batch,
    pub covered: Range<u64>,
    pub runs: Vec<SentRun>,
}

/// The agent that packs.
pub struct Packer {
    pub agent: AgentId,
    pub site: SiteId,
    pub session: u64,
}

impl Packer {
    /// Packs records read from the journal at `from`. Records that are no facts are covered too, and carried nowhere.
    pub fn pack(&self, number: u64, from: u64, records: &[(u64, Vec<u8>)]) -> Result<Packed, AgentError> {
        let mut runs: Vec<(Run, SentRun)> = Vec::new();
        let mut growing: BTreeMap<(Subject, Epoch), usize> = BTreeMap::new();
        for (index, bytes) in records {
            let Entry::Fact { spooled, .. } = Entry::decode(*index, bytes)? else { continue };
            let place = growing.entry((spooled.subject.clone(), spooled.epoch)).or_insert(usize::MAX);
            if !runs.get(*place).is_some_and(|(_, sent)| follows(sent, spooled.seq)) {
                *place = runs.len();
                runs.push(self.begin(&spooled));
            }
            let (run, sent) = &mut runs[*place];
            run.facts.push(spooled.fact);
            sent.indices.push(*index);
        }
        let end = records.last().map_or(from, |(index, _)| index + 1);
        let (carried, runs): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let batch =
            Batch { agent: self.agent.clone(), site: self.site.clone(), session: self.session, number, runs: carried };
        Ok(Packed { batch, covered: from..end, runs })
    }

    fn begin(&self, first: &Spooled) -> (Run, SentRun) {
        let Spooled { subject, epoch, seq, site, kind, .. } = first;
        let run = Run {
            subject: subject.clone(),
            epoch: *epoch,
            first_seq: *seq,
            site: site.clone(),
            kind: *kind,
            agent: Some(self.agent.clone()),
            facts: Vec::new(),
        };
        let sent =
            SentRun { subject: subject.clone(), kind: *kind, epoch: *epoch, first_seq: *seq, indices: Vec::new() };
        (run, sent)
    }
}

fn follows(sent: &SentRun, seq: Seq) -> bool {
    sent.first_seq.0 + sent.indices.len() as u64 == seq.0
}
