//! The decider at work: follows the facts, runs the desk in log order, and appends what it decides, exactly once.
//!
//! It owns no truth. What is in the topic of alerts has happened; what was decided and not appended is decided again. At a
//! start it takes the desk from its memory, or from the log's floor, up to where its last turn had read, and puts it in
//! line with the topic: the facts behind that turn are never asked about again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use medfleet_alerts::book::ANSWERS_KEPT;
use medfleet_alerts::desk::{Desk, Entry, Told};
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::life::Refusal;
use medfleet_domain::alert::record::{Answer, Demotion, Life, News, Record, Turn, Writer};
use medfleet_domain::alert::{AlertId, Asked, Step};
use medfleet_domain::condition::Clock;
use medfleet_domain::contract::Pin;
use medfleet_domain::fact::Body;
use medfleet_domain::id::{Cause, Seq};
use medfleet_domain::risk::{ModelWithdrawn, RiskNews};
use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, Partition, Position, Tail, Topic};
use medfleet_runtime::{RoleHealth, Shutdown};

use crate::config::DeskConfig;
use crate::error::AlerterError;
use crate::meters::DeskMeters;
use crate::relive::relive;
use crate::topic::{append, decode, now};
use reach::Reach;

mod reach;
mod restore;

/// One poll stays small, so that all it brings about fits one record.
const POLL_BYTES: usize = 512 * 1024;
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Steps of one record; what time alone brings about may be more, and is cut.
const STEPS_MAX: usize = 4_000;
/// The partition of a cause that is a moment and no record; its offset is that moment in microseconds.
const OF_TIME: u32 = u32::MAX;

/// There is one per log. A second one ends the first.
pub struct Decider {
    log: Arc<dyn EventLog>,
    config: DeskConfig,
    meters: DeskMeters,
    health: RoleHealth,
}

/// One life between two restores.
struct Lived {
    id: Life,
    /// Turns appended.
    turns: u64,
    mind: Mind,
    facts: Box<dyn Tail>,
    own: Box<dyn Tail>,
    reach: Reach,
    ticked: Instant,
    told: Instant,
    remembered: Instant,
}

/// What a life decides with.
struct Mind {
    desk: Desk,
    /// Requests that were decided, so that one that comes again is not.
    answered: BTreeMap<AlertId, Vec<String>>,
}

impl Decider {
    pub fn new(log: Arc<dyn EventLog>, config: DeskConfig, meters: DeskMeters, health: RoleHealth) -> Self {
        Self { log, config, meters, health }
    }

