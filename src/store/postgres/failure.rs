//! What PostgreSQL's error codes mean for us.
//!
//! Owns: the one mapping from an sqlx error to a [`StoreError`], and which errors end a connection.

use sqlx::Error;

use super::super::{StoreError, StoreErrorKind};

/// An error with the kind its code tells.
pub(super) fn store_error(error: Error) -> StoreError {
    StoreError::new(kind(&error), error)
}

/// A row that we did not write like this.
pub(super) fn damaged(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Damaged, what)
}

/// The five characters of SQLSTATE, or nothing for an error that is not the server's.
pub(super) fn sqlstate(error: &Error) -> String {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.map(|code| code.into_owned()).unwrap_or_default()
}

const UNDEFINED_TABLE: &str = "42P01";

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn kind(error: &Error) -> StoreErrorKind {
    match error {
        Error::Database(_) => of_code(&sqlstate(error)),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => {
            StoreErrorKind::Unreachable
        }
        Error::ColumnDecode { .. } | Error::Decode(_) => StoreErrorKind::Damaged,
        _ => StoreErrorKind::Internal,
    }
}

fn of_code(code: &str) -> StoreErrorKind {
    match code {
        // disk_full
        "53100" => StoreErrorKind::DiskFull,
        // read_only_sql_transaction: a standby, or a server that was told so.
        "25006" => StoreErrorKind::ReadOnly,
        // too_many_connections and the rest of insufficient resources; serialization_failure,
        // deadlock_detected, lock_not_available; query_canceled, by our own statement_timeout.
        _ if code.starts_with("53") => StoreErrorKind::Busy,
        "40001" | "40P01" | "55P03" | "57014" => StoreErrorKind::Busy,
        // Connection exceptions; a server that stops, has crashed, starts, or whose database goes away;
        // our own idle_in_transaction_session_timeout.
        _ if code.starts_with("08") || code.starts_with("57P") || code == "25P03" => {
            StoreErrorKind::Unreachable
        }
        // Who we are, or which database it is, is refused: it was not so at the start.
        _ if code.starts_with("28") || code == "3D000" => StoreErrorKind::Unreachable,
        // undefined_table: somebody has made the database anew. The next connection makes the tables.
        UNDEFINED_TABLE => StoreErrorKind::Unreachable,
        // system_error, io_error
        _ if code.starts_with("58") => StoreErrorKind::Io,
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => StoreErrorKind::Damaged,
        _ => StoreErrorKind::Internal,
    }
}
