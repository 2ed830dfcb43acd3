//! Appending to Kafka: one idempotent producer, a limit on what is in flight, and an outcome for every record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::cluster::Cluster;
use super::config::IN_FLIGHT_LIMIT_BYTES;
use super::{ClientLog, verdict};
use crate::admission::{Admitted, Counters, conclude};
use crate::error::{AppendError, LogError, Outcome};
use crate::port::{NewRecord, Partition, Position};

type Fate = (Vec<Outcome>, Option<LogError>);

/// The sending side of the keeper.
pub(super) struct Sender {
    config: ClientConfig,
    /// Replaced after a fatal error, from which librdkafka's producer never recovers.
    producer: Mutex<Arc<ThreadedProducer<Deliveries>>>,
    room: Arc<Semaphore>,
    pub(super) counters: Counters,
}

impl Sender {
    pub(super) fn new(config: ClientConfig) -> Result<Self, LogError> {
        let producer = start(&config)?;
        Ok(Self {
            config,
            producer: Mutex::new(Arc::new(producer)),
            room: Arc::new(Semaphore::new(IN_FLIGHT_LIMIT_BYTES)),
            counters: Counters::default(),
        })
    }

    /// Hands all records over in order and waits for every answer. `name` gives a topic's name in the cluster.
    pub(super) async fn append(
        &self,
        cluster: &Cluster,
        records: &[NewRecord],
        admitted: Admitted,
    ) -> Result<Vec<Position>, AppendError> {
        let refused = |error| AppendError::refused(records.len(), error);
        let permit = self.room_for(admitted.weight_bytes).await.map_err(refused)?;
        let producer = Arc::clone(&self.producer());
        let (answer, fate) = oneshot::channel();
        let call = Arc::new(Call::new(records.len(), answer, permit));
        for (index, (record, &home)) in records.iter().zip(&admitted.homes).enumerate() {
            let pending = Box::new(Pending { index, home, call: Arc::clone(&call) });
            let topic = cluster.name(home.topic).map_err(refused)?;
            let message = BaseRecord::with_opaque_to(topic, pending)
                .partition(home.partition.cast_signed())
                .key(record.key.as_ref())
                .payload(record.value.as_ref());
            if let Err((error, _)) = producer.send(message) {
                // What follows in this call is held back as well, or it would overtake this record.
                call.refuse_from(index, error);
                break;
            }
        }
        drop(call);
        let (outcomes, trouble) = fate.await.unwrap_or_else(|_| (vec![Outcome::Unknown; records.len()], None));
        if trouble.is_some() {
            self.renew_if_fatal(&producer);
        }
        let answer = conclude(outcomes, trouble);
        self.counters.count(&answer, admitted.weight_bytes);
        answer
    }

    async fn room_for(&self, weight_bytes: usize) -> Result<OwnedSemaphorePermit, LogError> {
        let share = u32::try_from(weight_bytes).map_err(|_| LogError::AppendTooLarge { bytes: weight_bytes })?;
        if self.room.available_permits() < weight_bytes {
            self.counters.waited_for_room();
        }
        Arc::clone(&self.room).acquire_many_owned(share).await.map_err(|_| LogError::Closed)
    }

    fn producer(&self) -> MutexGuard<'_, Arc<ThreadedProducer<Deliveries>>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew_if_fatal(&self, used: &Arc<ThreadedProducer<Deliveries>>) {
        let Some((code, reason)) = used.client().fatal_error() else { return };
        let mut current = self.producer();
        if !Arc::ptr_eq(&current, used) {
            return;
        }
        match start(&self.config) {
            Ok(fresh) => {
                tracing::warn!(%code, reason, "kafka producer failed for good, a new one takes over");
                *current = Arc::new(fresh);
            }
            Err(error) => {
                tracing::error!(%code, reason, %error, "kafka producer failed for good and no new one starts")
            }
        }
    }
}

fn start(config: &ClientConfig) -> Result<ThreadedProducer<Deliveries>, LogError> {
    config.create_with_context(Deliveries).map_err(verdict::trouble("start a producer"))
}

/// One append on its way. When the last of its records has its outcome, or is given up, the answer goes out.
struct Call {
    fate: Mutex<Fate>,
    answer: Mutex<Option<oneshot::Sender<Fate>>>,
    /// Held until then, whether or not anybody still waits: memory in flight is limited by what librdkafka holds.
    _room: OwnedSemaphorePermit,
}

impl Call {
    fn new(records: usize, answer: oneshot::Sender<Fate>, room: OwnedSemaphorePermit) -> Self {
        Self {
            fate: Mutex::new((vec![Outcome::Unknown; records], None)),
            answer: Mutex::new(Some(answer)),
            _room: room,
        }
    }

    fn settle(&self, index: usize, outcome: Outcome, trouble: Option<LogError>) {
        let mut fate = self.fate.lock().unwrap_or_else(PoisonError::into_inner);
        fate.0[index] = outcome;
        if fate.1.is_none() {
            fate.1 = trouble;
        }
    }

    fn refuse_from(&self, index: usize, error: KafkaError) {
        let mut fate = self.fate.lock().unwrap_or_else(PoisonError::into_inner);
        fate.0[index..].fill(Outcome::Refused);
        fate.1 = Some(verdict::trouble("queue a record")(error));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let fate = std::mem::take(self.fate.get_mut().unwrap_or_else(PoisonError::into_inner));
        if let Some(answer) = self.answer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody waits when the append was cancelled.
            let _ = answer.send(fate);
        }
    }
}

/// Travels through librdkafka with its record.
struct Pending {
    index: usize,
    home: Partition,
    call: Arc<Call>,
}

/// Receives the outcome of each record on librdkafka's polling thread.
struct Deliveries;

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        ClientLog.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        match result {
            Ok(message) => {
                // Kafka may confirm a retried record without telling where it stands.
                let outcome = u64::try_from(message.offset())
                    .map_or(Outcome::Unknown, |offset| Outcome::Appended(pending.home.at(offset)));
                pending.call.settle(pending.index, outcome, None);
            }
            Err((error, _)) => {
                let trouble = verdict::trouble("append")(error.clone());
                pending.call.settle(pending.index, verdict::outcome(error), Some(trouble));
            }
        }
    }
}
