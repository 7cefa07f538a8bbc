//! Connections to the server: how they are made, how many there are, and when one is not used again.
//!
//! Owns: settings of a session, the pool, the time that a call may take. Leaves statements to
//! `documents` and `credentials`.
//!
//! ```text
//! read  ─▶ Session ─────▶ finish ─┬ well   back into the pool
//! begin ─▶ Transaction ─▶ finish ─┴ failed thrown away, and so is one that is dropped halfway
//! ```

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr, SqlStr};
use tokio::time::timeout;

use super::super::error::Ending;
use super::super::{SchemaVersion, StoreError, StoreErrorKind};
use super::failure::{sqlstate, store_error};
use super::outage::Outage;
use super::{PostgresSettings, open};

/// A connection that was not used for so long is asked whether it still lives before it is used. No server
/// is started anew in less.
const IDLE: Duration = Duration::from_millis(10);

/// All connections of this process.
#[derive(Debug)]
pub(super) struct Connections {
    pool: Pool<Connector>,
    outage: Outage,
    /// How long anything may take: connecting, waiting for a free connection, a call.
    limit: Duration,
}

/// A connection for one call that reads.
pub(super) struct Session<'p> {
    /// Always there, except while it is dropped.
    line: Option<Object<Connector>>,
    connections: &'p Connections,
}

/// A transaction that has begun.
pub(super) struct Transaction<'p>(Session<'p>);

impl Connections {
    pub(super) fn new(
        options: PgConnectOptions,
        settings: &PostgresSettings,
        schema: Option<SchemaVersion>,
    ) -> Result<Self, StoreError> {
        let limit = settings.timeout;
        let schema = Mutex::new(schema);
        let connector = Connector { options, name: settings.shown(), limit, schema };
        let size = usize::try_from(settings.connections.max(1)).unwrap_or(1);
        let pool = Pool::builder(connector)
            .max_size(size)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(limit))
            .build();
        let pool = pool.map_err(|error| StoreError::new(StoreErrorKind::Internal, error))?;
        Ok(Self { pool, outage: Outage::new(limit), limit })
    }

    /// A connection to read with.
    pub(super) async fn session(&self) -> Result<Session<'_>, StoreError> {
        self.outage.ask(Instant::now())?;
        let mut session = self.take().await?;
        if session.line().used.elapsed() > IDLE && !session.is_alive().await? {
            // The server was started anew: the others in the pool are gone with this one.
            self.forget_all();
            session = self.take().await?;
        }
        self.outage.is_over();
        Ok(session)
    }

    async fn take(&self) -> Result<Session<'_>, StoreError> {
        match self.pool.get().await {
            Ok(line) => Ok(Session { line: Some(line), connections: self }),
            Err(PoolError::Closed) => Err(StoreError::new(StoreErrorKind::Closed, "the store was closed")),
            Err(PoolError::Backend(error)) => {
                self.outage.began(Instant::now(), &error);
                Err(error)
            }
            Err(PoolError::Timeout(_)) => {
                let text = format!("no connection was free within {:?}", self.limit);
                Err(StoreError::new(StoreErrorKind::Busy, text))
            }
            Err(error) => Err(StoreError::new(StoreErrorKind::Internal, error.to_string())),
        }
    }

    /// Closes all connections that are not in use. The next one looks at the database again.
    fn forget_all(&self) {
        drop(self.pool.retain(|_, _| false));
        self.pool.manager().schema.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// A transaction to write with.
    pub(super) async fn begin(&self) -> Result<Transaction<'_>, StoreError> {
        self.begin_by("BEGIN".into_sql_str()).await
    }

    /// The same with a first statement of ours, in one message.
    pub(super) async fn begin_with(&self, statement: &str) -> Result<Transaction<'_>, StoreError> {
        self.begin_by(AssertSqlSafe(format!("BEGIN; {statement}")).into_sql_str()).await
    }

    async fn begin_by(&self, statements: SqlStr) -> Result<Transaction<'_>, StoreError> {
        let mut session = self.session().await?;
        match self.within(run(session.connection(), statements)).await {
            Ok(()) => Ok(Transaction(session)),
            Err(error) => Err(session.failed(error)),
        }
    }

    /// The outcome of the work, or that there was none in time.
    pub(super) async fn within<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.within_time(self.limit, work).await
    }

    /// The same for a single statement.
    pub(super) async fn query<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        self.within(async { work.await.map_err(store_error) }).await
    }

    /// The same for a piece of work of many statements.
    pub(super) async fn within_longer<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.within_time(self.limit * 20, work).await
    }

    async fn within_time<T, E: From<StoreError>>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let error = no_answer(limit);
                self.outage.began(Instant::now(), &error);
                Err(error.into())
            }
        }
    }

    /// A connection beside the pool, for one piece of work that may take minutes.
    pub(super) async fn apart(&self) -> Result<PgConnection, StoreError> {
        if self.pool.is_closed() {
            return Err(StoreError::new(StoreErrorKind::Closed, "the store was closed"));
        }
        self.within(open::connect(&self.pool.manager().options, self.limit)).await
    }

    /// The schema as this process found it and as it is; zeros while nobody knows.
    pub(super) fn schema(&self) -> SchemaVersion {
        self.pool.manager().known_schema().unwrap_or(SchemaVersion { was: 0, is: 0 })
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

impl Session<'_> {
    fn line(&mut self) -> &mut Line {
        // Taken out by `drop` alone.
        #[expect(clippy::expect_used, reason = "it is there until the session is dropped")]
        self.line.as_mut().expect("a session has a connection")
    }

    /// The connection, to run a query on.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.line().connection
    }

    /// Whether the server is at the other end still.
    async fn is_alive(&mut self) -> Result<bool, StoreError> {
        let connections = self.connections;
        connections.within(async { Ok(self.connection().ping().await.is_ok()) }).await
    }

    /// Waits for the outcome of a query on this connection, and ends the session.
    pub(super) fn finish<T>(mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match outcome {
            Ok(found) => {
                self.keep();
                Ok(found)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Gives the connection back.
    fn keep(&mut self) {
        self.line().used = Instant::now();
        drop(self.line.take());
    }

    /// Throws the connection away.
    fn failed(self, error: StoreError) -> StoreError {
        if matches!(error.kind(), StoreErrorKind::Unreachable | StoreErrorKind::Unconfirmed) {
            self.forget();
        }
        error
    }

    /// Throws the connection away, and with it all that are not in use: if the server has gone they
    /// would fail one after the other.
    fn forget(self) {
        self.connections.forget_all();
    }
}

/// Whoever does not finish leaves a connection in which nobody knows what is under way. Closing it
/// makes the server roll back.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            drop(Object::take(line));
        }
    }
}

