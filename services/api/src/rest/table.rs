//! Tables that explain themselves, as JSON or as CSV. Every row of a CSV file carries its period, its cut and its lag.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use medfleet_kpi::table::{Cell, Heading, Table};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{CutInfo, PeriodInfo};
use crate::problem::Problem;

/// More rows are refused: a narrower question is quicker answered.
pub const ROWS_MAX: usize = 100_000;

/// Which devices, and how the answer is written.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NarrowQuery {
    pub site: Option<String>,
    pub kind: Option<String>,
    pub device: Option<String>,
    /// json (when nothing is said) or csv; `Accept: text/csv` says the same.
    pub format: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ColumnOut {
    pub name: String,
    pub unit: String,
    pub meaning: String,
}

impl From<Heading> for ColumnOut {
    fn from(of: Heading) -> Self {
        Self { name: of.name, unit: of.unit.to_owned(), meaning: of.meaning.to_owned() }
    }
}

/// Rows with what each column means.
#[derive(Debug, Serialize, ToSchema)]
pub struct TableOut {
    pub cut: CutInfo,
    pub period: PeriodInfo,
    /// What one row is.
    pub one_row: String,
    pub columns: Vec<ColumnOut>,
    /// By column name. What is absent is null.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
}

impl Format {
    pub fn of(asked: Option<&str>, headers: &HeaderMap) -> Result<Self, Problem> {
        let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match asked {
            None if accepts.split(',').any(|one| one.trim().starts_with("text/csv")) => Ok(Self::Csv),
            None | Some("" | "json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            Some(other) => Err(Problem::bad_value("format", other, "use json or csv")),
        }
    }
}

/// A table on its way out, with where it comes from.
pub struct Outgoing {
    /// Begins the name of a file.
    pub name: String,
    pub one_row: String,
    pub cut: CutInfo,
    pub period: PeriodInfo,
    pub table: Table,
}

impl Outgoing {
    pub fn answer(self, format: Format) -> Result<Response, Problem> {
        if self.table.rows.len() > ROWS_MAX {
            let cure = "narrow the question by site, kind, device or period: 100000 rows are answered at most";
            return Err(Problem::bad_value("rows", &self.table.rows.len().to_string(), cure));
        }
        Ok(match format {
            Format::Json => Json(self.into_json()).into_response(),
            Format::Csv => csv_response(&self.dated(&self.name, "csv"), self.into_csv()),
        })
    }

    fn into_json(self) -> TableOut {
        let rows = self.table.objects();
        let columns = self.table.headings.into_iter().map(ColumnOut::from).collect();
        TableOut { cut: self.cut, period: self.period, one_row: self.one_row, columns, rows }
    }

    /// The name of a file with something of this period.
    pub fn dated(&self, name: &str, extension: &str) -> String {
        let day = |instant: &str| instant.get(..10).unwrap_or_default().to_owned();
        format!("medfleet-{name}-{}-{}.{extension}", day(&self.period.from), day(&self.period.until))
    }

    /// Where the rows come from.
    pub fn origin(&self) -> [(&'static str, Cell); 7] {
        let told = |text: &Option<String>| text.as_deref().map_or(Cell::Nothing, Cell::text);
        [
            ("period_from", Cell::text(&self.period.from)),
            ("period_until", Cell::text(&self.period.until)),
            ("as_of", told(&self.cut.as_of)),
            ("at", told(&self.cut.at)),
            ("cut", Cell::Whole(self.cut.number)),
            ("cut_made_at", Cell::text(&self.cut.made_at)),
            ("lag_records", self.cut.lag_records.map_or(Cell::Nothing, Cell::Whole)),
        ]
    }

    fn into_csv(self) -> String {
        let origin = self.origin();
        let names = self.table.headings.iter().map(|heading| heading.name.as_str());
        let mut csv = line(names.chain(origin.iter().map(|(name, _)| *name)).map(str::to_owned));
        for row in &self.table.rows {
            csv.push_str(&line(row.iter().chain(origin.iter().map(|(_, cell)| cell)).map(written)));
        }
        csv
    }
}

fn csv_response(file_name: &str, csv: String) -> Response {
    let mut response = csv.into_response();
    let media_type = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    attached(&mut response, file_name);
    response
}

/// Marks an answer as a file to be saved.
pub fn attached(response: &mut Response, file_name: &str) {
    if let Ok(attached) = HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, attached);
    }
}

/// One record as RFC 4180 writes it.
fn line(fields: impl Iterator<Item = String>) -> String {
    fields.map(|field| quoted(&field)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn quoted(field: &str) -> String {
    match field.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

fn written(cell: &Cell) -> String {
    match cell {
        Cell::Nothing => String::new(),
        // A spreadsheet takes these for the beginning of a formula.
        Cell::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Cell::Text(text) => text.clone(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Whole(number) => number.to_string(),
        Cell::Number(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_would_break_a_file_or_a_spreadsheet_is_defused() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(written(&Cell::text("=HYPERLINK(1)")), "'=HYPERLINK(1)");
        assert_eq!(written(&Cell::Number(-1.5)), "-1.5");
        assert_eq!(line(["a", "b\nc"].map(str::to_owned).into_iter()), "a,\"b\nc\"\r\n");
    }

    #[test]
    fn csv_is_asked_for_by_name_or_by_accept() {
        let mut headers = HeaderMap::new();
        assert_eq!(Format::of(None, &headers), Ok(Format::Json));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html, text/csv;q=0.9"));
        assert_eq!(Format::of(None, &headers), Ok(Format::Csv));
        assert_eq!(Format::of(Some("json"), &headers), Ok(Format::Json));
        assert!(Format::of(Some("xlsx"), &headers).is_err());
    }
}
