//! The agent's core: observations and clock readings in, facts with identities out. Pure; the journal and the clocks are the driver's.

use std::collections::BTreeMap;

use medfleet_domain::condition::Clock;
use medfleet_domain::fact::{Body, Fact, JournalState};
use medfleet_domain::id::{AgentId, Epoch, SeqRange, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_HOUR, MICROS_PER_SECOND, Timestamp};

use crate::clock::{Change, ClockWatch, Reading, Steady};
use crate::config::MAX_SUBJECTS;
use crate::observation::{Observation, Origin, Place, Refusal, Saying, Seen, Stated};
use crate::spool::{Recovered, record_bound_bytes};
use crate::stretcher::{Open, Stretcher, agent_source};
use crate::writer::{Mark, Writer, Written};

/// Of one observation's witness.
pub const SOURCE_NAME_MAX_BYTES: usize = 128;
/// Stretches that the hour cuts in one moment; the next goes on.
pub const TICK_MAX_STRETCHES: usize = 2 * MAX_SUBJECTS;
/// Replays of which it is known how far they were taken in. Of one that is forgotten only its progress file knows.
const REELS_KEPT: usize = 256;
/// How often the agent says that it lives.
pub const HEARTBEAT_MICROS: i64 = 30 * MICROS_PER_SECOND;

/// A stated time further ahead of the agent's clock is a mistake of its source; zones taken wrongly differ by less.
pub const AHEAD_MAX_MICROS: i64 = 24 * MICROS_PER_HOUR;
/// A clock that shows less was never set, and judges nobody.
const CLOCK_IS_SET_FROM: Timestamp = Day::from_civil(2026, 1, 1).start();

/// One life of one agent.
pub struct Recorder {
    agent: Subject,
    watch: ClockWatch,
    stretcher: Stretcher,
    writer: Writer,
    max_subjects: usize,
    now: Timestamp,
    last_heartbeat: Option<Steady>,
    /// How far each replay was taken in.
    taken: BTreeMap<u64, Place>,
}

impl Recorder {
    /// Begins a life under a new epoch, and says first what the last one left open. A checkpoint must follow before anything else:
    /// without it, signs of this life could later be taken for signs of the last one.
    pub fn begin(agent: &AgentId, epoch: Epoch, recovered: Recovered, reading: Reading) -> (Self, Vec<Written>) {
        let Recovered { marks, open, last_sign_of_life, taken, .. } = recovered;
        let mut recorder = Self {
            agent: Subject::agent(agent),
            watch: ClockWatch::new(last_sign_of_life),
            stretcher: Stretcher::default(),
            writer: Writer::new(epoch, marks),
            max_subjects: MAX_SUBJECTS,
            now: reading.wall,
            last_heartbeat: None,
            taken,
        };
        recorder.watch.read(reading);
        let left_over = last_sign_of_life.map_or_else(Vec::new, |sign| Stretcher::resume(open, sign, reading.wall));
        let mut written = Vec::new();
        recorder.write(left_over, &mut written);
        // What the last life saw, it saw by a clock this life cannot judge any more.
        recorder.writer.agree();
        (recorder, written)
    }

    /// Follows no more subjects than this. Those it knows already stay known.
    pub fn follow_at_most(&mut self, max_subjects: usize) {
        self.max_subjects = max_subjects;
    }

    /// To be called before anything else of a moment, and once a second: judges the clock, cuts on the hour, gives signs of life.
    pub fn turn(&mut self, reading: Reading) -> Vec<Written> {
        self.turn_within(reading, TICK_MAX_STRETCHES, || None)
    }

    /// What must be there in the journal for the turn of this moment, at most, hours to be cut aside.
    pub fn turn_bound_bytes(&self, reading: Reading, site: &SiteId) -> u64 {
        let own = |subject: &Subject| record_bound_bytes(subject, site, &agent_source());
        let heartbeat = 2 * own(&self.agent);
        match self.watch.clone().read(reading) {
            Change::None | Change::Agreed => heartbeat,
            Change::Unconfirmed { until } | Change::Strayed { until, .. } => {
                heartbeat + self.stretcher.change_bound_bytes(until, site)
            }
            Change::Corrected { until, .. } => {
                let doubts: u64 = self.writer.subjects_of_life().map(own).sum();
                heartbeat + self.stretcher.change_bound_bytes(until, site) + doubts
            }
        }
    }

