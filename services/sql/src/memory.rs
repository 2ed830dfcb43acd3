//! Memory of one connection's queries: a bound of its own beneath the one all connections share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// A share of a pool.
#[derive(Debug)]
pub struct Share {
    all: Arc<dyn MemoryPool>,
    limit_bytes: usize,
    used_bytes: AtomicUsize,
}

impl Share {
    pub fn of(all: Arc<dyn MemoryPool>, limit_bytes: usize) -> Self {
        Self { all, limit_bytes, used_bytes: AtomicUsize::new(0) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share of {} bytes, {} used", self.limit_bytes, self.used_bytes.load(Ordering::Relaxed))
    }
}

impl MemoryPool for Share {
    fn name(&self) -> &'static str {
        "share"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used_bytes.fetch_add(additional, Ordering::Relaxed);
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used_bytes.fetch_sub(shrink, Ordering::Relaxed);
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let fits = |used: usize| used.checked_add(additional).filter(|sum| *sum <= self.limit_bytes);
        self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|used| {
            resources_datafusion_err!(
                "the statement needs more memory than a connection may use: {} MiB, of which {} are in use",
                self.limit_bytes >> 20,
                used >> 20
            )
        })?;
        let grown = self.all.try_grow(reservation, additional);
        if grown.is_err() {
            self.used_bytes.fetch_sub(additional, Ordering::Relaxed);
        }
        grown
    }

    fn reserved(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn a_share_ends_before_the_pool_and_the_pool_before_the_shares() {
        let all: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(150));
        let [one, two] = [0, 0].map(|_| -> Arc<dyn MemoryPool> { Arc::new(Share::of(Arc::clone(&all), 100)) });
        let ann = MemoryConsumer::new("ann").register(&one);
        let bob = MemoryConsumer::new("bob").register(&two);
        assert!(ann.try_grow(101).is_err());
        ann.try_grow(100).unwrap();
        assert!(bob.try_grow(51).is_err());
        bob.try_grow(50).unwrap();
        assert_eq!((one.reserved(), two.reserved(), all.reserved()), (100, 50, 150));
        drop(ann);
        assert_eq!((one.reserved(), all.reserved()), (0, 50));
        bob.try_grow(50).unwrap();
    }
}
