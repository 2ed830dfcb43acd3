//! Routing: whom an alert is for, by site and kind, level and hour. Time of day comes from the caller, who knows the site's zone.

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::alert::Urgency;
use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::message::Channel;
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;

const MINUTES_PER_DAY: u16 = 1_440;

/// Local time of a site: minute of the day, and ISO weekday from Monday 1 to Sunday 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    pub weekday: u8,
    pub minute: u16,
}

/// A part of the day, every day or on some. One that ends before it begins goes over midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    pub from: String,
    pub until: String,
    /// ISO weekdays on which it begins; every day when left out.
    #[serde(default)]
    pub weekdays: BTreeSet<u8>,
}

/// Who is on call in these hours; without hours, always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    pub people: Vec<String>,
    pub hours: Option<Hours>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub name: String,
    #[serde(default)]
    pub sites: Vec<String>,
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Level 0 hears first; each further one when nobody has acknowledged.
    pub levels: Vec<Vec<Shift>>,
    /// Hours in which only pages are sent; what is less urgent waits for their end.
    pub quiet: Option<Hours>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFile {
    #[serde(with = "serde_yaml_ng::with::singleton_map_recursive")]
    people: BTreeMap<String, Vec<Channel>>,
    routes: Vec<Route>,
}

/// Routes that were checked. The first that holds for an alert's site and kind is its route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes(RouteFile);

impl Routes {
    pub fn read(text: &str) -> Result<Self, Error> {
        let file: RouteFile =
            serde_yaml_ng::from_str(text).map_err(|source| Error::Unreadable { what: "the routes", source })?;
        for route in &file.routes {
            check(&file, route).map_err(|flaw| Error::Route { place: format!("`{}`", route.name), flaw })?;
        }
        Ok(Self(file))
    }

    /// Who is to be told now, and how: nobody while the alert wants no attention, or while it can wait and the hours are quiet.
    pub fn recipients(&self, alert: &Alert, now: Timestamp, wall: Wall) -> Vec<(&str, &Channel)> {
        let Some(route) = self.route(alert) else { return Vec::new() };
        let quiet = route.quiet.as_ref().is_some_and(|hours| hours.contains(wall));
        let waits = match alert.about.urgency {
            Urgency::Page => false,
            Urgency::Soon => quiet,
            Urgency::Inbox => true,
        };
        if waits || !alert.wants_attention(now) {
            return Vec::new();
        }
        self.on_call(route, alert, wall)
    }

    /// Whether nobody would be told of this alert, whatever the hour allows: it has no route, or nobody is on call.
    pub fn is_for_nobody(&self, alert: &Alert, wall: Wall) -> bool {
        self.route(alert).is_none_or(|route| self.on_call(route, alert, wall).is_empty())
    }

    fn route(&self, alert: &Alert) -> Option<&Route> {
        let site = alert.about.site.as_str();
        self.0.routes.iter().find(|route| route.holds_for(site, alert.about.kind))
    }

    /// Whom it was given to hears before anybody on call does, who hear as soon as it escalates. One whom nobody has said how to
    /// reach hears nothing, and so is no reason to be silent.
    fn on_call<'a>(&'a self, route: &'a Route, alert: &Alert, wall: Wall) -> Vec<(&'a str, &'a Channel)> {
        let given = alert.assigned_to.as_ref().and_then(|to| self.0.people.get_key_value(to));
        let given = given.map(|(person, _)| person.as_str());
        let reached = usize::from(alert.escalations).min(route.levels.len().saturating_sub(1));
        let levels = if given.is_some() && alert.escalations == 0 { 0 } else { reached + 1 };
        let on_call = route.levels.iter().take(levels).flatten();
        let on_call = on_call.filter(|shift| shift.hours.as_ref().is_none_or(|hours| hours.contains(wall)));
        let people: BTreeSet<&str> =
            on_call.flat_map(|shift| shift.people.iter().map(String::as_str)).chain(given).collect();
        let channels = |person| self.0.people.get(person).into_iter().flatten().map(move |channel| (person, channel));
        people.into_iter().flat_map(channels).collect()
    }
}

impl Route {
    fn holds_for(&self, site: &str, kind: DeviceKind) -> bool {
        let named = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
        named(&self.sites, site) && named(&self.kinds, kind.as_str())
    }
}

impl Hours {
    fn bounds(&self) -> Option<(u16, u16)> {
        Some((minute(&self.from)?, minute(&self.until)?))
    }

    /// Hours that were checked contain what they say; others nothing.
    pub fn contains(&self, wall: Wall) -> bool {
        let Some((from, until)) = self.bounds() else { return false };
        let begins = |weekday: u8| self.weekdays.is_empty() || self.weekdays.contains(&weekday);
        let yesterday = if wall.weekday == 1 { 7 } else { wall.weekday - 1 };
        if from < until {
            return begins(wall.weekday) && (from..until).contains(&wall.minute);
        }
        begins(wall.weekday) && wall.minute >= from || begins(yesterday) && wall.minute < until
    }
}

/// `07:30` as a minute of the day; `24:00` is its end.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && minute <= MINUTES_PER_DAY).then_some(minute)
}

