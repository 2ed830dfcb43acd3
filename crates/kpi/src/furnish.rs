//! Views may name any table: one that a cut does not hold yet has no rows.

use medfleet_lake::{RecordBatch, SessionContext, schema};

use crate::error::KpiError;

/// Gives a session an empty table for each that it lacks.
pub fn furnish(session: &SessionContext) -> Result<(), KpiError> {
    for def in schema::tables() {
        if !session.table_exist(def.name).map_err(KpiError::Engine)? {
            let empty = RecordBatch::new_empty(def.schema.clone());
            session.register_batch(def.name, empty).map_err(KpiError::Engine)?;
        }
    }
    Ok(())
}
