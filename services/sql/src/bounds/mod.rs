//! How much memory a statement may take beside what operators of the engine count for themselves. Whatever its own text makes (calls,
//! texts beside texts, lists taken apart, windows) is looked after; views and functions of ours that it names stay as they are.
//!
//! A statement is planned over [`Shut`] views. What stands in that plan is its own: [`Bound::of`] puts every call into a
//! [`call::Bounded`] and opens the views afterwards.

mod call;
mod growth;
#[cfg(test)]
mod registry;
mod windows;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Operator, Projection, Subquery,
    SubqueryAlias, TableType, WindowFunctionDefinition,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;

use crate::refusal::Refusal;
use crate::refusal::sqlstate::{TOO_MANY_COLUMNS, UNDEFINED_FUNCTION};
use call::{Bounded, Care, SHORT_TEXT_BYTES};
use growth::{HANDS_ON, MULTIPLIES, is_long};
use windows::Windows;

/// As many as PostgreSQL allows.
const COLUMNS_MAX: usize = 1_664;
/// Bytes of texts that a statement made, in one row of either side of a join: a join takes 8,192 rows at once.
const JOINED_ROW_MAX_BYTES: usize = 16 << 10;
/// Operators beneath a join that are asked who made a column.
const MADE_DEPTH: usize = 200;
/// What gathers many values into one. A window would write all of it again for every row.
const GATHERING: [&str; 2] = ["array_agg", "string_agg"];
/// What answers with one of the values it was given.
const ONE_OF_THEM: [&str; 9] =
    ["min", "max", "first_value", "last_value", "nth_value", "any_value", "lag", "lead", "mode"];

/// A view of ours as a statement names it: what is in it is not planned along with the statement.
#[derive(Debug)]
pub struct Shut(pub Arc<ViewTable>);

#[async_trait]
impl TableProvider for Shut {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.scan(state, projection, filters, limit).await
    }
}

/// A statement's plan in its bounds, and the state to run it in.
pub struct Bound {
    pub plan: LogicalPlan,
    pub state: SessionState,
}

impl Bound {
    pub fn of(plan: LogicalPlan, state: SessionState) -> Result<Self> {
        let pool = Arc::clone(&state.runtime_env().memory_pool);
        let mut bounding = Bounding { pool: Arc::clone(&pool), windows: HashSet::new() };
        let plan = plan.transform_up_with_subqueries(|node| bounding.node(node).map(Transformed::yes))?.data;
        let plan = plan.transform_down_with_subqueries(open)?.data;
        let mut builder = SessionStateBuilder::new_from_existing(state).with_optimizer_rule(Arc::new(Constants(pool)));
        if !bounding.windows.is_empty() {
            builder = builder.with_physical_optimizer_rule(Arc::new(Windows { names: bounding.windows }));
        }
        Ok(Self { plan, state: builder.build() })
    }
}

/// A view with what is in it.
fn open(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
    let provider = source_as_provider(&scan.source)?;
    let Some(Shut(view)) = provider.downcast_ref::<Shut>() else { return Ok(Transformed::no(node)) };
    let view: Arc<dyn TableProvider> = Arc::<ViewTable>::clone(view);
    let source = provider_as_source(view);
    let opened = LogicalPlanBuilder::scan(scan.table_name.clone(), source, scan.projection.clone())?.build()?;
    // Only views are shut, and no view is made of those.
    Ok(Transformed::new(opened, true, TreeNodeRecursion::Jump))
}

/// Bounds the functions that a statement could call while it is planned: arguments of table functions are evaluated there.
pub fn register(session: &SessionContext) {
    let state = session.state();
    let pool = &state.runtime_env().memory_pool;
    for function in MULTIPLIES.iter().filter_map(|name| state.scalar_functions().get(*name)) {
        session.register_udf(Bounded::of(Arc::clone(function), pool));
    }
}

struct Bounding {
    pool: Arc<dyn MemoryPool>,
    windows: HashSet<String>,
}

