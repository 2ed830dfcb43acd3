//! The sender at work: follows the topic of alerts and tells people, by intent, attempt and outcome, each a record.
//!
//! What is open when a life begins was cut off, and is sent again under its id. One message at a time is under way to each
//! address, so a kill repeats at most one there. What needs no attention any more before it is sent ends unsent, and a receiver
//! hears that an alert is over after it has heard of it, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use medfleet_alerts::book::{Book, Case, Heard};
use medfleet_alerts::delivery::{Errand, moot};
use medfleet_alerts::route::Routes;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::message::{Channel, Intent, MessageId, Outcome};
use medfleet_domain::alert::record::{Life, News, Record, Writer};
use medfleet_domain::alert::{AlertId, Urgency};
use medfleet_domain::time::Timestamp;
use medfleet_log::{Batch, EventLog, Tail};
use medfleet_runtime::{RoleHealth, Shutdown};

use crate::config::DeliveryConfig;
use crate::drivers::Drivers;
use crate::error::AlerterError;
use crate::letter::{Letter, link};
use crate::meters::SenderMeters;
use crate::relive::relive;
use crate::topic::{self, Opened, append, decode, now};
use under_way::UnderWay;
use zones::Zones;

mod under_way;
mod zones;

const POLL_BYTES: usize = 1024 * 1024;
const POLL_WAIT: Duration = Duration::from_millis(500);
/// Attempts under way at one time, over all addresses.
const ATTEMPTS_UNDER_WAY_MAX: usize = 32;
/// How often open alerts are asked whom they are for now: hours change, and snoozes end.
const LOOK_AROUND: Duration = Duration::from_secs(5);
/// How often Alertmanager is told its open alerts again.
const REFRESH: Duration = Duration::from_secs(60);

/// There is one per log. A second one ends the first.
pub struct Sender {
    log: Arc<dyn EventLog>,
    routes: Option<Routes>,
    drivers: Arc<Drivers>,
    public_url: Option<String>,
    meters: SenderMeters,
    health: RoleHealth,
}

struct Sent {
    message: MessageId,
    channel: &'static str,
    outcome: Outcome,
    took: Duration,
}

struct Lived {
    id: Life,
    book: Book,
    zones: Zones,
    tail: Box<dyn Tail>,
    /// Alerts to be asked whom they are for.
    touched: BTreeSet<AlertId>,
    under_way: UnderWay<Sent>,
    looked: Instant,
    refreshed: Instant,
}

impl Sender {
    pub fn new(
        log: Arc<dyn EventLog>,
        config: DeliveryConfig,
        meters: SenderMeters,
        health: RoleHealth,
    ) -> Result<Self, AlerterError> {
        let drivers = Arc::new(Drivers::new(&config)?);
        Ok(Self { log, routes: config.routes, drivers, public_url: config.public_url, meters, health })
    }

