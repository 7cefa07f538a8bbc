//! Whose a call is, and which conference its number leads to.

use super::Inner;
use super::attend::End;
use super::dialogue::Refusal;
use super::entrance::Entrance;
use crate::auth::AccountId;
use crate::documents::{Document, DocumentError, NumberRole};
use crate::model::ParkedCall;
use crate::store::StoreError;

impl Inner {
    /// Whose the call is, if its channel or the dialled domain says so; an error if the channel names no account.
    pub(super) fn account(&self, call: &ParkedCall) -> Result<Option<AccountId>, ()> {
        if let Some(account) = &call.account {
            return account.parse().map(Some).map_err(|error| {
                tracing::warn!(call = &*call.call_id, "its channel variable account_id is none: {error}");
            });
        }
        Ok(call.domain.as_deref().and_then(|domain| self.domains.get(domain)).cloned())
    }

    /// What a number leads to: in that account, or in the only one that has it.
    pub(super) async fn find(
        &self,
        account: Option<&AccountId>,
        number: &str,
    ) -> Result<Option<Entrance>, End> {
        let found = self.look_up(account, number).await.map_err(|error| {
            tracing::warn!(number, "the conference of a number cannot be looked up: {error}");
            End::Refused(Refusal::Unavailable)
        })?;
        Ok(found.map(|(document, role)| Entrance::of(&document, role)))
    }

    /// The same entrance as its document says now; `None` if there is none any more.
    pub(super) async fn again(&self, entrance: &Entrance) -> Result<Option<Entrance>, End> {
        match self.parts.documents.get(&entrance.account, &entrance.conference_id).await {
            Ok(document) => Ok(Some(Entrance::of(&document, entrance.number))),
            Err(DocumentError::NotFound { .. }) => Ok(None),
            Err(error) => {
                tracing::warn!(conference = entrance.conference_id, "its document cannot be read: {error}");
                Err(End::Refused(Refusal::Unavailable))
            }
        }
    }

    async fn look_up(
        &self,
        account: Option<&AccountId>,
        number: &str,
    ) -> Result<Option<(Document, NumberRole)>, StoreError> {
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        match account {
            Some(account) => self.parts.documents.by_number(account, number).await,
            None => {
                let mut found = self.parts.documents.by_number_anywhere(number, 2).await?;
                // With two accounts nobody can say which is meant.
                Ok(if found.len() == 1 { found.pop() } else { None })
            }
        }
    }
}