    /// What must be there in the journal for an observation of this moment, at most.
    pub fn observe_bound_bytes(&self, observation: &Observation, site: &SiteId) -> u64 {
        self.stretcher.observe_bound_bytes(observation, self.now, site)
    }

    /// [`Self::turn`], cutting no more stretches than this on the hour; a heartbeat says what the journal holds.
    pub fn turn_within(
        &mut self,
        reading: Reading,
        max_stretches: usize,
        journal: impl FnOnce() -> Option<JournalState>,
    ) -> Vec<Written> {
        let mut written = Vec::new();
        let change = self.watch.read(reading);
        self.now = reading.wall;
        self.take_change(change, &mut written);
        let cut = self.stretcher.tick(reading.wall, max_stretches.min(TICK_MAX_STRETCHES));
        self.write(cut, &mut written);
        self.heartbeat(reading, journal, &mut written);
        written
    }

    /// Takes one observation of this moment. A refused one has changed nothing.
    pub fn observe(&mut self, observation: Observation) -> Result<Vec<Written>, Refusal> {
        self.check_subject(&observation)?;
        self.check_stated(&observation)?;
        check_event(&observation, self.now)?;
        let origin = observation.stated.and_then(|stated| stated.origin);
        let sayings = self.stretcher.observe(observation, self.now, self.watch.clock())?;
        let mut written = Vec::new();
        self.write(sayings, &mut written);
        if let Some(Origin { reel, place }) = origin {
            self.take_to(reel, place);
        }
        Ok(written)
    }

    fn take_to(&mut self, reel: u64, place: Place) {
        self.taken.insert(reel, place);
        let another = self.taken.keys().copied().find(|one| *one != reel);
        if let Some(another) = another.filter(|_| self.taken.len() > REELS_KEPT) {
            self.taken.remove(&another);
        }
    }

    pub fn taken(&self) -> &BTreeMap<u64, Place> {
        &self.taken
    }

    /// A checkpoint has a place for so many subjects, and for names of witnesses that are no longer than this.
    fn check_subject(&self, observation: &Observation) -> Result<(), Refusal> {
        let (subject, bytes, limit) = (&observation.subject, observation.source.name.len(), SOURCE_NAME_MAX_BYTES);
        if bytes > limit {
            let source = medfleet_wire::Refusal::Oversized { what: "source name", bytes, limit };
            return Err(Refusal::Unfit { subject: subject.clone(), source });
        }
        if !self.writer.knows(subject) && self.writer.subjects() >= self.max_subjects {
            return Err(Refusal::TooManySubjects { subject: subject.clone(), max_subjects: self.max_subjects });
        }
        Ok(())
    }

    /// A time that no reader takes must not get into the journal, and one of the future would keep out all that follows in its order.
    fn check_stated(&self, observation: &Observation) -> Result<(), Refusal> {
        let Some(Stated { at, known_at, .. }) = observation.stated else { return Ok(()) };
        let (known_at, subject) = (known_at.unwrap_or(at), observation.subject.clone());
        let judges = self.watch.clock() != Clock::Suspect && self.now >= CLOCK_IS_SET_FROM;
        let latest = self.now.plus_micros(AHEAD_MAX_MICROS);
        if judges && at.max(known_at) > latest {
            return Err(Refusal::Ahead { subject, at: at.max(known_at), now: self.now });
        }
        let (source, clock) = (observation.source.clone(), Clock::Holdover);
        let sign = Fact { at, known_at, known_assumed: false, clock, source, body: Body::Heartbeat(None) };
        medfleet_wire::accept(sign).map(|_| ()).map_err(|source| Refusal::Unfit { subject, source })
    }

    /// There is no room for this observation: what it would have ended must not go on.
    pub fn refuse(&mut self, observation: &Observation, now: Timestamp) {
        self.stretcher.refuse(observation, now);
    }

