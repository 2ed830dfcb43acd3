//! Subqueries among the columns of a `SELECT`. The parser answers NULL for one that looks at the row outside, that names a table without
//! an alias, or that has a parameter: clients ask the system catalog so, where nothing is lost. About our own tables that NULL
//! would be a wrong figure, so those subqueries are put in parentheses, which it leaves to the engine.

use std::borrow::Cow;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, SelectItem, SetExpr, TableFactor, VisitMut as _, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The same statements, with our own subqueries kept. What cannot be read is left to whoever reads it next.
pub fn kept(sql: &str) -> Cow<'_, str> {
    let Ok(mut statements) = Parser::parse_sql(&PostgreSqlDialect {}, sql) else { return Cow::Borrowed(sql) };
    let mut keeper = Keeper { kept: false };
    let _ = statements.visit(&mut keeper);
    match keeper.kept {
        true => Cow::Owned(statements.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        false => Cow::Borrowed(sql),
    }
}

struct Keeper {
    kept: bool,
}

impl VisitorMut for Keeper {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        for item in &mut select.projection {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
            if matches!(expr, Expr::Subquery(query) if !asks_the_catalog(query)) {
                let bare = std::mem::replace(expr, Expr::value(datafusion::sql::sqlparser::ast::Value::Null));
                *expr = Expr::Nested(Box::new(bare));
                self.kept = true;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether its rows come out of the system catalog.
fn asks_the_catalog(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let of_catalog = |table: &TableFactor| match table {
        TableFactor::Table { name, .. } => name.to_string().to_lowercase().starts_with("pg_"),
        _ => false,
    };
    select.from.iter().any(|from| of_catalog(&from.relation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_kept_and_those_about_the_catalog_are_left() {
        let ours =
            "SELECT d.device, (SELECT count(s.site) FROM sites AS s WHERE s.site = d.site) AS n FROM devices AS d";
        let kept_ours = kept(ours);
        assert!(
            kept_ours.contains("((SELECT count(s.site) FROM sites AS s WHERE s.site = d.site)) AS n"),
            "{kept_ours}"
        );
        assert_eq!(kept(&kept_ours), kept_ours, "once is enough");
        for left in [
            "SELECT (SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid = a.attrelid) FROM pg_attribute a",
            "SELECT 1; SELECT device FROM devices WHERE site = (SELECT site FROM sites)",
            "SELECT (",
        ] {
            assert_eq!(kept(left), left);
        }
    }
}
