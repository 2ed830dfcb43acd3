//! The way in for sources: an observation is accepted once its facts are durable, and refused with a reason otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::observation::{Observation, Place, Refusal};
use crate::window::Poisoned;

/// Calls that may wait for the journal; more make their source wait.
pub const INTAKE_QUEUE_CALLS: usize = 1_024;
/// Observations of one call. A longer list is taken in parts.
pub const CALL_MAX_OBSERVATIONS: usize = 1_024;

/// What the keeper of the journal is asked to do.
pub(crate) enum Command {
    Observe {
        observations: Vec<Observation>,
        /// An earlier part of the same list found the journal full: this one must not overtake it, though there may be room again.
        after_full: bool,
        reply: oneshot::Sender<Vec<Result<(), Refusal>>>,
    },
    Bury {
        graves: Vec<Poisoned>,
        reply: oneshot::Sender<Vec<u64>>,
    },
}

/// Hands observations to one agent. Clones share it.
#[derive(Clone)]
pub struct Intake {
    commands: mpsc::Sender<Command>,
    /// How far replays were taken in when this life began.
    taken: Arc<BTreeMap<u64, Place>>,
}

impl Intake {
    pub(crate) fn new(commands: mpsc::Sender<Command>, taken: BTreeMap<u64, Place>) -> Self {
        Self { commands, taken: Arc::new(taken) }
    }

    /// The last observation of a replay that earlier lives made durable.
    pub fn taken(&self, reel: u64) -> Option<Place> {
        self.taken.get(&reel).copied()
    }

    /// Returns once the facts of this observation are durable in the agent's journal.
    pub async fn observe(&self, observation: Observation) -> Result<(), Refusal> {
        let mut answers = self.observe_all(vec![observation]).await;
        answers.pop().unwrap_or(Err(Refusal::Closed))
    }

    /// The same for several, with an answer for each. They share syncs, so this is how to be fast. Once one has found the journal full,
    /// so have all that follow: what is offered again keeps its order.
    pub async fn observe_all(&self, mut observations: Vec<Observation>) -> Vec<Result<(), Refusal>> {
        let mut answers = Vec::with_capacity(observations.len());
        let mut after_full = false;
        while !observations.is_empty() {
            let rest = observations.split_off(observations.len().min(CALL_MAX_OBSERVATIONS));
            let part = std::mem::replace(&mut observations, rest);
            let answered = self.call(part, after_full).await;
            after_full |= answered.iter().any(|answer| matches!(answer, Err(Refusal::Full { .. })));
            answers.extend(answered);
        }
        answers
    }

    async fn call(&self, observations: Vec<Observation>, after_full: bool) -> Vec<Result<(), Refusal>> {
        let count = observations.len();
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Observe { observations, after_full, reply }).await.is_err() {
            return vec![Err(Refusal::Closed); count];
        }
        answer.await.unwrap_or_else(|_| vec![Err(Refusal::Closed); count])
    }
}

#[cfg(test)]
mod tests {
    use medfleet_domain::condition::{Condition, Degradation, SourceKind};
    use medfleet_domain::fact::Source;
    use medfleet_domain::id::{DeviceId, Subject};
    use medfleet_domain::kind::DeviceKind;

    use super::*;
    use crate::observation::Seen;

    /// A journal that is full for the first part of a list and has room for the next.
    async fn full_once(mut commands: mpsc::Receiver<Command>) {
        let mut has_room = false;
        while let Some(command) = commands.recv().await {
            let Command::Observe { observations, after_full, reply } = command else {
                panic!("no burial was asked for")
            };
            let full = Err(Refusal::Full { used_bytes: 1, capacity_bytes: 1 });
            let answer = if has_room && !after_full { Ok(()) } else { full };
            let _ = reply.send(vec![answer; observations.len()]);
            has_room = true;
        }
    }

    /// Later parts once overtook a refused one; the stretch between them was then lost.
    #[tokio::test]
    async fn nothing_of_a_list_overtakes_what_found_the_journal_full() {
        let (commands, receiver) = mpsc::channel(8);
        tokio::spawn(full_once(receiver));
        let seen = Seen::Condition { condition: Condition::Standby, degradation: Degradation::None };
        let source = Source { kind: SourceKind::Device, name: "test".into() };
        let subject = Subject::device(&DeviceId::new("ct-1").unwrap());
        let one = Observation { subject, kind: DeviceKind::Ct, source, stated: None, seen };
        let intake = Intake::new(commands, BTreeMap::new());
        let answers = intake.observe_all(vec![one.clone(); 3 * CALL_MAX_OBSERVATIONS]).await;
        assert_eq!(answers.len(), 3 * CALL_MAX_OBSERVATIONS);
        assert!(answers.iter().all(Result::is_err), "what follows a refused part must wait with it");
        assert!(intake.observe_all(vec![one]).await.iter().all(Result::is_ok), "offered again, it is taken");
    }
}
