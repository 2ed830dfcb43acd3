//! Group commit on a disk whose syncs the test holds open: who waits, who sees what, who is answered.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use medfleet_journal::sim::SimDisk;
use medfleet_journal::{
    Committer, Error, FolderLock, FsStorage, Journal, JournalId, Limits, Result, SegmentFile, Storage,
};

const ID: JournalId = JournalId(1);
const LIMITS: Limits = Limits { segment_max_bytes: 64 * 1024, capacity_bytes: 256 * 1024 };
const LONG: Duration = Duration::from_secs(30);

/// Passes everything on, and holds each file sync until the test lets it go.
struct Gated {
    inner: Arc<dyn Storage>,
    gate: Arc<Gate>,
}

struct Gate {
    reached: Sender<()>,
    passes: Mutex<Receiver<io::Result<()>>>,
}

struct GatedFile {
    inner: Arc<dyn SegmentFile>,
    gate: Arc<Gate>,
}

/// The test's side of the gate.
struct Keeper {
    reached: Receiver<()>,
    pass: Sender<io::Result<()>>,
}

impl Keeper {
    fn wait_until_reached(&self) {
        self.reached.recv_timeout(LONG).expect("a sync begins");
    }

    fn let_pass(&self, result: io::Result<()>) {
        self.pass.send(result).expect("the disk still stands");
    }
}

impl Storage for Gated {
    fn place(&self) -> String {
        self.inner.place()
    }
    fn lock(&self) -> io::Result<FolderLock> {
        self.inner.lock()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(GatedFile { inner: self.inner.create(name)?, gate: Arc::clone(&self.gate) }))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(GatedFile { inner: self.inner.open(name)?, gate: Arc::clone(&self.gate) }))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_folder(&self) -> io::Result<()> {
        self.inner.sync_folder()
    }
}

impl SegmentFile for GatedFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.inner.len_bytes()
    }
    fn read_at(&self, buffer: &mut [u8], position_bytes: u64) -> io::Result<()> {
        self.inner.read_at(buffer, position_bytes)
    }
    fn write_at(&self, bytes: &[u8], position_bytes: u64) -> io::Result<()> {
        self.inner.write_at(bytes, position_bytes)
    }
    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.inner.set_len(len_bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.gate.reached.send(()).expect("the test still runs");
        self.gate.passes.lock().expect("no sync panicked").recv().unwrap_or_else(|gone| Err(io::Error::other(gone)))?;
        self.inner.sync_data()
    }
}

/// A committer on a gated disk; the sync that created its segment has passed.
fn gated() -> Result<(Committer, Keeper)> {
    let (reached_sender, reached) = channel();
    let (pass, passes) = channel();
    let gate = Arc::new(Gate { reached: reached_sender, passes: Mutex::new(passes) });
    let keeper = Keeper { reached, pass };
    keeper.let_pass(Ok(()));
    let journal = Journal::open(Arc::new(Gated { inner: SimDisk::new().storage(), gate }), ID, LIMITS)?;
    keeper.wait_until_reached();
    Ok((Committer::start(journal)?, keeper))
}

type Answer = Result<std::ops::Range<u64>>;

fn submit(committer: &Committer, payloads: &[&[u8]], answers: &Sender<Answer>) -> Result<()> {
    let answers = answers.clone();
    let done = Box::new(move |answer| answers.send(answer).expect("the test still runs"));
    committer.submit(payloads.into(), done)
}

#[test]
fn one_sync_answers_all_who_came_while_another_ran() -> Result<()> {
    let (committer, keeper) = gated()?;
    let (answers, answered) = channel();
    submit(&committer, &[b"first"], &answers)?;
    keeper.wait_until_reached();
    for _ in 0..10 {
        submit(&committer, &[b"a", b"b"], &answers)?;
    }
    keeper.let_pass(Ok(()));
    keeper.wait_until_reached();
    keeper.let_pass(Ok(()));
    let ranges: Vec<_> = answered.iter().take(11).map(|answer| answer.expect("durable")).collect();
    let expected: Vec<_> = std::iter::once(0..1).chain((0..10).map(|n| 1 + 2 * n..3 + 2 * n)).collect();
    assert_eq!(ranges, expected);
    assert_eq!(committer.reader().stats().sync_count, 2);
    Ok(())
}

#[test]
fn what_follows_a_crowd_is_committed_though_not_all_of_the_crowd_come_again() -> Result<()> {
    let (committer, keeper) = gated()?;
    let (answers, answered) = channel();
    (0..15).for_each(|_| keeper.let_pass(Ok(())));
    let mut next_index = 0;
    for crowd in [1, 10, 3, 1] {
        (0..crowd).try_for_each(|_| submit(&committer, &[b"fact"], &answers))?;
        for answer in answered.iter().take(crowd) {
            assert_eq!(answer?, next_index..next_index + 1);
            next_index += 1;
        }
    }
    assert_eq!(committer.reader().next_index(), 15);
    Ok(())
}

