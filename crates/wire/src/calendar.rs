//! Sites and their calendars: the facts about the fleet itself.

use medfleet_domain::fleet::{BaseHours, Calendar, Site};

use crate::pb;
use crate::read::{day, device_kind, narrow, text};
use crate::refusal::Refusal;

impl From<&Site> for pb::SiteDefined {
    fn from(site: &Site) -> Self {
        Self {
            title: site.title.clone(),
            time_zone: site.time_zone.clone(),
            region: site.region.clone(),
            demo: site.demo,
        }
    }
}

impl TryFrom<pb::SiteDefined> for Site {
    type Error = Refusal;

    fn try_from(wire: pb::SiteDefined) -> Result<Self, Refusal> {
        let time_zone = text("time_zone", "site", wire.time_zone)?;
        Ok(Self { title: wire.title, time_zone, region: wire.region, demo: wire.demo })
    }
}

impl From<&Calendar> for pb::CalendarDefined {
    fn from(calendar: &Calendar) -> Self {
        Self {
            kind: calendar.kind.map(|kind| kind.as_str().into()),
            valid_from_day: calendar.valid_from.0,
            hours: calendar.hours.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::CalendarDefined> for Calendar {
    type Error = Refusal;

    fn try_from(wire: pb::CalendarDefined) -> Result<Self, Refusal> {
        Ok(Self {
            kind: wire.kind.map(|name| device_kind("kind", &name)).transpose()?,
            valid_from: day("valid_from_day", wire.valid_from_day)?,
            hours: wire.hours.into_iter().map(BaseHours::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&BaseHours> for pb::BaseHours {
    fn from(hours: &BaseHours) -> Self {
        Self {
            weekday: hours.weekday.into(),
            from_minute: hours.from_minute.into(),
            until_minute: hours.until_minute.into(),
        }
    }
}

impl TryFrom<pb::BaseHours> for BaseHours {
    type Error = Refusal;

    fn try_from(wire: pb::BaseHours) -> Result<Self, Refusal> {
        Ok(Self {
            weekday: narrow("weekday", wire.weekday, u8::MAX.into())?,
            from_minute: narrow("from_minute", wire.from_minute, u16::MAX.into())?,
            until_minute: narrow("until_minute", wire.until_minute, u16::MAX.into())?,
        })
    }
}
