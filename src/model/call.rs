//! Calls that come in: what a switch tells of one until it is in a conference.

use std::sync::Arc;

/// A call that waits in the dialplan for somebody to take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedCall {
    /// Identifies the call.
    pub call_id: Arc<str>,
    /// The number that was dialled.
    pub number: Box<str>,
    /// The context of the dialplan that it waits in.
    pub context: Box<str>,
    /// Caller id number, empty if there is none.
    pub caller_number: Box<str>,
    /// The channel variable `account_id`.
    pub account: Option<Box<str>>,
    /// The domain that was dialled, in small letters.
    pub domain: Option<Box<str>>,
    /// What another node gave it with: it was let in there.
    pub ticket: Option<Box<str>>,
    /// The dialplan, or somebody who took it before, says that it is for us.
    pub is_marked: bool,
    /// Somebody has been done with it since.
    pub is_over: bool,
    /// It is connected.
    pub is_answered: bool,
    /// The conference that it is in, or was in last.
    pub conference: Option<Box<str>>,
}

/// What happens to calls that come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallNews {
    /// One waits.
    Parked(ParkedCall),
    /// An application has ended that was executed on it.
    Executed {
        /// The call.
        call_id: Arc<str>,
        /// The id that it was asked for with.
        id: Box<str>,
        /// What was typed, if it asked for digits and got some.
        digits: Option<Typed>,
        /// Number and context that the call has now: others if somebody has sent it elsewhere.
        now_at: (Box<str>, Box<str>),
    },
    /// Something may have happened that was not told.
    Missed {
        /// The call.
        call_id: Arc<str>,
    },
    /// It waits no more and goes on elsewhere.
    Unparked {
        /// The call.
        call_id: Arc<str>,
    },
    /// It is gone.
    HungUp {
        /// The call.
        call_id: Arc<str>,
    },
}

impl CallNews {
    /// The call that it is about.
    #[must_use]
    pub fn call_id(&self) -> &Arc<str> {
        match self {
            Self::Parked(ParkedCall { call_id, .. })
            | Self::Executed { call_id, .. }
            | Self::Missed { call_id }
            | Self::Unparked { call_id }
            | Self::HungUp { call_id } => call_id,
        }
    }
}

/// Digits that somebody typed. They may be a PIN, so they are shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(Box<str>);

impl Typed {
    /// What was typed.
    #[must_use]
    pub fn new(digits: &str) -> Self {
        Self(digits.into())
    }

    /// The digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
