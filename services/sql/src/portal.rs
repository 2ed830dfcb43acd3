//! A portal on its way: what its rows look like, its first run, and going on with it where it stopped.

use std::fmt::Debug;
use std::sync::Arc;

use futures::Sink;
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::{send_execution_response, send_partial_query_response};
use pgwire::api::results::{FieldInfo, Tag};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;

use crate::guard::Allowed;
use crate::prepared::Prepared;
use crate::protocol::failed;
use crate::session::{Reply, Session};

impl Session {
    /// The columns of what a statement answers; those of a fetch are its cursor's.
    pub async fn described(&self, prepared: &Prepared, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
        match &prepared.allowed {
            Allowed::Fetch { cursor, .. } => Ok(self.fields_of_cursor(cursor, format).await?.unwrap_or_default()),
            _ => prepared.fields(format),
        }
    }

    /// Runs a portal, or goes on with it where it stopped. Rows leave as they come; nothing is gathered first.
    pub async fn execute<C>(&self, client: &mut C, portal: &Portal<Arc<Prepared>>, most: usize) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            match self.begin(client, portal).await? {
                Reply::Rows(rows) => *state = PortalExecutionState::Suspended(rows),
                reply => {
                    *state = PortalExecutionState::Finished;
                    return self.send(client, reply).await;
                }
            }
        }
        let more = match &mut *state {
            PortalExecutionState::Suspended(rows) => send_partial_query_response(client, rows, most).await?,
            _ => {
                send_execution_response(client, Tag::new("SELECT").with_rows(0)).await?;
                true
            }
        };
        if !more {
            *state = PortalExecutionState::Finished;
        }
        Ok(())
    }

    async fn begin<C>(&self, client: &C, portal: &Portal<Arc<Prepared>>) -> PgWireResult<Reply>
    where
        C: ClientInfo + ClientPortalStore + Sync,
        C::PortalStore: PortalStore,
    {
        let prepared = &portal.statement.statement;
        if prepared.allowed.query().is_none() || failed(client) {
            self.forget(client.portal_store(), &prepared.allowed)?;
            return self.answer(prepared.allowed.clone(), &portal.result_column_format, failed(client)).await;
        }
        let engine = self.engine().await?;
        let planned = self.run.guard(prepared.bind(&engine, portal)).await??;
        if let Allowed::Declare { cursor, .. } = &prepared.allowed {
            return self.declare(cursor.clone(), &engine, planned).await;
        }
        Ok(Reply::Rows(self.rows_of(&engine, planned, &portal.result_column_format).await?))
    }
}
