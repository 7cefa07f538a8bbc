//! Whose conference it is, and what there is of it.
//!
//! A document decides: a conference of its name is its account's, whatever the switch says. Without one
//! the switch's tags decide, unless the document was deleted while it ran. Another account's conference is
//! not there at all.

mod asking;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Caller, Context};
use crate::api::ApiError;
use crate::auth::AccountId;
use crate::documents::{DocumentError, DocumentRecord};
use crate::model::AccountTag;
use crate::registry::Conference;
use crate::store::StoreError;

pub use asking::Asking;

/// A conference of the caller's account.
pub(in crate::api::resources) struct Found {
    /// The id in the path, which is its name on the switch.
    pub(super) id: String,
    /// Its document, unless it is an ad-hoc one, or the database is away.
    pub(super) document: Option<DocumentRecord>,
    /// Whether it is known to have no document.
    pub(super) is_ad_hoc: bool,
    /// Where it runs, oldest first.
    pub(in crate::api::resources) instances: Vec<Arc<Conference>>,
}

impl Context {
    /// The conference of that id, as far as the caller may know of it.
    ///
    /// Without the database what runs is found all the same if its tag or, before, its document has told
    /// that it is the account's.
    pub(in crate::api::resources) async fn find(&self, caller: &Caller, id: &str) -> Result<Found, ApiError> {
        let account = caller.account()?;
        let running = self.registry.conference(id);
        let away = match self.documents.text(account, id).await {
            Ok(document) => {
                return Ok(self.documented(document));
            }
            Err(DocumentError::NotFound { .. }) => None,
            Err(DocumentError::Store(error)) if error.is_unavailable() => Some(error),
            Err(error) => return Err(error.into()),
        };
        let mut instances = running.to_vec();
        instances.retain(|conference| self.is_of(caller, account, conference));
        if let Some(error) = away {
            if instances.is_empty() {
                return Err(error.into());
            }
            return Ok(Found { id: id.to_owned(), document: None, is_ad_hoc: false, instances });
        }
        if !instances.is_empty() && self.documents.owners_of(&[id.to_owned()]).await?.is_empty() {
            return Ok(self.ad_hoc(id, instances));
        }
        Err(self.missing(id))
    }

    /// A document of the account with what runs of it.
    pub(super) fn documented(&self, document: DocumentRecord) -> Found {
        let instances = self.registry.conference(&document.id).to_vec();
        self.owners.note(&document.account, &instances, &self.registry);
        Found { id: document.id.clone(), document: Some(document), is_ad_hoc: false, instances }
    }

    fn ad_hoc(&self, id: &str, instances: Vec<Arc<Conference>>) -> Found {
        Found { id: id.to_owned(), document: None, is_ad_hoc: true, instances }
    }

    /// There is nothing of that id; or it is not known yet what runs.
    fn missing(&self, id: &str) -> ApiError {
        if self.registry.is_complete() { ApiError::not_found(id) } else { self.not_known(id) }
    }

    /// It does not run; or it is not known yet what runs.
    pub(super) fn not_running(&self, id: &str) -> ApiError {
        if self.registry.is_complete() { ApiError::not_running(id) } else { self.not_known(id) }
    }

    pub(super) fn not_known(&self, id: &str) -> ApiError {
        let unknown: Vec<_> = self
            .registry
            .nodes()
            .iter()
            .filter(|(_, condition)| **condition != crate::registry::NodeCondition::Followed)
            .map(|(node, _)| node.to_string())
            .collect();
        ApiError::switch_unavailable(serde_json::Map::new())
            .with_data("cause", id)
            .with_data("reason", "not_known")
            .with_data("nodes", unknown)
            .retry_after(2)
    }

    fn is_of(&self, caller: &Caller, account: &AccountId, conference: &Conference) -> bool {
        match self.owners.of(conference) {
            Some(owner) => owner == *account,
            None => self.is_tagged_for(caller, account, &conference.account_tag()),
        }
    }

    fn is_tagged_for(&self, caller: &Caller, account: &AccountId, tag: &AccountTag) -> bool {
        match tag {
            AccountTag::Tagged(tagged) => **tagged == *account.as_str(),
            AccountTag::Untagged => self.default_account.as_ref() == Some(account) || self.is_nobodys(caller),
            AccountTag::Unknown => caller.is_superuser(),
        }
    }

    /// Without a default account what has no tag is seen by a superuser only.
    fn is_nobodys(&self, caller: &Caller) -> bool {
        self.default_account.is_none() && caller.is_superuser()
    }

    /// The ad-hoc conferences of the account, by name, each with all its instances.
    pub(super) async fn ad_hoc_conferences(&self, caller: &Caller) -> Result<Vec<Found>, ApiError> {
        let account = caller.account()?;
        let mut running = self.registry.conferences_tagged(&AccountTag::Tagged(account.as_str().into()));
        if self.default_account.as_ref() == Some(account) || self.is_nobodys(caller) {
            running.extend(self.registry.conferences_tagged(&AccountTag::Untagged));
        }
        if caller.is_superuser() {
            running.extend(self.registry.conferences_tagged(&AccountTag::Unknown));
        }
        running.retain(|conference| self.is_of(caller, account, conference));
        for orphan in self.owners.orphans_of(account, &self.registry) {
            if !running.iter().any(|known| Arc::ptr_eq(known, &orphan)) {
                running.push(orphan);
            }
        }
        running.sort_by(|a, b| (&a.name, a.began_unix_ms).cmp(&(&b.name, b.began_unix_ms)));
        let documented = self.with_documents(&running).await?;
        let mut found: Vec<Found> = Vec::new();
        for conference in running {
            if documented.contains(&*conference.name) {
                continue;
            }
            match found.last_mut() {
                Some(last) if last.id == *conference.name => last.instances.push(conference),
                _ => found.push(self.ad_hoc(&conference.name.clone(), vec![conference])),
            }
        }
        Ok(found)
    }

    /// Everything that runs and is the account's, with or without a document.
    pub(in crate::api::resources) async fn running_of(
        &self,
        caller: &Caller,
    ) -> Result<Vec<Arc<Conference>>, ApiError> {
        let account = caller.account()?;
        let mut running = self.registry.conferences();
        let names: HashSet<String> = running.iter().map(|conference| conference.name.to_string()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut owners = HashMap::new();
        for some in names.chunks(500) {
            owners.extend(self.documents.owners_of(some).await?);
        }
        running.retain(|conference| match owners.get(&*conference.name) {
            Some(owner) => owner == account,
            None => self.is_of(caller, account, conference),
        });
        running.sort_by(|a, b| (&a.name, a.began_unix_ms).cmp(&(&b.name, b.began_unix_ms)));
        Ok(running)
    }

    /// The names among them that are ids of documents, of whichever account.
    async fn with_documents(&self, running: &[Arc<Conference>]) -> Result<HashSet<String>, StoreError> {
        let names: HashSet<String> = running.iter().map(|conference| conference.name.to_string()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut owners = HashMap::new();
        for some in names.chunks(500) {
            owners.extend(self.documents.owners_of(some).await?);
        }
        Ok(owners.into_keys().collect())
    }
}
