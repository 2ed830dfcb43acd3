//! Sites compared over a cut: observed against expected under every adjustment, and the places that can be told apart.

use medfleet_domain::time::Timestamp;
use medfleet_lake::SessionContext;

use crate::ask;
use crate::error::KpiError;
use crate::question::Question;
use crate::stats::compare::{Adjustment, Comparison, Experience, downtime, failures};
use crate::stats::ranking::{Place, Ranked, rank};

/// What sites are compared by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    #[default]
    Failures,
    /// Hours of unscheduled downtime.
    Downtime,
}

/// All sites under one adjustment, each with the places it may have, less being better.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub comparison: Comparison,
    /// In the order of the comparison's sites.
    pub places: Vec<Place>,
}

/// Every site under every adjustment. The same period of the same cut gives the same limits: resampling is seeded by it.
pub async fn compare(session: &SessionContext, question: &Question, by: By) -> Result<Vec<Compared>, KpiError> {
    let last = Timestamp(question.until.0 - 1).day();
    let rows = ask::reliability(session, question).await?;
    let fleet: Vec<Experience> = rows.iter().map(|row| row.experience(last)).collect();
    let seed = (question.from.0 ^ question.until.0.rotate_left(32)).cast_unsigned();
    let compared = |adjustment| match by {
        By::Failures => failures(&fleet, adjustment),
        By::Downtime => downtime(&fleet, adjustment, seed),
    };
    Ok(Adjustment::ALL.into_iter().map(|adjustment| placed(compared(adjustment))).collect())
}

fn placed(comparison: Comparison) -> Compared {
    let ranked = |site: &crate::stats::compare::SiteRatio| Ranked { value: site.ratio, low: site.low, high: site.high };
    let places = rank(&comparison.sites.iter().map(ranked).collect::<Vec<_>>());
    Compared { comparison, places }
}