impl Bounding {
    /// A node whose inputs are in their bounds.
    fn node(&mut self, node: LogicalPlan) -> Result<LogicalPlan> {
        let columns = node.schema().fields().len();
        if columns > COLUMNS_MAX {
            let message = format!("a part of the statement has {columns} columns, more than {COLUMNS_MAX}");
            return Err(Refusal::new(TOO_MANY_COLUMNS, message, "ask for fewer at once").into());
        }
        let schema = merge_schema(&node.inputs());
        let node = node.map_expressions(|expr| expr.transform_up(|part| self.part(part, &schema)))?.data;
        match node {
            LogicalPlan::Join(mut join) => {
                join.left = self.narrow(&join.left)?;
                join.right = self.narrow(&join.right)?;
                Ok(LogicalPlan::Join(join))
            }
            LogicalPlan::Unnest(mut unnest) => {
                let lists: Vec<usize> = unnest.list_type_columns.iter().map(|(nth, _)| *nth).collect();
                let all = unnest.input.schema().columns();
                let beside = |nth: usize| {
                    let others = all.iter().enumerate().filter(|(other, _)| !lists.contains(other));
                    let others = others.map(|(_, column)| Expr::Column(column.clone()));
                    let list = Expr::Column(all[nth].clone());
                    Bounded::first(std::iter::once(list).chain(others).collect(), Care::Unnested, &self.pool)
                };
                unnest.input = projected(&unnest.input, |nth| lists.contains(&nth).then(|| beside(nth)))?;
                Ok(LogicalPlan::Unnest(unnest))
            }
            LogicalPlan::Aggregate(aggregate) => {
                let gathers: Vec<bool> = aggregate.aggr_expr.iter().map(gathers).collect();
                let input = Arc::new(LogicalPlan::Aggregate(aggregate));
                if !gathers.contains(&true) {
                    return Ok(Arc::unwrap_or_clone(input));
                }
                let all = input.schema().columns();
                let groups = all.len() - gathers.len();
                let same = |nth: usize| {
                    let value = Expr::Column(all[nth].clone());
                    let gathered = nth.checked_sub(groups).and_then(|nth| gathers.get(nth)).is_some_and(|is| *is);
                    gathered.then(|| Bounded::first(vec![value], Care::Same, &self.pool))
                };
                projected(&input, same).map(Arc::unwrap_or_clone)
            }
            LogicalPlan::Window(window) => {
                self.windows.extend(window.window_expr.iter().map(|expr| expr.schema_name().to_string()));
                Ok(LogicalPlan::Window(window))
            }
            other => Ok(other),
        }
    }

