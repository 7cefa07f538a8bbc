//! Documents that come from another store.
//!
//! Owns: that what is imported could have been written here, and gets the columns it would have got.
//! Leaves to `store` what is there already, to `app` the file it comes from.

use super::document::{Document, is_id, is_revision};
use super::field_errors::{FieldError, FieldErrors};
use super::{DocumentError, intake};
use crate::store::DocumentRecord;

/// Judges a record of which `id`, `account`, `revision`, `created`, `modified` and `text` are known, and
/// derives the rest from the text. The text stays byte for byte.
///
/// # Errors
/// All that is wrong; paths within the text begin with `text`.
pub fn imported(record: DocumentRecord) -> Result<DocumentRecord, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut expect = |holds: bool, path: &str, keyword: &str, message: &str| {
        if !holds {
            errors.add(path, keyword, FieldError::new(message));
        }
    };
    expect(is_id(&record.id), "id", "pattern", "32 lower-case hex digits are expected");
    expect(
        is_revision(&record.revision),
        "revision",
        "pattern",
        "a number, a hyphen and 32 lower-case hex digits are expected",
    );
    expect(record.created >= 0, "created", "minimum", "a time is expected");
    expect(record.modified >= 0, "modified", "minimum", "a time is expected");
    let body = match intake::as_it_is(&record.text) {
        Ok(body) => body,
        Err(error) => {
            errors.add_within("text", invalid(error));
            return Err(errors);
        }
    };
    errors.into_result()?;
    let DocumentRecord { id, account, revision, created, modified, text, .. } = record;
    let document = Document { id, account_id: account, revision, created, modified, body };
    Ok(DocumentRecord { text, ..document.to_record() })
}

/// Nothing is read or written here, so there is no other error.
fn invalid(error: DocumentError) -> FieldErrors {
    error.field_errors().unwrap_or_default()
}
