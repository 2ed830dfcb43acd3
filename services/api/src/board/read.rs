//! Everything the report is made of, read from one cut.

use medfleet_domain::time::{Day, MICROS_PER_SECOND, Timestamp};
use medfleet_kpi::Question;
use medfleet_kpi::ask::{self, Amended, AmendedWork};
use medfleet_kpi::backdated::{Sized, backdated};
use medfleet_kpi::scorecard::{Group, Scorecard, Told};

use super::outage::Outage;
use super::{Board, Issue};
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::pages::amended;
use crate::period::Period;
use crate::query::{self, Site};

const OUTAGES: usize = 5;

pub struct Read {
    pub sites: Vec<SiteCard>,
    pub fleet: Option<SiteCard>,
    pub outages: Vec<Outage>,
    /// Of the last report's period, the largest change first.
    pub amended: Vec<Amended>,
    amended_work: Vec<AmendedWork>,
    pub backdated: Vec<Sized>,
    pub demo: bool,
    named: Vec<Site>,
    before: Period,
}

/// A site's figures, now and in the same period a year before.
pub struct SiteCard {
    pub name: String,
    pub card: Scorecard,
    /// None: nothing was known of it then.
    pub before: Option<Scorecard>,
}

impl Read {
    pub async fn of(open: &OpenCut, board: &Board) -> Result<Self, ApiError> {
        let session = open.kpi().await?;
        let ask_of = |period: Period| Question::new(period.from, period.until, open.at());
        let (now, before) = (ask_of(board.period), year_before(board.period));
        let earlier = ask_of(before);
        let named = query::sites(open).await?;
        let mut sites = Vec::new();
        let (told, told_earlier) = (Told::read(session, &now).await?, Told::read(session, &earlier).await?);
        let mut past = told_earlier.by(Group::Site);
        past.retain(|card| card.measure.known() > 0);
        for card in told.by(Group::Site) {
            let name = named.iter().find(|site| site.site == card.key.site).map(|site| site.name.clone());
            let before = past.iter().find(|past| past.key.site == card.key.site).cloned();
            sites.push(SiteCard { name: name.unwrap_or_else(|| card.key.site.clone()), card, before });
        }
        sites.sort_by(|a, b| a.name.cmp(&b.name));
        let fleet = told.by(Group::Fleet).pop();
        let fleet_before = told_earlier.by(Group::Fleet).pop();
        let fleet = fleet.map(|card| SiteCard {
            name: "All sites".to_owned(),
            card,
            before: fleet_before.filter(|card| card.measure.known() > 0),
        });
        let mut downtimes = ask::downtimes(session, &now).await?;
        downtimes.sort_by_key(|one| std::cmp::Reverse((one.unscheduled_micros, one.onset)));
        let mut outages = Vec::new();
        for down in downtimes.into_iter().filter(|one| one.unscheduled_micros > 0).take(OUTAGES) {
            outages.push(Outage::of(session, down, open.at()).await?);
        }
        let Changed { amended, amended_work, backdated } = Changed::of(open, board).await?;
        let demo = named.iter().any(|site| site.demo);
        Ok(Self { sites, fleet, outages, amended, amended_work, backdated, demo, named, before })
    }

    pub fn name<'a>(&'a self, site: &'a str) -> &'a str {
        self.named.iter().find(|one| one.site == site).map_or(site, |one| one.name.as_str())
    }

    pub fn zone(&self, site: &str) -> &str {
        self.named.iter().find(|one| one.site == site).map_or("UTC", |one| one.time_zone.as_str())
    }

    pub fn year_before_words(&self) -> String {
        let span = format!("{} to {}", self.before.from.day(), Timestamp(self.before.until.0 - 1).day());
        let known = self.sites.iter().filter(|site| site.before.is_some()).count();
        match known {
            0 => format!("Nothing is known of the year before ({span})."),
            known if known == self.sites.len() => format!("The year before is {span}."),
            known => format!("The year before is {span}; it is known of {known} of {} sites.", self.sites.len()),
        }
    }

    /// Repairs and planned maintenance that were told late.
    pub fn worked_words(&self) -> Vec<String> {
        let words = |one: &AmendedWork| {
            let (which, moved, why) = (amended::work(one), amended::worked(one), amended::reason(&one.reason));
            format!("{}, {}, {which}: {moved} ({why}, {})", self.name(&one.site), one.device, one.arrived)
        };
        self.amended_work.iter().map(words).collect()
    }

    pub fn backdated_words(&self) -> Vec<String> {
        let words = |one: &Sized| {
            let (which, moved, points) = (amended::terms(one), amended::moved(one), amended::points(one));
            let (site, since, at) = (self.name(&one.version.site), amended::holds(one), one.version.recorded);
            format!("{site}, {which}, {since}, recorded {at}: {moved} ({points})")
        };
        self.backdated.iter().map(words).collect()
    }
}

/// What changed in the period of the last report since it was issued; of the first one, after its period had ended.
struct Changed {
    amended: Vec<Amended>,
    amended_work: Vec<AmendedWork>,
    backdated: Vec<Sized>,
}

impl Changed {
    async fn of(open: &OpenCut, board: &Board) -> Result<Self, ApiError> {
        let session = open.kpi().await?;
        let question = match &board.last {
            // The cut contained what was appended at this very microsecond.
            Some(Issue { from_us, until_us, as_of_us, .. }) => {
                let asked = Question::new(Timestamp(*from_us), Timestamp(*until_us), open.at());
                asked.closed_at(Timestamp(as_of_us + 1))
            }
            None => Question::new(board.period.from, board.period.until, open.at()),
        };
        let mut amended = ask::amendments(session, &question).await?;
        // A device that was registered after a report moves the coverage that the report told of its site.
        let tells = |one: &Amended| !one.is_first() || (board.last.is_some() && one.reason == "registered");
        amended.retain(|one| tells(one) && one.size().0.max(one.size().1) >= MICROS_PER_SECOND);
        amended.sort_by_key(|one| std::cmp::Reverse(one.size()));
        let amended_work = ask::amended_work(session, &question).await?;
        Ok(Self { amended, amended_work, backdated: backdated(session, &question).await? })
    }
}

/// The same days of the year before; 29 February has 28 February there.
fn year_before(period: Period) -> Period {
    let back = |at: Timestamp| {
        let (year, month, date) = at.day().civil();
        let date = if (month, date) == (2, 29) { 28 } else { date };
        let of_day = at.0 - at.day().start().0;
        Timestamp(Day::from_civil(year - 1, month, date).start().0 + of_day)
    };
    Period { from: back(period.from), until: back(period.until) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_before_keeps_the_days_of_the_calendar() {
        let day = |year, month, date| Day::from_civil(year, month, date).start();
        let before = year_before(Period { from: day(2028, 2, 29), until: day(2028, 4, 1) });
        assert_eq!((before.from, before.until), (day(2027, 2, 28), day(2027, 4, 1)));
    }
}
