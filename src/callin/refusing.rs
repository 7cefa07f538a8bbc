//! Somebody is not let in: he hears why, and so does everybody who listens.

use std::sync::Arc;

use super::attend::Wanted;
use super::dialogue::Refusal;
use super::line::{Gone, Line};
use super::prompts::Prompt;
use super::{Counted, Inner};
use crate::auth::AccountId;
use crate::model::{Moment, Notice, NoticeKind, ParkedCall};
use crate::node::{DIGITS, MARK};

impl Inner {
    /// Tells everybody who listens.
    pub(super) fn tell(&self, call: &ParkedCall, node: &Arc<str>, refusal: Refusal, wanted: &Wanted) {
        let account = wanted.account.as_ref().or(self.parts.default_account.as_ref());
        self.parts.hub.notify(Notice {
            kind: NoticeKind::Rejected {
                reason: refusal.word(),
                number: (*call.number).into(),
                caller_number: (*call.caller_number).into(),
            },
            account: account.map_or("", AccountId::as_str).into(),
            conference_id: wanted.conference_id.clone().unwrap_or_else(|| "-".into()),
            call_id: call.call_id.clone(),
            node: node.clone(),
            at_unix_ms: Moment::now().unix_ms,
        });
    }

    /// Tells the caller why, and hangs up.
    pub(super) async fn refuse(&self, line: &mut Line, refusal: Refusal, wanted: &Wanted) {
        let cause = match refusal {
            Refusal::UnknownNumber => "UNALLOCATED_NUMBER",
            Refusal::Full => "USER_BUSY",
            Refusal::Busy => "SWITCH_CONGESTION",
            Refusal::Unavailable => "NORMAL_TEMPORARY_FAILURE",
            _ => "CALL_REJECTED",
        };
        // So many hear that there are too many; the others hear their own network.
        let heard = Counted::below(&self.refused, self.config.max_dialogues as usize);
        if heard.is_some() {
            let prompts: &[Prompt] = match refusal {
                Refusal::BadPin => &[Prompt::BadPin, Prompt::TooManyAttempts],
                _ => &[refusal.prompt()],
            };
            let told = async {
                if !wanted.answered {
                    line.answer().await?;
                }
                match self.prompts.sounds(prompts, wanted.language.as_deref()) {
                    Some(sound) => line.play(&sound).await,
                    None => Ok(()),
                }
            };
            match told.await {
                Ok(()) => {}
                Err(Gone::HungUp | Gone::Taken) => return,
                Err(Gone::Stuck(why)) => {
                    tracing::warn!(
                        node = &**line.node.name(),
                        call = &*line.call_id,
                        "a caller did not hear why: {why}"
                    );
                }
            }
        }
        // No PIN stays on the channel for its records, and whoever claims the call sees that it is over. If that cannot
        // be said, the call is gone.
        let _ = line.set(DIGITS, "").await;
        let _ = line.set(MARK, "over").await;
        line.hang_up(cause).await;
    }
}
