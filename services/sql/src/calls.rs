//! Calls of table functions in a statement: `name => value` put into its place, and parameters of a prepared statement
//! put in as constants, because a function must know its period before anything is planned. Pure.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Statement, TableFactor, Value, VisitMut, VisitorMut,
};

use crate::guard::last_part;
use crate::kpi::{self, Kpi, usage};
use crate::refusal::Refusal;
use crate::refusal::sqlstate::UNDEFINED_FUNCTION;

/// Puts every argument of our functions into its place. The parameters (`$1` is 1) that stand in a call.
pub fn arrange(statement: &mut Statement) -> Result<BTreeSet<usize>, Refusal> {
    let mut arranging = Arranging { parameters: BTreeSet::new() };
    match statement.visit(&mut arranging) {
        ControlFlow::Continue(()) => Ok(arranging.parameters),
        ControlFlow::Break(refusal) => Err(*refusal),
    }
}

/// Puts constants where the parameters stood; None is NULL.
pub fn put_in(statement: &mut Statement, value_of: &dyn Fn(usize) -> Option<String>) {
    let _ = statement.visit(&mut PuttingIn { value_of });
}

struct Arranging {
    parameters: BTreeSet<usize>,
}

impl VisitorMut for Arranging {
    type Break = Box<Refusal>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let Some((kpi, args)) = call_of(factor) else { return ControlFlow::Continue(()) };
        match in_place(kpi, args) {
            Ok(placed) => {
                self.parameters.extend(placed.iter().filter_map(parameter_of));
                *args = placed.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
                ControlFlow::Continue(())
            }
            Err(refusal) => ControlFlow::Break(Box::new(refusal)),
        }
    }
}

struct PuttingIn<'a> {
    value_of: &'a dyn Fn(usize) -> Option<String>,
}

impl VisitorMut for PuttingIn<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let Some((_, args)) = call_of(factor) else { return ControlFlow::Continue(()) };
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { continue };
            if let Some(number) = parameter_of(expr) {
                let value = (self.value_of)(number).map_or(Value::Null, Value::SingleQuotedString);
                *expr = Expr::Value(value.with_empty_span());
            }
        }
        ControlFlow::Continue(())
    }
}

fn call_of(factor: &mut TableFactor) -> Option<(&'static Kpi, &mut Vec<FunctionArg>)> {
    let (name, args) = match factor {
        TableFactor::Table { name, args: Some(args), .. } => (name, &mut args.args),
        TableFactor::Function { name, args, .. } => (name, args),
        _ => return None,
    };
    let kpi = kpi::find(&last_part(name))?;
    // The engine finds table functions by their bare name.
    *name = ObjectName::from(vec![Ident::new(kpi.name)]);
    Some((kpi, args))
}

fn in_place(kpi: &Kpi, args: &[FunctionArg]) -> Result<Vec<Expr>, Refusal> {
    let wrong = |what: String| Refusal::new(UNDEFINED_FUNCTION, what, usage(kpi));
    let mut placed: Vec<Option<Expr>> = vec![None; kpi.arguments.len()];
    for (nth, arg) in args.iter().enumerate() {
        let (place, expr) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => (nth, expr),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => (place_of(kpi, &name.value)?, expr),
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), .. } => {
                (place_of(kpi, &name.value)?, expr)
            }
            other => return Err(wrong(format!("{}() cannot take `{other}`", kpi.name))),
        };
        let slot = placed.get_mut(place).ok_or_else(|| wrong(format!("{}() takes fewer arguments", kpi.name)))?;
        if slot.replace(expr.clone()).is_some() {
            return Err(wrong(format!("{}() was given `{}` twice", kpi.name, kpi.arguments[place].name())));
        }
    }
    let last = placed.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    placed.truncate(last);
    let null = || Expr::Value(Value::Null.with_empty_span());
    Ok(placed.into_iter().map(|expr| expr.unwrap_or_else(null)).collect())
}

fn place_of(kpi: &Kpi, name: &str) -> Result<usize, Refusal> {
    let known = kpi.arguments.iter().position(|argument| argument.name().eq_ignore_ascii_case(name));
    known
        .ok_or_else(|| Refusal::new(UNDEFINED_FUNCTION, format!("{}() has no argument `{name}`", kpi.name), usage(kpi)))
}

/// The number of a parameter, also beneath a cast such as `$1::timestamptz`.
fn parameter_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        Expr::Cast { expr, .. } | Expr::Nested(expr) => parameter_of(expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn arranged(sql: &str) -> Result<(String, BTreeSet<usize>), Refusal> {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        let parameters = arrange(&mut statement)?;
        Ok((statement.to_string(), parameters))
    }

    #[test]
    fn named_arguments_go_where_they_belong() {
        let (sql, _) =
            arranged("SELECT * FROM public.uptime_by_device(kind => 'ct', until => 'b', since => 'a') AS u").unwrap();
        assert_eq!(sql, "SELECT * FROM uptime_by_device('a', 'b', NULL, 'ct') AS u");
        let (sql, _) = arranged("SELECT * FROM generate_series(1, 2)").unwrap();
        assert_eq!(sql, "SELECT * FROM generate_series(1, 2)");
    }

    #[test]
    fn a_call_that_cannot_be_is_refused_with_the_way_to_call() {
        for (sql, word) in [
            ("SELECT * FROM uptime(when => 'a')", "when"),
            ("SELECT * FROM uptime('a', 'b', 'c', 'd', 'e')", "fewer"),
            ("SELECT * FROM uptime('a', since => 'b')", "twice"),
        ] {
            let refusal = arranged(sql).unwrap_err();
            assert!(
                refusal.message.contains(word) && refusal.cure.contains("uptime(since, until, [as_of], [at])"),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn parameters_of_a_call_become_constants_and_others_stay() {
        let mut statement = Parser::parse_sql(
            &PostgreSqlDialect {},
            "SELECT * FROM uptime($1, $2::timestamptz) WHERE site = $3 AND kind IN (SELECT kind FROM timeline($4, $1, $2))",
        )
        .unwrap()
        .remove(0);
        assert_eq!(arrange(&mut statement).unwrap(), BTreeSet::from([1, 2, 4]));
        put_in(&mut statement, &|number| (number != 4).then(|| format!("it's {number}")));
        assert_eq!(
            statement.to_string(),
            "SELECT * FROM uptime('it''s 1', 'it''s 2') WHERE site = $3 AND kind IN \
             (SELECT kind FROM timeline(NULL, 'it''s 1', 'it''s 2'))"
        );
    }
}
