//! News that are no change of a conference: it need not run.

use std::sync::Arc;

/// Something that happened on the way into a conference. It has no number; whoever did not listen has missed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// Whose conference it is.
    pub account: Arc<str>,
    /// The conference's id: that of its document, or its name.
    pub conference_id: Arc<str>,
    /// The call that it is about.
    pub call_id: Arc<str>,
    /// Where it happened.
    pub node: Arc<str>,
    /// When it was seen, in milliseconds since 1970.
    pub at_unix_ms: u64,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// A call that the action `dial` makes.
    Dial {
        /// The id of it in the action's answer.
        id: Arc<str>,
        /// Who is called.
        endpoint: Arc<str>,
        /// How far it is.
        progress: DialProgress,
    },
    /// A caller was not let in.
    Rejected {
        /// Why not, in one word such as `bad_pin`.
        reason: &'static str,
        /// The number that he dialled.
        number: Arc<str>,
        /// His own number; empty if he hides it.
        caller_number: Arc<str>,
    },
}

/// How far a call is that is made. After the first that [is the last](Self::is_last) nothing more is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialProgress {
    /// It rings, or the other end plays something before it answers. Not told of every call.
    Ringing,
    /// Somebody has answered. That he is in the conference is told as of anybody who joins.
    Answered,
    /// It came to nothing.
    Failed {
        /// FreeSWITCH's cause, such as `USER_BUSY`, or a sentence if its result was not seen.
        reason: String,
    },
    /// It is not known what came of it, and will not be.
    Unknown {
        /// Why not.
        reason: &'static str,
    },
}

impl DialProgress {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        !matches!(self, Self::Ringing)
    }

    /// Why it did not succeed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ringing | Self::Answered => None,
            Self::Failed { reason } => Some(reason),
            Self::Unknown { reason } => Some(reason),
        }
    }
}

impl Notice {
    /// The word for it in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match &self.kind {
            NoticeKind::Dial { progress, .. } => match progress {
                DialProgress::Ringing => "dial-ringing",
                DialProgress::Answered => "dial-answered",
                DialProgress::Failed { .. } => "dial-failed",
                DialProgress::Unknown { .. } => "dial-unknown",
            },
            NoticeKind::Rejected { .. } => "caller-rejected",
        }
    }
}
