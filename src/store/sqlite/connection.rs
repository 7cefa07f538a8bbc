//! Connections: their settings, and those that only read.
//!
//! Owns: every pragma, and the rule that a reader which failed is not used again.

use std::path::Path;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite};

use super::super::StoreError;
use super::SqliteSettings;
use super::failure::store_error;

/// The settings of the connection that writes.
pub(super) fn writing(path: &Path, settings: &SqliteSettings) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(settings.busy_timeout)
        // After a long reader or a burst the WAL is cut back to this when it is reset.
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging();
    match settings.max_pages {
        Some(pages) => options.pragma("max_page_count", pages.to_string()),
        None => options,
    }
}

/// The connections that read. They cannot write even by mistake.
pub(super) fn readers(path: &Path, settings: &SqliteSettings) -> SqlitePool {
    let options = writing(path, settings).pragma("query_only", "ON");
    SqlitePoolOptions::new()
        .max_connections(settings.readers.max(1))
        .min_connections(0)
        .acquire_timeout(settings.busy_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// A reader of the pool for one call.
pub(super) struct Reader(PoolConnection<Sqlite>);

impl Reader {
    /// Waits for a free one, as long as for a lock.
    pub(super) async fn acquire(pool: &SqlitePool) -> Result<Self, StoreError> {
        pool.acquire().await.map(Self).map_err(store_error)
    }

    /// The connection, to run a query on.
    pub(super) fn connection(&mut self) -> &mut sqlx::SqliteConnection {
        &mut self.0
    }

    /// Gives the reader back, or away if it failed: a fresh one heals from whatever it was.
    pub(super) fn finish<T>(mut self, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        outcome.map_err(|error| {
            self.0.close_on_drop();
            store_error(error)
        })
    }
}

/// Reads the header of the schema, which touches the file and takes the shared lock.
pub(super) async fn check(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let outcome = sqlx::query("SELECT 1 FROM documents LIMIT 1").fetch_optional(reader.connection()).await;
    reader.finish(outcome).map(drop)
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::super::super::{OpenError, StoreErrorKind};
    use super::*;

    #[tokio::test]
    async fn what_is_acknowledged_is_synced_and_readers_cannot_write() -> Result<(), OpenError> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("convened.db");
        let settings = SqliteSettings::new(&path);
        let store = super::super::SqliteStore::open(settings.clone()).await?;
        let mut writer = writing(&path, &settings).connect().await.expect("a writer");
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut writer).await.expect("read");
        let journal: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut writer).await.expect("read");
        let foreign_keys: bool =
            sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut writer).await.expect("read");
        // 2 is FULL.
        assert_eq!((synchronous, journal.as_str(), foreign_keys), (2, "wal", true));
        writer.close().await.expect("closed");
        let mut reader = Reader::acquire(&store.readers).await.expect("a reader");
        let outcome = sqlx::query("DELETE FROM documents").execute(reader.connection()).await;
        let error = reader.finish(outcome).expect_err("a reader does not write");
        assert!(error.is_read_only() && error.is_unavailable(), "{error}");
        check(&store.readers).await.expect("the next reader works");
        let settings = SqliteSettings { busy_timeout: std::time::Duration::from_millis(1), ..settings };
        let pool = readers(&path, &settings);
        pool.close().await;
        assert_eq!(check(&pool).await.expect_err("closed").kind(), StoreErrorKind::Closed);
        Ok(())
    }
}
