//! The field's words as types: what is known of a conference and of a participant, what a switch told,
//! what changed. Knows no wire format and no header name.

mod account;
mod action;
mod call;
mod event;
mod listing;
mod notice;
mod playing;
mod relation;
mod state;

pub use account::AccountTag;
pub use action::{
    ActionResult, ConferenceAction, Outcome, ParticipantAction, Problem, Record, Selection, Setting,
};
pub use call::{CallNews, ParkedCall, Typed};
pub use event::{ChannelFacts, ConferenceEvent, EventKind, Extra, MemberFacts};
pub use listing::{ListedConference, ListedMember, ListedRecording};
pub use notice::{DialProgress, Notice, NoticeKind};
pub use playing::Playing;
pub use relation::{Relation, Relationship};
pub use state::{Flag, MemberState};

/// What time it is, on both clocks: one to tell people, one to measure with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970, UTC. May step.
    pub unix_ms: u64,
    /// Milliseconds on a clock that only goes forward.
    pub monotonic_ms: u64,
}

impl Moment {
    /// Now, by the machine's clocks.
    pub fn now() -> Self {
        static START: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { unix_ms: millis(unix), monotonic_ms: millis(START.elapsed()) }
    }
}
