//! Every view of the registry runs over an empty house, and answers with exactly the columns it lists.

use medfleet_kpi::{Unit, registry};

use crate::given::{House, question};

#[tokio::test]
async fn every_view_answers_with_the_columns_it_lists() {
    let session = House::new().session().await;
    for view in registry::views() {
        let planned = view.plan(&session, &question("03-01 00:00", "04-01 00:00", "04-02 00:00")).await;
        let planned = planned.unwrap_or_else(|error| panic!("{}: {error:?}", view.name));
        let fields: Vec<String> = planned.schema().fields().iter().map(|field| field.name().clone()).collect();
        let listed: Vec<&str> = view.columns.iter().map(|column| column.name).collect();
        assert_eq!(fields, listed, "{}", view.name);
        for (field, column) in planned.schema().fields().iter().zip(view.columns) {
            let kind = field.data_type();
            let fits = match column.unit {
                Unit::Text => kind.is_string() || kind.is_null(),
                Unit::Flag => matches!(kind, datafusion::arrow::datatypes::DataType::Boolean),
                Unit::Day => matches!(kind, datafusion::arrow::datatypes::DataType::Date32),
                Unit::Bytes => matches!(kind, datafusion::arrow::datatypes::DataType::Binary),
                _ => kind.is_integer(),
            };
            assert!(fits, "{}.{} is {kind}, listed as {:?}", view.name, column.name, column.unit);
        }
        let rows = planned.collect().await.unwrap_or_else(|error| panic!("{}: {error:?}", view.name));
        assert!(rows.iter().all(|batch| batch.num_rows() == 0), "{}", view.name);
    }
}

/// The engine's exchange of rows between threads can wait for ever where memory is short (apache/datafusion 24883).
#[tokio::test]
async fn no_view_is_planned_in_a_way_that_can_stand_still_where_memory_is_short() {
    let session = House::new().session().await;
    let mut exchanging = Vec::new();
    for view in registry::views() {
        let planned = view.plan(&session, &question("03-01 00:00", "04-01 00:00", "04-02 00:00")).await.unwrap();
        let plan = planned.create_physical_plan().await.unwrap();
        let plan = datafusion::physical_plan::displayable(&*plan).indent(false).to_string();
        let after = plan.lines().zip(plan.lines().skip(2)).filter(|(_, exchange)| exchange.contains("RepartitionExec"));
        exchanging.extend(after.map(|(window, _)| format!("{}: {}", view.name, window.trim())));
    }
    assert!(exchanging.is_empty(), "{exchanging:#?}");
}

#[test]
fn names_are_unique_and_an_unknown_one_is_told_the_known() {
    let mut names: Vec<&str> = registry::views().iter().map(|view| view.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), registry::views().len());
    let error = registry::view("nonsense").unwrap_err().to_string();
    assert!(error.contains("nonsense") && error.contains("failures"), "{error}");
}
