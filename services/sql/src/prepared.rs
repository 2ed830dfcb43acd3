//! One statement on its way from text to rows: parsed, judged, described, planned at a cut, run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_postgres::arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use datafusion_postgres::arrow_pg::datatypes::{arrow_schema_to_pg_fields, into_pg_type};
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use pgwire::api::Type;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::results::FieldInfo;
use pgwire::error::PgWireResult;

use crate::bounds::Bound;
use crate::calls;
use crate::guard::{self, Allowed};
use crate::refusal::Refusal;
use crate::refusal::sqlstate::{PROTOCOL_VIOLATION, SYNTAX_ERROR};
use crate::subqueries;

/// A statement of the extended protocol, kept until it is bound and run. Its plan is not kept: what runs later is
/// planned over the cut of then.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub allowed: Allowed,
    /// None where there are no rows.
    schema: Option<datafusion::arrow::datatypes::SchemaRef>,
    /// By place; what the engine infers.
    parameters: Vec<Option<DataType>>,
    in_calls: BTreeSet<usize>,
}

/// Arrays out of a subquery, which the engine has not: psql's `\d+` asks for the storage of a relation, and no view has
/// any; its `\du` asks what roles a role is a member of, and there are none.
const SUBQUERY_ARRAYS: [&str; 2] = [
    "pg_catalog.array_to_string(c.reloptions || array(select 'toast.' || x \
     from pg_catalog.unnest(tc.reloptions) x), ', ')",
    "ARRAY(SELECT b.rolname
        FROM pg_catalog.pg_auth_members m
        JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid)
        WHERE m.member = r.oid)",
];

/// The statements of one text, in order; each is judged before any is run.
pub fn parse(parser: &PostgresCompatibilityParser, sql: &str) -> Result<Vec<Allowed>, Refusal> {
    guard::measure(sql)?;
    let sql = SUBQUERY_ARRAYS.iter().fold(sql.to_owned(), |sql, array| sql.replace(array, "NULL::text"));
    let statements = parser.parse(&subqueries::kept(&sql)).map_err(|error| Refusal::of_parser(&error))?;
    statements.into_iter().map(guard::judge).collect()
}

/// The single statement of one text; None when it is empty.
pub fn parse_one(parser: &PostgresCompatibilityParser, sql: &str) -> Result<Option<Allowed>, Refusal> {
    let mut statements = parse(parser, sql)?;
    if statements.len() > 1 {
        let cure = "send them one by one, or by the simple protocol";
        return Err(Refusal::new(SYNTAX_ERROR, "a prepared statement holds only one statement", cure));
    }
    Ok(statements.pop())
}

impl Prepared {
    pub async fn new(allowed: Allowed, session: Option<&SessionContext>) -> Result<Self, Refusal> {
        let bare = |allowed| Self { allowed, schema: None, parameters: Vec::new(), in_calls: BTreeSet::new() };
        let mut allowed = allowed;
        let (Some(query), Some(session)) = (allowed.query_mut(), session) else { return Ok(bare(allowed)) };
        let in_calls = calls::arrange(query)?;
        let plan = plan(session, query.clone()).await?;
        let inferred = plan.get_parameter_types().map_err(|error| Refusal::of(&error))?;
        let parameters = by_place(&inferred.into_iter().collect(), &in_calls);
        let has_rows = matches!(allowed, Allowed::Read(_));
        let schema = has_rows.then(|| Arc::new(plan.schema().as_arrow().clone()));
        Ok(Self { allowed, schema, parameters, in_calls })
    }

    /// What a client is told of the parameters.
    pub fn parameter_types(&self) -> PgWireResult<Vec<Type>> {
        let told = self.parameters.iter().enumerate().map(|(place, inferred)| match inferred {
            _ if self.in_calls.contains(&(place + 1)) => Ok(Type::TEXT),
            Some(data_type) => into_pg_type(data_type),
            None => Ok(Type::UNKNOWN),
        });
        told.collect()
    }

