//! Facts that come while users ask: some devices more at every site, which tell a minute of themselves at every flush, and there is a
//! flush a second, as a processor makes them. Cuts follow, and the api follows those: how far it came is said when all have asked.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::{Body, Stretch};
use medfleet_domain::id::{AgentId, DeviceId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};
use medfleet_lake::{Reader, ReaderLimits};
use tokio::sync::oneshot::Receiver;

use crate::extras;
use crate::grow::roll;
use crate::install::{Install, Writer};

const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Told at one flush.
const STEP_MICROS: i64 = 60 * MICROS_PER_SECOND;
const KINDS: [DeviceKind; 5] =
    [DeviceKind::Ct, DeviceKind::Mri, DeviceKind::InfusionPump, DeviceKind::Ventilator, DeviceKind::Xray];

pub struct Teller {
    install: Install,
    devices: Vec<Writer>,
    now: Timestamp,
    flushes: u64,
    facts: usize,
}

impl Teller {
    /// Goes on where the lake ends. Its devices bear the name of that cut: one that is told beside again has others.
    pub async fn beside(folder: &Path) -> anyhow::Result<Self> {
        let mut install = Install::beside(folder).await?;
        let reader = Reader::new(install.lake.clone(), ReaderLimits::default())?;
        let cut = reader.newest_cut().await?.context("no cut: run `fleet grow` first")?;
        let now = Timestamp(cut.made_at.0);
        let mut devices = Vec::new();
        for (number, site) in install.sites()?.into_iter().enumerate() {
            for kind in KINDS {
                let id = DeviceId::new(&format!("{}-{site}-{}", kind.as_str(), cut.number))?;
                let registration = Body::Registered(Box::new(extras::registration(kind, number)));
                let mut person = Writer::new(Subject::device(&id), site.clone(), kind, None);
                install.append(&person.record(vec![(now, registration)], now), now)?;
                let agent = AgentId::new(&format!("beside-{site}"))?;
                devices.push(Writer::new(Subject::device(&id), site.clone(), kind, Some(agent)));
            }
        }
        Ok(Self { install, devices, now, flushes: 0, facts: 0 })
    }

    /// Tells until nobody asks any more.
    pub async fn tell_until(mut self, mut end: Receiver<()>) -> anyhow::Result<Self> {
        let mut ticks = tokio::time::interval(FLUSH_EVERY);
        loop {
            tokio::select! {
                _ = &mut end => return Ok(self),
                _ = ticks.tick() => self.tell().await?,
            }
        }
    }

    /// What all devices did in the next minute.
    async fn tell(&mut self) -> anyhow::Result<()> {
        let (from, until) = (self.now, self.now.plus_micros(STEP_MICROS));
        for (number, device) in self.devices.iter_mut().enumerate() {
            let condition = match roll(&[number as u64, self.flushes], 20) {
                0 => Condition::UnscheduledDown,
                1..8 => Condition::Productive,
                _ => Condition::Standby,
            };
            let stretch = Stretch { until, condition, degradation: Degradation::None };
            self.install.append(&device.record(vec![(from, Body::Stretch(stretch))], until), until)?;
        }
        self.now = until;
        self.install.flush(until).await?;
        self.facts += self.devices.len();
        self.flushes += 1;
        Ok(())
    }

    pub fn report(&self) {
        println!(
            "{} flushes while users asked, with {} facts of {} devices",
            self.flushes,
            self.facts,
            self.devices.len()
        );
    }
}
