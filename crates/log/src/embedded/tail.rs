//! Following several partitions of the embedded log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::select_all;
use tokio::sync::watch;
use tokio::time::timeout;

use super::partition::Keeper;
use crate::blocking::blocking;
use crate::error::LogError;
use crate::port::{Batch, Position, Tail};

pub(super) struct EmbeddedTail {
    followed: Vec<Followed>,
    /// Who is served first; the turn passes on, so that a busy partition cannot starve the others.
    turn: usize,
}

struct Followed {
    keeper: Arc<Keeper>,
    cursor: Position,
    end: watch::Receiver<u64>,
}

impl EmbeddedTail {
    pub(super) fn new(places: Vec<(Arc<Keeper>, Position)>) -> Self {
        let follow = |(keeper, cursor): (Arc<Keeper>, Position)| {
            let end = keeper.end();
            Followed { keeper, cursor, end }
        };
        Self { followed: places.into_iter().map(follow).collect(), turn: 0 }
    }

    /// Waits until any followed partition has grown beyond its cursor.
    async fn grown(&mut self) {
        let waits = self.followed.iter_mut().map(|each| {
            let next = each.cursor.offset;
            Box::pin(each.end.wait_for(move |end| *end > next))
        });
        // An error would say that the journal has closed; the keepers held here keep it open.
        let _ = select_all(waits).await;
    }

    /// Partitions that have something to say: a record, or an error because the cursor stands outside of them.
    fn speaking(&self) -> Vec<usize> {
        let count = self.followed.len();
        let speaks = |index: &usize| {
            let each = &self.followed[*index];
            each.cursor.offset != each.keeper.bounds().end
        };
        (0..count).map(|step| (self.turn + step) % count).filter(speaks).collect()
    }

    async fn gather(&mut self, speaking: Vec<usize>, max_bytes: usize) -> Result<Vec<Batch>, LogError> {
        let share_bytes = (max_bytes / speaking.len()).max(1);
        let places: Vec<_> = speaking
            .iter()
            .map(|&index| (Arc::clone(&self.followed[index].keeper), self.followed[index].cursor))
            .collect();
        let read = move || {
            let read = |(keeper, cursor): (Arc<Keeper>, Position)| {
                Ok(Batch { home: cursor.home(), records: keeper.read(cursor, share_bytes)? })
            };
            places.into_iter().map(read).collect::<Result<Vec<_>, LogError>>()
        };
        let batches = blocking(read).await?;
        for (index, batch) in speaking.into_iter().zip(&batches) {
            self.followed[index].cursor.offset += batch.records.len() as u64;
        }
        self.turn = (self.turn + 1) % self.followed.len();
        Ok(batches)
    }
}

#[async_trait]
impl Tail for EmbeddedTail {
    async fn poll(&mut self, max_bytes: usize, max_wait: Duration) -> Result<Vec<Batch>, LogError> {
        let mut speaking = self.speaking();
        if speaking.is_empty() {
            if self.followed.is_empty() {
                tokio::time::sleep(max_wait).await;
            } else if timeout(max_wait, self.grown()).await.is_ok() {
                speaking = self.speaking();
            }
        }
        if speaking.is_empty() { Ok(Vec::new()) } else { self.gather(speaking, max_bytes).await }
    }

    fn cursors(&self) -> Vec<Position> {
        self.followed.iter().map(|each| each.cursor).collect()
    }

    fn seek(&mut self, to: Position) -> Result<(), LogError> {
        let followed = self.followed.iter_mut().find(|each| each.cursor.home() == to.home());
        followed.ok_or(LogError::NotFollowed { home: to.home() })?.cursor = to;
        Ok(())
    }
}
