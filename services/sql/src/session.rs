//! One connection: who it is, what it set, which cut it holds, and what each statement is answered with.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use futures::stream;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldInfo, QueryResponse, Tag};
use pgwire::error::{PgWireError, PgWireResult};
use tokio::sync::SemaphorePermit;

use crate::bounds;
use crate::calls;
use crate::cursor::Cursor;
use crate::desk::Sight;
use crate::functions;
use crate::guard::Allowed;
use crate::house::{House, Seat};
use crate::memory::Share;
use crate::prepared::{self, fields, frame, plan, text_field};
use crate::refusal::Refusal;
use crate::refusal::sqlstate::{
    IN_FAILED_TRANSACTION, INTERNAL, LIMIT_EXCEEDED, NO_SUCH_CURSOR, PROGRAM_LIMIT_EXCEEDED,
};
use crate::rows::rows;
use crate::run::{Entry, Run};
use crate::settings::{Change, Settings};
use crate::users::User;

/// What a statement is answered with.
pub enum Reply {
    Rows(QueryResponse),
    Done(Tag),
    /// A setting changed that the driver is to be told.
    Set(Option<(&'static str, String)>),
    Begin,
    End(Tag),
}

/// One connection.
pub struct Session {
    pub house: Arc<House>,
    pub run: Arc<Run>,
    pub message_limit: Arc<std::sync::atomic::AtomicUsize>,
    pub exchange: Mutex<Option<crate::scram::Challenge>>,
    pub place: OnceLock<Place>,
}

/// What there is once the login is over.
pub struct Place {
    pub user: User,
    pub settings: Arc<Mutex<Settings>>,
    runtime: Arc<RuntimeEnv>,
    transaction: Mutex<Transaction>,
    /// Names of prepared statements and of portals, to bound their number.
    pub prepared: Mutex<HashSet<String>>,
    pub portals: Mutex<HashSet<String>>,
    cursors: tokio::sync::Mutex<HashMap<String, Cursor>>,
    _seat: Seat,
    _entry: Entry,
}

/// A transaction holds the cut of its first question.
#[derive(Default)]
struct Transaction {
    open: bool,
    cut: Option<Arc<Sight>>,
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    pub fn new(house: &House, user: User, seat: Seat, entry: Entry) -> Self {
        let limits = &house.config.limits;
        let shared = house.desk.runtime();
        let share = Share::of(Arc::clone(&shared.memory_pool), limits.connection_memory_mebibytes << 20);
        let runtime = RuntimeEnv { memory_pool: Arc::new(share), ..shared.as_ref().clone() };
        let settings = Settings::new(&user.name, Duration::from_millis(limits.statement_milliseconds));
        Self {
            user,
            settings: Arc::new(Mutex::new(settings)),
            runtime: Arc::new(runtime),
            transaction: Mutex::default(),
            prepared: Mutex::default(),
            portals: Mutex::default(),
            cursors: tokio::sync::Mutex::default(),
            _seat: seat,
            _entry: entry,
        }
    }

    pub fn in_transaction(&self) -> bool {
        lock(&self.transaction).open
    }
}

impl Session {
    pub fn place(&self) -> Result<&Place, Refusal> {
        let early = || Refusal::fatal(crate::refusal::sqlstate::PROTOCOL_VIOLATION, "log in first", "");
        self.place.get().ok_or_else(early)
    }

    /// How long a message may take that runs something.
    pub fn statement_limit(&self) -> Duration {
        let limits = &self.house.config.limits;
        let of_house = Duration::from_millis(limits.statement_milliseconds);
        self.place.get().map_or(of_house, |place| lock(&place.settings).statement_timeout)
    }

    /// Waits for a turn to run. Others go on meanwhile; too long a queue is refused.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let limits = &self.house.config.limits;
        let patience = Duration::from_millis(limits.wait_for_turn_milliseconds);
        let waited = self.run.guard(tokio::time::timeout(patience, self.house.turns.acquire())).await?;
        let refuse = || {
            let message =
                format!("{} statements run already, and none ended in {} ms", limits.running_max, patience.as_millis());
            Refusal::new(LIMIT_EXCEEDED, message, "ask again in a moment")
        };
        waited.map_err(|_| refuse())?.map_err(|_| crate::run::ending())
    }

    /// The session of one statement: over the cut its transaction holds, or over the newest.
    pub async fn engine(&self) -> Result<SessionContext, Refusal> {
        let place = self.place()?;
        let held = lock(&place.transaction).cut.clone();
        let sight = match held {
            Some(sight) => sight,
            None => self.run.guard(self.house.desk.newest(&place.user.scope)).await??,
        };
        {
            let mut transaction = lock(&place.transaction);
            if transaction.open {
                transaction.cut.get_or_insert_with(|| Arc::clone(&sight));
            }
        }
        let engine = sight.session(Arc::clone(&place.runtime));
        functions::register_personal(&engine, &place.user.name, Arc::clone(&place.settings));
        bounds::register(&engine);
        Ok(engine)
    }

    /// Answers a statement that is not bound to parameters; fetched rows in the format asked for.
    pub async fn answer(&self, allowed: Allowed, format: &Format, failed: bool) -> PgWireResult<Reply> {
        let ends = matches!(allowed, Allowed::Commit | Allowed::Rollback | Allowed::Savepoint("ROLLBACK"));
        if failed && !ends {
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Refusal::new(IN_FAILED_TRANSACTION, message, "send ROLLBACK").into());
        }
        let place = self.place()?;
        Ok(match allowed {
            Allowed::Read(query) => Reply::Rows(self.read(query).await?),
            Allowed::Explain(query) => Reply::Rows(self.explain(query).await?),
            Allowed::Show(name) => {
                let shown = lock(&place.settings).show(&name)?;
                Reply::Rows(text_rows(&name, &[shown])?)
            }
            Allowed::Set(change) => Reply::Set(self.set(&change)?),
            Allowed::Begin => {
                lock(&place.transaction).open = true;
                Reply::Begin
            }
            Allowed::Commit => self.end_transaction(if failed { "ROLLBACK" } else { "COMMIT" }).await?,
            Allowed::Rollback => self.end_transaction("ROLLBACK").await?,
            Allowed::Savepoint(tag) => Reply::Done(Tag::new(tag)),
            Allowed::DiscardAll => {
                lock(&place.settings).apply(&Change::ResetAll);
                place.cursors.lock().await.clear();
                Reply::Done(Tag::new("DISCARD ALL"))
            }
            Allowed::Deallocate(_) => Reply::Done(Tag::new("DEALLOCATE")),
            Allowed::Declare { cursor, query } => {
                let (engine, planned) = self.planned(query).await?;
                self.declare(cursor, &engine, planned).await?
            }
            Allowed::Fetch { cursor, rows } => Reply::Rows(self.fetch(&cursor, rows, format).await?),
            Allowed::CloseCursor(name) => {
                let mut cursors = place.cursors.lock().await;
                match name {
                    Some(name) => drop(cursors.remove(&name)),
                    None => cursors.clear(),
                }
                Reply::Done(Tag::new("CLOSE CURSOR"))
            }
        })
    }

