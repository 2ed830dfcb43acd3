//! Is this machine's clock to be believed? Compares wall time with steady time and with what the synchronisation service says. Pure.
//!
//! Wall time dates facts, steady time measures durations. Where the two part company the clock was set: either away from the truth
//! (everything after is suspect until the clock agrees again) or back to it (everything since the last agreement is suspect).

use medfleet_domain::condition::Clock;
use medfleet_domain::time::{MICROS_PER_SECOND, Timestamp};

/// A jump below this is a slewed or slightly late reading, not a step.
pub const STEP_TOLERANCE_MICROS: i64 = MICROS_PER_SECOND;
/// Clocks are slewed by at most 500 parts per million; twice that is tolerated between readings.
pub const DRIFT_PARTS_PER_MILLION: i64 = 1_000;

/// Microseconds of a clock that only runs forward, from a start of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Steady(pub i64);

impl Steady {
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub wall: Timestamp,
    pub steady: Steady,
    /// What the synchronisation service says; None where nobody can tell.
    pub synchronised: Option<bool>,
}

/// What a reading has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    None,
    /// The clock was confirmed right: facts up to here are sound.
    Agreed,
    /// Confirmation has ended: facts up to `until` are sound, later ones are held over.
    Unconfirmed { until: Timestamp },
    /// The clock was set away from the truth, or nobody knows where to. `until` is this moment by the old clock.
    Strayed { until: Timestamp, step_micros: i64, was_agreed: bool },
    /// The clock is right again: all since `last_agreement` is suspect. `until` is this moment by the old clock.
    Corrected { until: Timestamp, step_micros: i64, last_agreement: Option<Timestamp> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Agreed,
    HeldOver,
    Lost,
}

/// Follows one clock over one life of the agent.
#[derive(Debug, Clone)]
pub struct ClockWatch {
    trust: Trust,
    last: Option<Reading>,
    last_agreement: Option<Timestamp>,
    /// Wall minus steady when the clock was last believed, and the steady time of that.
    believed: Option<(i64, Steady)>,
    /// The service called the clock right while it was set: it has to say no before its yes counts again.
    stale_yes: bool,
    /// No believable time lies before this: the last sign of life of the life before.
    floor: Option<Timestamp>,
}

impl ClockWatch {
    pub fn new(last_sign_of_life: Option<Timestamp>) -> Self {
        Self {
            trust: Trust::HeldOver,
            last: None,
            last_agreement: None,
            believed: None,
            stale_yes: false,
            floor: last_sign_of_life,
        }
    }

    /// How facts are to be stamped now.
    pub fn clock(&self) -> Clock {
        match self.trust {
            Trust::Agreed => Clock::Synchronised,
            Trust::HeldOver => Clock::Holdover,
            Trust::Lost => Clock::Suspect,
        }
    }

    pub fn read(&mut self, reading: Reading) -> Change {
        let Some(last) = self.last.replace(reading) else { return self.first(reading) };
        let elapsed = reading.steady.0 - last.steady.0;
        let until = last.wall.plus_micros(elapsed);
        let jump = reading.wall.0 - until.0;
        let stepped = jump.abs() > tolerance(elapsed);
        if reading.synchronised != Some(true) {
            self.stale_yes = false;
        } else if stepped && self.trust == Trust::Agreed {
            self.stale_yes = true;
        }
        let confirmed = reading.synchronised == Some(true) && !self.stale_yes;
        match (self.trust, stepped) {
            (Trust::Lost, _) if confirmed || self.is_back(reading) => self.corrected(reading, until, jump, confirmed),
            (Trust::HeldOver, true) if confirmed => self.corrected(reading, until, jump, true),
            (trust, true) => {
                self.trust = Trust::Lost;
                Change::Strayed { until, step_micros: jump, was_agreed: trust == Trust::Agreed }
            }
            (Trust::Lost, false) => Change::None,
            (_, false) => self.went_on(reading, last, confirmed),
        }
    }

    fn first(&mut self, reading: Reading) -> Change {
        let before_floor = self.floor.is_some_and(|floor| reading.wall.plus_micros(STEP_TOLERANCE_MICROS) < floor);
        if reading.synchronised == Some(true) {
            self.agree(reading);
            return Change::Agreed;
        }
        if before_floor {
            self.trust = Trust::Lost;
        } else {
            self.believe(reading);
        }
        Change::None
    }

