//! No function that could grow is missed: every one that a statement can name and that may give back texts or lists is in a list, or
//! refused by name. An upgrade of the engine that brings another fails here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDF};
use datafusion::prelude::SessionContext;

use super::growth::{FITS, HANDS_ON, MULTIPLIES, SHORT, STRETCHES, is_long};
use super::{GATHERING, ONE_OF_THEM};
use crate::catalog::Catalog;
use crate::functions::{self, LagRecords};
use crate::settings::Settings;

/// What is refused where it would make texts, lists or structures, for nobody bounded it: functions of our views, casts to any type,
/// and structures, whose types are as deep as the nest of their calls and twice as large with each.
const REFUSED: &[&str] = &[
    "decisions_of",
    "arrow_cast",
    "arrow_field",
    "arrow_metadata",
    "arrow_try_cast",
    "cast_to_type",
    "try_cast_to_type",
    "union_extract",
    "union_tag",
    "with_metadata",
    "input_file_name",
    "file_row_index",
    "arrays_zip",
    "map",
    "map_entries",
    "map_extract",
    "map_keys",
    "map_values",
    "named_struct",
    "struct",
];

/// What takes types that are not tried here, and gives back a number or a truth.
const PLAIN: &[&str] = &[
    "date_part",
    "pg_relation_is_publishable",
    "pg_relation_size",
    "pg_stat_get_numscans",
    "pg_table_is_visible",
    "pg_total_relation_size",
];

/// A session with all that a statement can name.
fn session() -> SessionContext {
    let session = SessionContext::new();
    functions::register_shared(&session, &LagRecords::default());
    functions::register_public(&session);
    let settings = Settings::new("ann", Duration::from_secs(1));
    functions::register_personal(&session, "ann", Arc::new(Mutex::new(settings)));
    Catalog::new(Vec::new()).unwrap().furnish(&session, std::iter::empty()).unwrap();
    session
}

fn types() -> Vec<DataType> {
    let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
    let instant = DataType::Timestamp(TimeUnit::Nanosecond, None);
    vec![
        DataType::Utf8,
        DataType::Binary,
        DataType::Int64,
        DataType::Float64,
        DataType::Boolean,
        DataType::Date32,
        instant,
        list(DataType::Utf8),
        list(DataType::Int64),
        list(DataType::Float64),
        list(list(DataType::Utf8)),
    ]
}

/// Every sequence of up to three types, and of four that end alike.
fn arguments() -> Vec<Vec<DataType>> {
    let mut all = vec![Vec::new()];
    let mut longest = vec![Vec::new()];
    for _ in 0..3 {
        longest = longest
            .iter()
            .flat_map(|before: &Vec<DataType>| types().into_iter().map(|last| [&before[..], &[last]].concat()))
            .collect();
        all.extend(longest.clone());
    }
    let four = longest.into_iter().map(|three| [&three[..], &three[2..]].concat());
    all.extend(four);
    all
}

/// Whether it gives back anything of any length, or nobody can tell.
fn may_be_long(function: &ScalarUDF, arguments: &[Vec<DataType>]) -> bool {
    let given = |types: &Vec<DataType>| {
        let fields: Vec<FieldRef> =
            types.iter().map(|of| Arc::new(Field::new("a", of.clone(), true)) as FieldRef).collect();
        let fields = fields_with_udf(&fields, function).ok()?;
        let scalar_arguments = vec![None; fields.len()];
        let args = ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &scalar_arguments };
        Some(is_long(function.return_field_from_args(args).ok()?.data_type()))
    };
    let told: Vec<bool> = arguments.iter().filter_map(given).collect();
    told.is_empty() || told.contains(&true)
}

#[test]
fn every_function_that_may_grow_is_in_one_list() {
    let (session, arguments) = (session(), arguments());
    let state = session.state();
    let functions: BTreeSet<&str> = state.scalar_functions().values().map(|function| function.name()).collect();
    let stretches: Vec<&str> = STRETCHES.iter().map(|(name, _)| *name).collect();
    let lists = [FITS, SHORT, &stretches, MULTIPLIES, HANDS_ON, REFUSED, PLAIN];
    let listed = |name: &str| lists.iter().filter(|list| list.contains(&name)).count();
    let mut wrong = Vec::new();
    for function in state.scalar_functions().values() {
        let (name, lists) = (function.name(), listed(function.name()));
        if lists > 1 || lists == 0 && may_be_long(function, &arguments) {
            wrong.push(format!("{name}() is in {lists} lists of bounds/growth.rs: how much may it make?"));
        }
    }
    for name in lists.into_iter().flatten().filter(|name| !functions.contains(*name) && **name != "||") {
        wrong.push(format!("{name}() is in a list and not in the engine"));
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_aggregate_that_may_grow_is_in_one_list() {
    let state = session().state();
    let mut wrong = BTreeSet::new();
    let known = |name: &str| GATHERING.contains(&name) || ONE_OF_THEM.contains(&name);
    for function in state.aggregate_functions().values() {
        let long = |types: &[DataType]| {
            let fields: Vec<FieldRef> =
                types.iter().map(|of| Arc::new(Field::new("a", of.clone(), true)) as FieldRef).collect();
            let fields = fields_with_udf(&fields, function.as_ref()).ok()?;
            let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
            Some(is_long(&function.return_type(&types).ok()?))
        };
        let pairs =
            types().into_iter().flat_map(|first| types().into_iter().map(move |second| [first.clone(), second]));
        let is_long = pairs.into_iter().any(|pair| long(&pair) == Some(true) || long(&pair[..1]) == Some(true));
        if is_long && !known(function.name()) {
            wrong.insert(function.name().to_owned());
        }
    }
    assert!(wrong.is_empty(), "no list of bounds says what these gather: {wrong:?}");
}
