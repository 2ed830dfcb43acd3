//! Where appending threads wait: all that share a sync are woken by one call.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::reader::locked;

type Answer = Result<Range<u64>>;

/// One for each group under way. Threads that come while a group is written wait at the next one's.
#[derive(Default)]
pub(crate) struct Gate {
    answers: Mutex<Vec<Option<Answer>>>,
    opened: Condvar,
}

/// The committing side's end of a place at a gate. Whoever waits there is answered even if this is only dropped.
pub(crate) struct Place {
    gate: Arc<Gate>,
    nth: usize,
    is_answered: bool,
}

/// The appending side's end.
pub(crate) struct Waiting {
    gate: Arc<Gate>,
    nth: usize,
}

impl Gate {
    pub fn place(self: &Arc<Self>) -> (Place, Waiting) {
        let mut answers = locked(&self.answers);
        let nth = answers.len();
        answers.push(None);
        (Place { gate: Arc::clone(self), nth, is_answered: false }, Waiting { gate: Arc::clone(self), nth })
    }

    /// Wakes everyone who waits here.
    pub fn open(&self) {
        self.opened.notify_all();
    }
}

impl Place {
    /// The answer lies ready, and nobody is woken for it yet: the gate is to be opened.
    pub fn answer(mut self, answer: Answer) -> Arc<Gate> {
        locked(&self.gate.answers)[self.nth] = Some(answer);
        self.is_answered = true;
        Arc::clone(&self.gate)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_answered {
            locked(&self.gate.answers)[self.nth] = Some(Err(Error::Closed));
            self.gate.open();
        }
    }
}

impl Waiting {
    pub fn wait(self) -> Answer {
        let is_open = |answers: &mut Vec<Option<Answer>>| answers[self.nth].is_none();
        let answers = locked(&self.gate.answers);
        let mut answers = self.gate.opened.wait_while(answers, is_open).unwrap_or_else(PoisonError::into_inner);
        answers[self.nth].take().unwrap_or(Err(Error::Closed))
    }
}
