//! Every page as a file: one of its tables as CSV, or all of them as a workbook.

use axum::response::Response;
use medfleet_kpi::table::Table;
use serde::Deserialize;

use crate::cuts::OpenCut;
use crate::period::Period;
use crate::problem::Problem;
use crate::rest::table::{Format, Outgoing};
use crate::rest::{CutInfo, PeriodInfo, workbook};
use crate::service::App;

/// How a page is asked for when it is not to be a page.
#[derive(Debug, Default, Deserialize)]
pub struct FileQuery {
    /// csv or xlsx.
    format: Option<String>,
    /// Which of the page's tables; the first when nothing is said.
    table: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Csv(Option<String>),
    Workbook,
}

/// One table of a page.
pub struct Sheet {
    name: &'static str,
    one_row: &'static str,
    table: Table,
}

/// All tables of a page, with where they come from.
pub struct File {
    page: String,
    cut: CutInfo,
    period: PeriodInfo,
    sheets: Vec<Sheet>,
}

impl FileQuery {
    /// None: the page itself.
    pub fn wanted(&self) -> Result<Option<Wanted>, Problem> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match said(&self.format).as_deref() {
            None | Some("html") => Ok(None),
            Some("csv") => Ok(Some(Wanted::Csv(said(&self.table)))),
            Some("xlsx") => Ok(Some(Wanted::Workbook)),
            Some(other) => Err(Problem::bad_value("format", other, "use csv or xlsx, or leave it out for the page")),
        }
    }
}

impl Sheet {
    pub fn new(name: &'static str, one_row: &'static str, table: Table) -> Self {
        Self { name, one_row, table }
    }
}

impl File {
    pub async fn of(app: &App, open: &OpenCut, period: Period, page: &str, sheets: Vec<Sheet>) -> Self {
        Self { page: page.to_owned(), cut: CutInfo::of(app, open).await, period: period.into(), sheets }
    }

    pub fn answer(self, wanted: Wanted) -> Result<Response, Problem> {
        let names: Vec<&str> = self.sheets.iter().map(|sheet| sheet.name).collect();
        let names = names.join(", ");
        let Self { page, cut, period, sheets } = self;
        let outgoing = |sheet: Sheet| Outgoing {
            name: format!("{page}-{}", sheet.name),
            one_row: sheet.one_row.to_owned(),
            cut: cut.clone(),
            period: period.clone(),
            table: sheet.table,
        };
        match wanted {
            Wanted::Csv(table) => {
                let named = |sheet: &Sheet| table.as_deref().is_none_or(|table| table == sheet.name);
                let asked = table.clone().unwrap_or_default();
                let absent = || Problem::bad_value("table", &asked, &format!("this page has {names}"));
                outgoing(sheets.into_iter().find(named).ok_or_else(absent)?).answer(Format::Csv)
            }
            Wanted::Workbook => {
                let sheets: Vec<(&str, Outgoing)> =
                    sheets.into_iter().map(|sheet| (sheet.name, outgoing(sheet))).collect();
                workbook::answer(&page, sheets)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_page_unless_a_file_is_asked_for() {
        let asked = |format: &str| FileQuery { format: Some(format.to_owned()), table: None }.wanted();
        assert_eq!(FileQuery::default().wanted(), Ok(None));
        assert_eq!(asked("csv"), Ok(Some(Wanted::Csv(None))));
        assert_eq!(asked("xlsx"), Ok(Some(Wanted::Workbook)));
        assert!(asked("pdf").unwrap_err().detail.contains("csv or xlsx"));
    }
}
