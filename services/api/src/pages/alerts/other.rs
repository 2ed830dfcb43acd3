//! Parts that may have been meant: names to tap, so that a verdict is a label of a part that others name too.

use std::collections::BTreeMap;

use medfleet_domain::alert::life::Alert;
use medfleet_kpi::ask::Cycles;

use super::behind::spaced;
use crate::query::Reported;
use crate::service::App;

const OTHER_PARTS_MAX: usize = 6;

/// Parts that a technician may have found instead, by the names that the device, its counters and alerts of its kind have for them: the
/// most frequent ones. A name of one's own would be no label of any part.
pub fn parts(app: &App, alert: &Alert, errors: &[Reported], counters: &[Cycles]) -> Vec<(String, String)> {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    let mut name = |part: &str| *named.entry(part.to_owned()).or_default() += 1;
    errors.iter().filter_map(|error| error.component.as_deref()).for_each(&mut name);
    counters.iter().filter_map(|counter| counter.component.as_deref()).for_each(&mut name);
    app.alerts.look(|book| {
        book.cases()
            .filter(|case| case.alert.about.kind == alert.about.kind)
            .for_each(|case| name(&case.alert.about.part));
    });
    named.retain(|part, _| !part.is_empty() && *part != alert.about.part);
    let mut parts: Vec<(String, usize)> = named.into_iter().collect();
    parts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    parts.into_iter().take(OTHER_PARTS_MAX).map(|(part, _)| (spaced(&part), part)).collect()
}
