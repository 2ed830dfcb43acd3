//! `decisions_of(report)`: what the gate decided, out of a model's report. For the views: users see rows.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray as _, Int64Builder, ListBuilder, StringBuilder, StructBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use medfleet_risk::gate::Decision;
use serde::Deserialize;

const TEXTS: [&str; 4] = ["kind", "component", "speaks", "because"];
const COUNTS: [&str; 3] = ["failures", "devices", "rows"];

static DECISION: LazyLock<Fields> = LazyLock::new(|| {
    let texts = TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8, true));
    texts.chain(COUNTS.iter().map(|name| Field::new(*name, DataType::Int64, true))).collect()
});

/// As much of a report as is shown.
#[derive(Deserialize)]
struct Decided {
    decisions: Vec<Decision>,
}

/// A list of decisions; none where this version does not read the report.
pub fn register(session: &SessionContext) {
    let list = DataType::new_list(DataType::Struct(DECISION.clone()), true);
    let decisions = |args: &[ColumnarValue]| {
        let reports = ColumnarValue::values_to_arrays(args)?;
        read(reports[0].as_string::<i32>().iter()).map(ColumnarValue::Array)
    };
    let function = create_udf("decisions_of", vec![DataType::Utf8], list, Volatility::Immutable, Arc::new(decisions));
    session.register_udf(function);
}

fn read<'a>(reports: impl Iterator<Item = Option<&'a str>>) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(StructBuilder::from_fields(DECISION.clone(), 0));
    for report in reports {
        let report: Option<Decided> = report.and_then(|report| serde_json::from_str(report).ok());
        report.iter().flat_map(|report| &report.decisions).for_each(|decision| push(lists.values(), decision));
        lists.append(report.is_some());
    }
    Ok(Arc::new(lists.finish()))
}

fn push(row: &mut StructBuilder, decision: &Decision) {
    let sort = &decision.sort;
    let texts = [sort.kind.as_str(), &*sort.component, decision.speaks.as_str(), &decision.because];
    for (place, text) in texts.into_iter().enumerate() {
        if let Some(column) = row.field_builder::<StringBuilder>(place) {
            column.append_value(text);
        }
    }
    let counts = [decision.failures, decision.devices, decision.rows];
    for (place, count) in (TEXTS.len()..).zip(counts) {
        if let Some(column) = row.field_builder::<Int64Builder>(place) {
            column.append_value(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    row.append(true);
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Array as _;

    use super::*;

    #[test]
    fn a_report_that_is_not_read_has_no_list_and_stops_nobody() {
        let lists = read([Some("{\"of\": \"another version\"}"), None].into_iter()).unwrap();
        assert_eq!((lists.len(), lists.null_count()), (2, 2));
    }
}
