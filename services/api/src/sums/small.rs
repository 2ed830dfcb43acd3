//! The tables that are small, and when the log took its records: read whole at first, then as far as they grew.

use std::collections::BTreeSet;

use arrow::array::{Array as _, RecordBatch};
use datafusion::prelude::SessionContext;
use medfleet_domain::time::{Day, MICROS_PER_HOUR};
use medfleet_lake::run;

use super::book::Book;
use super::causes::Known;
use super::hours::Stated;
use super::read::{self, Columns};
use super::service::{FreshEdges, Version, edge_days};
use super::sites::Said;
use super::{broken, numbered};
use crate::error::ApiError;

/// Rows of the tables that are small, and the append times of records.
pub struct Small {
    zones: Vec<RecordBatch>,
    calendars: Vec<RecordBatch>,
    services: Vec<RecordBatch>,
    claims: Vec<RecordBatch>,
    appended: Vec<RecordBatch>,
}

impl Small {
    /// Reads all rows, or those that a condition leaves.
    pub async fn read(session: &SessionContext, condition: &str) -> Result<Self, ApiError> {
        let narrowed = |sql: &str, word: &str| match condition {
            "" => sql.to_owned(),
            condition => format!("{sql} {word} {condition}"),
        };
        let (zones, calendars) = (narrowed(read::ZONES, "WHERE"), narrowed(read::CALENDARS, "WHERE"));
        let (services, claims) = (narrowed(read::SERVICES, "WHERE"), narrowed(read::CLAIMS, "AND"));
        let facts = narrowed("SELECT cause_topic, cause_partition, cause_offset, appended_at FROM facts", "WHERE");
        let appended = format!(
            "SELECT cause_topic, cause_partition, CAST(appended_at AS BIGINT) / {MICROS_PER_HOUR} AS appended_hour, \
             MIN(cause_offset) AS cause_offset FROM ({facts}) GROUP BY 1, 2, 3"
        );
        // A cut without an archive has forgotten when its records were appended.
        let archived = session.table_exist("facts").map_err(broken)?;
        Ok(Self {
            zones: run(session, &zones, &[]).await?,
            calendars: run(session, &calendars, &[]).await?,
            services: run(session, &services, &[]).await?,
            claims: run(session, &claims, &[]).await?,
            appended: if archived { run(session, &appended, &[]).await? } else { Vec::new() },
        })
    }

    /// Claims beyond the edge.
    pub fn claims(&self) -> &[RecordBatch] {
        &self.claims
    }

    /// Days on which times of service begin or end.
    pub fn edges(&self) -> Result<FreshEdges, ApiError> {
        let mut edges = FreshEdges::new();
        for batch in &self.services {
            let columns = Columns(batch);
            let (device, from, until) = (columns.text("device")?, columns.int("from_us")?, columns.int("until_us")?);
            for row in 0..batch.num_rows() {
                let until = if until.is_null(row) { i64::MAX } else { until.value(row) };
                edges.extend(edge_days(from.value(row), until).map(|day| (device.value(row).to_owned(), day)));
            }
        }
        Ok(edges)
    }

    /// The sites something was said about.
    pub fn sites(&self) -> Result<BTreeSet<String>, ApiError> {
        let mut sites = BTreeSet::new();
        for batch in self.zones.iter().chain(&self.calendars) {
            sites.extend(Columns(batch).text("site")?.iter().flatten().map(str::to_owned));
        }
        Ok(sites)
    }

    pub fn add_to(&self, book: &mut Book, all: &Known, today: Day) -> Result<(), ApiError> {
        for batch in &self.appended {
            let columns = Columns(batch);
            let (hour, cause) = (columns.int("appended_hour")?, columns.causes()?);
            (0..batch.num_rows()).for_each(|row| book.note_append(hour.value(row), cause(row)));
        }
        book.settle(all);
        self.hear_sites(book)?;
        book.spell(&self.sites()?, today);
        for batch in &self.services {
            let condition = Columns(batch).text("condition")?;
            for (row, of) in numbered(book, batch)?.into_iter().enumerate() {
                book.add_service(Version { of, in_service: condition.value(row) == "service" });
            }
        }
        for batch in &self.claims {
            let entries = numbered(book, batch)?;
            entries.iter().for_each(|entry| book.add_claim(*entry));
        }
        Ok(())
    }

    fn hear_sites(&self, book: &mut Book) -> Result<(), ApiError> {
        for batch in &self.zones {
            let columns = Columns(batch);
            let (site, zone, weight) = (columns.text("site")?, columns.text("time_zone")?, columns.int("weight")?);
            let (valid, recorded, cause) = (columns.int("valid_us")?, columns.int("recorded_us")?, columns.causes()?);
            for row in 0..batch.num_rows() {
                let name = zone.value(row).to_owned();
                let said = Said::Zone { valid_from: valid.value(row), recorded_at: recorded.value(row), name };
                book.hear_site(site.value(row), cause(row), said, weight.value(row));
            }
        }
        for batch in &self.calendars {
            let columns = Columns(batch);
            let (site, scope, weight) = (columns.text("site")?, columns.text("scope")?, columns.int("weight")?);
            let (weekday, day) = (columns.int("weekday")?, columns.int("valid_day")?);
            let (from, until) = (columns.int("from_minute")?, columns.int("until_minute")?);
            let (recorded, cause) = (columns.int("recorded_us")?, columns.causes()?);
            for row in 0..batch.num_rows() {
                let said = Said::Hours(Stated {
                    scope: scope.value(row).to_owned(),
                    valid_from: Day(day.value(row) as i32),
                    recorded_at: recorded.value(row),
                    weekday: weekday.value(row) as u32,
                    from_minute: from.value(row),
                    until_minute: until.value(row),
                });
                book.hear_site(site.value(row), cause(row), said, weight.value(row));
            }
        }
        Ok(())
    }
}
