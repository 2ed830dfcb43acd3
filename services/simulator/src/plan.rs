//! The plan: hospitals, agents and devices with names, serials, prices and ages, drawn once from the fleet file and a seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::fleet::{BaseHours, Calendar, Site};
use medfleet_domain::human::{Ownership, Registration};
use medfleet_domain::id::{AgentId, DeviceId, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, Timestamp};

use crate::catalogue::{Catalogue, FLEET_FILE, Kind, Model};
use crate::chance::Chance;
use crate::error::Error;
use crate::fleet::{Department, Fleet, Hospital, OutageLaws, People};
use crate::local::Zone;

const DAYS_PER_YEAR: f64 = 365.25;
const CENTS_PER_USD: i64 = 100;
/// Discount or surcharge on the list price that a hospital paid, at most.
const PRICE_SPREAD: f64 = 0.12;
const LEASED_SHARE: f64 = 0.12;
/// Intensity of use differs between devices of one kind by about a third.
const INTENSITY: crate::chance::Spread = crate::chance::Spread { median: 1.0, p90: 1.3 };
const INTENSITY_RANGE: (f64, f64) = (0.5, 1.6);

/// A demo fleet at one start instant. Equal seeds and starts give equal plans and equal lives.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub start: Timestamp,
    pub outages: OutageLaws,
    pub sites: Vec<PlannedSite>,
    pub agents: Vec<PlannedAgent>,
    pub devices: Vec<Arc<PlannedDevice>>,
}

#[derive(Debug, Clone)]
pub struct PlannedSite {
    pub id: SiteId,
    pub site: Site,
    pub zone: Zone,
    pub calendars: Vec<Calendar>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedAgent {
    pub id: AgentId,
    pub site: SiteId,
}

#[derive(Debug, Clone)]
pub struct PlannedDevice {
    pub id: DeviceId,
    pub site: SiteId,
    /// None for a device that is registered and never heard.
    pub agent: Option<AgentId>,
    pub kind: Arc<Kind>,
    pub model: usize,
    pub registration: Registration,
    pub firmware: String,
    /// How hard this one is used, relative to its kind.
    pub intensity: f64,
    /// Years in service at the start of the simulation.
    pub age_years: f64,
    pub zone: Zone,
    pub base_hours: Vec<BaseHours>,
    pub people: People,
}

impl PlannedDevice {
    pub fn model(&self) -> &Model {
        &self.kind.models[self.model]
    }
}

impl Plan {
    /// The demo fleet embedded in the binary.
    pub fn demo(seed: u64, start: Timestamp) -> Result<Self, Error> {
        Self::draw(&Fleet::embedded()?, &Catalogue::embedded()?, seed, start)
    }

    pub fn draw(fleet: &Fleet, catalogue: &Catalogue, seed: u64, start: Timestamp) -> Result<Self, Error> {
        let mut plan =
            Self { seed, start, outages: fleet.outages, sites: Vec::new(), agents: Vec::new(), devices: Vec::new() };
        for hospital in &fleet.hospitals {
            let site = planned_site(hospital, start)?;
            for number in 1..=hospital.agents {
                plan.agents.push(PlannedAgent { id: agent_id(hospital, number)?, site: site.id.clone() });
            }
            let mut desk = Desk {
                plan: &mut plan,
                catalogue,
                people: fleet.people,
                hospital,
                site: &site,
                drawn: BTreeMap::new(),
            };
            for department in &hospital.departments {
                desk.furnish(department, &department.devices, true)?;
                desk.furnish(department, &department.unheard, false)?;
            }
            plan.sites.push(site);
        }
        Ok(plan)
    }

    pub fn site(&self, id: &SiteId) -> Option<&PlannedSite> {
        self.sites.iter().find(|site| site.id == *id)
    }
}

fn refused(source: medfleet_domain::Invalid) -> Error {
    Error::refused(FLEET_FILE.0, source)
}

fn agent_id(hospital: &Hospital, number: u32) -> Result<AgentId, Error> {
    AgentId::new(&format!("{}-agent-{number}", hospital.id)).map_err(refused)
}

fn planned_site(hospital: &Hospital, start: Timestamp) -> Result<PlannedSite, Error> {
    let zone = Zone::named(&hospital.time_zone).ok_or_else(|| {
        let flaw = format!("`{}` is no time zone: use an IANA name", hospital.time_zone);
        Error::flawed(FLEET_FILE.0, flaw)
    })?;
    let valid_from = Day(start.day().0 - 1);
    let mut calendars = vec![Calendar { kind: None, valid_from, hours: hospital.base_hours.base_hours() }];
    for (kind, opening) in &hospital.kind_hours {
        let kind = Some(DeviceKind::parse(kind).map_err(refused)?);
        calendars.push(Calendar { kind, valid_from, hours: opening.base_hours() });
    }
    let site = Site {
        title: hospital.title.clone(),
        time_zone: hospital.time_zone.clone(),
        region: hospital.region.clone(),
        demo: true,
    };
    Ok(PlannedSite { id: SiteId::new(&hospital.id).map_err(refused)?, site, zone, calendars })
}

/// Where one hospital's devices are drawn, counted by kind.
struct Desk<'a> {
    plan: &'a mut Plan,
    catalogue: &'a Catalogue,
    people: People,
    hospital: &'a Hospital,
    site: &'a PlannedSite,
    drawn: BTreeMap<DeviceKind, u32>,
}

