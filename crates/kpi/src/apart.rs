//! A session beside another: the same functions and tables, some of them seen through a query.

use medfleet_lake::{SessionContext, query, schema};

use crate::error::KpiError;

/// `through` names the query through which a table is seen; None: it is seen as it is. Plans only; nothing is read.
pub async fn apart(
    session: &SessionContext,
    through: impl Fn(&str) -> Option<String>,
) -> Result<SessionContext, KpiError> {
    // A session that was made out of another one says no longer that it has a catalogue of its own.
    let config = session.copied_config().with_create_default_catalog_and_schema(true);
    let other = SessionContext::new_with_config_rt(config, session.runtime_env());
    for function in session.state().scalar_functions().values() {
        other.register_udf(function.as_ref().clone());
    }
    for name in schema::tables().iter().map(|table| table.name) {
        if !session.table_exist(name).map_err(KpiError::Engine)? {
            continue;
        }
        let table = match through(name) {
            Some(sql) => query(session, &sql, &[]).await?.into_view(),
            None => session.table_provider(name).await.map_err(KpiError::Engine)?,
        };
        other.register_table(name, table).map_err(KpiError::Engine)?;
    }
    Ok(other)
}

/// An instant as a query writes it.
pub fn instant(micros: i64) -> String {
    format!("arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}
