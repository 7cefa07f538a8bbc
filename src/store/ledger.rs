//! What was done, by whom, and what was answered: records of the audit log and of idempotency keys.
//!
//! Owns: the shapes that cross the trait. What is worth a row, and what an answer looks like in one, is
//! decided by `api`.

use std::fmt;
use std::str::FromStr;

use super::AccountId;

/// One thing that was done to one target, or that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The account of the path.
    pub account: AccountId,
    /// The conference of the path.
    pub conference_id: String,
    /// As it was answered and logged.
    pub request_id: String,
    /// The token's public id.
    pub token_id: String,
    /// What people call the token.
    pub token_name: String,
    /// The address of whoever asked.
    pub client: String,
    /// The word for what was asked.
    pub action: String,
    /// What was asked with it: JSON, or the beginning of it.
    pub arguments: String,
    /// The participant's number; none for the conference itself.
    pub participant_id: Option<i64>,
    /// The participant's call; none for the conference itself, or if it is not known.
    pub call_id: Option<String>,
    /// Where it was tried.
    pub node: String,
    /// What came of it.
    pub result: String,
    /// Why it was not done.
    pub reason: Option<String>,
}

/// The place of a row in the log: by time, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditKey {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Its number, which grows.
    pub id: i64,
}

/// The text is no place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no key of an audit log")]
pub struct InvalidAuditKey;

/// key = at "-" id
impl fmt::Display for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at, self.id)
    }
}

impl FromStr for AuditKey {
    type Err = InvalidAuditKey;

    fn from_str(text: &str) -> Result<Self, InvalidAuditKey> {
        let (at, id) = text.split_once('-').ok_or(InvalidAuditKey)?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| digits).ok_or(InvalidAuditKey)
        };
        Ok(Self { at: number(at)?, id: number(id)? })
    }
}

/// Which rows of a conference are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// The newest row that may be in the page.
    pub start_key: Option<AuditKey>,
    /// At most so many.
    pub page_size: u32,
    /// Only those of this action.
    pub action: Option<String>,
    /// Only those of this call.
    pub call_id: Option<String>,
    /// Not before this, in Unix milliseconds.
    pub from: Option<i64>,
    /// Not after this.
    pub to: Option<i64>,
}

/// The newest fifty rows.
impl Default for AuditQuery {
    fn default() -> Self {
        Self { start_key: None, page_size: 50, action: None, call_id: None, from: None, to: None }
    }
}

/// Rows, and where the next page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Each with its number, the newest first.
    pub rows: Vec<(i64, AuditRecord)>,
    /// The `start_key` of the next page; none after the last.
    pub next_start_key: Option<AuditKey>,
}

/// An idempotency key that somebody wants to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClaim {
    /// The account of the credential; none: all of them.
    pub account: Option<AccountId>,
    /// The credential's id. Keys of two credentials have nothing to do with each other.
    pub credential: String,
    /// The key, as the client made it.
    pub key: String,
    /// SHA-256 of what is asked.
    pub request: [u8; 32],
    /// Unlike that of any other claim.
    pub claim: String,
    /// When, in Unix milliseconds.
    pub began: i64,
}

impl KeyClaim {
    /// The account as it is written: an empty text for all accounts, as a key must not be NULL.
    pub(super) fn account_text(&self) -> &str {
        self.account.as_ref().map_or("", AccountId::as_str)
    }
}

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// SHA-256 of what was asked.
    pub request: [u8; 32],
    /// Whose claim it is.
    pub claim: String,
    /// When, in Unix milliseconds.
    pub began: i64,
    /// What was answered, if there is an answer.
    pub answer: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_was_written_and_nothing_else_is_one() {
        let key = AuditKey { at: 1_700_000_000_123, id: 42 };
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1-+2", "a-b", "1-99999999999999999999"] {
            assert_eq!(wrong.parse::<AuditKey>(), Err(InvalidAuditKey), "{wrong:?}");
        }
    }
}