    fn set(&self, change: &Change) -> Result<Option<(&'static str, String)>, Refusal> {
        Ok(lock(&self.place()?.settings).apply(change))
    }

    async fn end_transaction(&self, tag: &str) -> Result<Reply, Refusal> {
        let place = self.place()?;
        *lock(&place.transaction) = Transaction::default();
        place.cursors.lock().await.clear();
        Ok(Reply::End(Tag::new(tag)))
    }

    async fn planned(&self, mut query: Statement) -> Result<(SessionContext, LogicalPlan), Refusal> {
        calls::arrange(&mut query)?;
        let engine = self.engine().await?;
        let planned = self.run.guard(plan(&engine, query)).await??;
        Ok((engine, planned))
    }

    async fn read(&self, query: Statement) -> PgWireResult<QueryResponse> {
        let (engine, planned) = self.planned(query).await?;
        self.rows_of(&engine, planned, &Format::UnifiedText).await
    }

    /// Runs a plan; its rows come as they are asked for.
    pub async fn rows_of(
        &self,
        engine: &SessionContext,
        planned: LogicalPlan,
        format: &Format,
    ) -> PgWireResult<QueryResponse> {
        let fields: Arc<Vec<FieldInfo>> = Arc::new(fields(planned.schema().as_arrow(), format)?);
        let batches = self.started(engine, planned).await?;
        let (run, counted) = (Arc::clone(&self.run), self.house.meters.rows.clone());
        let limits = &self.house.config.limits;
        Ok(QueryResponse::new(Arc::clone(&fields), rows(batches, fields, run, limits, counted)))
    }

