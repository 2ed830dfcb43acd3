//! Tables as a workbook: a sheet for each, and one in front that says where they come from and what each column means.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use medfleet_kpi::table::Cell;
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::table::{Outgoing, ROWS_MAX, attached};
use crate::problem::Problem;

const MEDIA_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const ORIGIN_WIDTH: f64 = 28.0;
const MEANING_WIDTH: f64 = 80.0;
const COLUMN_WIDTH: f64 = 18.0;

/// The workbook of a page, to be saved.
pub fn answer(page: &str, sheets: Vec<(&str, Outgoing)>) -> Result<Response, Problem> {
    if let Some((name, _)) = sheets.iter().find(|(_, sheet)| sheet.table.rows.len() > ROWS_MAX) {
        let cure = "narrow the page by site, kind or period: a sheet has at most 100000 rows";
        return Err(Problem::bad_value("table", name, cure));
    }
    let file = sheets.first().map_or_else(String::new, |(_, sheet)| sheet.dated(page, "xlsx"));
    let bytes = write(&sheets).map_err(|error| {
        tracing::error!(%error, page, "a workbook could not be written");
        Problem::busy("the workbook could not be written; ask for format=csv")
    })?;
    let mut response = bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    attached(&mut response, &file);
    Ok(response)
}

fn write(sheets: &[(&str, Outgoing)]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    about(book.add_worksheet(), sheets, &bold)?;
    for (name, sheet) in sheets {
        let page = book.add_worksheet();
        page.set_name(*name)?;
        page.set_freeze_panes(1, 1)?;
        for (column, heading) in (0..).zip(&sheet.table.headings) {
            page.write_string_with_format(0, column, &heading.name, &bold)?;
            page.set_column_width(column, COLUMN_WIDTH)?;
        }
        for (row, cells) in (1..).zip(&sheet.table.rows) {
            for (column, cell) in (0..).zip(cells) {
                put(page, row, column, cell)?;
            }
        }
    }
    book.save_to_buffer()
}

/// Where the numbers come from: a sheet without it is soon nobody's.
fn about(page: &mut Worksheet, sheets: &[(&str, Outgoing)], bold: &Format) -> Result<(), XlsxError> {
    page.set_name("about")?;
    page.set_column_width(0, ORIGIN_WIDTH)?;
    page.set_column_width(1, ORIGIN_WIDTH)?;
    page.set_column_width(2, COLUMN_WIDTH)?;
    page.set_column_width(3, MEANING_WIDTH)?;
    let mut row = 0;
    if let Some((_, first)) = sheets.first() {
        for (name, cell) in first.origin() {
            page.write_string_with_format(row, 0, name, bold)?;
            put(page, row, 1, &cell)?;
            row += 1;
        }
    }
    for (name, sheet) in sheets {
        row += 1;
        page.write_string_with_format(row, 0, *name, bold)?;
        page.write_string(row, 1, format!("One row: {}", sheet.one_row))?;
        row += 1;
        for heading in &sheet.table.headings {
            page.write_string(row, 1, &heading.name)?;
            page.write_string(row, 2, heading.unit)?;
            page.write_string(row, 3, heading.meaning)?;
            row += 1;
        }
    }
    Ok(())
}

/// Text is written as text: no cell is ever a formula.
fn put(page: &mut Worksheet, row: u32, column: u16, cell: &Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Nothing => return Ok(()),
        Cell::Text(text) => page.write_string(row, column, text)?,
        Cell::Flag(flag) => page.write_boolean(row, column, *flag)?,
        Cell::Whole(number) => page.write_number(row, column, *number as f64)?,
        Cell::Number(number) => page.write_number(row, column, *number)?,
    };
    Ok(())
}