impl Desk<'_> {
    fn furnish(&mut self, department: &Department, counts: &BTreeMap<String, u32>, heard: bool) -> Result<(), Error> {
        for (name, count) in counts {
            let kind = DeviceKind::parse(name).map_err(refused)?;
            let kind = self.catalogue.kind(kind).cloned().ok_or_else(|| {
                Error::flawed(FLEET_FILE.0, format!("kind `{name}` has no catalogue file: describe it"))
            })?;
            for place in 1..=*count {
                let device = self.device(&kind, department, place, heard)?;
                self.plan.devices.push(Arc::new(device));
            }
        }
        Ok(())
    }

    fn device(
        &mut self,
        kind: &Arc<Kind>,
        department: &Department,
        place: u32,
        heard: bool,
    ) -> Result<PlannedDevice, Error> {
        let ordinal = self.drawn.entry(kind.kind).or_insert(0);
        *ordinal += 1;
        let name = format!("{}-{}-{:02}", self.hospital.id, kind.kind.as_str().replace('_', "-"), ordinal);
        let mut chance = Chance::of(self.plan.seed, "plan", &name);
        let shares: Vec<f64> = kind.models.iter().map(|model| model.share).collect();
        let model = chance.weighted(&shares);
        let age_years = chance.between(0.1, f64::from(kind.models[model].life_years) * 0.95);
        let firmware = kind.models[model].firmware[chance.below(kind.models[model].firmware.len())].clone();
        let intensity = chance.spread(INTENSITY).clamp(INTENSITY_RANGE.0, INTENSITY_RANGE.1);
        let special = self.site.calendars.iter().find(|calendar| calendar.kind == Some(kind.kind));
        Ok(PlannedDevice {
            id: DeviceId::new(&name).map_err(refused)?,
            site: self.site.id.clone(),
            agent: heard.then(|| agent_id(self.hospital, department.agent)).transpose()?,
            registration: self.registration(&kind.models[model], kind, department, place, age_years, &mut chance),
            kind: kind.clone(),
            model,
            firmware,
            intensity,
            age_years,
            zone: self.site.zone,
            base_hours: special.unwrap_or(&self.site.calendars[0]).hours.clone(),
            people: self.people,
        })
    }

    fn registration(
        &self,
        model: &Model,
        kind: &Kind,
        department: &Department,
        place: u32,
        age_years: f64,
        chance: &mut Chance,
    ) -> Registration {
        let in_service = Day(self.plan.start.day().0 - (age_years * DAYS_PER_YEAR) as i32);
        let support_years = f64::from(model.life_years) + chance.between(0.0, 3.0);
        let price = model.acquisition_usd as f64 * chance.between(1.0 - PRICE_SPREAD, 1.0 + PRICE_SPREAD);
        Registration {
            kind: kind.kind,
            make: model.make.clone(),
            model: model.model.clone(),
            serial: format!("{}{:06}", model.serial_prefix, chance.below(1_000_000)),
            department: department.id.clone(),
            room: format!("{}-{}{place:02}", department.rooms, 1 + chance.below(4)),
            asset_number: Some(format!("A{:06}", 100_000 + self.plan.devices.len())),
            in_service: Some(in_service),
            acquisition_cost_cents: Some(price.round() as i64 * CENTS_PER_USD),
            end_of_support: Some(Day(in_service.0 + (support_years * DAYS_PER_YEAR) as i32)),
            cost_centre: Some(format!("{}-{}", self.hospital.id, department.id)),
            ownership: Some(if chance.happens(LEASED_SHARE) { Ownership::Leased } else { Ownership::Owned }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn demo(seed: u64) -> Plan {
        Plan::demo(seed, Day::from_civil(2026, 3, 1).start()).expect("embedded data is sound")
    }

    #[test]
    fn the_demo_fleet_is_as_large_and_mixed_as_promised() {
        let plan = demo(1);
        let zones: BTreeSet<_> = plan.sites.iter().map(|site| site.site.time_zone.as_str()).collect();
        let kinds: BTreeSet<_> = plan.devices.iter().map(|device| device.kind.kind).collect();
        let heard = plan.devices.iter().filter(|device| device.agent.is_some()).count();
        assert_eq!((plan.sites.len(), zones.len(), kinds.len()), (6, 3, 15));
        assert!(heard >= 300, "{heard} devices are heard");
        assert!(heard < plan.devices.len(), "some devices are never heard");
        let ids: BTreeSet<_> = plan.devices.iter().map(|device| &device.id).collect();
        assert_eq!(ids.len(), plan.devices.len());
    }

    #[test]
    fn a_plan_is_a_function_of_its_seed() {
        let serials = |seed| -> Vec<String> {
            demo(seed).devices.iter().map(|device| device.registration.serial.clone()).collect()
        };
        assert_eq!(serials(1), serials(1));
        assert_ne!(serials(1), serials(2));
    }
}
