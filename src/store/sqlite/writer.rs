//! The one connection that writes, and its transactions.
//!
//! Owns: who may write now, and what becomes of the connection when a transaction does not end well.
//!
//! ```text
//! begin ─▶ Transaction ─▶ finish(Ok)       COMMIT, connection kept
//!                      ├▶ finish(refusal)  ROLLBACK, connection kept
//!                      ├▶ finish(failure)  connection thrown away
//!                      └▶ dropped          connection thrown away
//! ```
//!
//! A connection is thrown away rather than repaired because after a full disk or an I/O error SQLite
//! may have rolled back by itself, and after a dropped future nobody knows how far it got. Closing it
//! rolls back whatever is open; opening the next one takes a millisecond.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::super::error::Ending;
use super::super::{StoreError, StoreErrorKind};
use super::failure::store_error;

/// The right to write, given to one after the other in the order of asking.
#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
enum Slot {
    Ready(SqliteConnection),
    /// Under way, or thrown away: the next writer opens one.
    Empty,
    Closed,
}

/// A transaction that has begun. Ends with [`Transaction::finish`].
pub(super) struct Transaction<'w> {
    slot: MutexGuard<'w, Slot>,
    connection: SqliteConnection,
}

impl Writer {
    /// A writer that begins with this connection and opens others with these options.
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, slot: Mutex::new(Slot::Ready(connection)) }
    }

    /// Waits for its turn and begins.
    pub(super) async fn begin(&self) -> Result<Transaction<'_>, StoreError> {
        let mut slot = self.slot.lock().await;
        let mut connection = match std::mem::replace(&mut *slot, Slot::Empty) {
            Slot::Ready(connection) => connection,
            Slot::Empty => self.options.connect().await.map_err(store_error)?,
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(StoreError::new(StoreErrorKind::Closed, "the store was closed"));
            }
        };
        // Plain statements, not sqlx's transaction: that one counts its depth by itself and no longer
        // agrees with SQLite once SQLite has rolled back on its own.
        run(&mut connection, "BEGIN IMMEDIATE").await?;
        Ok(Transaction { slot, connection })
    }

    /// Lets the write under way end, then closes.
    pub(super) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        if let Slot::Ready(connection) = std::mem::replace(&mut *slot, Slot::Closed) {
            // Nothing is lost if this fails: the WAL is read at the next start.
            connection.close().await.ok();
        }
    }
}

impl Transaction<'_> {
    /// The connection, to run statements on.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Commits what went well and undoes what did not.
    pub(super) async fn finish<T, E: Ending>(self, outcome: Result<T, E>) -> Result<T, E> {
        let Self { mut slot, mut connection } = self;
        match &outcome {
            Ok(_) => run(&mut connection, "COMMIT").await?,
            Err(error) if error.is_failure() => return outcome,
            Err(_) => run(&mut connection, "ROLLBACK").await?,
        }
        *slot = Slot::Ready(connection);
        outcome
    }
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(connection).await.map(drop).map_err(store_error)
}
