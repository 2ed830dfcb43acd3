//! A record as the fold is told it: by the log, or by the archive where the log has been trimmed.

use medfleet_domain::dedup::Sighting;
use medfleet_domain::fact::{Fact, Run, Sealed};
use medfleet_domain::held::Held;
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::ledger::{Filed, Ledger, Needs, Sifted};
use medfleet_lake::Cause;
use medfleet_lake::rows::FactRow;
use medfleet_log::{Partition, Record};

use crate::book::{Place, cause};
use crate::error::ProcessorError;
use crate::rows;

/// One record, decoded, with where it stands.
#[derive(Debug)]
pub struct Told {
    pub place: Place,
    by: Teller,
}

#[derive(Debug)]
enum Teller {
    Log {
        run: Run,
        implausible: Vec<Seq>,
    },
    /// `run` has what all facts of the record share, and no facts.
    Archive {
        run: Run,
        facts: Vec<Archived>,
    },
}

/// A fact that was told apart when it was admitted first.
#[derive(Debug)]
struct Archived {
    row: FactRow,
    filed: Filed,
    /// What it said; a duplicate is archived as a pointer.
    said: Option<Sealed>,
}

impl Told {
    pub fn by_log(home: Partition, record: &Record) -> Result<Self, ProcessorError> {
        let place = Place { home, offset: record.offset, appended_at_micros: record.appended_at_micros };
        let unreadable = |source| ProcessorError::Record { place: home.at(record.offset).to_string(), source };
        let read = medfleet_wire::decode_record(&record.value).map_err(unreadable)?;
        Ok(Self { place, by: Teller::Log { run: read.run, implausible: read.implausible } })
    }

    /// All rows of one record, in their order in it.
    pub fn by_archive(home: Partition, rows: Vec<FactRow>) -> Result<Option<Self>, ProcessorError> {
        let Some(first) = rows.first() else { return Ok(None) };
        let place = Place { home, offset: first.cause.offset.cast_unsigned(), appended_at_micros: first.appended_at.0 };
        let run = Run {
            subject: Subject::new(SubjectKind::parse(&first.subject_kind)?, &first.subject)?,
            epoch: Epoch(first.epoch.cast_unsigned()),
            first_seq: Seq(first.seq.cast_unsigned()),
            site: SiteId::new(&first.site)?,
            kind: DeviceKind::parse(&first.device_kind)?,
            agent: first.agent.as_deref().map(AgentId::new).transpose()?,
            facts: Vec::new(),
        };
        let facts = rows.into_iter().map(Archived::read).collect::<Result<_, _>>()?;
        Ok(Some(Self { place, by: Teller::Archive { run, facts } }))
    }

    pub const fn run(&self) -> &Run {
        match &self.by {
            Teller::Log { run, .. } | Teller::Archive { run, .. } => run,
        }
    }

    pub const fn subject(&self) -> &Subject {
        &self.run().subject
    }

    pub fn fact_count(&self) -> usize {
        match &self.by {
            Teller::Log { run, .. } => run.facts.len(),
            Teller::Archive { facts, .. } => facts.len(),
        }
    }

    /// What its facts say; those that the archive has as pointers say nothing again.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        let (logged, archived): (&[Sealed], &[Archived]) = match &self.by {
            Teller::Log { run, .. } => (&run.facts, &[]),
            Teller::Archive { facts, .. } => (&[], facts),
        };
        let archived = archived.iter().filter_map(|one| one.said.as_ref());
        logged.iter().chain(archived).map(|sealed| &sealed.fact)
    }

    pub fn sift(&self, ledger: &Ledger) -> Result<Sifted, Needs> {
        match &self.by {
            Teller::Log { run, implausible } => ledger.sift(run, implausible),
            Teller::Archive { run, facts } => {
                let filed = facts.iter().map(|one| one.filed).collect();
                ledger.sift_archived(filed, fresh(run, facts))
            }
        }
    }

    pub fn foresee(&self, ledger: &Ledger) -> Needs {
        match &self.by {
            Teller::Log { run, implausible } => ledger.foresee(run, implausible),
            Teller::Archive { run, facts } => ledger.foresee_archived(&fresh(run, facts)),
        }
    }

    /// The archive's rows of this record. Those told by the archive are made anew from the original bytes, so that a
    /// row that does not say what its bytes say shows in the table's hash; pointers are taken as they are.
    pub fn fact_rows(&self, filed: &[Filed]) -> Vec<FactRow> {
        let (Place { appended_at_micros, .. }, record) = (self.place, cause(self.place));
        let at = |index| Cause { index, ..record };
        match &self.by {
            Teller::Log { run, .. } => {
                let facts = run.facts.iter().zip(filed).zip(0..);
                facts
                    .map(|((said, filed), index)| rows::fact(run, said, filed, appended_at_micros, at(index)))
                    .collect()
            }
            Teller::Archive { run, facts } => {
                let facts = facts.iter().zip(filed).zip(0..);
                let row = |((one, filed), index): ((&Archived, &Filed), i32)| match &one.said {
                    Some(said) => rows::fact(run, said, filed, appended_at_micros, at(index)),
                    None => one.row.clone(),
                };
                facts.map(row).collect()
            }
        }
    }
}

