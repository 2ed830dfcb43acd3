//! Which statements may be run at all: reading, and what drivers say around it. Everything else is refused by name,
//! before it is planned. Pure.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CloseCursor, Declare, DeclareType, DiscardObject, FetchDirection, ObjectName, Query, Reset, SetExpr, Statement,
    Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::refusal::Refusal;
use crate::refusal::sqlstate::STATEMENT_TOO_COMPLEX;
use crate::settings::{self, Change};

/// Operators, joins and set operations of one text. Each may nest a tree one level deeper, and a tree that is deep enough
/// breaks the stack when it is dropped, which would end the process and not the statement.
const JOINTS_MAX: usize = 1_000;

/// A statement that may be run.
#[derive(Debug, Clone)]
pub enum Allowed {
    Read(Statement),
    /// The plan of a query, without running it.
    Explain(Statement),
    Show(String),
    Set(Change),
    Begin,
    Commit,
    Rollback,
    /// Nothing changes within a transaction, so there is nothing to go back to.
    Savepoint(&'static str),
    DiscardAll,
    Deallocate(Option<String>),
    Declare {
        cursor: String,
        query: Statement,
    },
    /// At most so many rows; all that are left when None.
    Fetch {
        cursor: String,
        rows: Option<usize>,
    },
    CloseCursor(Option<String>),
}

impl Allowed {
    /// The query whose rows are read, now or by fetches.
    pub const fn query(&self) -> Option<&Statement> {
        match self {
            Self::Read(query) | Self::Declare { query, .. } => Some(query),
            _ => None,
        }
    }

    pub const fn query_mut(&mut self) -> Option<&mut Statement> {
        match self {
            Self::Read(query) | Self::Declare { query, .. } => Some(query),
            _ => None,
        }
    }
}

/// Refuses a text whose tree could become too deep, before there is a tree.
pub fn measure(sql: &str) -> Result<(), Refusal> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize();
    let tokens = tokens.map_err(|error| Refusal::of_parser(&ParserError::TokenizerError(error.to_string())))?;
    let joints = tokens.iter().filter(|token| is_joint(token)).count();
    if joints > JOINTS_MAX {
        let message = format!("the statement has {joints} operators, joins and set operations, more than {JOINTS_MAX}");
        return Err(Refusal::new(STATEMENT_TOO_COMPLEX, message, "use IN lists or VALUES, or ask in parts"));
    }
    Ok(())
}

fn is_joint(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::JOIN
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::IN
        ),
        Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::SemiColon
        | Token::Placeholder(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EOF => false,
        _ => true,
    }
}

/// Judges one statement.
pub fn judge(statement: Statement) -> Result<Allowed, Refusal> {
    match statement {
        Statement::Query(_) => {
            only_reads(&statement)?;
            Ok(Allowed::Read(statement))
        }
        Statement::Explain { analyze: true, .. } => Err(Refusal::unsupported(
            "EXPLAIN ANALYZE",
            "use EXPLAIN: what a scan met on its way may be about other sites",
        )),
        Statement::Explain { statement, options, .. } => explain(*statement, options.is_some()),
        Statement::ShowVariable { variable } => {
            let words: Vec<String> = variable.iter().map(|word| word.value.to_lowercase()).collect();
            Ok(Allowed::Show(settings::canonical(&words)))
        }
        Statement::Set(set) => settings::change(&set).map(Allowed::Set),
        Statement::Reset(reset) => match reset.reset {
            Reset::ALL => Ok(Allowed::Set(Change::ResetAll)),
            Reset::ConfigurationParameter(name) => settings::reset(&name.to_string()).map(Allowed::Set),
        },
        Statement::StartTransaction { statements, .. } if statements.is_empty() => Ok(Allowed::Begin),
        Statement::Commit { .. } => Ok(Allowed::Commit),
        Statement::Rollback { savepoint: None, .. } => Ok(Allowed::Rollback),
        Statement::Rollback { .. } => Ok(Allowed::Savepoint("ROLLBACK")),
        Statement::Savepoint { .. } => Ok(Allowed::Savepoint("SAVEPOINT")),
        Statement::ReleaseSavepoint { .. } => Ok(Allowed::Savepoint("RELEASE")),
        Statement::Discard { object_type: DiscardObject::ALL } => Ok(Allowed::DiscardAll),
        Statement::Deallocate { name, .. } => {
            let all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
            Ok(Allowed::Deallocate((!all).then_some(name.value)))
        }
        Statement::Declare { stmts } => declare(stmts),
        Statement::Fetch { name, direction, into: None, .. } => {
            Ok(Allowed::Fetch { cursor: name.value, rows: rows_of(&direction)? })
        }
        Statement::Close { cursor } => Ok(Allowed::CloseCursor(match cursor {
            CloseCursor::All => None,
            CloseCursor::Specific { name } => Some(name.value),
        })),
        other => Err(refused(&other)),
    }
}

