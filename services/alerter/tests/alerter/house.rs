//! A log of its own for each test, with hands to say facts and to look at what came of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use medfleet_alerter::{Decider, DeliveryConfig, DeskConfig, DeskMeters, Sender, SenderMeters, read_book};
use medfleet_alerts::book::Book;
use medfleet_alerts::route::Routes;
use medfleet_domain::alert::{AlertId, Asked, Wish};
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Body, DeviceError, Fact, Run, Severity, Source};
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::topics::street;
use medfleet_log::{EventLog, NewRecord, Profile, Topic};
use medfleet_runtime::{Health, Metrics, Shutdown, now_micros};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub struct House {
    pub folder: TempDir,
    pub log: Arc<dyn EventLog>,
}

/// A role under way.
pub struct Role {
    pub shutdown: Shutdown,
    pub task: JoinHandle<Result<(), medfleet_alerter::AlerterError>>,
}

impl Role {
    pub async fn stop(self) {
        self.shutdown.request();
        self.task.await.unwrap().unwrap();
    }

    /// As a kill: nothing is drained and nothing is written down.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub fn ct() -> Subject {
    Subject::new(SubjectKind::Device, "ct-1").unwrap()
}

pub fn error() -> Body {
    Body::Error(DeviceError {
        code: "E-1".into(),
        family: "gantry".into(),
        severity: Severity::Critical,
        component: "slip_ring".into(),
        cause_domain: "hardware".into(),
        text: String::new(),
    })
}

pub fn shows(condition: Condition) -> Body {
    Body::Began { condition, degradation: Degradation::None }
}

impl House {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = EmbeddedConfig::new(folder.path().join("log"));
        let log = EmbeddedLog::open(config, &street(Profile::Dev).unwrap()).await.unwrap();
        Self { folder, log: Arc::new(log) }
    }

    pub fn record(subject: Subject, epoch: u64, at: Timestamp, bodies: Vec<Body>) -> NewRecord {
        let source = || Source { kind: SourceKind::Device, name: "test".into() };
        let fact =
            |body| Fact { at, known_at: at, known_assumed: false, clock: Clock::Synchronised, source: source(), body };
        let run = Run {
            epoch: Epoch(epoch),
            first_seq: Seq(1),
            site: SiteId::new("st-mary").unwrap(),
            kind: DeviceKind::Ct,
            agent: Some(AgentId::new("edge-1").unwrap()),
            facts: bodies.into_iter().map(|body| medfleet_wire::accept(fact(body)).unwrap()).collect(),
            subject,
        };
        let key = run.subject.key().into();
        let record = medfleet_wire::Record { run, received_at: at, implausible: Vec::new() };
        NewRecord { topic: Topic::FACTS, key, value: medfleet_wire::encode_record(&record).into() }
    }

    /// Something said now, so many seconds after it happened.
    pub async fn say(&self, subject: Subject, late_seconds: i64, body: Body) {
        let at = Timestamp(now_micros()).plus_seconds(-late_seconds);
        let record = Self::record(subject, at.0.unsigned_abs(), at, vec![body]);
        self.log.append(vec![record]).await.unwrap();
    }

    pub async fn ask(&self, request: &str, alert: AlertId, wish: Wish) {
        let asked = Asked { id: request.into(), author: "kim".into(), alert, wish };
        self.say(ct(), 0, Body::AlertAsked(asked)).await;
    }

    pub fn desk(&self, config: DeskConfig) -> Role {
        let meters = DeskMeters::new(&Metrics::default(), &config).unwrap();
        let decider = Decider::new(Arc::clone(&self.log), config, meters, Health::new().role("alerter"));
        let shutdown = Shutdown::new();
        let heard = shutdown.clone();
        Role { task: tokio::spawn(async move { decider.run(&heard).await }), shutdown }
    }

    /// A desk that looks around often and keeps its memory.
    pub fn quick_desk(&self) -> Role {
        let memory_folder = Some(self.folder.path().join("alerter"));
        self.desk(DeskConfig { tick_milliseconds: 100, memory_folder, ..DeskConfig::default() })
    }

    /// Tells `kim` by this webhook.
    pub fn sender(&self, url: &str) -> Role {
        self.sender_by(&format!(
            "people: {{ kim: [{{ webhook: \"{url}\" }}] }}\nroutes: [{{ name: all, levels: [[{{ people: [kim] }}]] }}]\n"
        ))
    }

    pub fn sender_by(&self, routes: &str) -> Role {
        let config = DeliveryConfig {
            routes: Some(Routes::read(routes).unwrap()),
            webhook_secret: Some(SECRET.into()),
            allowed: medfleet_alerter::drivers::guard::Allowed::new(vec!["127.0.0.1".parse().unwrap()]),
            ..DeliveryConfig::default()
        };
        let (meters, health) = (SenderMeters::new(&Metrics::default()).unwrap(), Health::new().role("sender"));
        let sender = Sender::new(Arc::clone(&self.log), config, meters, health).unwrap();
        let shutdown = Shutdown::new();
        let heard = shutdown.clone();
        Role { task: tokio::spawn(async move { sender.run(&heard).await }), shutdown }
    }

    pub async fn book(&self) -> Book {
        read_book(&*self.log).await.unwrap().0
    }

    /// The book, once it is so.
    pub async fn book_when(&self, what: &str, so: impl Fn(&Book) -> bool) -> Book {
        let started = Instant::now();
        loop {
            let book = self.book().await;
            if so(&book) {
                return book;
            }
            assert!(started.elapsed() < PATIENCE, "{what} did not come about: {book:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub fn only_alert(book: &Book) -> AlertId {
    let ids: Vec<AlertId> = book.cases().map(|case| case.alert.id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0]
}
