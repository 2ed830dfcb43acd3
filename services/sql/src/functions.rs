//! Functions beside the engine's own: small ones that clients and views ask for. What could fill the memory with one
//! call is taken away.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use datafusion::arrow::array::{ArrayRef, AsArray as _, StringArray};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature, SimpleScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use medfleet_kpi::hours::Hours;

use crate::decisions;
use crate::rates;
use crate::refusal::Refusal;
use crate::settings::{SERVER_VERSION, Settings};

/// One call of these makes as much text, or as long a list, as its argument says; nothing accounts for it.
const UNBOUNDED: [&str; 7] =
    ["array_repeat", "list_repeat", "array_resize", "list_resize", "range", "generate_series", "gen_series"];

/// What `\d+` and `\df` of psql ask of every relation and function, with how many arguments. Views and functions are
/// described in the view `about`: here is nothing.
const UNTOLD: [(&str, usize); 5] = [
    ("col_description", 2),
    ("pg_get_viewdef", 2),
    ("pg_get_ruledef", 2),
    ("pg_get_function_result", 1),
    ("pg_get_function_arguments", 1),
];

/// Records in the log that the newest cut does not contain, as of the last look.
#[derive(Debug, Clone)]
pub struct LagRecords(Arc<AtomicI64>);

const NOT_KNOWN: i64 = -1;

impl Default for LagRecords {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NOT_KNOWN)))
    }
}

impl LagRecords {
    pub fn tell(&self, records: Option<i64>) {
        self.0.store(records.unwrap_or(NOT_KNOWN), Ordering::Relaxed);
    }

    pub fn told(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|records| *records != NOT_KNOWN)
    }
}

/// For views and for users: `base_micros(…)`, `instant(microseconds)`, limits of rates and `lag_records()`.
pub fn register_shared(session: &SessionContext, lag: &LagRecords) {
    // Replaced where base hours were read: planning only asks what it returns.
    Hours::default().register(session);
    decisions::register(session);
    rates::register(session);
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    session.register_udf(create_udf(
        "instant",
        vec![DataType::Int64],
        instant,
        Volatility::Immutable,
        Arc::new(|args| instants(args).map(ColumnarValue::Array)),
    ));
    let lag = lag.clone();
    let told = move |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Int64(lag.told())));
    session.register_udf(create_udf("lag_records", vec![], DataType::Int64, Volatility::Volatile, Arc::new(told)));
}

fn instants(args: &[ColumnarValue]) -> Result<ArrayRef> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let micros = arrays[0].as_primitive::<Int64Type>();
    Ok(Arc::new(micros.reinterpret_cast::<TimestampMicrosecondType>().with_timezone("UTC")))
}

/// For every user: what PostgreSQL's clients ask for, and nothing that is unbounded.
pub fn register_public(session: &SessionContext) {
    for name in UNBOUNDED {
        session.deregister_udf(name);
    }
    if let Some(date_bin) = session.state().scalar_functions().get("date_bin") {
        session.register_udf(date_bin.as_ref().clone().with_aliases(["time_bucket"]));
    }
    for (name, arguments) in UNTOLD {
        session.register_udf(untold(name, arguments));
    }
    let visible = |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))));
    let (name, any) = ("pg_function_is_visible", Signature::any(1, Volatility::Stable));
    let visible = SimpleScalarUDF::new_with_signature(name, any, DataType::Boolean, Arc::new(visible));
    session.register_udf(ScalarUDF::from(visible));
    session.register_udf(constant("version", format!("PostgreSQL {SERVER_VERSION}")));
}

/// For one connection: who asks, and its settings.
pub fn register_personal(session: &SessionContext, user: &str, settings: Arc<Mutex<Settings>>) {
    session.register_udf(constant("session_user", user.to_owned()));
    session.register_udf(create_udf(
        "current_setting",
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Stable,
        Arc::new(move |args| {
            let settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
            current_settings(args, &settings).map(ColumnarValue::Array)
        }),
    ));
}

fn current_settings(args: &[ColumnarValue], settings: &Settings) -> Result<ArrayRef> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let names = arrays[0].as_string::<i32>();
    let show = |name: Option<&str>| name.map(|name| settings.show(name)).transpose();
    let shown: std::result::Result<StringArray, Refusal> = names.iter().map(show).collect();
    Ok(Arc::new(shown?))
}

fn untold(name: &str, arguments: usize) -> ScalarUDF {
    let nothing = |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
    let any = Signature::any(arguments, Volatility::Stable);
    ScalarUDF::from(SimpleScalarUDF::new_with_signature(name, any, DataType::Utf8, Arc::new(nothing)))
}

fn constant(name: &str, text: String) -> ScalarUDF {
    let answer = move |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(text.clone()))));
    create_udf(name, vec![], DataType::Utf8, Volatility::Stable, Arc::new(answer))
}
