//! One line of an export, both ways.
//!
//! Owns: which keys there are and what each must look like. Keys that are not known and keys that are
//! missing are refused: what was not understood would be lost.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{Counts, FORMAT};
use crate::auth::Scopes;
use crate::documents::{self, FieldErrors};
use crate::store::{AccountId, CredentialKind, CredentialRecord, DocumentRecord, Exported, hex};

/// A longer text about one line is cut: it may quote the line.
const LONGEST_TEXT: usize = 400;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct Header {
    convened_export: u32,
    /// Unix seconds.
    created: i64,
    version: String,
}

/// Any line but the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::app) enum Line<'a> {
    Document(Document<'a>),
    Credential(Credential<'a>),
    End(Counts),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct Document<'a> {
    id: Cow<'a, str>,
    account: AccountId,
    revision: Cow<'a, str>,
    created: i64,
    modified: i64,
    text: Cow<'a, RawValue>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct Credential<'a> {
    id: Cow<'a, str>,
    kind: Cow<'a, str>,
    hash: Cow<'a, str>,
    name: Cow<'a, str>,
    #[serde(deserialize_with = "required")]
    account: Option<AccountId>,
    scopes: Cow<'a, str>,
    #[serde(deserialize_with = "required")]
    issued_by: Option<Cow<'a, str>>,
    created: i64,
    #[serde(deserialize_with = "required")]
    expires: Option<i64>,
    #[serde(deserialize_with = "required")]
    last_used: Option<i64>,
    #[serde(deserialize_with = "required")]
    revoked: Option<i64>,
}

/// `null` is fine, but not that the key is missing: a token would be taken for one without an end.
fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// What is wrong with a line; names the field.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::app) struct LineError(String);

impl LineError {
    /// Cut, and without anything that a terminal would act on.
    pub(in crate::app) fn new(text: impl AsRef<str>) -> Self {
        let mut told = String::new();
        for c in text.as_ref().chars() {
            if told.len() > LONGEST_TEXT {
                told.push_str("...");
                break;
            }
            if c.is_control() { told.extend(c.escape_default()) } else { told.push(c) }
        }
        Self(told)
    }
}

impl Header {
    pub(in crate::app) fn new(created: i64) -> Self {
        Self { convened_export: FORMAT, created, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// Checks the first line of a file.
    pub(in crate::app) fn check(line: &str) -> Result<(), LineError> {
        #[derive(Deserialize)]
        struct Format {
            convened_export: u64,
        }
        let no_header = |_| LineError::new("is not the header of an export, {\"convened_export\": 1, ...}");
        let format: Format = serde_json::from_str(line).map_err(no_header)?;
        if format.convened_export != u64::from(FORMAT) {
            return Err(LineError::new(format!(
                "is of format {}, and this program knows only {FORMAT}; install the one that wrote it",
                format.convened_export
            )));
        }
        read::<Self>(line).map(drop)
    }
}

impl<'a> Line<'a> {
    /// What is to be written for a row.
    pub(in crate::app) fn of(exported: &'a Exported) -> Result<Self, LineError> {
        Ok(match exported {
            Exported::Document(document) => Self::Document(Document {
                id: Cow::Borrowed(&document.id),
                account: document.account.clone(),
                revision: Cow::Borrowed(&document.revision),
                created: document.created,
                modified: document.modified,
                text: Cow::Borrowed(one_line(document)?),
            }),
            Exported::Credential(credential) => Self::Credential(Credential {
                id: Cow::Borrowed(&credential.id),
                kind: Cow::Borrowed(credential.kind.as_str()),
                hash: Cow::Owned(hex::encode(&credential.hash)),
                name: Cow::Borrowed(&credential.name),
                account: credential.account.clone(),
                scopes: Cow::Borrowed(&credential.scopes),
                issued_by: credential.issued_by.as_deref().map(Cow::Borrowed),
                created: credential.created,
                expires: credential.expires,
                last_used: credential.last_used,
                revoked: credential.revoked,
            }),
        })
    }

    /// Reads a line.
    pub(in crate::app) fn read(line: &'a str) -> Result<Self, LineError> {
        read(line)
    }
}

impl Document<'_> {
    /// Checked as if a client had written it here.
    pub(in crate::app) fn record(self) -> Result<DocumentRecord, LineError> {
        let record = DocumentRecord {
            id: self.id.into_owned(),
            account: self.account,
            revision: self.revision.into_owned(),
            created: self.created,
            modified: self.modified,
            name: None,
            owner_id: None,
            numbers: Vec::new(),
            text: self.text.get().to_owned(),
        };
        let id = record.id.clone();
        documents::imported(record)
            .map_err(|errors| LineError::new(format!("document {id}: {}", listed(&errors))))
    }
}

impl Credential<'_> {
    pub(in crate::app) fn record(self) -> Result<CredentialRecord, LineError> {
        let id = self.id.clone();
        let wrong =
            |field: &str, expected: &str| LineError::new(format!("credential {id}: {field}: {expected}"));
        let is_id = |id: &str| id.len() == 12 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_id(&self.id) {
            return Err(wrong("id", "12 lower-case hex digits are expected"));
        }
        if self.issued_by.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(wrong("issued_by", "12 lower-case hex digits are expected"));
        }
        let hash = hex::decode(&self.hash).and_then(|hash| hash.try_into().ok());
        let hash = hash.ok_or_else(|| wrong("hash", "64 lower-case hex digits are expected"))?;
        let kind = CredentialKind::parse(&self.kind);
        let kind = kind.ok_or_else(|| wrong("kind", "token or api_key is expected"))?;
        if let Err(error) = self.scopes.parse::<Scopes>() {
            return Err(wrong("scopes", &error.to_string()));
        }
        if self.name.contains('\0') {
            return Err(wrong("name", "a NUL cannot be kept"));
        }
        Ok(CredentialRecord {
            id: self.id.into_owned(),
            kind,
            hash,
            name: self.name.into_owned(),
            account: self.account,
            scopes: self.scopes.into_owned(),
            issued_by: self.issued_by.map(Cow::into_owned),
            created: self.created,
            expires: self.expires,
            last_used: self.last_used,
            revoked: self.revoked,
        })
    }
}

/// The text as a part of a line. Ours always is one; what somebody else wrote is not changed to fit.
fn one_line(document: &DocumentRecord) -> Result<&RawValue, LineError> {
    let text = &document.text;
    let wrong = |why: &str| {
        LineError::new(format!("document {}: its text {why}: another program wrote it", document.id))
    };
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|error| wrong(&format!("is no JSON ({error})")))?;
    if raw.get().len() != text.len() || text.contains('\n') {
        return Err(wrong("is not one line of JSON"));
    }
    Ok(raw)
}

fn read<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, LineError> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let text = in_the_line(error.inner());
        LineError::new(if path == "." { text } else { format!("{path}: {text}") })
    })?;
    deserializer.end().map_err(|error| LineError::new(in_the_line(&error)))?;
    Ok(read)
}

/// A parser that sees one line calls every line the first.
fn in_the_line(error: &serde_json::Error) -> String {
    let (text, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
    let text = text.strip_suffix(&place).unwrap_or(&text);
    match error.classify() {
        serde_json::error::Category::Data => text.to_owned(),
        _ => format!("is no JSON: {text} at column {}", error.column()),
    }
}

fn listed(errors: &FieldErrors) -> String {
    let each = errors.iter().flat_map(|(path, keywords)| {
        keywords.values().map(move |error| format!("{path}: {}", error.message))
    });
    each.collect::<Vec<_>>().join("; ")
}
