//! Packs journaled facts into one batch: runs of contiguous seqs, each fact in the bytes it was written in. Pure.
//!
//! A batch is of one site: that under which its facts were accepted, though the agent may stand elsewhere now. A site that ingest does not
//! know and that is no longer the agent's was written wrongly and has been corrected, so its facts go under the present one.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Facts that go under another site than they were accepted under.
    pub corrected: u64,
}

/// The agent that packs.
pub struct Packer {
    agent: AgentId,
    site: SiteId,
    session: u64,
    /// Sites of earlier lives that ingest does not know.
    unknown: BTreeSet<SiteId>,
}

impl Packer {
    pub fn new(agent: AgentId, site: SiteId, session: u64) -> Self {
        Self { agent, site, session, unknown: BTreeSet::new() }
    }

    /// Ingest does not know this site. Says whether that is news, and facts of it go under the present one from now on.
    pub fn correct(&mut self, site: &SiteId) -> bool {
        *site != self.site && self.unknown.insert(site.clone())
    }

    /// Packs records read from the journal at `from`, up to the first fact of another site. Records that are no facts are covered too, and
    /// carried nowhere.
    pub fn pack(&self, number: u64, from: u64, records: &[(u64, Vec<u8>)]) -> Result<Packed, AgentError> {
        let mut runs: Vec<(Run, SentRun)> = Vec::new();
        let mut growing: BTreeMap<(Subject, Epoch), usize> = BTreeMap::new();
        let (mut of_batch, mut corrected) = (None, 0);
        let mut end = records.last().map_or(from, |(index, _)| index + 1);
        for (index, bytes) in records {
            let Entry::Fact { spooled, .. } = Entry::decode(*index, bytes)? else { continue };
            let site = self.site_of(&spooled);
            if of_batch.get_or_insert_with(|| site.clone()) != site {
                end = *index;
                break;
            }
            corrected += u64::from(*site != spooled.site);
            let place = growing.entry((spooled.subject.clone(), spooled.epoch)).or_insert(usize::MAX);
            if !runs.get(*place).is_some_and(|(_, sent)| follows(sent, spooled.seq)) {
                *place = runs.len();
                runs.push(self.begin(&spooled));
            }
            let (run, sent) = &mut runs[*place];
            run.facts.push(spooled.fact);
            sent.indices.push(*index);
        }
        let (carried, runs): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let site = of_batch.unwrap_or_else(|| self.site.clone());
        let batch = Batch { agent: self.agent.clone(), site, session: self.session, number, runs: carried };
        Ok(Packed { batch, covered: from..end, runs, corrected })
    }

    fn site_of<'a>(&'a self, spooled: &'a Spooled) -> &'a SiteId {
        if self.unknown.contains(&spooled.site) { &self.site } else { &spooled.site }
    }

    fn begin(&self, first: &Spooled) -> (Run, SentRun) {
        let Spooled { subject, epoch, seq, site, kind, .. } = first;
        let run = Run {
            subject: subject.clone(),
            epoch: *epoch,
            first_seq: *seq,
            site: self.site_of(first).clone(),
            kind: *kind,
            agent: Some(self.agent.clone()),
            facts: Vec::new(),
        };
        let sent = SentRun {
            subject: subject.clone(),
            kind: *kind,
            site: site.clone(),
            epoch: *epoch,
            first_seq: *seq,
            indices: Vec::new(),
        };
        (run, sent)
    }
}

fn follows(sent: &SentRun, seq: Seq) -> bool {
    sent.first_seq.0 + sent.indices.len() as u64 == seq.0
}