    fn went_on(&mut self, reading: Reading, last: Reading, confirmed: bool) -> Change {
        if confirmed {
            self.agree(reading);
            return Change::Agreed;
        }
        self.believe(reading);
        let ended = self.trust == Trust::Agreed;
        self.trust = Trust::HeldOver;
        if ended { Change::Unconfirmed { until: last.wall } } else { Change::None }
    }

    fn corrected(&mut self, reading: Reading, until: Timestamp, step_micros: i64, confirmed: bool) -> Change {
        let last_agreement = self.last_agreement;
        if confirmed {
            self.agree(reading);
        } else {
            self.trust = Trust::HeldOver;
            self.believe(reading);
        }
        Change::Corrected { until, step_micros, last_agreement }
    }

    /// Nobody confirms it, but the clock runs again as it did when it was believed.
    fn is_back(&self, reading: Reading) -> bool {
        match self.believed {
            Some((offset, since)) => {
                let moved = reading.wall.0 - reading.steady.0 - offset;
                moved.abs() <= tolerance(reading.steady.0 - since.0)
            }
            None => self.floor.is_some_and(|floor| reading.wall >= floor),
        }
    }

    fn agree(&mut self, reading: Reading) {
        self.trust = Trust::Agreed;
        self.last_agreement = Some(reading.wall);
        self.believe(reading);
    }

    fn believe(&mut self, reading: Reading) {
        self.believed = Some((reading.wall.0 - reading.steady.0, reading.steady));
    }
}

fn tolerance(elapsed_micros: i64) -> i64 {
    STEP_TOLERANCE_MICROS + elapsed_micros / 1_000_000 * DRIFT_PARTS_PER_MILLION
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * MICROS_PER_SECOND;

    fn reading(wall_seconds: i64, steady_seconds: i64, synchronised: Option<bool>) -> Reading {
        Reading {
            wall: Timestamp::from_seconds(wall_seconds),
            steady: Steady(steady_seconds * MICROS_PER_SECOND),
            synchronised,
        }
    }

    #[test]
    fn a_clock_nobody_vouches_for_is_held_over_and_slewing_is_no_step() {
        let mut watch = ClockWatch::new(None);
        for second in 0..600 {
            let slewed = Timestamp(second * (MICROS_PER_SECOND + 400));
            let change =
                watch.read(Reading { wall: slewed, steady: Steady(second * MICROS_PER_SECOND), synchronised: None });
            assert_eq!(change, Change::None);
        }
        assert_eq!(watch.clock(), Clock::Holdover);
    }

    #[test]
    fn a_step_away_is_suspect_until_the_clock_comes_back() {
        let mut watch = ClockWatch::new(None);
        watch.read(reading(36_000, 0, None));
        let strayed = watch.read(reading(32_410, 10, None));
        assert_eq!(
            strayed,
            Change::Strayed { until: Timestamp::from_seconds(36_010), step_micros: -HOUR, was_agreed: false }
        );
        assert_eq!(watch.read(reading(32_420, 20, None)), Change::None);
        assert_eq!(watch.clock(), Clock::Suspect);
        let back = watch.read(reading(36_030, 30, None));
        assert!(matches!(back, Change::Corrected { step_micros: HOUR, last_agreement: None, .. }), "{back:?}");
        assert_eq!(watch.clock(), Clock::Holdover);
    }

    #[test]
    fn a_service_that_never_noticed_the_step_cannot_confirm_it() {
        let mut watch = ClockWatch::new(None);
        watch.read(reading(36_000, 0, Some(true)));
        assert!(matches!(watch.read(reading(32_401, 1, Some(true))), Change::Strayed { was_agreed: true, .. }));
        watch.read(reading(32_402, 2, Some(true)));
        assert_eq!(watch.clock(), Clock::Suspect);
        watch.read(reading(32_403, 3, Some(false)));
        assert!(matches!(watch.read(reading(36_004, 4, Some(true))), Change::Corrected { .. }));
        assert_eq!(watch.clock(), Clock::Synchronised);
    }

    #[test]
    fn a_start_before_the_last_sign_of_life_is_suspect_until_time_has_passed_it() {
        let mut watch = ClockWatch::new(Some(Timestamp::from_seconds(1_000)));
        watch.read(reading(900, 0, None));
        assert_eq!(watch.clock(), Clock::Suspect);
        watch.read(reading(1_000, 100, None));
        assert_eq!(watch.clock(), Clock::Holdover);
    }
}