    /// Works until asked to end.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), AlerterError> {
        relive(shutdown, &self.meters.restarts, &self.health, || self.live(shutdown)).await
    }

    async fn live(&self, shutdown: &Shutdown) -> Result<(), AlerterError> {
        let mut lived = self.restore().await?;
        self.health.ready();
        while !shutdown.is_requested() {
            self.turn(&mut lived).await?;
        }
        self.remember(&mut lived)
    }

    /// One poll, what it brings about, and the append of that.
    async fn turn(&self, lived: &mut Lived) -> Result<(), AlerterError> {
        self.is_alone(lived).await?;
        let wait = self.config.tick().saturating_sub(lived.ticked.elapsed()).min(POLL_WAIT);
        let mut batches = lived.facts.poll(POLL_BYTES, wait).await?;
        batches.sort_by_key(|batch| batch.home);
        lived.mind.desk.reads_at(now());
        let records = batches.iter().map(|batch| batch.records.len() as u64).sum();
        let mut turn = Turn::default();
        let mut oldest: Option<i64> = None;
        for batch in &batches {
            let before = turn.steps.len();
            self.hear(&mut lived.mind, batch.home, &batch.records, &mut turn)?;
            if turn.steps.len() > before {
                let appended = batch.records.iter().map(|record| record.appended_at_micros).min();
                oldest = oldest.into_iter().chain(appended).min();
            }
        }
        let cursors = lived.facts.cursors();
        let (at, ends) = (now(), self.ends(&cursors).await?);
        lived.reach.look(at, &cursors, &ends);
        let by_time = if lived.ticked.elapsed() >= self.config.tick() && lived.reach.is_abreast(at) {
            lived.ticked = Instant::now();
            lived.mind.desk.tick(of_time(at))
        } else {
            Vec::new()
        };
        self.tell(lived, turn, by_time, at).await?;
        if let Some(oldest) = oldest {
            self.meters.decided.observe((now().micros() - oldest).max(0) as f64 / 1e6);
        }
        if lived.remembered.elapsed() >= self.config.memory_after() {
            self.remember(lived)?;
        }
        self.meters.subjects.set(lived.mind.desk.watched() as i64);
        self.meters.watchdog.report(records, reach::lag(&cursors, &ends));
        Ok(())
    }

    /// Where each partition ends that is followed.
    async fn ends(&self, followed: &[Position]) -> Result<BTreeMap<Partition, u64>, AlerterError> {
        let mut ends = BTreeMap::new();
        for at in followed {
            ends.insert(at.home(), self.log.bounds(at.home()).await?.end);
        }
        Ok(ends)
    }

    fn hear(
        &self,
        mind: &mut Mind,
        home: Partition,
        records: &[medfleet_log::Record],
        turn: &mut Turn,
    ) -> Result<(), AlerterError> {
        for record in records {
            let at = home.at(record.offset);
            let unreadable = |source| AlerterError::Record { place: at.to_string(), source };
            if home.topic == Topic::RISK {
                let read = medfleet_wire::decode_risk_record(&record.value).map_err(unreadable)?;
                mind.hear_of_model(Timestamp(record.appended_at_micros), &read.news, turn);
                continue;
            }
            let read = medfleet_wire::decode_record(&record.value).map_err(unreadable)?;
            let cause = Cause { partition: home.partition, offset: record.offset };
            let entry = Entry { cause, at: Timestamp(record.appended_at_micros) };
            self.hear_record(mind, entry, &read, turn);
        }
        Ok(())
    }

    fn hear_record(&self, mind: &mut Mind, entry: Entry, record: &medfleet_wire::Record, turn: &mut Turn) {
        let run = &record.run;
        for (seq, sealed) in (run.first_seq.0..).map(Seq).zip(&run.facts) {
            let fact = &sealed.fact;
            if let Body::AlertAsked(asked) = &fact.body {
                mind.ask(entry, asked, turn);
                continue;
            }
            // A fact with a wrong clock says nothing of when: no rule could tell the present from the past.
            if record.implausible.contains(&seq) || fact.clock == Clock::Suspect {
                self.meters.implausible.inc();
                continue;
            }
            let told = Told {
                subject: &run.subject,
                site: &run.site,
                kind: run.kind,
                agent: run.agent.as_ref(),
                epoch: run.epoch,
                seq,
                fact,
            };
            turn.steps.extend(mind.desk.admit(entry, told));
        }
    }

    /// Appends what a turn brought about. On an error the desk is ahead of the log, and is forgotten.
    async fn tell(&self, lived: &mut Lived, turn: Turn, by_time: Vec<Step>, at: Timestamp) -> Result<(), AlerterError> {
        let silent = turn.steps.is_empty() && turn.answers.is_empty() && by_time.is_empty();
        if silent && lived.told.elapsed() < self.config.idle_turn() {
            return Ok(());
        }
        let read = pins(&*lived.facts);
        self.count(&turn, &by_time, lived);
        let mut turns = vec![Turn { read: read.clone(), ..turn }];
        for steps in by_time.chunks(STEPS_MAX) {
            turns.push(Turn { read: read.clone(), steps: steps.to_vec(), ..Turn::default() });
        }
        let record = |turn| Record { life: lived.id, at, news: News::Turn(turn) };
        let records: Vec<Record> = turns.into_iter().map(record).collect();
        let count = records.len() as u64;
        append(&*self.log, records).await?;
        lived.turns += count;
        lived.told = Instant::now();
        Ok(())
    }

    fn count(&self, turn: &Turn, by_time: &[Step], lived: &Lived) {
        self.meters.turns.inc();
        for step in turn.steps.iter().chain(by_time) {
            self.meters.steps.with_label_values(&[step.change.name()]).inc();
        }
        for demotion in &turn.demotions {
            let Demotion { model, voice, technician, false_alerts, .. } = demotion;
            tracing::warn!(model, voice, technician, false_alerts, "a voice is beyond its budget and is heard no more");
            self.meters.demotions.inc();
        }
        for answer in &turn.answers {
            let verdict = if answer.refused.is_none() { "granted" } else { "refused" };
            self.meters.answers.with_label_values(&[verdict]).inc();
        }
        self.meters.show_open(lived.mind.desk.alerts());
    }

    /// Whether no other desk has opened since.
    async fn is_alone(&self, lived: &mut Lived) -> Result<(), AlerterError> {
        for batch in lived.own.poll(POLL_BYTES, Duration::ZERO).await? {
            for record in batch.records {
                let record = decode(batch.home.at(record.offset), &record.value)?;
                if record.news == News::Opened(Writer::Desk) && record.life != lived.id {
                    return Err(AlerterError::Fenced { writer: "desk" });
                }
            }
        }
        Ok(())
    }

    fn remember(&self, lived: &mut Lived) -> Result<(), AlerterError> {
        lived.remembered = Instant::now();
        let Some(folder) = &self.config.memory_folder else { return Ok(()) };
        let (log, written) = (self.log.log_id().to_string(), (lived.id, lived.turns));
        crate::memory::save(folder, &log, written, pins(&*lived.facts), &lived.mind.desk)
    }

    fn rules(&self) -> Result<Rules, AlerterError> {
        Ok(Rules::read(&self.config.rules)?)
    }
}