#[test]
fn nobody_sees_a_record_before_its_sync_returned() -> Result<()> {
    let (committer, keeper) = gated()?;
    let reader = committer.reader().clone();
    let (durable, heard) = channel();
    reader.on_durable(move |next_index| durable.send(next_index).expect("the test still runs"));
    let (answers, answered) = channel();
    submit(&committer, &[b"fact"], &answers)?;
    keeper.wait_until_reached();
    assert_eq!((reader.next_index(), reader.read(0, 100)?), (0, vec![]), "written, not yet durable");
    assert!(heard.try_recv().is_err() && answered.try_recv().is_err());

    let waiting = thread::spawn({
        let reader = reader.clone();
        move || reader.wait_for(0, LONG)
    });
    keeper.let_pass(Ok(()));
    assert_eq!(waiting.join().expect("no panic"), 1);
    assert_eq!(heard.recv_timeout(LONG), Ok(1));
    assert_eq!(reader.read(0, 100)?, [(0, b"fact".to_vec())]);
    assert_eq!(reader.wait_for(1, Duration::ZERO), 1, "a wait ends at its timeout");
    Ok(())
}

#[test]
fn a_failed_sync_answers_everyone_with_an_error() -> Result<()> {
    let (committer, keeper) = gated()?;
    let (answers, answered) = channel();
    submit(&committer, &[b"lost"], &answers)?;
    keeper.wait_until_reached();
    submit(&committer, &[b"too late"], &answers)?;
    keeper.let_pass(Err(io::Error::other("the disk is gone")));
    assert!(matches!(answered.recv_timeout(LONG), Ok(Err(Error::Io { action: "sync", .. }))));
    assert!(matches!(answered.recv_timeout(LONG), Ok(Err(Error::Poisoned { .. }))));
    assert!(committer.is_poisoned());
    assert_eq!(committer.reader().next_index(), 0);
    Ok(())
}

#[test]
fn a_full_queue_refuses_and_counts() -> Result<()> {
    let (committer, keeper) = gated()?;
    let (answers, answered) = channel();
    submit(&committer, &[b"first"], &answers)?;
    keeper.wait_until_reached();
    let payload = vec![0; 60_000];
    let mut taken = 0;
    let refusal = loop {
        match submit(&committer, &[&payload], &answers) {
            Ok(()) => taken += 1,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, Error::QueueFull { .. }), "{refusal}");
    assert_eq!(committer.refused_submissions(), 1);
    assert_eq!(taken, 279, "16 MiB of records");
    drop(keeper.pass);
    drop(committer);
    assert_eq!(answered.try_iter().count(), taken + 1, "each is answered once");
    Ok(())
}

#[test]
fn a_panic_on_the_committing_thread_leaves_nobody_waiting() -> Result<()> {
    let committer = Committer::start(Journal::open(SimDisk::new().storage(), ID, LIMITS)?)?;
    committer.reader().on_durable(|_| panic!("a hook with a bug"));
    let (answers, answered) = channel();
    submit(&committer, &[b"fact"], &answers)?;
    drop(answers);
    assert!(answered.recv().is_err(), "nobody can say whether it is durable");
    while let Ok(()) = committer.submit([b"next"].into(), Box::new(drop)) {
        thread::yield_now();
    }
    assert!(matches!(committer.submit([b"next"].into(), Box::new(drop)), Err(Error::Closed)));
    Ok(())
}

#[test]
fn near_the_capacity_only_what_does_not_fit_is_refused() -> Result<()> {
    let (committer, keeper) = gated()?;
    let (answers, answered) = channel();
    submit(&committer, &[b"first"], &answers)?;
    keeper.wait_until_reached();
    for _ in 0..6 {
        submit(&committer, &[&[0; 50_000]], &answers)?;
    }
    for _ in 0..20 {
        keeper.let_pass(Ok(()));
    }
    let answers: Vec<_> = answered.iter().take(7).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 6, "{answers:?}");
    assert!(matches!(answers[6], Err(Error::Full { .. })), "{answers:?}");
    assert_eq!(committer.reader().stats().refused_records, 1);
    Ok(())
}

#[test]
fn many_threads_on_a_real_folder_each_find_their_records_at_their_indices() -> anyhow::Result<()> {
    const THREADS: u8 = 8;
    const APPENDS: u8 = 40;
    let folder = tempfile::tempdir()?;
    let storage: Arc<dyn Storage> = Arc::new(FsStorage::open(folder.path().join("a").join("journal"))?);
    let limits = Limits { segment_max_bytes: 4 * 1024, capacity_bytes: 1024 * 1024 };
    let committer = Committer::start(Journal::open(Arc::clone(&storage), ID, limits)?)?;
    let locked = Journal::open(Arc::clone(&storage), ID, limits).err();
    assert!(matches!(locked, Some(Error::Locked { .. })), "{locked:?}");

    thread::scope(|scope| {
        for writer in 0..THREADS {
            let committer = &committer;
            scope.spawn(move || {
                let (answers, answered) = channel();
                for n in 0..APPENDS {
                    let payloads = vec![vec![writer, n, 0], vec![writer, n, 1]];
                    let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
                    submit(committer, &slices, &answers).expect("taken");
                    let range = answered.recv().expect("answered").expect("durable");
                    let found = committer.reader().read(range.start, 46).expect("readable");
                    assert_eq!(found, range.zip(payloads).collect::<Vec<_>>());
                }
            });
        }
    });
    let records = u64::from(THREADS) * u64::from(APPENDS) * 2;
    assert!(committer.reader().stats().sync_count <= records / 2);
    let first_index = committer.truncate_front(records / 2)?;
    assert!(first_index > 0 && first_index <= records / 2);
    drop(committer);

    let journal = Journal::open(storage, ID, limits)?;
    assert_eq!((journal.first_index(), journal.next_index()), (first_index, records));
    assert_eq!(journal.read(first_index, usize::MAX)?.len() as u64, records - first_index);
    Ok(())
}