    async fn started(
        &self,
        engine: &SessionContext,
        planned: LogicalPlan,
    ) -> Result<SendableRecordBatchStream, Refusal> {
        self.house.meters.statements.inc();
        let begun = self.run.guard(frame(engine, planned)?.execute_stream()).await?;
        begun.map_err(|error| Refusal::of(&error))
    }

    /// The plan as the engine would run it, without the files: those are the server's affair.
    async fn explain(&self, query: Statement) -> PgWireResult<QueryResponse> {
        let (engine, planned) = self.planned(query).await?;
        let optimized = frame(&engine, planned)?.into_optimized_plan().map_err(|error| Refusal::of(&error))?;
        let lines: Vec<String> = optimized.display_indent().to_string().lines().map(str::to_owned).collect();
        Ok(text_rows("QUERY PLAN", &lines)?)
    }

    /// Keeps an answer to be fetched from in parts.
    pub async fn declare(&self, name: String, engine: &SessionContext, planned: LogicalPlan) -> PgWireResult<Reply> {
        let limits = &self.house.config.limits;
        let most = limits.prepared_max;
        let schema = Arc::new(planned.schema().as_arrow().clone());
        let batches = self.started(engine, planned).await?;
        let counted = self.house.meters.rows.clone();
        let cursor = Cursor::new(schema, batches, Arc::clone(&self.run), limits, counted);
        let mut cursors = self.place()?.cursors.lock().await;
        if cursors.len() >= most && !cursors.contains_key(&name) {
            return Err(too_many("cursors", most).into());
        }
        cursors.insert(name, cursor);
        Ok(Reply::Done(Tag::new("DECLARE CURSOR")))
    }

    async fn fetch(&self, name: &str, most: Option<usize>, format: &Format) -> PgWireResult<QueryResponse> {
        let mut cursors = self.place()?.cursors.lock().await;
        let missing = || {
            Refusal::new(NO_SUCH_CURSOR, format!("cursor \"{name}\" does not exist"), "declare it in this transaction")
        };
        cursors.get_mut(name).ok_or_else(missing)?.fetch(most, format).await
    }

    /// The columns of a cursor's rows; None where there is no such cursor.
    pub async fn fields_of_cursor(&self, name: &str, format: &Format) -> PgWireResult<Option<Vec<FieldInfo>>> {
        let cursors = self.place()?.cursors.lock().await;
        cursors.get(name).map(|cursor| cursor.fields(format)).transpose()
    }
}

pub fn too_many(what: &str, most: usize) -> Refusal {
    let message = format!("a connection may keep {most} {what}");
    Refusal::new(PROGRAM_LIMIT_EXCEEDED, message, "close those that are not needed, or use the unnamed one")
}

/// Rows of one text column.
pub fn text_rows(name: &str, lines: &[String]) -> Result<QueryResponse, Refusal> {
    let fields = Arc::new(vec![text_field(name)]);
    let encode = |line: &String| {
        let mut encoder = DataRowEncoder::new(Arc::clone(&fields));
        encoder.encode_field(&Some(line.as_str()))?;
        Ok(encoder.take_row())
    };
    let rows: PgWireResult<Vec<_>> = lines.iter().map(encode).collect();
    let rows = rows.map_err(|error: PgWireError| Refusal::new(INTERNAL, error.to_string(), ""))?;
    Ok(QueryResponse::new(Arc::clone(&fields), stream::iter(rows.into_iter().map(Ok))))
}

/// Parses what a client says.
pub fn statements(house: &House, sql: &str) -> Result<Vec<Allowed>, Refusal> {
    prepared::parse(&house.parser, sql)
}
