//! Spans that others are measured against, and `base_micros(site, kind, from_us, until_us)` for the views.

use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result as QueryResult;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use medfleet_domain::spans::Spans;
use medfleet_lake::SessionContext;

/// Disjoint spans in ascending order, in microseconds, and how much lies before each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Steps {
    spans: Vec<(i64, i64)>,
    before: Vec<i64>,
}

impl Steps {
    pub fn of(spans: &Spans) -> Self {
        let mut steps = Self::default();
        let mut sum = 0;
        for span in spans.iter() {
            steps.spans.push((span.from.0, span.until.0));
            steps.before.push(sum);
            sum += span.micros();
        }
        steps
    }

    /// How much lies before an instant.
    fn up_to(&self, at: i64) -> i64 {
        let after = self.spans.partition_point(|(from, _)| *from < at);
        let Some(last) = after.checked_sub(1) else { return 0 };
        let (from, until) = self.spans[last];
        self.before[last] + at.min(until) - from
    }

    /// How much lies in `[from, until)`.
    pub fn overlap(&self, from: i64, until: i64) -> i64 {
        if until <= from || self.spans.is_empty() { 0 } else { self.up_to(until) - self.up_to(from) }
    }
}

/// Makes `base_micros` part of a session. `of` knows the base hours of a site and kind; None is none.
pub fn register_base_micros(
    session: &SessionContext,
    of: impl Fn(&str, &str) -> Option<Arc<Steps>> + Send + Sync + 'static,
) {
    session.register_udf(create_udf(
        "base_micros",
        vec![DataType::Utf8, DataType::Utf8, DataType::Int64, DataType::Int64],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(move |args| measure(args, &of).map(ColumnarValue::Array)),
    ));
}

fn measure(args: &[ColumnarValue], of: &dyn Fn(&str, &str) -> Option<Arc<Steps>>) -> QueryResult<ArrayRef> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let (sites, kinds) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
    let (from, until) = (arrays[2].as_primitive::<Int64Type>(), arrays[3].as_primitive::<Int64Type>());
    // Rows of one site and kind follow each other, so most need no look-up.
    let mut last: Option<(&str, &str, Option<Arc<Steps>>)> = None;
    let mut measured = Vec::with_capacity(sites.len());
    for row in 0..sites.len() {
        if arrays.iter().any(|array| array.is_null(row)) {
            measured.push(None);
            continue;
        }
        let (site, kind) = (sites.value(row), kinds.value(row));
        let steps = match &last {
            Some((known, its_kind, steps)) if (*known, *its_kind) == (site, kind) => steps.clone(),
            _ => of(site, kind),
        };
        measured.push(Some(steps.as_ref().map_or(0, |steps| steps.overlap(from.value(row), until.value(row)))));
        last = Some((site, kind, steps));
    }
    Ok(Arc::new(Int64Array::from(measured)))
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::{Span, Timestamp};

    use super::*;

    #[test]
    fn micros_before_an_instant_add_up() {
        let span = |from, until| Span { from: Timestamp(from), until: Timestamp(until) };
        let steps = Steps::of(&Spans::of([span(10, 20), span(30, 35)]));
        assert_eq!([0, 10, 15, 25, 32, 99].map(|at| steps.up_to(at)), [0, 0, 5, 10, 12, 15]);
        assert_eq!(
            [(0, 99), (15, 32), (20, 30), (32, 15)].map(|(from, until)| steps.overlap(from, until)),
            [15, 7, 0, 0]
        );
    }
}
