//! What can go wrong with a document, as types.
//!
//! Owns: everything a status code is chosen from. Leaves the choosing to `api`.

use super::FieldErrors;
use crate::store::{StoreError, WriteError};

/// Why a document was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// There is no such document in that account.
    #[error("no document {id}")]
    NotFound {
        /// The id that was asked for.
        id: String,
    },
    /// `revision` in the envelope is not the current one.
    #[error("the revision is {current}, not {expected}")]
    Conflict {
        /// What the client had.
        expected: String,
        /// What is stored.
        current: String,
    },
    /// `If-Match` does not match.
    #[error("If-Match does not match")]
    PreconditionFailed,
    /// The document is not valid; all that is wrong with it.
    #[error("the document is not valid: {0}")]
    Invalid(FieldErrors),
    /// Another document of the account has this number.
    #[error("the number {0} is in use")]
    NumbersInUse(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DocumentError {
    /// The field errors, if the client's data is at fault: those of [`DocumentError::Invalid`], and
    /// those that say that a number is in use.
    #[must_use]
    pub fn field_errors(&self) -> Option<FieldErrors> {
        match self {
            Self::Invalid(errors) => Some(errors.clone()),
            Self::NumbersInUse(number) => Some(FieldErrors::number_in_use(number)),
            _ => None,
        }
    }

    pub(super) fn of_write(error: WriteError, id: &str) -> Self {
        match error {
            WriteError::NumberInUse(number) => Self::NumbersInUse(number),
            WriteError::Missing => Self::NotFound { id: id.to_owned() },
            // Writers that expect a revision begin again before they come here.
            WriteError::Revision { .. } => Self::PreconditionFailed,
            WriteError::Store(error) => Self::Store(error),
        }
    }
}

impl From<FieldErrors> for DocumentError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}
