//! A fact as a ledger holds it: with its identity and everything a row may need of the run it came in.

use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::condition::SourceKind;
use crate::entry::{ErrorRow, NoteRow, ScoreRow};
use crate::fact::{Body, Fact, Run};
use crate::fold::Observed;
use crate::id::{AgentId, Epoch, Seq, SeqRange, SiteId};
use crate::kind::DeviceKind;
use crate::ledger::Filed;
use crate::time::{Day, Span, Timestamp};
use crate::usage::{Reading, Series};

/// A fact with everything a row may need of the run it came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub epoch: Epoch,
    pub seq: Seq,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
    pub at: Timestamp,
    pub said_at: Timestamp,
    pub source: SourceKind,
    pub source_name: String,
    /// The clock was wrong or the time implausible: kept, never folded.
    pub suspect: bool,
    pub body: Body,
}

impl Held {
    pub fn new(run: &Run, filed: &Filed, fact: &Fact) -> Self {
        let identity = (filed.epoch, filed.seq);
        Self::archived(identity, (run.site.clone(), run.kind), run.agent.clone(), filed.suspect, fact)
    }

    /// A fact read back from the archive.
    pub fn archived(
        (epoch, seq): (Epoch, Seq),
        (site, kind): (SiteId, DeviceKind),
        agent: Option<AgentId>,
        suspect: bool,
        fact: &Fact,
    ) -> Self {
        Self {
            epoch,
            seq,
            site,
            kind,
            agent,
            at: fact.at,
            said_at: fact.known_at,
            source: fact.source.kind,
            source_name: fact.source.name.clone(),
            suspect,
            body: fact.body.clone(),
        }
    }

    pub fn identity(&self) -> (Epoch, Seq) {
        (self.epoch, self.seq)
    }

    pub fn day(&self) -> Day {
        self.at.day()
    }

    pub fn counts(&self) -> bool {
        !self.suspect
    }

    /// Shapes rows of the day it happened.
    pub fn folds(&self) -> bool {
        self.counts() && self.body.is_daily()
    }

    /// Facts that shape rows of any day and are therefore kept in memory.
    pub fn is_stated(&self) -> bool {
        matches!(
            self.body,
            Body::Asserted(_)
                | Body::Registered(_)
                | Body::Moved(_)
                | Body::Loaned(_)
                | Body::Returned
                | Body::Retired(_)
                | Body::SiteDefined(_)
                | Body::CalendarDefined(_)
        )
    }

    pub fn observed(&self) -> Option<Observed<'_>> {
        let Body::Stretch(stretch) = &self.body else { return None };
        let span = Span::new(self.at, stretch.until).ok().filter(|_| self.counts())?;
        Some(Observed {
            span,
            condition: stretch.condition,
            degradation: stretch.degradation,
            source: self.source,
            site: &self.site,
            kind: self.kind,
        })
    }

    pub fn error_row(&self) -> Option<ErrorRow> {
        let Body::Error(error) = &self.body else { return None };
        self.counts().then(|| ErrorRow {
            at: self.at,
            site: self.site.clone(),
            kind: self.kind,
            error: error.clone(),
            epoch: self.epoch,
            seq: self.seq,
        })
    }

    pub fn score_row(&self) -> Option<ScoreRow> {
        let Body::Scored(scored) = &self.body else { return None };
        self.counts().then(|| ScoreRow {
            at: self.at,
            site: self.site.clone(),
            kind: self.kind,
            scored: scored.clone(),
            epoch: self.epoch,
            seq: self.seq,
        })
    }

    pub fn note_row(&self) -> Option<NoteRow> {
        (self.counts() && self.body.is_noted()).then(|| NoteRow {
            at: self.at,
            recorded_at: self.said_at,
            site: self.site.clone(),
            kind: self.kind,
            body: self.body.clone(),
            epoch: self.epoch,
            seq: self.seq,
        })
    }

    pub fn is_reading_of(&self, series: &Series) -> bool {
        let Body::Usage(sample) = &self.body else { return false };
        let Series { counter, component, source } = series;
        (&sample.counter, &sample.component, &self.source_name) == (counter, component, source)
    }

    pub fn reading(&self) -> Option<Reading<'_>> {
        let Body::Usage(sample) = &self.body else { return None };
        self.counts().then(|| Reading {
            at: self.at,
            sample,
            source: &self.source_name,
            site: &self.site,
            kind: self.kind,
            epoch: self.epoch,
            seq: self.seq,
        })
    }

    pub fn claim(&self) -> Option<Claim> {
        let Body::Asserted(asserted) = &self.body else { return None };
        self.counts().then(|| Claim {
            from: self.at,
            until: asserted.until,
            said_at: self.said_at,
            claimed: asserted.claim,
            author: asserted.author.clone(),
            site: self.site.clone(),
            kind: self.kind,
        })
    }

    /// The facts this one takes back or corrects.
    pub fn amended(&self) -> Option<SeqRange> {
        self.body.amended()
    }
}
