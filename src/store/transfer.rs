//! What moves between two stores, and what an import makes of what is already there.
//!
//! Owns: the judgement, which is the same for every engine: new, unchanged, replaced or refused.
//! Leaves to the engines that what is judged cannot change before it is written, to `app` the file.
//!
//! ```text
//! export: rows of one moment ─▶ Exported, Exported, ... ─▶ file
//! import: file ─▶ batch ─▶ judge each against what is there ─▶ all written, or none
//! ```
//!
//! Invariant: an import never takes a revocation back, and may be run again whatever the target's
//! daemon did in between: when a credential was used last is no difference.

use std::collections::BTreeMap;

use super::{CredentialRecord, DocumentRecord, StoreError};

/// One document or credential on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported {
    /// A document. One that is exported has no `numbers`, one that is imported has all of them.
    Document(DocumentRecord),
    /// A credential.
    Credential(CredentialRecord),
}

/// What became of one that was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Imported {
    /// It was not there.
    New,
    /// It was there, and equal.
    Unchanged,
    /// It was there, and different.
    Replaced,
}

/// Why nothing of a batch was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// One of them cannot be written.
    #[error("{reason}")]
    Refused {
        /// Its place in the batch.
        index: usize,
        /// Why.
        reason: Refusal,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why one document or credential cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is there, different, and may not be replaced.
    #[error("it is there already with another {}", .0.join(", "))]
    Differs(Vec<&'static str>),
    /// Another document of the account has this number.
    #[error("the number {number} is in use by document {document}")]
    NumberInUse {
        /// The number.
        number: String,
        /// The document that has it.
        document: String,
    },
    /// A credential with another id has the same hash.
    #[error("another credential has the same hash")]
    HashInUse,
    /// The key it came from is not there.
    #[error("the key {0} that it came from is not there")]
    KeyMissing(String),
}

/// What is to be done with one that is imported.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<T> {
    /// Insert it.
    Insert,
    /// Leave what is there.
    Leave,
    /// Write this in the place of what is there.
    Replace(T),
}

/// Judges a document against the stored one of its id, of whatever account.
pub(super) fn judge_document(
    stored: Option<&DocumentRecord>,
    coming: &DocumentRecord,
    replace: bool,
) -> Result<Verdict<DocumentRecord>, Refusal> {
    let Some(stored) = stored else { return Ok(Verdict::Insert) };
    // The rest is derived from the text.
    let differences = named([
        ("account", stored.account != coming.account),
        ("revision", stored.revision != coming.revision),
        ("created", stored.created != coming.created),
        ("modified", stored.modified != coming.modified),
        ("text", stored.text != coming.text),
    ]);
    verdict(differences, replace, || coming.clone())
}

/// Judges a credential against the stored one of its id; `revoked` of that is its own, not its key's.
pub(super) fn judge_credential(
    stored: Option<&CredentialRecord>,
    coming: &CredentialRecord,
    replace: bool,
) -> Result<Verdict<CredentialRecord>, Refusal> {
    let Some(stored) = stored else { return Ok(Verdict::Insert) };
    let revoked = coming.revoked.or(stored.revoked);
    let differences = named([
        ("kind", stored.kind != coming.kind),
        ("hash", stored.hash != coming.hash),
        ("name", stored.name != coming.name),
        ("account", stored.account != coming.account),
        ("scopes", stored.scopes != coming.scopes),
        ("issued_by", stored.issued_by != coming.issued_by),
        ("created", stored.created != coming.created),
        ("expires", stored.expires != coming.expires),
        ("revoked", stored.revoked != revoked),
    ]);
    let last_used = stored.last_used.max(coming.last_used);
    verdict(differences, replace, || CredentialRecord { last_used, revoked, ..coming.clone() })
}

/// The documents of a batch whose numbers are to be written, with their places: of those that were
/// written, and of one that stood in the batch more than once the last.
pub(super) fn numbers_to_write<'b>(
    batch: &'b [Exported],
    imported: &[Imported],
) -> Vec<(usize, &'b DocumentRecord)> {
    let mut last = BTreeMap::new();
    for (index, (one, imported)) in batch.iter().zip(imported).enumerate() {
        if let (Exported::Document(document), Imported::New | Imported::Replaced) = (one, imported) {
            last.insert(document.id.as_str(), (index, document));
        }
    }
    let mut documents: Vec<_> = last.into_values().collect();
    documents.sort_by_key(|(index, _)| *index);
    documents
}

fn named<const N: usize>(fields: [(&'static str, bool); N]) -> Vec<&'static str> {
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn verdict<T>(
    differences: Vec<&'static str>,
    replace: bool,
    written: impl FnOnce() -> T,
) -> Result<Verdict<T>, Refusal> {
    match differences.is_empty() {
        true => Ok(Verdict::Leave),
        false if replace => Ok(Verdict::Replace(written())),
        false => Err(Refusal::Differs(differences)),
    }
}
