//! The registry: every view that pages, REST, SQL, Grafana and reports may ask, with what its columns mean.

mod parts;
mod shown;
mod views;

use std::sync::LazyLock;

use datafusion::dataframe::DataFrame;
use medfleet_lake::{RecordBatch, SessionContext, query};

use crate::backdated;
use crate::error::KpiError;
use crate::question::Question;

pub use parts::whole;
pub use views::views;

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Text,
    /// Yes or no.
    Flag,
    Count,
    /// A duration.
    Micros,
    /// An instant: microseconds since 1970, UTC.
    InstantMicros,
    /// Days since 1970-01-01.
    Day,
    /// Thousandths of the counter's unit.
    Milli,
    /// A position in the log, or a part of an identity.
    Number,
    /// A fact as it was written.
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub unit: Unit,
    pub meaning: &'static str,
}

/// One KPI view: one `.sql` file over the tables of a cut.
#[derive(Debug)]
pub struct View {
    pub name: &'static str,
    /// Put together from its parts at first use.
    sql: LazyLock<String>,
    pub columns: &'static [Column],
}

impl View {
    /// The whole statement, with `$from`, `$until` and the other names of [`Question::parameters`].
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What one row means: the first sentence of the file.
    pub fn one_row(&self) -> String {
        if self.name == backdated::VIEW {
            return backdated::ONE_ROW.to_owned();
        }
        let comment = self.sql.lines().take_while(|line| line.starts_with("--"));
        let text: Vec<&str> = comment.map(|line| line.trim_start_matches("--").trim()).collect();
        text.join(" ").trim_start_matches("One row: ").to_owned()
    }

    /// The names of the parameters that the file uses.
    pub fn parameters(&self) -> Vec<&'static str> {
        let all = Question::new(Default::default(), Default::default(), Default::default()).parameters();
        let used = |name: &&str| parts::names(self.sql()).any(|one| one == *name);
        all.into_iter().map(|(name, _)| name).filter(used).collect()
    }

    /// The view over a session's tables. What the session holds is the cut, or what was known as of an instant.
    pub async fn plan(&self, session: &SessionContext, question: &Question) -> Result<DataFrame, KpiError> {
        Ok(query(session, self.sql(), &question.parameters()).await?)
    }

    pub async fn run(&self, session: &SessionContext, question: &Question) -> Result<Vec<RecordBatch>, KpiError> {
        Ok(medfleet_lake::run(session, self.sql(), &question.parameters()).await?)
    }
}

/// The view of this name.
pub fn view(name: &str) -> Result<&'static View, KpiError> {
    views().iter().find(|view| view.name == name).ok_or_else(|| KpiError::NoView {
        name: name.to_owned(),
        known: views().iter().map(|view| view.name).collect::<Vec<_>>().join(", "),
    })
}
