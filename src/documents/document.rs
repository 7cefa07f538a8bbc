//! A document as the rest of the house sees it.
//!
//! Owns: ids, revisions, and the way to and from the store's record.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::json;
use crate::store::{AccountId, DocumentRecord, NumberRole, NumberUse, StoreError, hex};

/// A conference document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// 32 lower-case hex digits; also the name of the conference on the switch.
    pub id: String,
    /// The account it belongs to.
    pub account_id: AccountId,
    /// `N-hash`; changes with every write, also with one that changes nothing else.
    pub revision: String,
    /// When it was made, in Gregorian seconds.
    pub created: i64,
    /// When it was written last, in Gregorian seconds.
    pub modified: i64,
    /// What the client wrote and the defaults, without id and revision.
    pub body: Map<String, Value>,
}

/// Documents by id, and where the next page begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// In order of their ids.
    pub documents: Vec<Document>,
    /// The `start_key` of the next page; none after the last.
    pub next_start_key: Option<String>,
}

impl Document {
    /// A document that is not stored yet.
    pub(super) fn new(account_id: AccountId, body: Map<String, Value>, now: i64) -> Self {
        let id = hex::encode(&rand::random::<[u8; 16]>());
        let revision = revision_after("", &body);
        Self { id, account_id, revision, created: now, modified: now, body }
    }

    /// The same document with another body.
    pub(super) fn followed_by(&self, body: Map<String, Value>, now: i64) -> Self {
        let revision = revision_after(&self.revision, &body);
        Self {
            id: self.id.clone(),
            account_id: self.account_id.clone(),
            revision,
            created: self.created,
            modified: now,
            body,
        }
    }

    /// The revision as a strong entity tag, quotes included.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }

    /// Its `name`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.body.get("name").and_then(Value::as_str)
    }

    /// All its numbers, in the order in which they stand in it.
    #[must_use]
    pub fn numbers(&self) -> Vec<NumberUse> {
        numbers_of(&self.body).into_iter().map(|(_, number)| number).collect()
    }

    /// What is stored of it.
    #[must_use]
    pub fn to_record(&self) -> DocumentRecord {
        let column = |key| {
            let text = self.body.get(key).and_then(Value::as_str);
            // A NUL is fine in JSON text but not in every database's text columns. Nobody filters
            // for one.
            text.filter(|text| !text.contains('\0')).map(str::to_owned)
        };
        DocumentRecord {
            id: self.id.clone(),
            account: self.account_id.clone(),
            revision: self.revision.clone(),
            created: self.created,
            modified: self.modified,
            name: column("name"),
            owner_id: column("owner_id"),
            numbers: self.numbers(),
            text: text_of(&self.body),
        }
    }

    pub(super) fn from_record(record: DocumentRecord) -> Result<Self, StoreError> {
        let body = match json::parse(record.text.as_bytes()) {
            Ok(Value::Object(body)) => body,
            Ok(_) => return Err(StoreError::damaged_document(&record.id, "is no object")),
            Err(error) => return Err(StoreError::damaged_document(&record.id, error)),
        };
        Ok(Self {
            id: record.id,
            account_id: record.account,
            revision: record.revision,
            created: record.created,
            modified: record.modified,
            body,
        })
    }
}

/// Whether a text is an id: 32 lower-case hex digits.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(is_hex_digit)
}

/// revision = number "-" 32 lower-case hex digits; the number is 1 or more.
pub(super) fn is_revision(text: &str) -> bool {
    text.split_once('-').is_some_and(|(number, hash)| {
        let is_number = number.parse::<u64>().is_ok_and(|n| n > 0 && n.to_string() == number);
        is_number && hash.len() == 32 && hash.bytes().all(is_hex_digit)
    })
}

fn is_hex_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// The numbers of a body with the path of each, such as `member.numbers.0`.
pub(super) fn numbers_of(body: &Map<String, Value>) -> Vec<(String, NumberUse)> {
    let places = [
        ("conference_numbers", body.get("conference_numbers"), NumberRole::Conference),
        ("member.numbers", body.get("member").and_then(|member| member.get("numbers")), NumberRole::Member),
        (
            "moderator.numbers",
            body.get("moderator").and_then(|moderator| moderator.get("numbers")),
            NumberRole::Moderator,
        ),
    ];
    let mut numbers = Vec::new();
    for (path, list, role) in places {
        for (index, number) in list.and_then(Value::as_array).into_iter().flatten().enumerate() {
            if let Some(number) = number.as_str() {
                numbers.push((format!("{path}.{index}"), NumberUse { number: number.to_owned(), role }));
            }
        }
    }
    numbers
}

/// A map of values that were parsed or built from parsed ones has always a text.
fn text_of(body: &Map<String, Value>) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// One more than the last, and a hash over it and the new text: the same text written twice has two
/// revisions, so that a client that held the first learns of both writes.
fn revision_after(last: &str, body: &Map<String, Value>) -> String {
    let number = last.split_once('-').and_then(|(number, _)| number.parse::<u64>().ok()).unwrap_or(0);
    let mut hash = Sha256::new();
    hash.update(last);
    hash.update([0]);
    hash.update(text_of(body));
    format!("{}-{}", number.saturating_add(1), hex::encode(&hash.finalize()[..16]))
}