    /// One part of an expression whose own parts are in their bounds.
    fn part(&self, part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let same = |part| Ok(Transformed::yes(Bounded::first(vec![part], Care::Same, &self.pool)));
        match part {
            Expr::HigherOrderFunction(call) => Err(no_such_function(call.func.name())),
            Expr::ScalarFunction(call) if !Bounded::is(&call.func) => {
                let part = Expr::ScalarFunction(call);
                let long = is_long(&part.get_type(schema)?);
                let Expr::ScalarFunction(call) = part else { return Ok(Transformed::no(part)) };
                match call.func.name() {
                    _ if !long => Ok(Transformed::no(Expr::ScalarFunction(call))),
                    name if HANDS_ON.contains(&name) => same(Expr::ScalarFunction(call)),
                    name if growth::most(name, &[], 0)?.is_some() => {
                        Ok(Transformed::yes(Bounded::of(call.func, &self.pool).call(call.args)))
                    }
                    name => Err(no_such_function(name)),
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                let part = Expr::BinaryExpr(BinaryExpr {
                    left: left.clone(),
                    op: Operator::StringConcat,
                    right: right.clone(),
                });
                match part.get_type(schema)? {
                    to @ (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                        Ok(Transformed::yes(Bounded::joined(*left, *right, to, &self.pool)))
                    }
                    other => Err(Refusal::unsupported(&format!("|| that makes {other}"), "join texts").into()),
                }
            }
            Expr::Cast(_) | Expr::TryCast(_) | Expr::Case(_) | Expr::ScalarSubquery(_) => {
                let long = is_long(&part.get_type(schema)?) && !is_cast_to_itself(&part, schema);
                match part {
                    part if !long => Ok(Transformed::no(part)),
                    Expr::ScalarSubquery(mut subquery) => {
                        subquery.subquery = self.narrow(&subquery.subquery)?;
                        same(Expr::ScalarSubquery(subquery))
                    }
                    part => same(part),
                }
            }
            Expr::AggregateFunction(call) => {
                let name = call.func.name().to_owned();
                let part = Expr::AggregateFunction(call);
                let known = GATHERING.contains(&name.as_str()) || ONE_OF_THEM.contains(&name.as_str());
                if known || !is_long(&part.get_type(schema)?) {
                    Ok(Transformed::no(part))
                } else {
                    Err(no_such_function(&name))
                }
            }
            Expr::WindowFunction(call) => {
                window(&call)?;
                let name = call.fun.name().to_owned();
                let part = Expr::WindowFunction(call);
                let known = ONE_OF_THEM.contains(&name.as_str()) || !is_long(&part.get_type(schema)?);
                if known { Ok(Transformed::no(part)) } else { Err(no_such_function(&name)) }
            }
            part => Ok(Transformed::no(part)),
        }
    }

    /// One side of a join whose rows are not too wide where the statement made them.
    fn narrow(&self, side: &Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
        match side.as_ref() {
            LogicalPlan::Subquery(subquery) => {
                let inner = self.narrow(&subquery.subquery)?;
                return Ok(Arc::new(LogicalPlan::Subquery(Subquery { subquery: inner, ..subquery.clone() })));
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let inner = self.narrow(&alias.input)?;
                let alias = SubqueryAlias::try_new(inner, alias.alias.clone())?;
                return Ok(Arc::new(LogicalPlan::SubqueryAlias(alias)));
            }
            _ => {}
        }
        let made = made(side, MADE_DEPTH);
        let count = made.iter().filter(|made| **made).count();
        if count == 0 {
            return Ok(Arc::clone(side));
        }
        let care = Care::Narrow { most_bytes: JOINED_ROW_MAX_BYTES / count };
        if let LogicalPlan::Projection(projection) = side.as_ref() {
            let narrowed = |(nth, expr): (usize, &Expr)| {
                let (relation, name) = expr.qualified_name();
                let narrow = || Bounded::first(vec![bare(expr).clone()], care, &self.pool);
                if made[nth] { narrow().alias_qualified(relation, name) } else { expr.clone() }
            };
            let columns = projection.expr.iter().enumerate().map(narrowed).collect();
            let narrowed = Projection::try_new(columns, Arc::clone(&projection.input))?;
            return Ok(Arc::new(LogicalPlan::Projection(narrowed)));
        }
        let all = side.schema().columns();
        let narrowed = |nth: usize| Bounded::first(vec![Expr::Column(all[nth].clone())], care, &self.pool);
        projected(side, |nth| made[nth].then(|| narrowed(nth)))
    }
}

/// A projection with something else in place of some columns, under their names.
fn projected(input: &Arc<LogicalPlan>, instead: impl Fn(usize) -> Option<Expr>) -> Result<Arc<LogicalPlan>> {
    let columns = input.schema().iter().enumerate().map(|(nth, (relation, field))| match instead(nth) {
        Some(expr) => expr.alias_qualified(relation.cloned(), field.name()),
        None => Expr::Column(Column::new(relation.cloned(), field.name())),
    });
    Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns.collect(), Arc::clone(input))?)))
}