    /// Works until asked to end; what is under way then is waited for.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), AlerterError> {
        relive(shutdown, &self.meters.restarts, &self.health, || self.live(shutdown)).await
    }

    async fn live(&self, shutdown: &Shutdown) -> Result<(), AlerterError> {
        let Opened { life, book, next } = topic::open(&*self.log, Writer::Sender).await?;
        let touched = book.cases().map(|case| case.alert.id).collect();
        let mut lived = Lived {
            id: life,
            book,
            zones: Zones::open(&*self.log).await?,
            tail: self.log.tail(&[next]).await?,
            touched,
            under_way: UnderWay::default(),
            looked: Instant::now(),
            refreshed: Instant::now(),
        };
        self.health.ready();
        while !shutdown.is_requested() {
            self.turn(&mut lived).await?;
        }
        while let Some(sent) = lived.under_way.next().await {
            self.end(&mut lived, sent).await?;
        }
        Ok(())
    }

    async fn turn(&self, lived: &mut Lived) -> Result<(), AlerterError> {
        let full = lived.under_way.len() >= ATTEMPTS_UNDER_WAY_MAX;
        let can_go = |errand| match errand {
            Errand::Send(message) => !full && !lived.under_way.is_busy(&message.intent.channel),
            Errand::Drop(_) => true,
        };
        let due = !lived.touched.is_empty() || errands(&lived.book, now()).any(can_go);
        let wait = if due { Duration::ZERO } else { POLL_WAIT };
        tokio::select! {
            Some(sent) = lived.under_way.next() => self.end(lived, sent).await?,
            batches = lived.tail.poll(POLL_BYTES, wait) => hear(lived, batches?)?,
        }
        lived.zones.follow().await?;
        if lived.looked.elapsed() >= LOOK_AROUND {
            lived.looked = Instant::now();
            let open = lived.book.cases().filter(|case| case.alert.is_open()).map(|case| case.alert.id);
            lived.touched.extend(open);
            self.meters.open.set(lived.book.outbox().open().count() as i64);
            self.meters.untold.set(self.untold(lived, now()) as i64);
        }
        self.begin(lived).await?;
        if lived.refreshed.elapsed() >= REFRESH {
            lived.refreshed = Instant::now();
            self.refresh(&lived.book).await;
        }
        Ok(())
    }

    /// Decides what is to be said and begins what is due: both are in the log before anything leaves the house.
    async fn begin(&self, lived: &mut Lived) -> Result<(), AlerterError> {
        let at = now();
        let intents = self.intents(lived, at);
        for intent in &intents {
            self.meters.intents.with_label_values(&[intent.channel.name()]).inc();
        }
        self.say(lived, at, intents.into_iter().map(News::Intended).collect()).await?;
        let room = ATTEMPTS_UNDER_WAY_MAX.saturating_sub(lived.under_way.len());
        let (mut chosen, mut dropped): (BTreeMap<Channel, Intent>, Vec<News>) = Default::default();
        for errand in errands(&lived.book, at) {
            match errand {
                Errand::Send(message) => {
                    if chosen.len() < room && !lived.under_way.is_busy(&message.intent.channel) {
                        chosen.entry(message.intent.channel.clone()).or_insert_with(|| message.intent.clone());
                    }
                }
                Errand::Drop(message) => {
                    self.meters.outcomes.with_label_values(&[message.intent.channel.name(), "moot"]).inc();
                    dropped.push(News::Ended { message: message.intent.id, outcome: moot() });
                }
            }
        }
        self.say(lived, at, dropped).await?;
        let repeats = |intent: &Intent| lived.book.outbox().message(intent.id).is_some_and(|one| one.is_cut_off());
        self.meters.repeats.inc_by(chosen.values().filter(|intent| repeats(intent)).count() as u64);
        self.say(lived, at, chosen.values().map(|intent| News::Attempted(intent.id)).collect()).await?;
        for intent in chosen.into_values() {
            self.send(lived, intent);
        }
        Ok(())
    }

    fn intents(&self, lived: &mut Lived, at: Timestamp) -> Vec<Intent> {
        let touched = std::mem::take(&mut lived.touched);
        let Some(routes) = &self.routes else { return Vec::new() };
        let book = &lived.book;
        // Who was called for a part hears of its end with that of the whole.
        let parts = touched.iter().filter_map(|id| book.case(*id)).flat_map(|case| book.parts(&case.alert));
        let touched: BTreeSet<AlertId> = parts.map(|case| case.alert.id).chain(touched.iter().copied()).collect();
        let wanting = touched.iter().filter_map(|id| book.case(*id)).flat_map(|Case { alert, .. }| {
            let wall = lived.zones.wall(&alert.about.site, at);
            book.outbox().wanting(&book.incident(alert), routes, at, wall)
        });
        wanting.collect()
    }

    /// Open alerts that want attention now and for which nobody is on call.
    fn untold(&self, lived: &Lived, at: Timestamp) -> usize {
        let for_nobody = |alert: &Alert| {
            let wall = lived.zones.wall(&alert.about.site, at);
            self.routes.as_ref().is_none_or(|routes| routes.is_for_nobody(alert, wall))
        };
        let wanting = lived.book.cases().map(|case| &case.alert).filter(|alert| alert.wants_attention(at));
        wanting.filter(|alert| alert.about.urgency != Urgency::Inbox && for_nobody(alert)).count()
    }

    fn send(&self, lived: &mut Lived, intent: Intent) {
        let Some(case) = lived.book.case(intent.alert) else { return };
        let letter = Letter::new(&intent, &case.alert, self.public_url.as_deref());
        let drivers = Arc::clone(&self.drivers);
        self.meters.attempts.with_label_values(&[intent.channel.name()]).inc();
        let (message, channel) = (intent.id, intent.channel.clone());
        lived.under_way.begin(intent.channel, async move {
            let began = Instant::now();
            let outcome = drivers.send(&channel, &letter).await;
            Sent { message, channel: channel.name(), outcome, took: began.elapsed() }
        });
    }

    /// Writes down how an attempt ended. One that panicked is cut off, and comes due again.
    async fn end(&self, lived: &mut Lived, sent: Option<Sent>) -> Result<(), AlerterError> {
        let Some(Sent { message, channel, outcome, took }) = sent else { return Ok(()) };
        let word = match &outcome {
            Outcome::Delivered => "delivered",
            Outcome::Failed { .. } => "failed",
            Outcome::Refused { .. } => "refused",
        };
        if let Outcome::Failed { reason } | Outcome::Refused { reason } = &outcome {
            tracing::warn!(%message, channel, reason, "a message was not delivered");
        }
        self.meters.outcomes.with_label_values(&[channel, word]).inc();
        self.meters.send.observe(took.as_secs_f64());
        self.say(lived, now(), vec![News::Ended { message, outcome }]).await
    }

    /// Appends news and takes them in. They come by the tail as well, and are passed over there.
    async fn say(&self, lived: &mut Lived, at: Timestamp, news: Vec<News>) -> Result<(), AlerterError> {
        if news.is_empty() {
            return Ok(());
        }
        let records: Vec<Record> = news.into_iter().map(|news| Record { life: lived.id, at, news }).collect();
        append(&*self.log, records.clone()).await?;
        for record in &records {
            lived.book.hear(record);
        }
        Ok(())
    }

    /// Tells each Alertmanager all open alerts that it has been told of. No message: nothing is lost with one.
    async fn refresh(&self, book: &Book) {
        let mut told: BTreeMap<&str, Vec<AlertId>> = BTreeMap::new();
        for case in book.cases().filter(|case| case.alert.is_open()) {
            for message in book.outbox().of(case.alert.id).filter(|message| message.is_delivered()) {
                let of_life = message.intent.occasion.call() >= case.alert.calls_before;
                if let (Channel::Alertmanager(address), true) = (&message.intent.channel, of_life) {
                    told.entry(address).or_default().push(case.alert.id);
                }
            }
        }
        for (address, alerts) in told {
            let alerts = alerts.into_iter().filter_map(|id| book.case(id)).map(|case| &case.alert);
            let alerts = alerts.map(|alert| (alert, link(alert, self.public_url.as_deref())));
            let outcome = self.drivers.alertmanager.tell(address, alerts).await;
            if let Outcome::Failed { reason } | Outcome::Refused { reason } = outcome {
                self.meters.refresh_failures.inc();
                tracing::warn!(reason, "alertmanager did not take the open alerts again");
            }
        }
    }
}

fn errands(book: &Book, at: Timestamp) -> impl Iterator<Item = Errand<'_>> {
    book.outbox().errands(at, |alert| book.case(alert).map(|case| &case.alert))
}

/// Takes in what others have said.
fn hear(lived: &mut Lived, batches: Vec<Batch>) -> Result<(), AlerterError> {
    for batch in batches {
        for record in batch.records {
            let record = decode(batch.home.at(record.offset), &record.value)?;
            if record.life == lived.id {
                continue;
            }
            match lived.book.hear(&record) {
                Heard::Alerts(alerts) => lived.touched.extend(alerts),
                Heard::Opened(Writer::Sender, _) => return Err(AlerterError::Fenced { writer: "sender" }),
                _ => {}
            }
        }
    }
    Ok(())
}
