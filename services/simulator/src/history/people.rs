//! What people and their systems tell: sites, calendars and contracts, the inventory, orders, claims, maintenance, replaced parts.

use std::sync::Arc;

use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::contract::{BasisPoints, ClockStart, ClockStop, Contract, ContractHours, Exclusion, PeriodLength};
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::id::{Epoch, Seq, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Span, Timestamp};

use super::Seal;
use super::delivery::{Dispatch, Draft, runs_of};
use crate::plan::{Plan, PlannedDevice, PlannedSite};
use crate::truth::Life;

/// Name of the maintenance system whose records these are.
const CMMS: &str = "cmms";
const PEOPLE: &str = "people";
/// Who answers for the contracts of a made-up fleet.
const VENDOR: &str = "Demo Imaging Service";
/// Of the block of numbers that nobody has.
const VENDOR_PHONE: &str = "+1 555 0100";
const CONTRACTED: [DeviceKind; 3] = [DeviceKind::Ct, DeviceKind::Mri, DeviceKind::Xray];
const GUARANTEE: BasisPoints = BasisPoints(9_700);

/// Sites and calendars, each site one run of its own stream.
pub fn site_runs(plan: &Plan, seal: Seal) -> Vec<Run> {
    plan.sites.iter().flat_map(|site| runs_of(site_dispatch(plan, site, seal))).collect()
}

fn site_dispatch(plan: &Plan, site: &PlannedSite, seal: Seal) -> Dispatch {
    let defined = std::iter::once(Body::SiteDefined(site.site.clone()));
    let calendars = site.calendars.iter().cloned().map(Body::CalendarDefined);
    let contracts = CONTRACTED.iter().map(|kind| Body::ContractDefined(Box::new(contract(plan, site, *kind))));
    let bodies = defined.chain(calendars).chain(contracts);
    let sealed = |body| (plan.start, seal(record(plan.start, plan.start, body)));
    Dispatch {
        subject: Subject::site(&site.id),
        site: site.id.clone(),
        kind: DeviceKind::Other,
        agent: None,
        epoch: Epoch::derived(&[&plan.seed.to_le_bytes(), b"fleet", site.id.as_str().as_bytes()]),
        first_seq: Seq(1),
        facts: bodies.map(sealed).collect(),
    }
}

/// A full service contract for one kind of imaging, as sites commonly have them.
fn contract(plan: &Plan, site: &PlannedSite, kind: DeviceKind) -> Contract {
    let (year, month, _) = plan.start.day().civil();
    Contract {
        number: format!("SC-{}-{}", site.id, kind.as_str()),
        vendor: VENDOR.to_owned(),
        phone: VENDOR_PHONE.to_owned(),
        kind: Some(kind),
        devices: Vec::new(),
        valid_from: Day::from_civil(year, month, 1),
        valid_until: None,
        guarantee: GUARANTEE,
        period: PeriodLength::Month,
        hours: ContractHours::OfSite,
        minor: BasisPoints(0),
        partial: BasisPoints(5_000),
        severe: BasisPoints(7_500),
        exclusions: vec![Exclusion::MaintenanceFromDowntime, Exclusion::Facility, Exclusion::User],
        starts: ClockStart::Reported,
        stops: ClockStop::ReturnedToUse,
    }
}

/// The writer of one device's records.
pub struct DeviceClerk {
    device: Arc<PlannedDevice>,
    epoch: Epoch,
    written: u64,
}

impl DeviceClerk {
    pub fn new(plan: &Plan, device: &Arc<PlannedDevice>) -> Self {
        let epoch = Epoch::derived(&[&plan.seed.to_le_bytes(), CMMS.as_bytes(), device.id.as_str().as_bytes()]);
        Self { device: device.clone(), epoch, written: 0 }
    }

    pub fn tell(&mut self, day: Span, life: &Life, seal: Seal) -> Vec<Run> {
        let mut drafts = Vec::new();
        if self.written == 0 {
            let body = Body::Registered(Box::new(self.device.registration.clone()));
            drafts.push(Draft { said: day.from, fact: record(day.from, day.from, body) });
        }
        drafts.extend(
            life.said
                .iter()
                .map(|saying| Draft { said: saying.at, fact: record(saying.of, saying.at, saying.body.clone()) }),
        );
        if drafts.is_empty() {
            return Vec::new();
        }
        let first_seq = Seq(self.written + 1);
        self.written += drafts.len() as u64;
        runs_of(Dispatch {
            subject: Subject::device(&self.device.id),
            site: self.device.site.clone(),
            kind: self.device.kind.kind,
            agent: None,
            epoch: self.epoch,
            first_seq,
            facts: drafts.into_iter().map(|draft| (draft.said, seal(draft.fact))).collect(),
        })
    }
}

/// Claims are a person's own words; everything else stands in the maintenance system.
fn record(at: Timestamp, known_at: Timestamp, body: Body) -> Fact {
    let (kind, name) = match body {
        Body::Asserted(_) => (SourceKind::Person, PEOPLE),
        _ => (SourceKind::Record, CMMS),
    };
    let source = Source { kind, name: name.to_owned() };
    Fact { at, known_at, known_assumed: false, clock: Clock::Synchronised, source, body }
}
