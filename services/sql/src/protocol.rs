//! PostgreSQL's two query protocols over a [`Session`]: simple statements one by one, and parse, bind, describe, execute.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::{Sink, SinkExt as _};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{
    ExtendedQueryHandler, SimpleQueryHandler, send_describe_response, send_execution_response, send_query_response,
    send_ready_for_query,
};
use pgwire::api::results::{DescribePortalResponse, DescribeStatementResponse, FieldInfo, Response, Tag};
use pgwire::api::stmt::{QueryParser, StoredStatement};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete,
};
use pgwire::messages::extendedquery::{TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT};
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::ParameterStatus;

use crate::guard::Allowed;
use crate::prepared::{Prepared, parse_one};
use crate::refusal::Refusal;
use crate::refusal::sqlstate::FEATURE_NOT_SUPPORTED;
use crate::session::{Reply, Session, lock, statements, too_many};

pub fn failed<C: ClientInfo>(client: &C) -> bool {
    client.transaction_status() == TransactionStatus::Error
}

impl Session {
    /// Sends what a statement is answered with, except rows of a portal, which are fetched.
    pub async fn send<C>(&self, client: &mut C, reply: Reply) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match reply {
            Reply::Rows(rows) => send_query_response(client, rows, true).await,
            Reply::Done(tag) => send_execution_response(client, tag).await,
            Reply::Set(told) => {
                if let Some((name, value)) = told {
                    let status = ParameterStatus::new(name.to_owned(), value);
                    client.feed(PgWireBackendMessage::ParameterStatus(status)).await?;
                }
                send_execution_response(client, Tag::new("SET")).await
            }
            Reply::Begin => {
                client.set_transaction_status(TransactionStatus::Transaction);
                send_execution_response(client, Tag::new("BEGIN")).await
            }
            Reply::End(tag) => {
                client.set_transaction_status(TransactionStatus::Idle);
                send_execution_response(client, tag).await
            }
        }
    }

    /// What a statement means for the prepared ones.
    pub fn forget<S: PortalStore>(&self, store: &S, allowed: &Allowed) -> Result<(), Refusal> {
        let place = self.place()?;
        match allowed {
            Allowed::Deallocate(Some(name)) => {
                store.rm_statement(name);
                lock(&place.prepared).remove(name);
            }
            Allowed::Deallocate(None) | Allowed::DiscardAll => {
                lock(&place.prepared).drain().for_each(|name| store.rm_statement(&name));
                store.clear_portals();
                lock(&place.portals).clear();
            }
            Allowed::Commit | Allowed::Rollback => {
                store.clear_portals();
                lock(&place.portals).clear();
            }
            _ => {}
        }
        Ok(())
    }
}

#[async_trait]
impl SimpleQueryHandler for Session {
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        client.set_state(PgWireConnectionState::QueryInProgress);
        let statements = statements(&self.house, &query.query)?;
        if statements.is_empty() {
            client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        } else {
            let (_turn, begun) = (self.turn().await?, Instant::now());
            for allowed in statements {
                self.forget(client.portal_store(), &allowed)?;
                let reply = self.answer(allowed, &Format::UnifiedText, failed(client)).await?;
                self.send(client, reply).await?;
            }
            self.house.meters.seconds.observe(begun.elapsed().as_secs_f64());
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }

    async fn do_query<C>(&self, _: &mut C, _: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Err(elsewhere())
    }
}

/// The parts of the traits that are answered in `on_query`, `on_parse` and `on_execute`.
fn elsewhere() -> PgWireError {
    Refusal::new(FEATURE_NOT_SUPPORTED, "this message is not supported", "").into()
}

#[async_trait]
impl ExtendedQueryHandler for Session {
    type Statement = Arc<Prepared>;
    type QueryParser = NoParser;