impl Archived {
    fn read(row: FactRow) -> Result<Self, ProcessorError> {
        let identity = (Epoch(row.epoch.cast_unsigned()), Seq(row.seq.cast_unsigned()));
        let verdict = rows::verdict_named(&row.verdict).ok_or_else(|| ProcessorError::Verdict {
            subject: row.subject.to_string(),
            verdict: row.verdict.to_string(),
        })?;
        let said = match verdict {
            Sighting::Duplicate => None,
            Sighting::New | Sighting::Conflict => Some(said(&row)?),
        };
        let digest = match (&said, row.content_hash) {
            (Some(said), _) => said.digest(),
            (None, Some(hash)) => hash.cast_unsigned(),
            (None, None) => {
                return Err(ProcessorError::Pointer {
                    subject: row.subject.to_string(),
                    epoch: identity.0,
                    seq: row.seq,
                });
            }
        };
        let filed = Filed { epoch: identity.0, seq: identity.1, verdict, suspect: row.suspect, digest };
        Ok(Self { row, filed, said })
    }
}

fn fresh(run: &Run, facts: &[Archived]) -> Vec<Held> {
    let said = facts.iter().filter_map(|one| Some((&one.filed, one.said.as_ref()?)));
    said.map(|(filed, said)| Held::new(run, filed, &said.fact)).collect()
}

/// The fact in the bytes of an archived row.
fn said(row: &FactRow) -> Result<Sealed, ProcessorError> {
    let unreadable = |source| ProcessorError::Archived {
        subject: row.subject.to_string(),
        epoch: Epoch(row.epoch.cast_unsigned()),
        seq: row.seq,
        source,
    };
    medfleet_wire::unseal(row.bytes.clone().unwrap_or_default()).map_err(unreadable)
}

/// An archived row as a ledger holds its fact.
pub fn held(row: &FactRow) -> Result<Held, ProcessorError> {
    let fact = said(row)?.fact;
    Ok(Held::archived(
        (Epoch(row.epoch.cast_unsigned()), Seq(row.seq.cast_unsigned())),
        (SiteId::new(&row.site)?, DeviceKind::parse(&row.device_kind)?),
        row.agent.as_deref().map(AgentId::new).transpose()?,
        row.suspect,
        &fact,
    ))
}

#[cfg(test)]
mod tests {
    use medfleet_domain::condition::{Clock, SourceKind};
    use medfleet_domain::fact::{Body, Source};
    use medfleet_domain::time::Timestamp;
    use medfleet_lake::UtcMicros;
    use medfleet_log::Topic;

    use super::*;

    const HOME: Partition = Partition::new(Topic::FACTS, 3);

    /// One record of two facts as the log tells it.
    fn logged() -> Told {
        let beat = |second: i64| {
            let at = Timestamp::from_seconds(1_800_000_000 + second);
            medfleet_wire::seal(Fact {
                at,
                known_at: at,
                known_assumed: false,
                clock: Clock::Synchronised,
                source: Source { kind: SourceKind::Device, name: "modbus".into() },
                body: Body::Heartbeat(None),
            })
        };
        let run = Run {
            subject: Subject::new(SubjectKind::Device, "ct-1").unwrap(),
            epoch: Epoch(7),
            first_seq: Seq(1),
            site: SiteId::new("north").unwrap(),
            kind: DeviceKind::Ct,
            agent: None,
            facts: vec![beat(1), beat(2)],
        };
        let place = Place { home: HOME, offset: 5, appended_at_micros: 99 };
        Told { place, by: Teller::Log { run, implausible: vec![Seq(2)] } }
    }

    fn rows_of(told: &Told, ledger: &mut Ledger) -> Vec<FactRow> {
        let sifted = told.sift(ledger).unwrap();
        told.fact_rows(&ledger.take(sifted).unwrap().filed)
    }

    #[test]
    fn a_record_told_by_the_archive_makes_the_rows_it_was_read_from() {
        let (mut first, mut second) = (Ledger::default(), Ledger::default());
        for _ in 0..2 {
            let rows = rows_of(&logged(), &mut first);
            let told = Told::by_archive(HOME, rows.clone()).unwrap().unwrap();
            assert_eq!((told.place.offset, told.fact_count()), (5, 2));
            assert_eq!(rows_of(&told, &mut second), rows);
        }
        assert_eq!(first, second);
    }

    #[test]
    fn a_row_that_does_not_say_what_its_bytes_say_shows() {
        let rows = rows_of(&logged(), &mut Ledger::default());
        let spoils: [fn(&mut FactRow); 3] =
            [|row| row.at = UtcMicros(row.at.0 + 1), |row| row.content_hash = Some(1), |row| row.kind = "error".into()];
        for spoil in spoils {
            let mut spoiled = rows.clone();
            spoil(&mut spoiled[1]);
            let told = Told::by_archive(HOME, spoiled.clone()).unwrap().unwrap();
            let again = rows_of(&told, &mut Ledger::default());
            assert_eq!(again, rows);
            assert_ne!(again, spoiled);
        }
    }
}