/// A query may hide what is none: `WITH x AS (DELETE …)`, `SELECT … INTO`, `… FOR UPDATE`.
fn only_reads(statement: &Statement) -> Result<(), Refusal> {
    match statement.visit(&mut ReadsOnly { outermost: true }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(*refusal),
    }
}

struct ReadsOnly {
    outermost: bool,
}

impl Visitor for ReadsOnly {
    type Break = Box<Refusal>;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<Self::Break> {
        if std::mem::take(&mut self.outermost) {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(Box::new(refused(statement)))
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let refusal = match &*query.body {
            _ if !query.locks.is_empty() => Some(Refusal::read_only("FOR UPDATE or FOR SHARE")),
            SetExpr::Select(select) if select.into.is_some() => Some(Refusal::read_only("SELECT INTO")),
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) | SetExpr::Merge(inner) => {
                Some(refused(inner))
            }
            _ => None,
        };
        refusal.map_or(ControlFlow::Continue(()), |refusal| ControlFlow::Break(Box::new(refusal)))
    }
}

fn explain(statement: Statement, has_options: bool) -> Result<Allowed, Refusal> {
    if has_options {
        return Err(Refusal::unsupported("EXPLAIN with options", "use EXPLAIN and the query"));
    }
    match judge(statement)? {
        Allowed::Read(query) => Ok(Allowed::Explain(query)),
        _ => Err(Refusal::unsupported("EXPLAIN of this statement", "use EXPLAIN and a query")),
    }
}

fn declare(mut stmts: Vec<Declare>) -> Result<Allowed, Refusal> {
    let cure = "use DECLARE name CURSOR FOR and one query";
    let (Some(mut declared), true) = (stmts.pop(), stmts.is_empty()) else {
        return Err(Refusal::unsupported("this DECLARE", cure));
    };
    let (Some(DeclareType::Cursor), Some(query), Some(name)) =
        (declared.declare_type, declared.for_query, declared.names.pop())
    else {
        return Err(Refusal::unsupported("this DECLARE", cure));
    };
    let query = Statement::Query(query);
    only_reads(&query)?;
    Ok(Allowed::Declare { cursor: name.value, query })
}

fn rows_of(direction: &FetchDirection) -> Result<Option<usize>, Refusal> {
    let backwards = || Refusal::unsupported("going back in a cursor", "declare the cursor anew and go forward");
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => match &limit.value {
            Value::Number(count, _) => count.to_string().parse().map(Some).map_err(|_| backwards()),
            _ => Err(backwards()),
        },
        _ => Err(backwards()),
    }
}