impl Mind {
    /// Of models only one thing concerns the desk: that one is not to be heard any more.
    fn hear_of_model(&mut self, at: Timestamp, news: &RiskNews, turn: &mut Turn) {
        if let RiskNews::Withdrawn(ModelWithdrawn { model, .. }) = news {
            turn.steps.extend(self.desk.withdraw_model(at, model));
        }
    }

    /// Decides a request, unless it was decided before.
    fn ask(&mut self, entry: Entry, asked: &Asked, turn: &mut Turn) {
        if self.answered.get(&asked.alert).is_some_and(|answered| answered.contains(&asked.id)) {
            return;
        }
        let decided = self.desk.ask(entry, asked.alert, &asked.wish, &asked.author);
        if !matches!(decided, Err(Refusal::Unknown(_))) {
            let answered = self.answered.entry(asked.alert).or_default();
            answered.push(asked.id.clone());
            if answered.len() > ANSWERS_KEPT {
                answered.remove(0);
            }
        }
        let refused = decided.as_ref().err().map(ToString::to_string);
        if let Ok(granted) = decided {
            turn.steps.extend(granted.steps);
            turn.demotions.extend(granted.demotion);
        }
        turn.answers.push(Answer { alert: asked.alert, request: asked.id.clone(), refused });
    }
}

/// A moment as the cause of what time alone brings about.
fn of_time(at: Timestamp) -> Entry {
    Entry { cause: Cause { partition: OF_TIME, offset: at.micros().unsigned_abs() }, at }
}

fn pins(tail: &dyn Tail) -> Vec<Pin> {
    let pin = |at: Position| Pin { topic: at.topic.name().to_owned(), partition: at.partition, next_offset: at.offset };
    tail.cursors().into_iter().map(pin).collect()
}

/// Everything the desk reads: devices, agents and places, the sites, and models.
fn followed(log: &dyn EventLog) -> Result<Vec<Partition>, AlerterError> {
    let mut homes = Vec::new();
    for topic in [Topic::FACTS, Topic::FLEET, Topic::RISK] {
        homes.extend((0..log.partitions(topic)?).map(|partition| Partition::new(topic, partition)));
    }
    Ok(homes)
}
