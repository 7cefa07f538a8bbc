//! Whose conference it is that somebody has just been told of, for all who listen to their accounts.
//!
//! Its document is asked for, and waited for if the database is away; then its tag, which may come with its first event.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};

use crate::api::resources::Context;
use crate::auth::AccountId;
use crate::hub::{Owner, Whose};
use crate::model::AccountTag;
use crate::registry::Conference;

/// So long a database that is away, and a tag that has not come, are each waited for.
const WITHIN: Duration = Duration::from_secs(5);
/// How long between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// Asked by whoever sorts what happens.
pub struct Asking(pub Arc<Context>);

impl Whose for Asking {
    fn owner_of(&self, conference: Arc<Conference>) -> BoxFuture<'static, Owner> {
        let context = Arc::clone(&self.0);
        Box::pin(async move {
            if let Some(owner) = context.owners.of(&conference) {
                return Owner { account: Some(owner), is_certain: true };
            }
            let documented = || {
                let (context, name) = (context.clone(), conference.name.to_string());
                async move {
                    let owners = context.documents.owners_of(std::slice::from_ref(&name)).await;
                    owners.map(|mut owners| owners.remove(&name))
                }
            };
            let tag = || conference.account_tag();
            owner(&conference.name, documented, tag, context.default_account.as_ref()).await
        })
    }
}

/// The owner by document, else by tag. Without the database a tag is believed until it is asked again.
async fn owner<E: fmt::Display, Answer: Future<Output = Result<Option<AccountId>, E>>>(
    name: &str,
    documented: impl Fn() -> Answer,
    tag: impl Fn() -> AccountTag,
    default: Option<&AccountId>,
) -> Owner {
    let answer = async {
        loop {
            match documented().await {
                Ok(owner) => return owner,
                Err(error) => tracing::debug!(conference = name, "its owner cannot be asked for: {error}"),
            }
            sleep(EVERY).await;
        }
    };
    let answer = timeout(WITHIN, answer).await;
    if let Ok(Some(owner)) = answer {
        return Owner { account: Some(owner), is_certain: true };
    }
    let tagged = async {
        while tag() == AccountTag::Unknown {
            sleep(EVERY).await;
        }
    };
    // A list tells no tag, and there may be no event for long.
    let _ = timeout(WITHIN, tagged).await;
    match tag() {
        AccountTag::Tagged(account) => Owner { account: account.parse().ok(), is_certain: answer.is_ok() },
        // A tag may still come.
        AccountTag::Untagged => Owner { account: default.cloned(), is_certain: false },
        AccountTag::Unknown => Owner { account: None, is_certain: false },
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn account(digit: &str) -> AccountId {
        digit.repeat(32).parse().expect("an account")
    }

    fn tagged(digit: &str) -> AccountTag {
        AccountTag::Tagged(digit.repeat(32).into())
    }

    fn owned(digit: &str, is_certain: bool) -> Owner {
        Owner { account: Some(account(digit)), is_certain }
    }

    const NOBODYS: Owner = Owner { account: None, is_certain: false };

    /// The owner, and how long that took; the database answers and the tag is there after so long.
    async fn asked(
        document: Option<&str>,
        answers_after: Duration,
        (tag, tagged_after): (AccountTag, Duration),
        default: Option<&AccountId>,
    ) -> (Owner, Duration) {
        let began = Instant::now();
        let documented = || async {
            if began.elapsed() < answers_after { Err("it is away") } else { Ok(document.map(account)) }
        };
        let tag = || if began.elapsed() < tagged_after { AccountTag::Unknown } else { tag.clone() };
        (owner("talk", documented, tag, default).await, began.elapsed())
    }

    const NOW: Duration = Duration::ZERO;
    const SOON: Duration = Duration::from_secs(3);
    const LATE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_document_decides_also_if_the_database_is_away_for_a_moment() {
        let tag = (tagged("b"), NOW);
        assert_eq!(asked(Some("a"), NOW, tag.clone(), None).await, (owned("a", true), NOW));
        assert_eq!(asked(Some("a"), SOON, tag.clone(), None).await, (owned("a", true), SOON));
        assert_eq!(asked(None, SOON, tag, None).await, (owned("b", true), SOON));
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_database_a_tag_is_believed_for_now() {
        assert_eq!(asked(Some("a"), LATE, (tagged("b"), NOW), None).await, (owned("b", false), WITHIN));
        let untagged = (AccountTag::Untagged, NOW);
        assert_eq!(asked(Some("a"), LATE, untagged.clone(), None).await, (NOBODYS, WITHIN));
        let default = account("d");
        assert_eq!(asked(Some("a"), LATE, untagged, Some(&default)).await, (owned("d", false), WITHIN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tag_that_comes_late_is_waited_for() {
        assert_eq!(asked(None, NOW, (tagged("b"), SOON), None).await, (owned("b", true), SOON));
        let default = account("d");
        assert_eq!(asked(None, NOW, (tagged("b"), LATE), Some(&default)).await, (NOBODYS, WITHIN));
        assert_eq!(
            asked(None, SOON, (tagged("b"), SOON + WITHIN / 2), None).await,
            (owned("b", true), SOON + WITHIN / 2)
        );
        let never = asked(Some("a"), LATE, (tagged("b"), LATE), None).await;
        assert_eq!(never, (NOBODYS, 2 * WITHIN));
        let untagged = (AccountTag::Untagged, SOON);
        assert_eq!(asked(None, NOW, untagged, Some(&default)).await, (owned("d", false), SOON));
    }
}
