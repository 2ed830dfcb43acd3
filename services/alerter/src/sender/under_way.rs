//! Attempts under way, one to an address. However one ends, also by a panic, its address is free again.

use std::collections::BTreeMap;

use medfleet_domain::alert::message::Channel;
use tokio::task::{Id, JoinSet};

pub struct UnderWay<T> {
    tasks: JoinSet<T>,
    channels: BTreeMap<Id, Channel>,
}

impl<T> Default for UnderWay<T> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), channels: BTreeMap::new() }
    }
}

impl<T: Send + 'static> UnderWay<T> {
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    pub fn is_busy(&self, channel: &Channel) -> bool {
        self.channels.values().any(|busy| busy == channel)
    }

    pub fn begin(&mut self, channel: Channel, attempt: impl Future<Output = T> + Send + 'static) {
        let task = self.tasks.spawn(attempt);
        self.channels.insert(task.id(), channel);
    }

    /// The next that ends: what it brought, or None where it panicked. None at once where nothing is under way.
    pub async fn next(&mut self) -> Option<Option<T>> {
        let (id, brought) = match self.tasks.join_next_with_id().await? {
            Ok((id, brought)) => (id, Some(brought)),
            Err(error) => (error.id(), None),
        };
        self.channels.remove(&id);
        Some(brought)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_that_panics_leaves_its_address_free() {
        let mut under_way = UnderWay::default();
        let channel = Channel::Email("kim@st-mary.example".into());
        under_way.begin(channel.clone(), async {
            if true {
                panic!("planted")
            }
        });
        assert!(under_way.is_busy(&channel));
        assert_eq!(under_way.next().await, Some(None));
        assert!(!under_way.is_busy(&channel) && under_way.len() == 0);
        assert_eq!(under_way.next().await, None);
    }
}
