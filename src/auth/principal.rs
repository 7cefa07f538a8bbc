//! Who is asking, and the one question that everybody asks about them.
//!
//! Owns: the order of the two refusals. Whose account it is not learns nothing, not even that the
//! account exists; whose account it is learns which scope is missing.

use std::sync::Arc;

use super::{AccountId, Scope, Scopes};

/// The owner of a token that is good. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's public id, for logs.
    pub token_id: Arc<str>,
    /// What people call it.
    pub name: Arc<str>,
    /// The public id of the key it came from, or its own: tokens of one key are one credential.
    pub credential: Arc<str>,
    /// Its account; none: a superuser, for whom all accounts are open.
    pub account: Option<AccountId>,
    /// What it may do there.
    pub scopes: Scopes,
}

/// What a principal may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Go on.
    Allowed,
    /// Another account's: answered as if it did not exist (404).
    Hidden,
    /// Its own account, but the scope is missing (403).
    Forbidden,
}

impl Access {
    /// Whether to go on.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }
}

impl Principal {
    /// Whether this is a superuser.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        self.account.is_none()
    }

    /// Whether it may do this in that account.
    #[must_use]
    pub fn may(&self, account: &AccountId, scope: Scope) -> Access {
        if self.account.as_ref().is_some_and(|own| own != account) {
            Access::Hidden
        } else if self.scopes.contains(scope) {
            Access::Allowed
        } else {
            Access::Forbidden
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_account_is_hidden_before_a_scope_is_forbidden() {
        let account = |text: &str| text.parse::<AccountId>().expect("an account");
        let mine = account("mine");
        let reader = Principal {
            token_id: "t".into(),
            name: "desk".into(),
            credential: "t".into(),
            account: Some(mine.clone()),
            scopes: Scopes::from_iter([Scope::Read]),
        };
        assert_eq!(reader.may(&mine, Scope::Read), Access::Allowed);
        assert_eq!(reader.may(&mine, Scope::Control), Access::Forbidden);
        assert_eq!(reader.may(&account("other"), Scope::Read), Access::Hidden);
        assert_eq!(reader.may(&account("other"), Scope::Control), Access::Hidden);
        let superuser = Principal { account: None, ..reader };
        assert_eq!(superuser.may(&account("other"), Scope::Read), Access::Allowed);
        assert_eq!(superuser.may(&account("other"), Scope::Write), Access::Forbidden);
    }
}
