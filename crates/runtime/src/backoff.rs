//! How long to wait before another try: doubling up to a cap, with jitter so that many clients do not return together.

use std::time::Duration;

use rand::Rng;

/// Waits without end. Each lies between half and all of a span that doubles from `first` to `cap`.
#[derive(Debug, Clone)]
pub struct Backoff<R> {
    first: Duration,
    cap: Duration,
    span: Duration,
    rng: R,
}

impl<R: Rng> Backoff<R> {
    pub fn new(first: Duration, cap: Duration, rng: R) -> Self {
        Self { first, cap, span: first.min(cap), rng }
    }

    /// After a success the next wait is short again.
    pub fn reset(&mut self) {
        self.span = self.first.min(self.cap);
    }
}

impl<R: Rng> Iterator for Backoff<R> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.span.mul_f64(self.rng.random_range(0.5..=1.0));
        self.span = self.span.saturating_mul(2).min(self.cap);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    const FIRST: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(5);

    fn backoff() -> Backoff<SmallRng> {
        Backoff::new(FIRST, CAP, SmallRng::seed_from_u64(7))
    }

    #[test]
    fn waits_double_up_to_the_cap_and_stay_in_their_band() {
        let mut span = FIRST;
        for wait in backoff().take(50) {
            assert!(wait >= span / 2 && wait <= span, "{wait:?} is outside {span:?}");
            span = (span * 2).min(CAP);
        }
        assert_eq!(span, CAP);
    }

    #[test]
    fn waits_are_jittered() {
        let waits: Vec<_> = backoff().skip(10).take(20).collect();
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "every wait is {:?}", waits[0]);
    }

    #[test]
    fn a_success_makes_the_next_wait_short() {
        let mut waits = backoff();
        waits.by_ref().take(20).for_each(drop);
        waits.reset();
        assert!(waits.next().unwrap() <= FIRST);
    }
}
