//! Delivery: facts become runs of contiguous seqs; what a cut link holds back is delivered once the link is back.

use std::collections::BTreeMap;

use medfleet_domain::fact::{Fact, Run, Sealed};
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Span, Timestamp};

use super::MAX_RUN_FACTS;

/// A fact and the moment its writer says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub said: Timestamp,
    pub fact: Fact,
}

/// Contiguous facts of one subject and epoch, each with the moment it was said.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub subject: Subject,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
    pub epoch: Epoch,
    pub first_seq: Seq,
    pub facts: Vec<(Timestamp, Sealed)>,
}

/// Runs of at most [`MAX_RUN_FACTS`] facts.
pub fn runs_of(dispatch: Dispatch) -> Vec<Run> {
    let Dispatch { subject, site, kind, agent, epoch, first_seq, facts } = dispatch;
    let mut first = first_seq.0;
    let mut left = facts.into_iter().map(|(_, sealed)| sealed).peekable();
    let mut runs = Vec::new();
    while left.peek().is_some() {
        let facts: Vec<Sealed> = left.by_ref().take(MAX_RUN_FACTS).collect();
        let first_seq = Seq(first);
        first += facts.len() as u64;
        let (subject, site, agent) = (subject.clone(), site.clone(), agent.clone());
        runs.push(Run { subject, epoch, first_seq, site, kind, agent, facts });
    }
    runs
}

/// What is on its way from the agents of all hospitals.
#[derive(Debug)]
pub struct Delivery {
    cut: BTreeMap<SiteId, Vec<Span>>,
    /// Held back, with the moment the link returns.
    held: Vec<(Timestamp, Dispatch)>,
}

impl Delivery {
    pub fn new(cut: BTreeMap<SiteId, Vec<Span>>) -> Self {
        Self { cut, held: Vec::new() }
    }

    /// What arrives by `until`: live facts first, then the backlog of links that have come back. The last call holds nothing back.
    pub fn order(&mut self, written: Vec<Dispatch>, until: Timestamp, last: bool) -> Vec<Run> {
        let mut live = Vec::new();
        for dispatch in written {
            for (released, piece) in self.pieces(dispatch) {
                match released {
                    Some(at) => self.held.push((at, piece)),
                    None => live.extend(runs_of(piece)),
                }
            }
        }
        let (back, held) = std::mem::take(&mut self.held).into_iter().partition(|(at, _)| last || *at <= until);
        self.held = held;
        let backlog: Vec<(Timestamp, Dispatch)> = back;
        live.extend(backlog.into_iter().flat_map(|(_, piece)| runs_of(piece)));
        live
    }

    /// Splits where the link was cut or came back, so that every piece travels at one time.
    fn pieces(&self, dispatch: Dispatch) -> Vec<(Option<Timestamp>, Dispatch)> {
        let cut = self.cut.get(&dispatch.site).map_or(&[][..], Vec::as_slice);
        let released = |said: Timestamp| cut.iter().find(|window| window.contains(said)).map(|window| window.until);
        let mut pieces: Vec<(Option<Timestamp>, Dispatch)> = Vec::new();
        let mut seq = dispatch.first_seq.0;
        for (said, sealed) in dispatch.facts {
            let at = released(said);
            match pieces.last_mut().filter(|(open, _)| *open == at) {
                Some((_, piece)) => piece.facts.push((said, sealed)),
                None => {
                    let piece = Dispatch {
                        subject: dispatch.subject.clone(),
                        site: dispatch.site.clone(),
                        agent: dispatch.agent.clone(),
                        first_seq: Seq(seq),
                        facts: vec![(said, sealed)],
                        ..dispatch
                    };
                    pieces.push((at, piece));
                }
            }
            seq += 1;
        }
        pieces
    }
}