fn refused(statement: &Statement) -> Refusal {
    let text = statement.to_string();
    let mut words = text.split_whitespace().map(str::to_uppercase);
    let first = words.next().unwrap_or_default();
    match first.as_str() {
        "CREATE" | "DROP" | "ALTER" => Refusal::read_only(&format!("{first} {}", words.next().unwrap_or_default())),
        "LISTEN" | "NOTIFY" | "UNLISTEN" | "PREPARE" | "EXECUTE" | "CALL" | "ASSERT" | "RAISE" => {
            Refusal::unsupported(&first, "ask with SELECT; drivers prepare by the extended protocol")
        }
        "SHOW" => Refusal::unsupported("this SHOW", "read information_schema.tables and information_schema.columns"),
        _ => Refusal::read_only(&first),
    }
}

/// The name of a relation or function without its schema.
pub fn last_part(name: &ObjectName) -> String {
    name.0.last().map(|part| part.to_string().trim_matches('"').to_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn judged(sql: &str) -> Result<Allowed, Refusal> {
        let mut statements =
            Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        judge(statements.remove(0))
    }

    #[test]
    fn reading_and_what_drivers_say_around_it_is_allowed() {
        for sql in [
            "SELECT 1",
            "VALUES (1), (2)",
            "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT 2",
            "EXPLAIN SELECT 1",
            "SHOW statement_timeout",
            "SHOW TRANSACTION ISOLATION LEVEL",
            "SET application_name = 'x'",
            "BEGIN",
            "BEGIN READ ONLY",
            "START TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT a",
            "DISCARD ALL",
            "DEALLOCATE ALL",
            "DECLARE c CURSOR FOR SELECT 1",
            "FETCH FORWARD 10 FROM c",
            "CLOSE c",
        ] {
            assert!(judged(sql).is_ok(), "{sql}: {:?}", judged(sql));
        }
    }

    #[test]
    fn a_tree_that_could_break_the_stack_is_refused_before_there_is_one() {
        for (first, more) in [("1", " + 1"), ("1", "::int"), ("1", " UNION ALL SELECT 1"), ("true", " AND true")] {
            let text = |count| format!("SELECT {first}{}", more.repeat(count));
            assert!(measure(&text(JOINTS_MAX)).is_ok(), "{more}");
            assert_eq!(measure(&text(JOINTS_MAX + 1)).unwrap_err().sqlstate, "54001", "{more}");
        }
    }

    #[test]
    fn what_would_change_something_is_refused_wherever_it_hides() {
        for sql in [
            "INSERT INTO devices VALUES (1)",
            "UPDATE devices SET site = 'x'",
            "DELETE FROM devices",
            "TRUNCATE devices",
            "CREATE TABLE t (a INT)",
            "CREATE VIEW v AS SELECT 1",
            "CREATE EXTERNAL TABLE t (a INT) STORED AS PARQUET LOCATION '/etc/passwd'",
            "DROP TABLE devices",
            "ALTER TABLE devices ADD COLUMN a INT",
            "COPY devices TO '/tmp/x'",
            "COPY devices FROM '/etc/passwd'",
            "COPY (SELECT 1) TO PROGRAM 'sh'",
            "GRANT SELECT ON devices TO ann",
            "SELECT * INTO t FROM devices",
            "SELECT * FROM devices FOR UPDATE",
            "WITH x AS (DELETE FROM devices RETURNING *) SELECT * FROM x",
            "WITH x AS (INSERT INTO devices VALUES (1) RETURNING *) SELECT * FROM x",
            "EXPLAIN DELETE FROM devices",
            "SET ROLE admin",
            "SET SESSION AUTHORIZATION admin",
        ] {
            let refusal = judged(sql).map(|_| ()).unwrap_err();
            assert_eq!(refusal.sqlstate, "42501", "{sql}: {refusal:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_here_is_named_as_unsupported() {
        for sql in ["EXPLAIN ANALYZE SELECT 1", "LISTEN x", "NOTIFY x", "PREPARE p AS SELECT 1", "FETCH PRIOR FROM c"] {
            let refusal = judged(sql).map(|_| ()).unwrap_err();
            assert_eq!(refusal.sqlstate, "0A000", "{sql}: {refusal:?}");
        }
    }
}