    pub fn fields(&self, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
        match (&self.schema, &self.allowed) {
            (Some(schema), _) => fields(schema, format),
            (None, Allowed::Show(name)) => Ok(vec![text_field(name)]),
            (None, Allowed::Explain(_)) => Ok(vec![text_field("QUERY PLAN")]),
            (None, _) => Ok(Vec::new()),
        }
    }

    /// The query with this portal's parameters in it.
    pub async fn bind<S: Clone>(&self, session: &SessionContext, portal: &Portal<S>) -> PgWireResult<LogicalPlan> {
        let query = self.allowed.query().ok_or_else(no_query)?;
        if portal.parameter_len() != self.parameters.len() {
            let message =
                format!("{} parameters were bound, {} are needed", portal.parameter_len(), self.parameters.len());
            return Err(Refusal::new(PROTOCOL_VIOLATION, message, "bind one value for each of $1, $2, …").into());
        }
        let types = self.parameter_types()?;
        let served: Vec<Option<&Type>> = types.iter().map(Some).collect();
        let inferred: Vec<Option<&DataType>> = self.parameters.iter().map(Option::as_ref).collect();
        let values = deserialize_parameters_with_server_types(portal, &inferred, &served)?;
        let mut query = query.clone();
        if !self.in_calls.is_empty() {
            calls::put_in(&mut query, &|number| constant(&values, number));
        }
        let planned = plan(session, query).await?;
        Ok(planned.replace_params_with_values(&values).map_err(|error| Refusal::of(&error))?)
    }
}

fn no_query() -> Refusal {
    Refusal::new(PROTOCOL_VIOLATION, "this statement has no rows to bind", "")
}

/// Types by place: as many as the highest number asks for.
fn by_place(inferred: &BTreeMap<String, Option<DataType>>, in_calls: &BTreeSet<usize>) -> Vec<Option<DataType>> {
    let numbered = inferred.iter().filter_map(|(name, of)| Some((name.strip_prefix('$')?.parse::<usize>().ok()?, of)));
    let known: BTreeMap<usize, &Option<DataType>> = numbered.collect();
    let count = known.keys().chain(in_calls).max().copied().unwrap_or(0);
    (1..=count).map(|number| known.get(&number).and_then(|of| (*of).clone())).collect()
}

/// A value as a function's argument is written.
fn constant(values: &ParamValues, number: usize) -> Option<String> {
    let ParamValues::List(values) = values else { return None };
    match &values.get(number.checked_sub(1)?)?.value {
        value if value.is_null() => None,
        ScalarValue::TimestampMicrosecond(Some(at), _) => {
            DateTime::from_timestamp_micros(*at).map(|at| at.to_rfc3339())
        }
        ScalarValue::TimestampNanosecond(Some(at), _) => Some(DateTime::from_timestamp_nanos(*at).to_rfc3339()),
        value => Some(value.to_string()),
    }
}

/// Plans a query and makes sure that it is one: nothing else gets past here.
pub async fn plan(session: &SessionContext, query: Statement) -> Result<LogicalPlan, Refusal> {
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let planned = session.state().statement_to_plan(EngineStatement::Statement(Box::new(query))).await;
    let checked = planned.and_then(|plan| read_only.verify_plan(&plan).map(|()| plan));
    checked.map_err(|error: DataFusionError| Refusal::of(&error))
}

/// A plan in its bounds, ready to run.
pub fn frame(session: &SessionContext, plan: LogicalPlan) -> Result<DataFrame, Refusal> {
    let Bound { plan, state } = Bound::of(plan, session.state()).map_err(|error| Refusal::of(&error))?;
    Ok(DataFrame::new(state, plan))
}

pub fn fields(schema: &datafusion::arrow::datatypes::Schema, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    if let Format::Individual(formats) = format {
        if formats.len() != schema.fields().len() {
            let message = format!("{} formats were asked for {} columns", formats.len(), schema.fields().len());
            return Err(Refusal::new(PROTOCOL_VIOLATION, message, "ask one format, or one for each column").into());
        }
    }
    arrow_schema_to_pg_fields(schema, format, None)
}

pub fn text_field(name: &str) -> FieldInfo {
    FieldInfo::new(name.to_owned(), None, None, Type::TEXT, pgwire::api::results::FieldFormat::Text)
}