/// By column: whether it holds texts or lists that the statement itself made. Beyond some depth all of them are.
fn made(plan: &LogicalPlan, depth: usize) -> Vec<bool> {
    let long: Vec<bool> = plan.schema().fields().iter().map(|field| is_long(field.data_type())).collect();
    if depth == 0 {
        return long;
    }
    let inputs: Vec<(&LogicalPlan, Vec<bool>)> =
        plan.inputs().into_iter().map(|input| (input, made(input, depth - 1))).collect();
    let handed = |column: &Column| {
        let of_input = |(input, made): &(&LogicalPlan, Vec<bool>)| {
            input.schema().maybe_index_of_column(column).map(|nth| made[nth])
        };
        inputs.iter().find_map(of_input).unwrap_or(true)
    };
    let is_made: Vec<bool> = match plan {
        // What a recursive query made so far is a table too.
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source);
            vec![provider.map_or(true, |provider| provider.downcast_ref::<CteWorkTable>().is_some()); long.len()]
        }
        LogicalPlan::EmptyRelation(_) => vec![false; long.len()],
        LogicalPlan::Projection(projection) => {
            let of = |expr: &Expr| match bare(expr) {
                Expr::Column(column) => handed(column),
                _ => true,
            };
            projection.expr.iter().map(of).collect()
        }
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Subquery(_) => {
            inputs.into_iter().next().map_or_else(|| long.clone(), |(_, made)| made)
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_) => plan.schema().columns().iter().map(handed).collect(),
        _ => long.clone(),
    };
    is_made.into_iter().zip(long).map(|(made, long)| made && long).collect()
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => bare(&alias.expr),
        expr => expr,
    }
}

fn gathers(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::AggregateFunction(call) => GATHERING.contains(&call.func.name()),
        _ => false,
    }
}

/// A window writes its arguments into every row, so they must be there already, where they are counted.
fn window(call: &WindowFunction) -> Result<()> {
    if let WindowFunctionDefinition::AggregateUDF(function) = &call.fun
        && GATHERING.contains(&function.name())
    {
        return Err(Refusal::unsupported(&format!("{} over a window", function.name()), "use it with GROUP BY").into());
    }
    let long = |expr: &Expr| match bare(expr) {
        Expr::Literal(value, _) => value.size() > SHORT_TEXT_BYTES + size_of_val(value),
        Expr::ScalarFunction(call) => Bounded::is(&call.func),
        _ => false,
    };
    if call.params.args.iter().any(long) {
        let what = format!("{} over a text that is made in the same SELECT", call.fun.name());
        return Err(Refusal::unsupported(&what, "make the text in a subquery, and let the window read it").into());
    }
    Ok(())
}

fn no_such_function(name: &str) -> datafusion::error::DataFusionError {
    let cure = "ask for columns, or for arrays";
    Refusal::new(UNDEFINED_FUNCTION, format!("function {name} does not exist"), cure).into()
}

fn is_cast_to_itself(part: &Expr, schema: &DFSchema) -> bool {
    match part {
        Expr::Cast(cast) => {
            cast.expr.get_type(schema).is_ok_and(|from| part.get_type(schema).is_ok_and(|to| from == to))
        }
        _ => false,
    }
}

/// Puts long constants that a plan would write into rows where they are counted, those too that it made itself while it was planned.
#[derive(Debug)]
struct Constants(Arc<dyn MemoryPool>);

impl OptimizerRule for Constants {
    fn name(&self) -> &str {
        "constants"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !matches!(plan, LogicalPlan::Projection(_)) {
            return Ok(Transformed::no(plan));
        }
        plan.map_expressions(|expr| match bare(&expr) {
            Expr::Literal(value, _)
                if is_long(&value.data_type()) && value.size() > SHORT_TEXT_BYTES + size_of_val(value) =>
            {
                let (relation, name) = expr.qualified_name();
                let constant = Bounded::constant(expr.unalias_nested().data, &self.0);
                Ok(Transformed::yes(constant.alias_qualified(relation, name)))
            }
            _ => Ok(Transformed::no(expr)),
        })
    }
}
