//! What people state becomes facts here, and leaves through a door that someone else owns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::order::REQUEST_ID_MAX_BYTES;
use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operator::{Quarantine, Redriven};
use crate::problem::Problem;

/// Answers remembered by key, so that a statement sent again is answered again and not made again.
const ANSWERS_KEPT: usize = 4_096;

/// The way into the log for people.
#[async_trait]
pub trait HumanDoor: Send + Sync {
    /// When this returns Ok the facts are durable in the log.
    async fn submit(&self, run: Run) -> Result<Accepted, Refused>;
    /// What was refused for good: the newest entries, newest first, and how many there are.
    async fn quarantine(&self, newest: usize) -> Result<Quarantine, Refused>;
    /// Drives one entry in again, under the identity that its facts always had: driven in twice, they count once.
    async fn redrive(&self, partition: u32, offset: u64) -> Result<Redriven, Refused>;
}

/// Where a statement stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    pub topic: String,
    pub partition: u32,
    pub offset: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The statement itself cannot be taken; the text names the value and the cure.
    #[error("{0}")]
    Statement(String),
    /// The log did not confirm; the same key may be sent again.
    #[error("{0}")]
    NotNow(String),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Statement(why) => Self::refused(why),
            Refused::NotNow(why) => Self::busy(format!("{why}; send it again with the same Idempotency-Key")),
        }
    }
}

/// A statement about one device, before it is a fact.
pub struct Statement {
    pub subject: Subject,
    pub site: SiteId,
    pub kind: DeviceKind,
    pub at: Timestamp,
    pub said_at: Timestamp,
    /// Who says so, where the fact itself has no room for it.
    pub by: Option<String>,
    pub body: Body,
}

impl Statement {
    /// The run of one fact whose epoch is the key: said twice, it is one fact.
    pub fn into_run(self, key: &str) -> Result<Run, Problem> {
        let SeqRange { epoch, first, .. } = identity(&self.subject, key);
        let name = self.by.unwrap_or_else(|| "medfleet".to_owned());
        let source = Source { kind: SourceKind::Person, name };
        let fact = Fact {
            at: self.at,
            known_at: self.said_at,
            known_assumed: false,
            clock: Clock::Synchronised,
            source,
            body: self.body,
        };
        let sealed = medfleet_wire::accept(fact).map_err(|refusal| Problem::refused(chain(&refusal)))?;
        let Self { subject, site, kind, .. } = self;
        Ok(Run { subject, epoch, first_seq: first, site, kind, agent: None, facts: vec![sealed] })
    }
}

/// Of the fact that is stated of a subject under a key.
pub fn identity(subject: &Subject, key: &str) -> SeqRange {
    SeqRange::one(Epoch::derived(&[b"api", subject.key().as_bytes(), key.as_bytes()]), Seq(1))
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An idempotency key as a header may hold it.
pub fn check_key(key: Option<&str>) -> Result<&str, Problem> {
    let cure = "send a header of 1 to 128 visible characters, new for every statement and the same for a repetition";
    let key = key.unwrap_or_default();
    let fits = (1..=REQUEST_ID_MAX_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(key) } else { Err(Problem::bad_value("Idempotency-Key", key, cure)) }
}

/// Answers given, by key.
#[derive(Default)]
pub struct Answers {
    inner: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    by_key: HashMap<String, (u64, Accepted)>,
    order: VecDeque<String>,
}

impl Answers {
    /// The answer given to this very statement; a problem when the key was used for another.
    pub fn find(&self, subject: &Subject, key: &str, digest: u64) -> Result<Option<Accepted>, Problem> {
        let given = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match given.by_key.get(&format!("{subject} {key}")) {
            None => Ok(None),
            Some((of, accepted)) if *of == digest => Ok(Some(accepted.clone())),
            Some(_) => Err(Problem::reused_key(key)),
        }
    }

    pub fn remember(&self, subject: &Subject, key: &str, digest: u64, accepted: &Accepted) {
        let name = format!("{subject} {key}");
        let mut given = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        given.order.push_back(name.clone());
        given.by_key.insert(name, (digest, accepted.clone()));
        if given.order.len() > ANSWERS_KEPT {
            let oldest = given.order.pop_front();
            oldest.and_then(|oldest| given.by_key.remove(&oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::human::{Asserted, Claimed};
    use medfleet_domain::id::SubjectKind;

    fn statement() -> Statement {
        Statement {
            subject: Subject::new(SubjectKind::Device, "ct-1").unwrap(),
            site: SiteId::new("north").unwrap(),
            kind: DeviceKind::Ct,
            at: Timestamp::from_seconds(1_000),
            said_at: Timestamp::from_seconds(2_000),
            by: None,
            body: Body::Asserted(Asserted {
                claim: Claimed::Down,
                until: None,
                author: "kim".into(),
                reason: "tube arc".into(),
                order: None,
            }),
        }
    }

    #[test]
    fn the_key_is_the_identity() {
        let run = |key: &str| statement().into_run(key).unwrap();
        assert_eq!(run("k-1"), run("k-1"));
        assert_ne!(run("k-1").epoch, run("k-2").epoch);
    }

    #[test]
    fn a_claim_that_ends_before_it_begins_is_refused_in_words() {
        let mut backwards = statement();
        if let Body::Asserted(asserted) = &mut backwards.body {
            asserted.until = Some(Timestamp::from_seconds(500));
        }
        assert_eq!(backwards.into_run("k").unwrap_err().status, 422);
    }

    #[test]
    fn a_repetition_is_answered_again_and_another_statement_is_not() {
        let answers = Answers::default();
        let subject = statement().subject;
        let accepted = Accepted { topic: "t".into(), partition: 1, offset: 2 };
        answers.remember(&subject, "k", 7, &accepted);
        assert_eq!(answers.find(&subject, "k", 7), Ok(Some(accepted)));
        assert_eq!(answers.find(&subject, "other", 7), Ok(None));
        assert_eq!(answers.find(&subject, "k", 8).unwrap_err().status, 409);
    }

    #[test]
    fn a_key_is_visible_and_short() {
        assert_eq!(check_key(Some("abc")), Ok("abc"));
        for wrong in [None, Some(""), Some("a b"), Some(&*"x".repeat(129))] {
            assert_eq!(check_key(wrong).unwrap_err().status, 400);
        }
    }
}
