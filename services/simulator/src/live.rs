//! The present: a device that goes on from its history, told as a source of an agent hears it and as people say it.

use std::iter::Peekable;

use medfleet_domain::condition::{Condition, Degradation};
use medfleet_domain::fact::Body;
use medfleet_domain::time::{Span, Timestamp};

use crate::device::{Event, Happening};
use crate::outages::Windows;
use crate::plan::Plan;
use crate::truth::Living;

/// Something of a live device, at its moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The source sees this condition from now on.
    Seen { condition: Condition, degradation: Degradation },
    /// The source has lost sight of the device.
    Lost,
    /// The device reports an error or a reading.
    Reported(Body),
    /// A person or their system says this about the instant `of`; it does not pass through an agent.
    Said { of: Timestamp, body: Body },
}

/// A live device behind its own silences. Agents and links are real now, and fail by themselves.
pub struct LiveDevice {
    living: Living,
    silences: Peekable<Windows>,
    /// What the device shows, heard or not.
    shown: Option<(Condition, Degradation)>,
    silent: Option<Span>,
}

impl LiveDevice {
    /// Goes on at `now`, where the history of the same plan ended. The first news is what the device shows then.
    pub fn new(plan: &Plan, living: Living, now: Timestamp) -> (Self, News) {
        let mut silences = plan.device_silences(&living.device().id).peekable();
        while silences.next_if(|silence| silence.until <= now).is_some() {}
        let silent = silences.next_if(|silence| silence.contains(now));
        let shown = living.shown();
        let live = Self { living, silences, shown, silent };
        let first = live.sight();
        (live, first)
    }

    pub fn living(&self) -> &Living {
        &self.living
    }

    /// When the next news may come.
    pub fn next_at(&mut self) -> Timestamp {
        let edge = match self.silent {
            Some(silence) => silence.until,
            None => self.silences.peek().map_or(Timestamp::MAX, |silence| silence.from),
        };
        self.living.next_at().min(edge)
    }

    /// The next news that comes before `until`, with its time. Call again until there is none.
    pub fn next_before(&mut self, until: Timestamp) -> Option<(Timestamp, News)> {
        loop {
            let at = self.next_at();
            if at >= until {
                return None;
            }
            if let Some(news) = self.advance(at) {
                return Some((at, news));
            }
        }
    }

    /// One step at `at`: an edge of a silence, or an event of the device.
    fn advance(&mut self, at: Timestamp) -> Option<News> {
        if self.silent.is_some_and(|silence| silence.until <= at) {
            self.silent = None;
            return Some(self.sight());
        }
        if self.silent.is_none() {
            self.silent = self.silences.next_if(|silence| silence.from <= at);
            if self.silent.is_some() {
                return Some(News::Lost);
            }
        }
        let Event { what, .. } = self.living.next_event()?;
        match what {
            Happening::Turned { shown, .. } => {
                self.shown = shown.map(|shown| (shown.condition, shown.degradation));
                self.silent.is_none().then(|| self.sight())
            }
            Happening::Reported(body) => self.silent.is_none().then_some(News::Reported(body)),
            Happening::Said { of, body } => Some(News::Said { of, body }),
            Happening::Failed { .. } => None,
        }
    }

    fn sight(&self) -> News {
        match (self.silent, self.shown) {
            (None, Some((condition, degradation))) => News::Seen { condition, degradation },
            _ => News::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::simulate;
    use medfleet_domain::time::{Day, MICROS_PER_DAY};

    #[test]
    fn the_present_goes_on_where_history_ended() {
        let plan = Plan::demo(1, Day::from_civil(2026, 3, 1).start()).expect("embedded data is sound");
        let now = plan.start.plus_micros(21 * MICROS_PER_DAY + 777_000_000);
        let until = now.plus_micros(3 * MICROS_PER_DAY);
        let (mut heard, mut lost) = (0, 0);
        for device in plan.devices.iter().step_by(9) {
            let mut living = Living::new(&plan, device);
            living.live_to(now);
            let (mut live, _) = LiveDevice::new(&plan, living, now);
            let news: Vec<_> = std::iter::from_fn(|| live.next_before(until)).collect();
            assert!(news.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{}", device.id);
            assert!(news.iter().all(|(at, _)| (now..until).contains(at)));
            let said = |news: &News| matches!(news, News::Said { .. });
            let whole = simulate(&plan, device, until);
            let wanted = whole.said.iter().filter(|saying| saying.at >= now).count();
            assert_eq!(news.iter().filter(|(_, news)| said(news)).count(), wanted, "{}", device.id);
            heard += news.iter().filter(|(_, news)| matches!(news, News::Seen { .. })).count();
            lost += news.iter().filter(|(_, news)| *news == News::Lost).count();
        }
        assert!(heard > 500 && lost > 2, "heard {heard}, lost {lost}");
    }
}
