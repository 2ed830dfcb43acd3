//! A cut: one consistent state of all tables, that every query pins so that a page and its drill-down agree.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use crate::cell::{CAUSE_TOPICS, Text, UtcMicros};
use crate::error::LakeError;
use crate::rows::CutRow;
use crate::schema::{Row as _, row};
use crate::session::run;
use crate::table::TableVersion;

/// Up to where every table had read the log when a flush ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Grows by one with every flush.
    pub number: i64,
    pub made_at: UtcMicros,
    /// Next offset of every partition of both topics, keyed `topic/partition`.
    pub offsets: BTreeMap<String, i64>,
    /// What to open of every table.
    pub tables: BTreeMap<String, TableVersion>,
    /// Tables whose version may hold rows caused at or past the offsets: a reader leaves those rows out.
    pub overfull: BTreeSet<String>,
    /// Greatest append time seen per partition: finds the cut for an `as_of`.
    pub appended_max: BTreeMap<String, UtcMicros>,
}

/// A table in the stored form of a cut.
#[derive(Serialize, Deserialize)]
struct Pinned {
    #[serde(flatten)]
    version: TableVersion,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    overfull: bool,
}

impl Cut {
    pub fn to_row(&self) -> CutRow {
        let pinned = |(name, version): (&String, &TableVersion)| {
            (name.clone(), Pinned { version: version.clone(), overfull: self.overfull.contains(name) })
        };
        let tables: BTreeMap<String, Pinned> = self.tables.iter().map(pinned).collect();
        let appended: BTreeMap<&str, i64> = self.appended_max.iter().map(|(key, at)| (key.as_str(), at.0)).collect();
        let text = |json: serde_json::Value| Text::from(json.to_string());
        CutRow {
            cut: self.number,
            made_at: self.made_at,
            offsets: text(serde_json::json!(self.offsets)),
            tables: text(serde_json::json!(tables)),
            appended_max: text(serde_json::json!(appended)),
        }
    }

    pub fn from_row(row: &CutRow) -> Result<Self, LakeError> {
        let failed = |column| move |source| LakeError::BadCut { cut: row.cut, column, source };
        let appended: BTreeMap<String, i64> =
            serde_json::from_str(&row.appended_max).map_err(failed("appended_max"))?;
        let pinned: BTreeMap<String, Pinned> = serde_json::from_str(&row.tables).map_err(failed("tables"))?;
        let overfull = pinned.iter().filter(|(_, one)| one.overfull).map(|(name, _)| name.clone()).collect();
        Ok(Self {
            number: row.cut,
            made_at: row.made_at,
            offsets: serde_json::from_str(&row.offsets).map_err(failed("offsets"))?,
            tables: pinned.into_iter().map(|(name, one)| (name, one.version)).collect(),
            overfull,
            appended_max: appended.into_iter().map(|(key, at)| (key, UtcMicros(at))).collect(),
        })
    }

    /// The SQL condition that holds for rows caused below the offsets. The second half says nothing new, but lets
    /// files be skipped by their extremes, which a `CASE` does not.
    pub fn contains_sql(&self) -> String {
        below_sql(&self.offsets)
    }

    pub fn to_batch(&self) -> Result<RecordBatch, LakeError> {
        CutRow::to_batch(&[self.to_row()])
    }
}

row! {
    /// One partition of the log and the greatest append time of its facts.
    Appended {
        cause_topic: i8,
        cause_partition: i32,
        appended_at: UtcMicros,
    }
}

/// The greatest append time per partition, over the facts that a session sees.
pub async fn appended_max(facts: &SessionContext) -> Result<BTreeMap<String, UtcMicros>, LakeError> {
    let sql = "SELECT cause_topic, cause_partition, MAX(appended_at) AS appended_at FROM facts \
               GROUP BY cause_topic, cause_partition";
    let mut found = BTreeMap::new();
    for batch in run(facts, sql, &[]).await? {
        for row in Appended::from_batch(&batch)? {
            let topic = usize::try_from(row.cause_topic).ok().and_then(|topic| CAUSE_TOPICS.get(topic));
            found.extend(topic.map(|topic| (format!("{topic}/{}", row.cause_partition), row.appended_at)));
        }
    }
    Ok(found)
}

/// Rows whose cause lies below these offsets, keyed `topic/partition`; none of a partition that is not named.
pub fn below_sql(offsets: &BTreeMap<String, i64>) -> String {
    let mut cases = String::new();
    for (topic, name) in (0..).zip(CAUSE_TOPICS) {
        let own = offsets.iter().filter_map(|(home, next)| {
            let (of, partition) = home.rsplit_once('/')?;
            (of == name).then_some((partition.parse::<u32>().ok()?, next))
        });
        for (partition, next) in own {
            cases.push_str(&format!("WHEN cause_topic = {topic} AND cause_partition = {partition} THEN {next} "));
        }
    }
    if cases.is_empty() {
        return "FALSE".to_owned();
    }
    let greatest = offsets.values().max().copied().unwrap_or(0);
    format!("cause_offset < CASE {cases}ELSE 0 END AND cause_offset < {greatest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_comes_back_from_its_row() {
        let cut = Cut {
            number: 7,
            made_at: UtcMicros(1_700_000_000_000_000),
            offsets: BTreeMap::from([("facts/0".into(), 12), ("fleet/0".into(), 0)]),
            tables: BTreeMap::from([("facts".into(), TableVersion { generation: "g0001".into(), version: 3 })]),
            appended_max: BTreeMap::from([("facts/0".into(), UtcMicros(5))]),
            overfull: BTreeSet::new(),
        };
        let rows = CutRow::from_batch(&cut.to_batch().unwrap()).unwrap();
        assert_eq!(Cut::from_row(&rows[0]).unwrap(), cut);
        assert_eq!(&*rows[0].tables, r#"{"facts":{"generation":"g0001","version":3}}"#);
        let ahead = Cut { overfull: BTreeSet::from(["facts".to_owned()]), ..cut };
        let row = ahead.to_row();
        assert!(row.tables.contains(r#""overfull":true"#), "{}", &*row.tables);
        assert_eq!(Cut::from_row(&row).unwrap(), ahead);
    }
}
