//! What SQLite's result codes mean for us.
//!
//! Owns: the one mapping from an sqlx error to a [`StoreError`].

use sqlx::Error;

use super::super::{StoreError, StoreErrorKind};

/// An error with the kind its result code tells.
pub(super) fn store_error(error: Error) -> StoreError {
    StoreError::new(kind(&error), error)
}

/// A row that we did not write like this.
pub(super) fn damaged(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Damaged, what)
}

/// The primary result code, or 0 for an error that is not the database's.
pub(super) fn result_code(error: &Error) -> i32 {
    let Error::Database(error) = error else { return 0 };
    // The low byte is the primary code; the rest only refines it.
    error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff
}

/// <https://www.sqlite.org/rescode.html>
fn kind(error: &Error) -> StoreErrorKind {
    match error {
        Error::Database(_) => match result_code(error) {
            5 | 6 => StoreErrorKind::Busy,
            8 => StoreErrorKind::ReadOnly,
            // Not enough memory, I/O error, cannot open, file locking protocol.
            7 | 10 | 14 | 15 => StoreErrorKind::Io,
            11 | 26 => StoreErrorKind::Damaged,
            13 => StoreErrorKind::DiskFull,
            _ => StoreErrorKind::Internal,
        },
        Error::Io(_) | Error::WorkerCrashed => StoreErrorKind::Io,
        Error::PoolTimedOut => StoreErrorKind::Busy,
        Error::PoolClosed => StoreErrorKind::Closed,
        Error::ColumnDecode { .. } | Error::Decode(_) => StoreErrorKind::Damaged,
        _ => StoreErrorKind::Internal,
    }
}