fn check(file: &RouteFile, route: &Route) -> Result<(), String> {
    if route.levels.is_empty() {
        return Err("`levels` is empty: name whom to tell first".into());
    }
    for kind in &route.kinds {
        DeviceKind::parse(kind).map_err(|invalid| invalid.to_string())?;
    }
    let shifts = || route.levels.iter().flatten();
    for hours in shifts().filter_map(|shift| shift.hours.as_ref()).chain(&route.quiet) {
        hours.bounds().ok_or_else(|| format!("`{}` to `{}`: write hours as 07:30", hours.from, hours.until))?;
        if let Some(weekday) = hours.weekdays.iter().find(|weekday| !(1..=7).contains(*weekday)) {
            return Err(format!("{weekday} is no weekday: Monday is 1, Sunday is 7"));
        }
    }
    match shifts().flat_map(|shift| &shift.people).find(|person| !file.people.contains_key(*person)) {
        Some(person) => Err(format!("`{person}` is not among `people`: say how to reach them")),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use medfleet_domain::alert::{Change, Ending};

    use crate::testing::raised;

    pub(crate) const ROUTES: &str = r#"
people:
  kim: [{ email: kim@st-mary.example }]
  lee: [{ email: lee@st-mary.example }, { webhook: "https://hooks.st-mary.example/lee" }]
  boss: [{ email: boss@st-mary.example }]
routes:
  - name: imaging
    sites: [st-mary]
    kinds: [ct, mri]
    levels:
      - - { people: [kim], hours: { from: "07:00", until: "19:00" } }
        - { people: [lee], hours: { from: "19:00", until: "07:00" } }
      - - { people: [boss] }
    quiet: { from: "22:00", until: "06:00" }
"#;
    pub(crate) const NOON: Wall = Wall { weekday: 3, minute: 720 };
    const MIDNIGHT: Wall = Wall { weekday: 4, minute: 0 };

    fn told(alert: &Alert, wall: Wall) -> Vec<String> {
        let routes = Routes::read(ROUTES).expect("sound");
        routes.recipients(alert, Timestamp(0), wall).into_iter().map(|(person, _)| person.to_owned()).collect()
    }

    #[test]
    fn whom_an_alert_is_given_to_hears_first_and_a_name_that_nobody_can_reach_silences_nobody() {
        let given = |to: &str, level: u8| {
            let mut alert = raised();
            alert.evolve(&Change::Assigned { to: to.into(), by: "kim".into() }, Timestamp(0));
            alert.evolve(&Change::Escalated { level }, Timestamp(0));
            alert
        };
        assert_eq!(told(&given("boss", 0), NOON), ["boss"]);
        assert_eq!(told(&given("lee", 1), NOON), ["boss", "kim", "lee", "lee"]);
        assert_eq!(told(&given("bos", 0), NOON), ["kim"]);
    }

    #[test]
    fn a_page_reaches_whoever_is_on_call_by_every_channel() {
        assert_eq!(told(&raised(), NOON), ["kim"]);
        assert_eq!(told(&raised(), MIDNIGHT), ["lee", "lee"]);
    }

    #[test]
    fn the_next_level_hears_of_it_besides_the_first() {
        let mut alert = raised();
        alert.evolve(&Change::Escalated { level: 1 }, Timestamp(0));
        assert_eq!(told(&alert, NOON), ["boss", "kim"]);
        alert.evolve(&Change::Escalated { level: 9 }, Timestamp(0));
        assert_eq!(told(&alert, NOON), ["boss", "kim"], "there is no higher level");
    }

    #[test]
    fn quiet_hours_hold_back_what_can_wait_and_never_a_page() {
        let mut alert = raised();
        alert.about.urgency = Urgency::Soon;
        assert_eq!((told(&alert, NOON), told(&alert, MIDNIGHT)), (vec!["kim".to_owned()], vec![]));
        alert.about.urgency = Urgency::Inbox;
        assert_eq!(told(&alert, NOON), Vec::<String>::new());
    }

    #[test]
    fn nobody_is_woken_for_what_is_late_taken_or_over() {
        for change in [
            Change::Acknowledged { by: "kim".into() },
            Change::Snoozed { until: Timestamp::MAX, by: "kim".into() },
            Change::Resolved { because: Ending::Retired },
            Change::CauseWithdrawn { by: "kim".into() },
        ] {
            let mut alert = raised();
            alert.evolve(&change, Timestamp(0));
            assert_eq!(told(&alert, NOON), Vec::<String>::new(), "{change:?}");
        }
        let mut late = raised();
        late.late = true;
        assert_eq!(told(&late, NOON), Vec::<String>::new());
    }

    #[test]
    fn an_alert_without_a_route_or_without_anybody_on_call_is_for_nobody() {
        let one_shift =
            ROUTES.replace("        - { people: [lee], hours: { from: \"19:00\", until: \"07:00\" } }\n", "");
        let mut alert = raised();
        let nobody =
            |routes: &str, alert: &Alert, wall| Routes::read(routes).expect("sound").is_for_nobody(alert, wall);
        assert!(!nobody(ROUTES, &alert, MIDNIGHT) && !nobody(&one_shift, &alert, NOON));
        assert!(nobody(&one_shift, &alert, MIDNIGHT));
        alert.about.urgency = Urgency::Soon;
        assert!(!nobody(ROUTES, &alert, MIDNIGHT), "it waits for the morning");
        alert.about.kind = DeviceKind::Laser;
        assert!(nobody(ROUTES, &alert, NOON));
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_they_begin_on() {
        let night = Hours { from: "22:00".into(), until: "06:00".into(), weekdays: [5].into() };
        let at = |weekday, minute| night.contains(Wall { weekday, minute });
        assert!(at(5, 1_330) && at(6, 300) && !at(5, 300) && !at(6, 1_330));
    }

    #[test]
    fn a_wrong_route_says_what_to_do() {
        let refused = |from: &str, to: &str| match Routes::read(&ROUTES.replace(from, to)) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(refused("people: [boss]", "people: [nobody]").contains("`nobody`"));
        assert!(refused("\"19:00\"", "\"25:00\"").contains("07:30"));
        assert!(refused("kinds: [ct, mri]", "kinds: [toaster]").contains("toaster"));
    }
}