impl Transaction<'_> {
    /// The connection, to run statements on.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.0.connection()
    }

    /// Commits what went well and undoes what did not.
    pub(super) async fn finish<T, E: Ending>(self, outcome: Result<T, E>) -> Result<T, E> {
        let Self(mut session) = self;
        let connections = session.connections;
        match &outcome {
            Ok(_) => {
                let committed = timeout(connections.limit, commit(session.connection())).await;
                match committed.unwrap_or_else(|_| Err(unconfirmed(no_answer(connections.limit)))) {
                    Ok(()) => session.keep(),
                    Err(error) => return Err(session.failed(error).into()),
                }
            }
            Err(error) if error.is_failure() => session.forget(),
            // The refusal stands, whether or not the connection can be used again.
            Err(_) => {
                let undone: Result<(), StoreError> =
                    connections.within(run(session.connection(), "ROLLBACK".into_sql_str())).await;
                if undone.is_ok() {
                    session.keep();
                }
            }
        }
        outcome
    }
}

/// What the server says of the commit is final; if it says nothing, the write may have happened.
async fn commit(connection: &mut PgConnection) -> Result<(), StoreError> {
    match sqlx::raw_sql("COMMIT").execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let code = sqlstate(&error);
            let said = !code.is_empty() && !code.starts_with("57P") && !code.starts_with("08");
            let error = store_error(error);
            Err(if said { error } else { unconfirmed(error) })
        }
    }
}

fn unconfirmed(error: StoreError) -> StoreError {
    StoreError::new(StoreErrorKind::Unconfirmed, error)
}

fn no_answer(limit: Duration) -> StoreError {
    StoreError::new(StoreErrorKind::Unreachable, format!("no answer within {limit:?}"))
}

async fn run(connection: &mut PgConnection, statements: SqlStr) -> Result<(), StoreError> {
    sqlx::raw_sql(statements).execute(connection).await.map(drop).map_err(store_error)
}

/// A connection in the pool.
#[derive(Debug)]
pub(super) struct Line {
    connection: PgConnection,
    /// When it was given back last.
    used: Instant,
}

/// Makes connections for the pool.
#[derive(Debug)]
pub(super) struct Connector {
    options: PgConnectOptions,
    /// The URL without its password.
    name: String,
    limit: Duration,
    /// Known while it is up to date: the server may be away at the start, or its database be made anew.
    schema: Mutex<Option<SchemaVersion>>,
}

impl Connector {
    fn known_schema(&self) -> Option<SchemaVersion> {
        *self.schema.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manager for Connector {
    type Type = Line;
    type Error = StoreError;

    async fn create(&self) -> Result<Line, StoreError> {
        if self.known_schema().is_none() {
            let schema = open::bring_up(&self.options, &self.name, self.limit).await;
            let schema = schema.map_err(open::as_store_error)?;
            self.schema.lock().unwrap_or_else(PoisonError::into_inner).replace(schema);
        }
        let connected = timeout(self.limit, open::connect(&self.options, self.limit)).await;
        let connection = connected.unwrap_or_else(|_| Err(no_answer(self.limit)))?;
        Ok(Line { connection, used: Instant::now() })
    }

    async fn recycle(&self, _: &mut Line, _: &Metrics) -> RecycleResult<StoreError> {
        // What failed was not given back, and how old it is is looked at when it is used.
        Ok(())
    }
}
