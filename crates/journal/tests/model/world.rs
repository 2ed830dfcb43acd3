//! The journal on a simulated disk, beside the plain list of records it must agree with.

use std::sync::Arc;

use medfleet_journal::sim::{ForgetfulSync, SimDisk};
use medfleet_journal::{Error, Journal, JournalId, Limits, Storage};

const ID: JournalId = JournalId(0x00c0_ffee);
/// Small, so that a short history rolls, fills up and frees.
const LIMITS: Limits = Limits { segment_max_bytes: 24 * 1024, capacity_bytes: 60 * 1024 };

#[derive(Debug, Clone)]
pub enum Op {
    Append { sizes: Vec<usize> },
    AppendWithFailingSync { sizes: Vec<usize>, power_fails: bool },
    Read { permille: u64, max_bytes: usize },
    Truncate { permille: u64 },
    Reopen,
    ReopenWithFailingSync,
    Kill,
    CutPower,
}

#[derive(Debug, Clone, Copy)]
pub enum Syncs {
    Kept,
    Swallowed,
}

#[derive(Debug, Clone)]
pub struct History {
    pub ops: Vec<Op>,
    pub seed: u64,
    pub syncs: Syncs,
}

impl History {
    /// Plays the history, with a crash at a step or without, then cuts the power and looks a last time. Says the steps.
    pub fn run(&self, crash_at_step: Option<u64>) -> Result<u64, String> {
        let mut world = World {
            disk: SimDisk::new(),
            syncs: self.syncs,
            seed: self.seed.wrapping_add(crash_at_step.unwrap_or(0)),
            journal: None,
            records: Vec::new(),
            in_flight: Vec::new(),
            submitted: 0,
            first_index: 0,
            asked_to_free: 0,
        };
        if let Some(step) = crash_at_step {
            world.disk.crash_at_step(step);
        }
        world.reopen()?;
        for op in &self.ops {
            world.play(op).map_err(|violation| format!("{op:?}: {violation}"))?;
        }
        let steps = world.disk.steps();
        world.cut_power_and_reopen()?;
        Ok(steps)
    }
}

struct World {
    disk: SimDisk,
    syncs: Syncs,
    seed: u64,
    journal: Option<Journal>,
    /// Every record that must be there, by index. Freed ones stay in the list.
    records: Vec<Vec<u8>>,
    /// The batch whose append failed: some of its first records may have survived.
    in_flight: Vec<Vec<u8>>,
    submitted: u64,
    first_index: u64,
    asked_to_free: u64,
}

