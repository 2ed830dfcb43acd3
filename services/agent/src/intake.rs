//! The way in for sources: an observation is accepted once its facts are durable, and refused with a reason otherwise.

use tokio::sync::{mpsc, oneshot};

use crate::observation::{Observation, Refusal};
use crate::window::Poisoned;

/// Calls that may wait for the journal; more make their source wait.
pub const INTAKE_QUEUE_CALLS: usize = 1_024;
/// Observations of one call. A longer list is taken in parts.
pub const CALL_MAX_OBSERVATIONS: usize = 1_024;

/// What the keeper of the journal is asked to do.
pub(crate) enum Command {
    Observe { observations: Vec<Observation>, reply: oneshot::Sender<Vec<Result<(), Refusal>>> },
    Bury { graves: Vec<Poisoned>, reply: oneshot::Sender<Vec<u64>> },
}

/// Hands observations to one agent. Clones share it.
#[derive(Clone)]
pub struct Intake {
    commands: mpsc::Sender<Command>,
}

impl Intake {
    pub(crate) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Returns once the facts of this observation are durable in the agent's journal.
    pub async fn observe(&self, observation: Observation) -> Result<(), Refusal> {
        let mut answers = self.observe_all(vec![observation]).await;
        answers.pop().unwrap_or(Err(Refusal::Closed))
    }

    /// The same for several, with an answer for each. They share syncs, so this is how to be fast.
    pub async fn observe_all(&self, mut observations: Vec<Observation>) -> Vec<Result<(), Refusal>> {
        let mut answers = Vec::with_capacity(observations.len());
        while !observations.is_empty() {
            let rest = observations.split_off(observations.len().min(CALL_MAX_OBSERVATIONS));
            let part = std::mem::replace(&mut observations, rest);
            answers.extend(self.call(part).await);
        }
        answers
    }

    async fn call(&self, observations: Vec<Observation>) -> Vec<Result<(), Refusal>> {
        let count = observations.len();
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Observe { observations, reply }).await.is_err() {
            return vec![Err(Refusal::Closed); count];
        }
        answer.await.unwrap_or_else(|_| vec![Err(Refusal::Closed); count])
    }
}
