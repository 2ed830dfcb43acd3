//! The fleet as it is compared, out of what is in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use medfleet_domain::time::Day;
use medfleet_kpi::Question as Asks;
use medfleet_kpi::comparison::Fleet;

use super::answer::Question;
use super::entry::Entry;
use super::{Known, Sums};
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::period::Period;

impl Sums {
    /// Kinds of which anything was ever told, by name.
    pub fn kinds(&self) -> Vec<String> {
        let state = self.read();
        let kinds: BTreeSet<String> = state.book.names.tracks.iter().map(|track| track.kind.to_string()).collect();
        kinds.into_iter().collect()
    }

    /// The fleet of a question about all sites; None where the tables must be asked: about one site or device, about what
    /// had happened before an instant, when there is more than memory may hold, and before the first cut.
    pub async fn fleet(&self, open: &OpenCut, asks: &Asks) -> Result<Option<Fleet>, ApiError> {
        if !asks.scope.site.is_empty() || !asks.scope.device.is_empty() || open.before().is_some() {
            return Ok(None);
        }
        self.reach(open).await?;
        let period = Period { from: asks.from, until: asks.until };
        loop {
            let Some(stand) = self.read().stand.clone() else { return Ok(None) };
            let earlier = (stand.number != open.cut.number).then(|| Known::of(&open.cut.offsets));
            let question =
                Question { period, known: open.known().or(earlier.as_ref()), before: None, site: None, base: false };
            let (days, unsettled) = {
                let book = &self.read().book;
                (book.days(&question), book.unsettled(&question, asks))
            };
            let Some(unsettled) = unsettled else { return Ok(None) };
            let mut read: Vec<(Day, Arc<Vec<Entry>>)> = Vec::new();
            for day in days.read.iter().copied().chain(unsettled) {
                if read.iter().all(|(one, _)| *one != day) {
                    read.push((day, self.day(&stand, day).await?));
                }
            }
            let state = self.read();
            if state.stands_at(&stand) {
                return Ok(state.book.roll(&question, &days, &read, asks).map(|roll| Fleet::of(roll, asks)));
            }
        }
    }
}