impl World {
    fn play(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Append { sizes } => self.append(sizes, false),
            Op::AppendWithFailingSync { sizes, power_fails } => {
                self.disk.fail_sync_after(0);
                self.append(sizes, *power_fails)
            }
            Op::Read { permille, max_bytes } => self.read(*permille, *max_bytes),
            Op::Truncate { permille } => self.truncate(*permille),
            Op::Reopen => self.reopen(),
            Op::ReopenWithFailingSync => {
                self.disk.fail_sync_after(0);
                self.reopen()
            }
            Op::Kill => {
                self.disk.kill();
                self.reopen()
            }
            Op::CutPower => self.cut_power_and_reopen(),
        }
    }

    fn append(&mut self, sizes: &[usize], power_fails_after_failure: bool) -> Result<(), String> {
        let batch: Vec<Vec<u8>> = sizes.iter().map(|&size| self.next_payload(size)).collect();
        match self.journal().append_batch(&batch[..]) {
            Ok(range) => {
                let expected = self.records.len() as u64..(self.records.len() + batch.len()) as u64;
                self.records.extend(batch);
                ensure(range == expected, || format!("acknowledged as {range:?}, not {expected:?}"))
            }
            Err(Error::Full { .. } | Error::BatchTooLarge { .. }) => Ok(()),
            Err(Error::Io { .. }) => {
                self.in_flight = batch;
                let again = self.journal().append_batch([b"after a failure"]);
                ensure(matches!(again, Err(Error::Poisoned { .. })), || {
                    format!("acknowledged after a failure: {again:?}")
                })?;
                if power_fails_after_failure || self.disk.is_down() {
                    self.cut_power_and_reopen()
                } else {
                    self.reopen()
                }
            }
            Err(other) => Err(format!("append failed: {other}")),
        }
    }

    /// Every payload is unlike every other, so that a stale record cannot pass for a later one of the same index.
    fn next_payload(&mut self, size: usize) -> Vec<u8> {
        self.submitted += 1;
        let stamp = self.submitted.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        stamp.iter().copied().cycle().take(size).collect()
    }

    fn read(&mut self, permille: u64, max_bytes: usize) -> Result<(), String> {
        let next_index = self.records.len() as u64;
        let from_index = self.first_index + (next_index - self.first_index) * permille / 1_000;
        let found = self.journal().read(from_index, max_bytes).map_err(|error| error.to_string())?;
        ensure(found.is_empty() == (from_index == next_index), || format!("read {} records", found.len()))?;
        self.compare(from_index, &found)
    }

    fn truncate(&mut self, permille: u64) -> Result<(), String> {
        let below_index = self.records.len() as u64 * permille / 1_000;
        self.asked_to_free = self.asked_to_free.max(below_index);
        match self.journal().truncate_front(below_index) {
            Ok(first_index) => self.take_first_index(first_index),
            Err(Error::Io { .. }) if self.disk.is_down() => self.cut_power_and_reopen(),
            Err(other) => Err(format!("truncation failed: {other}")),
        }
    }

    fn take_first_index(&mut self, first_index: u64) -> Result<(), String> {
        let allowed = self.first_index..=self.asked_to_free.max(self.first_index);
        self.first_index = first_index;
        ensure(allowed.contains(&first_index), || format!("the first index is {first_index}, not in {allowed:?}"))
    }

    fn cut_power_and_reopen(&mut self) -> Result<(), String> {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.disk.cut_power(self.seed);
        if !self.seed.is_multiple_of(3) {
            self.disk.crash_at_step(self.disk.steps() + self.seed % 7);
        }
        self.reopen()
    }

    /// Opens the journal as a restarted process would, and compares everything in it with the model.
    fn reopen(&mut self) -> Result<(), String> {
        self.journal = None;
        let storage: Arc<dyn Storage> = match self.syncs {
            Syncs::Kept => self.disk.storage(),
            Syncs::Swallowed => ForgetfulSync::over(self.disk.storage()),
        };
        match Journal::open(storage, ID, LIMITS) {
            Ok(journal) => self.journal = Some(journal),
            Err(Error::Io { .. }) if self.disk.is_down() => return self.cut_power_and_reopen(),
            // A sync failed while opening: each failure was asked for once, so trying again must succeed.
            Err(Error::Io { action: "sync", .. }) => return self.reopen(),
            Err(other) => return Err(format!("opening failed: {other}")),
        }
        self.take_survivors()?;
        self.compare_all()
    }

    fn take_survivors(&mut self) -> Result<(), String> {
        let next_index = self.journal().next_index();
        let most = self.records.len() + self.in_flight.len();
        let allowed = self.records.len() as u64..=most as u64;
        ensure(allowed.contains(&next_index), || format!("the next index is {next_index}, not in {allowed:?}"))?;
        let survivors = next_index as usize - self.records.len();
        self.records.extend(self.in_flight.drain(..).take(survivors));
        Ok(())
    }

    fn compare_all(&mut self) -> Result<(), String> {
        let first_index = self.journal().first_index();
        self.take_first_index(first_index)?;
        let mut from_index = first_index;
        while from_index < self.records.len() as u64 {
            let found = self.journal().read(from_index, 10_000).map_err(|error| error.to_string())?;
            ensure(!found.is_empty(), || format!("record {from_index} is missing"))?;
            self.compare(from_index, &found)?;
            from_index += found.len() as u64;
        }
        Ok(())
    }

    fn compare(&self, from_index: u64, found: &[(u64, Vec<u8>)]) -> Result<(), String> {
        for (expected_index, (index, payload)) in (from_index..).zip(found) {
            ensure(*index == expected_index, || format!("found record {index} where {expected_index} belongs"))?;
            ensure(self.records.get(*index as usize) == Some(payload), || format!("record {index} differs"))?;
        }
        Ok(())
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().expect("every path that closes the journal opens it again or ends the history")
    }
}

fn ensure(holds: bool, violation: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(violation()) }
}
