//! A cut: one consistent state of all tables, that every query pins so that a page and its drill-down agree.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use crate::cell::{Text, UtcMicros};
use crate::error::LakeError;
use crate::rows::CutRow;
use crate::schema::Row as _;
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
    /// Greatest append time seen per partition: finds the cut for an `as_of`.
    pub appended_max: BTreeMap<String, UtcMicros>,
}

impl Cut {
    pub fn to_row(&self) -> CutRow {
        let appended: BTreeMap<&str, i64> = self.appended_max.iter().map(|(key, at)| (key.as_str(), at.0)).collect();
        let text = |json: serde_json::Value| Text::from(json.to_string());
        CutRow {
            cut: self.number,
            made_at: self.made_at,
            offsets: text(serde_json::json!(self.offsets)),
            tables: text(serde_json::json!(self.tables)),
            appended_max: text(serde_json::json!(appended)),
        }
    }

    pub fn from_row(row: &CutRow) -> Result<Self, LakeError> {
        let failed = |column| move |source| LakeError::BadCut { cut: row.cut, column, source };
        let appended: BTreeMap<String, i64> =
            serde_json::from_str(&row.appended_max).map_err(failed("appended_max"))?;
        Ok(Self {
            number: row.cut,
            made_at: row.made_at,
            offsets: serde_json::from_str(&row.offsets).map_err(failed("offsets"))?,
            tables: serde_json::from_str(&row.tables).map_err(failed("tables"))?,
            appended_max: appended.into_iter().map(|(key, at)| (key, UtcMicros(at))).collect(),
        })
    }

    pub fn to_batch(&self) -> Result<RecordBatch, LakeError> {
        CutRow::to_batch(&[self.to_row()])
    }
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
        };
        let rows = CutRow::from_batch(&cut.to_batch().unwrap()).unwrap();
        assert_eq!(Cut::from_row(&rows[0]).unwrap(), cut);
        assert_eq!(&*rows[0].tables, r#"{"facts":{"generation":"g0001","version":3}}"#);
    }
}
