//! Can an address be reached over TCP? Reachable is not up: the answer is a remark about a place, and never a condition of a device.
//!
//! Each change, and the first look after a start, becomes an error fact of family `reachability` and severity info on the place
//! `host:port`. Info errors change no interval, page nobody and count as no failure, yet they stand in the errors table beside what a
//! device says of itself, where a person asks "was it the network?". A place, because an address names no device until it is bound to one.

use std::time::Duration;

use async_trait::async_trait;
use medfleet_domain::condition::SourceKind;
use medfleet_domain::fact::{Body, DeviceError, Severity, Source as Witness};
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::error::AgentError;
use crate::intake::Intake;
use crate::observation::{Observation, Seen};
use crate::source::Source;
use crate::source::simulated::offer;

pub const FAMILY: &str = "reachability";
pub const CODE_REACHABLE: &str = "tcp_reachable";
pub const CODE_UNREACHABLE: &str = "tcp_unreachable";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachabilityConfig {
    /// `host:port`, which is also the place's name.
    pub address: String,
    #[serde(default = "default_period_seconds")]
    pub period_seconds: u64,
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
}

fn default_period_seconds() -> u64 {
    30
}

fn default_timeout_seconds() -> u64 {
    3
}

pub struct Reachability {
    place: Subject,
    period: Duration,
    patience: Duration,
}

impl Reachability {
    pub fn new(config: &ReachabilityConfig) -> Result<Self, AgentError> {
        let place = Subject::new(SubjectKind::Place, &config.address)?;
        let seconds = |seconds: u64| Duration::from_secs(seconds.max(1));
        Ok(Self { place, period: seconds(config.period_seconds), patience: seconds(config.timeout_seconds) })
    }

    async fn is_reachable(&self) -> bool {
        matches!(timeout(self.patience, TcpStream::connect(self.place.name())).await, Ok(Ok(_)))
    }

    fn remark(&self, reachable: bool) -> Observation {
        let code = if reachable { CODE_REACHABLE } else { CODE_UNREACHABLE };
        let error = DeviceError {
            code: code.into(),
            family: FAMILY.into(),
            severity: Severity::Info,
            component: String::new(),
            cause_domain: "network".into(),
            text: String::new(),
        };
        let source = Witness { kind: SourceKind::Derived, name: "tcp".into() };
        Observation {
            subject: self.place.clone(),
            kind: DeviceKind::Other,
            source,
            stated: None,
            seen: Seen::Event(Body::Error(error)),
        }
    }
}

#[async_trait]
impl Source for Reachability {
    fn name(&self) -> &str {
        self.place.name()
    }

    async fn run(self: Box<Self>, intake: Intake) -> Result<(), AgentError> {
        let mut looks = interval(self.period);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            looks.tick().await;
            let reachable = self.is_reachable().await;
            if last.replace(reachable) != Some(reachable) {
                offer(&intake, self.place.name(), vec![self.remark(reachable)]).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;
    use crate::intake::Command;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// What the source offers next.
    async fn next(offered: &mut mpsc::Receiver<Command>) -> Observation {
        let command = timeout(PATIENCE, offered.recv()).await.expect("a change is told").expect("the source goes on");
        let Command::Observe { mut observations, reply, .. } = command else { panic!("a source buries nothing") };
        assert_eq!(observations.len(), 1);
        reply.send(vec![Ok(())]).unwrap();
        observations.remove(0)
    }

    async fn looked_at(listener: &TcpListener) {
        timeout(PATIENCE, listener.accept()).await.expect("it looks").unwrap();
    }

    #[tokio::test]
    async fn a_change_is_a_remark_about_a_place_and_no_condition_of_a_device() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = ReachabilityConfig { address: address.to_string(), period_seconds: 1, timeout_seconds: 3 };
        let (commands, mut offered) = mpsc::channel(8);
        let running =
            tokio::spawn(Box::new(Reachability::new(&config).unwrap()).run(Intake::new(commands, Default::default())));

        let mut codes = Vec::new();
        looked_at(&listener).await;
        let mut remarks = vec![next(&mut offered).await];
        looked_at(&listener).await;
        assert!(offered.try_recv().is_err(), "what has not changed is not told again");
        drop(listener);
        remarks.push(next(&mut offered).await);
        let listener = TcpListener::bind(address).await.unwrap();
        looked_at(&listener).await;
        remarks.push(next(&mut offered).await);
        for Observation { subject, stated, seen, .. } in remarks {
            assert_eq!((subject.kind, subject.name()), (SubjectKind::Place, address.to_string().as_str()));
            assert_eq!(stated, None, "no condition is stated");
            let Seen::Event(Body::Error(error)) = seen else { panic!("{seen:?} says more than that it was reached") };
            assert_eq!((error.severity, error.family.as_str()), (Severity::Info, FAMILY));
            codes.push(error.code);
        }
        assert_eq!(codes, [CODE_REACHABLE, CODE_UNREACHABLE, CODE_REACHABLE]);
        running.abort();
    }
}
