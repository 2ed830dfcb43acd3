//! Sites and devices as the inventory has them.

use std::collections::HashMap;
use std::hash::Hash;

use medfleet_domain::time::{Day, Timestamp};
use medfleet_kpi::KpiError;
use medfleet_kpi::answer::Line;

use super::{DEVICES, SITES, ask};
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::sums::{CauseKey, Known};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Site {
    pub site: String,
    pub name: String,
    pub time_zone: String,
    pub region: String,
    pub demo: bool,
    pub valid_from: Timestamp,
    pub recorded_at: Timestamp,
}

/// One version of a device: true from `from` to `until`, or still.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceVersion {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub make: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
    pub department: Option<String>,
    pub room: Option<String>,
    pub asset_number: Option<String>,
    pub in_service_day: Option<Day>,
    pub end_of_support_day: Option<Day>,
    pub in_service: bool,
    pub on_loan_to: Option<String>,
    pub cost_centre: Option<String>,
    pub ownership: Option<String>,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

impl DeviceVersion {
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Narrows a list of devices; what is None narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct DeviceFilter {
    pub site: Option<String>,
    pub kind: Option<String>,
    /// Found anywhere in the device's name, make, model, serial or asset number, whatever the case.
    pub text: Option<String>,
}

impl DeviceFilter {
    fn keeps(&self, device: &DeviceVersion) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        is(&self.site, &device.site) && is(&self.kind, &device.kind) && self.finds(device)
    }

    fn finds(&self, device: &DeviceVersion) -> bool {
        let Some(text) = self.text.as_deref().map(str::to_lowercase) else { return true };
        let rest = [&device.make, &device.model, &device.serial, &device.asset_number, &device.room];
        let mut words = std::iter::once(device.device.as_str()).chain(rest.into_iter().flatten().map(String::as_str));
        words.any(|word| word.to_lowercase().contains(&text))
    }
}

/// A row with its weight and the record that made it appear.
#[derive(Debug, Clone)]
pub struct Stated<T> {
    pub row: T,
    weight: i64,
    cause: CauseKey,
}

/// The rows that stand when this much is known, in any order.
pub(crate) fn standing<'a, T: Clone + Eq + Hash + 'a>(
    stated: impl IntoIterator<Item = &'a Stated<T>>,
    known: Option<&Known>,
) -> Vec<T> {
    let mut sums: HashMap<&T, i64> = HashMap::new();
    for one in stated.into_iter().filter(|one| known.is_none_or(|known| known.holds(one.cause))) {
        *sums.entry(&one.row).or_default() += one.weight;
    }
    sums.into_iter().filter(|(_, weight)| *weight > 0).map(|(row, _)| row.clone()).collect()
}

/// Each site as last defined.
pub(crate) fn newest_sites(mut stated: Vec<Site>) -> Vec<Site> {
    stated.sort_by(|a, b| (&a.site, b.valid_from, b.recorded_at).cmp(&(&b.site, a.valid_from, a.recorded_at)));
    stated.dedup_by(|later, first| later.site == first.site);
    stated
}

/// Every site as last defined, in the order of their names.
pub async fn sites(open: &OpenCut) -> Result<Vec<Site>, ApiError> {
    let mut sites = open.sites().await?;
    sites.sort_by(|a, b| (&a.name, &a.site).cmp(&(&b.name, &b.site)));
    Ok(sites)
}

/// The devices as they stand at the time of the cut, in the order of their names.
pub async fn devices(open: &OpenCut, filter: &DeviceFilter) -> Result<Vec<DeviceVersion>, ApiError> {
    let mut found = open.devices(|device| device.holds_at(open.at()) && filter.keeps(device)).await?;
    found.sort_by(|a, b| a.device.cmp(&b.device));
    Ok(found)
}

/// Every version of one device, oldest first; none when it was never registered.
pub async fn device(open: &OpenCut, name: &str) -> Result<Vec<DeviceVersion>, ApiError> {
    let mut found = open.devices(|version| version.device == name).await?;
    found.sort_by_key(|version| version.from);
    Ok(found)
}

pub(crate) async fn read_sites(open: &OpenCut) -> Result<Vec<Stated<Site>>, ApiError> {
    ask(open, SITES, &[], |line| {
        let row = Site {
            site: line.text("site")?,
            name: line.text("name")?,
            time_zone: line.text("time_zone")?,
            region: line.text("region")?,
            demo: line.flag("demo")?,
            valid_from: line.time("valid_from_us")?,
            recorded_at: line.time("recorded_at_us")?,
        };
        stated(line, row)
    })
    .await
}

pub(crate) async fn read_versions(open: &OpenCut) -> Result<Vec<Stated<DeviceVersion>>, ApiError> {
    ask(open, DEVICES, &[], |line| {
        let day = |name| Ok::<_, KpiError>(line.some_int(name)?.and_then(|day| i32::try_from(day).ok()).map(Day));
        let row = DeviceVersion {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            make: line.some_text("make")?,
            model: line.some_text("model")?,
            serial: line.some_text("serial")?,
            department: line.some_text("department")?,
            room: line.some_text("room")?,
            asset_number: line.some_text("asset_number")?,
            in_service_day: day("in_service_day")?,
            end_of_support_day: day("end_of_support_day")?,
            in_service: line.flag("in_service")?,
            on_loan_to: line.some_text("on_loan_to")?,
            cost_centre: line.some_text("cost_centre")?,
            ownership: line.some_text("ownership")?,
            from: line.time("from_us")?,
            until: line.some_time("until_us")?,
        };
        stated(line, row)
    })
    .await
}

fn stated<T>(line: &Line<'_>, row: T) -> Result<Stated<T>, KpiError> {
    let cause = CauseKey::new(line.int("cause_topic")?, line.int("cause_partition")?, line.int("cause_offset")?);
    Ok(Stated { row, weight: line.int("weight")?, cause })
}
