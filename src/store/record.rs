//! What a store keeps, as plain records.
//!
//! Owns: the shapes that cross the trait. A record says nothing about how it came about; `documents`
//! and `auth` make and read them.

use super::AccountId;

/// A document as it is kept: its text, and beside it what is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRecord {
    /// 32 lower-case hex digits, unique over all accounts.
    pub id: String,
    /// The account it belongs to.
    pub account: AccountId,
    /// Changes with every write.
    pub revision: String,
    /// Gregorian seconds.
    pub created: i64,
    /// Gregorian seconds.
    pub modified: i64,
    /// Its `name`, for `filter_name`.
    pub name: Option<String>,
    /// Its `owner_id`, for `filter_owner_id`.
    pub owner_id: Option<String>,
    /// All its numbers. Read by writes only: a document that is read back has none here.
    pub numbers: Vec<NumberUse>,
    /// The JSON text, kept byte for byte.
    pub text: String,
}

/// One number of a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NumberUse {
    /// Decimal digits.
    pub number: String,
    /// Where in the document it stands.
    pub role: NumberRole,
}

/// For whom a number is: what a caller becomes who dials it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberRole {
    /// `conference_numbers`: for all, the PIN decides.
    Conference,
    /// `member.numbers`.
    Member,
    /// `moderator.numbers`.
    Moderator,
}

impl NumberRole {
    /// As it is written in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Conference => "conference",
            Self::Member => "member",
            Self::Moderator => "moderator",
        }
    }

    /// The other way.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Conference, Self::Member, Self::Moderator].into_iter().find(|role| role.as_str() == text)
    }
}

/// Which documents of an account are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentQuery {
    /// The first id that may be in the page.
    pub start_key: Option<String>,
    /// At most so many. There are fewer, and a next page, where documents are large.
    pub page_size: u32,
    /// Only those with exactly this name.
    pub name: Option<String>,
    /// Only those of this owner.
    pub owner_id: Option<String>,
}

/// The first fifty documents.
impl Default for DocumentQuery {
    fn default() -> Self {
        Self { start_key: None, page_size: 50, name: None, owner_id: None }
    }
}

/// Documents by id, and where the next page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentPage {
    /// In order of their ids.
    pub documents: Vec<DocumentRecord>,
    /// The `start_key` of the next page; none after the last.
    pub next_start_key: Option<String>,
}

/// What a credential is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// Is sent with requests.
    Token,
    /// Is exchanged for a short-lived token.
    ApiKey,
}

impl CredentialKind {
    /// As it is written in the database and shown by the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ApiKey => "api_key",
        }
    }

    /// The other way.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Token, Self::ApiKey].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A credential as it is kept; the secret itself is not. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// Short and public: names it in lists and logs.
    pub id: String,
    /// What it is good for.
    pub kind: CredentialKind,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// What people call it.
    pub name: String,
    /// Its account; none: all of them.
    pub account: Option<AccountId>,
    /// Scopes as text, `read,control,write`.
    pub scopes: String,
    /// The key it was exchanged for.
    pub issued_by: Option<String>,
    /// When it was made.
    pub created: i64,
    /// From when on it is no longer good.
    pub expires: Option<i64>,
    /// Roughly when it was used last.
    pub last_used: Option<i64>,
    /// When it, or the key it came from, was revoked.
    pub revoked: Option<i64>,
}
