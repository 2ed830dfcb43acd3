//! Facts packed into runs under one identity: an epoch made of file and mapping, seqs 1, 2, 3, … per subject. Pure.

use medfleet_domain::fact::{Fact, Run};
use medfleet_domain::id::{Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;

/// Facts in one run.
pub const RUN_MAX_FACTS: usize = 1_000;
/// Bytes of the facts in one run, well below what a record of the log may have.
pub const RUN_MAX_BYTES: usize = 256 << 10;

/// What makes an import this import: the same file under the same mapping says the same facts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Import {
    file: Epoch,
    mapping: Epoch,
}

impl Import {
    pub fn of(file: &[u8], mapping: &str) -> Self {
        Self { file: Epoch::derived(&[file]), mapping: Epoch::derived(&[mapping.as_bytes()]) }
    }

    pub fn epoch(&self, subject: &Subject) -> Epoch {
        let (file, mapping) = (self.file.0.to_le_bytes(), self.mapping.0.to_le_bytes());
        Epoch::derived(&[b"import", &file, &mapping, subject.key().as_bytes()])
    }

    /// A name for files about this import.
    pub fn name(&self) -> String {
        Epoch::derived(&[&self.file.0.to_le_bytes(), &self.mapping.0.to_le_bytes()]).to_string()
    }
}

/// Writes one subject's facts down under its next seqs.
#[derive(Debug)]
pub struct Packer {
    subject: Subject,
    site: SiteId,
    kind: DeviceKind,
    epoch: Epoch,
    next: Seq,
}

impl Packer {
    pub fn new(import: Import, subject: Subject, site: SiteId, kind: DeviceKind) -> Self {
        let epoch = import.epoch(&subject);
        Self { subject, site, kind, epoch, next: Seq(1) }
    }

    /// The facts as runs that every reader takes, in their order.
    pub fn pack(&mut self, facts: Vec<Fact>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut held_bytes = 0;
        for sealed in facts.into_iter().map(medfleet_wire::seal) {
            held_bytes += sealed.bytes.len();
            match runs.last_mut() {
                Some(run) if run.facts.len() < RUN_MAX_FACTS && held_bytes <= RUN_MAX_BYTES => run.facts.push(sealed),
                _ => {
                    held_bytes = sealed.bytes.len();
                    let (subject, site) = (self.subject.clone(), self.site.clone());
                    let (epoch, kind, first_seq) = (self.epoch, self.kind, self.next);
                    runs.push(Run { subject, epoch, first_seq, site, kind, agent: None, facts: vec![sealed] });
                }
            }
            self.next = Seq(self.next.0 + 1);
        }
        runs
    }
}