    fn query_parser(&self) -> Arc<NoParser> {
        Arc::new(NoParser)
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let most = self.house.config.limits.prepared_max;
        keep_name(&mut lock(&self.place()?.prepared), &name, most, "prepared statements")?;
        match parse_one(&self.house.parser, &message.query)? {
            None => client.portal_store().put_empty_statement(&name),
            Some(allowed) => {
                let _turn = self.turn().await?;
                let engine = if allowed.query().is_some() { Some(self.engine().await?) } else { None };
                let prepared = self.run.guard(Prepared::new(allowed, engine.as_ref())).await??;
                let types = message.type_oids.iter().map(|oid| Type::from_oid(*oid)).collect();
                let stored = StoredStatement::new(name, Arc::new(prepared), types);
                client.portal_store().put_statement(Arc::new(stored));
            }
        }
        client.feed(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?;
        Ok(())
    }

    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = message.portal_name.as_deref().unwrap_or(DEFAULT_NAME);
        let most = self.house.config.limits.prepared_max;
        keep_name(&mut lock(&self.place()?.portals), portal, most, "portals")?;
        let store = client.portal_store();
        match store.get_statement(statement) {
            None => return Err(PgWireError::StatementNotFound(statement.to_owned())),
            Some(entry) => match entry.value() {
                Some(found) => store.put_portal(Arc::new(Portal::try_new(&message, Arc::clone(found))?)),
                None => store.put_empty_portal(portal),
            },
        }
        client.feed(PgWireBackendMessage::BindComplete(BindComplete::new())).await?;
        Ok(())
    }

    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        client.set_state(PgWireConnectionState::QueryInProgress);
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let most = usize::try_from(message.max_rows).unwrap_or(0);
        let entry = client.portal_store().get_portal(name);
        let entry = entry.ok_or_else(|| PgWireError::PortalNotFound(name.to_owned()))?;
        match entry.value() {
            None => client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?,
            Some(portal) => {
                let (_turn, begun) = (self.turn().await?, Instant::now());
                self.execute(client, portal, most).await?;
                self.house.meters.seconds.observe(begun.elapsed().as_secs_f64());
            }
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        Ok(())
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (name, place) = (message.name.as_deref().unwrap_or(DEFAULT_NAME), self.place()?);
        if message.target_type == TARGET_TYPE_BYTE_STATEMENT {
            client.portal_store().rm_statement(name);
            lock(&place.prepared).remove(name);
        } else {
            client.portal_store().rm_portal(name);
            lock(&place.portals).remove(name);
        }
        client.feed(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await?;
        Ok(())
    }

    /// A cursor is a portal under its own name, as PostgreSQL's drivers know it.
    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let is_portal = message.target_type == TARGET_TYPE_BYTE_PORTAL;
        if is_portal && client.portal_store().get_portal(name).is_none() {
            if let Some(fields) = self.fields_of_cursor(name, &Format::UnifiedText).await? {
                return send_describe_response(client, &DescribePortalResponse::new(fields)).await;
            }
        }
        self._on_describe(client, message).await
    }

    async fn do_describe_statement<C>(
        &self,
        _: &mut C,
        target: &StoredStatement<Self::Statement>,
    ) -> PgWireResult<DescribeStatementResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let inferred = target.statement.parameter_types()?;
        // What the client named itself is what it will send.
        let named =
            |(place, inferred): (usize, Type)| target.parameter_types.get(place).cloned().flatten().unwrap_or(inferred);
        let types = inferred.into_iter().enumerate().map(named).collect();
        Ok(DescribeStatementResponse::new(types, self.described(&target.statement, &Format::UnifiedText).await?))
    }

    async fn do_describe_portal<C>(
        &self,
        _: &mut C,
        target: &Portal<Self::Statement>,
    ) -> PgWireResult<DescribePortalResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let fields = self.described(&target.statement.statement, &target.result_column_format).await?;
        Ok(DescribePortalResponse::new(fields))
    }

    async fn do_query<C>(&self, _: &mut C, _: &Portal<Self::Statement>, _: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Err(elsewhere())
    }
}

fn keep_name(
    names: &mut std::collections::HashSet<String>,
    name: &str,
    most: usize,
    what: &str,
) -> Result<(), Refusal> {
    if !names.contains(name) && names.len() >= most {
        return Err(too_many(what, most));
    }
    names.insert(name.to_owned());
    Ok(())
}

/// Statements are parsed in `on_parse`, where a cut is at hand.
pub struct NoParser;

#[async_trait]
impl QueryParser for NoParser {
    type Statement = Arc<Prepared>;

    async fn parse_sql<C>(&self, _: &C, _: &str, _: &[Option<Type>]) -> PgWireResult<Option<Self::Statement>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        Err(elsewhere())
    }

    fn get_parameter_types(&self, statement: &Self::Statement) -> PgWireResult<Vec<Type>> {
        statement.parameter_types()
    }

    fn get_result_schema(&self, statement: &Self::Statement, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        statement.fields(format.unwrap_or(&Format::UnifiedText))
    }
}