    /// Facts that ingest refused as poison leave a mark in their stream, which the same facts fill if they are ever redriven.
    pub fn bury(&mut self, subject: Subject, kind: DeviceKind, target: SeqRange, reason: String) -> Vec<Written> {
        let mut written = Vec::new();
        let body = Body::Tombstone { target, reason };
        let saying = self.own_saying(subject, kind, body);
        self.write(vec![saying], &mut written);
        written
    }

    pub fn epoch(&self) -> Epoch {
        self.writer.epoch()
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn marks(&self) -> BTreeMap<Subject, Mark> {
        self.writer.marks()
    }

    pub fn open(&self) -> &BTreeMap<Subject, Open> {
        self.stretcher.open()
    }

    fn take_change(&mut self, change: Change, written: &mut Vec<Written>) {
        match change {
            Change::None => {}
            Change::Agreed => {
                self.writer.agree();
                self.stretcher.confirm(self.watch.clock());
            }
            Change::Unconfirmed { until } => {
                self.cut_all(until, written);
                self.writer.agree();
                self.go_on_from(until, written);
            }
            Change::Strayed { until, was_agreed, .. } => {
                self.cut_all(until, written);
                if was_agreed {
                    self.writer.agree();
                }
                self.go_on_from(self.now, written);
            }
            Change::Corrected { until, step_micros, last_agreement } => {
                self.cut_all(until, written);
                self.doubt(step_micros, last_agreement, written);
                self.writer.agree();
                self.go_on_from(self.now, written);
            }
        }
    }

    /// Names the seqs of every subject that were said since the clock was last known to be right.
    fn doubt(&mut self, step_micros: i64, last_agreement: Option<Timestamp>, written: &mut Vec<Written>) {
        for (subject, kind, range) in self.writer.since_agreement() {
            let body = Body::ClockStep { step_micros, last_agreement, suspect: Some(range) };
            let saying = self.own_saying(subject, kind, body);
            self.write(vec![saying], written);
        }
    }

    fn cut_all(&mut self, until: Timestamp, written: &mut Vec<Written>) {
        let sayings = self.stretcher.cut_all(until, self.now);
        self.write(sayings, written);
    }

    fn go_on_from(&mut self, from: Timestamp, written: &mut Vec<Written>) {
        let sayings = self.stretcher.go_on_from(from, self.watch.clock());
        self.write(sayings, written);
    }

    fn heartbeat(
        &mut self,
        reading: Reading,
        journal: impl FnOnce() -> Option<JournalState>,
        written: &mut Vec<Written>,
    ) {
        let due = self.last_heartbeat.is_none_or(|last| reading.steady >= last.plus_micros(HEARTBEAT_MICROS));
        if due {
            self.last_heartbeat = Some(reading.steady);
            let body = Body::Heartbeat(journal().map(Box::new));
            let saying = self.own_saying(self.agent.clone(), DeviceKind::Other, body);
            self.write(vec![saying], written);
        }
    }

    fn own_saying(&self, subject: Subject, kind: DeviceKind, body: Body) -> Saying {
        let (at, clock) = (self.now, self.watch.clock());
        Saying {
            subject,
            kind,
            stated: false,
            origin: None,
            at,
            known_at: at,
            known_assumed: false,
            clock,
            source: agent_source(),
            body,
        }
    }

    fn write(&mut self, sayings: Vec<Saying>, into: &mut Vec<Written>) {
        for saying in sayings {
            self.writer.write(saying, self.now, self.watch.clock(), into);
        }
    }
}

/// What every reader of the fact would otherwise refuse, when it is too late.
fn check_event(observation: &Observation, now: Timestamp) -> Result<(), Refusal> {
    let Seen::Event(body) = &observation.seen else { return Ok(()) };
    let at = observation.stated.map_or(now, |stated| stated.at);
    let (source, body) = (observation.source.clone(), body.clone());
    let fact = Fact { at, known_at: at, known_assumed: false, clock: Clock::Holdover, source, body };
    let unfit = |source| Refusal::Unfit { subject: observation.subject.clone(), source };
    medfleet_wire::accept(fact).map(|_| ()).map_err(unfit)
}
