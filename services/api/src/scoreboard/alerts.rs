//! Alerts that models raised, as the table of their steps tells.

use std::sync::LazyLock;

use medfleet_domain::alert::Finding;
use medfleet_domain::time::Timestamp;
use medfleet_kpi::registry::whole;

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::query;

/// One row: one alert that a score of one horizon raised from an instant on.
static FORETOLD: LazyLock<String> = LazyLock::new(|| {
    whole(
        "SELECT
            device, site, kind, coalesce(part, '') AS part, model, CAST(raised_at AS BIGINT) AS at_us,
            CAST(stood_until AS BIGINT) AS stood_until_us, withdrawn, finding, part_found
        FROM ({foretold}) AS foretold
        WHERE horizon_hours = $horizon_hours
            AND CAST(raised_at AS BIGINT) >= CAST($from AS BIGINT) AND CAST(raised_at AS BIGINT) <= CAST($now AS BIGINT)
        ORDER BY at_us, alert",
    )
});

#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub device: String,
    pub site: String,
    pub kind: String,
    pub part: String,
    pub model: String,
    pub at: Timestamp,
    /// None while it is open.
    pub stood_until: Option<Timestamp>,
    pub withdrawn: bool,
    pub finding: Option<Finding>,
}

/// All alerts that scores of one horizon raised from an instant on.
pub async fn foretold(open: &OpenCut, horizon_hours: i64, from: Timestamp) -> Result<Vec<Alert>, ApiError> {
    if !open.session().await?.table_exist("alert_steps").map_err(ApiError::Query)? {
        return Ok(Vec::new());
    }
    let params =
        [("horizon_hours", query::int(horizon_hours)), ("from", query::int(from.0)), ("now", query::int(open.at().0))];
    query::ask(open, &FORETOLD, &params, |line| {
        let (finding, part_found) = (line.some_text("finding")?, line.some_text("part_found")?);
        Ok(Alert {
            device: line.text("device")?,
            site: line.text("site")?,
            kind: line.text("kind")?,
            part: line.text("part")?,
            model: line.text("model")?,
            at: line.time("at_us")?,
            stood_until: line.some_time("stood_until_us")?,
            withdrawn: line.flag("withdrawn")?,
            finding: finding.and_then(|finding| Finding::parse(&finding, part_found.as_deref().unwrap_or_default())),
        })
    })
    .await
}
