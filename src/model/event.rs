//! One thing that a switch told about a conference.

use std::borrow::Cow;
use std::sync::Arc;

use super::state::MemberState;

/// What happened. What is not listed here changes a member's state at most, and that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The conference began; nobody is in it yet.
    Created,
    /// The conference ended; nobody is in it any more.
    Destroyed,
    /// The member joined.
    Joined,
    /// The member left.
    Left,
    /// Nobody joins any more.
    Locked,
    /// Joining is allowed again.
    Unlocked,
    /// The audio floor went to the member with this id, or to nobody.
    FloorChanged {
        /// The new holder.
        to: Option<u32>,
    },
    /// The member has to leave: he leaves a little later.
    Kicked,
    /// The member goes to another conference: he leaves a little later.
    Transferred,
    /// The conference is recorded to a file, or cannot be.
    RecordingStarted,
    /// A recording has ended.
    RecordingStopped,
    /// A recording goes on without writing.
    RecordingPaused,
    /// A recording writes again.
    RecordingResumed,
    /// Something is played to everybody from now on, or behind what is played already.
    Played,
    /// Anything else: talking, muting ...
    Other,
}

impl EventKind {
    /// The words for all kinds, each at its place: FreeSWITCH's `Action`, as far as kinds tell actions apart.
    pub const WORDS: [&'static str; 15] = [
        "conference-create",
        "conference-destroy",
        "add-member",
        "del-member",
        "lock",
        "unlock",
        "floor-change",
        "kick-member",
        "transfer",
        "start-recording",
        "stop-recording",
        "pause-recording",
        "resume-recording",
        "play-file",
        "other",
    ];

    /// Its place among the words.
    #[must_use]
    pub const fn place(self) -> usize {
        match self {
            Self::Created => 0,
            Self::Destroyed => 1,
            Self::Joined => 2,
            Self::Left => 3,
            Self::Locked => 4,
            Self::Unlocked => 5,
            Self::FloorChanged { .. } => 6,
            Self::Kicked => 7,
            Self::Transferred => 8,
            Self::RecordingStarted => 9,
            Self::RecordingStopped => 10,
            Self::RecordingPaused => 11,
            Self::RecordingResumed => 12,
            Self::Played => 13,
            Self::Other => 14,
        }
    }
}

/// What some kinds of event tell beside the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extra<'a> {
    /// Why the call of a member who left has ended, as FreeSWITCH names causes (`NORMAL_CLEARING`).
    HungUp(Cow<'a, str>),
    /// What is known of the channel of a member who joins.
    Channel(Arc<ChannelFacts>),
    /// The conference that a member goes to.
    To(Cow<'a, str>),
    /// The file of a recording, and why it could not be written.
    Recording {
        /// Its path on the switch.
        path: Cow<'a, str>,
        /// FreeSWITCH's words, if there is no recording.
        error: Option<Cow<'a, str>>,
    },
}

/// What is told of a channel beside what every event tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelFacts {
    /// Whose presence it is (`1000@example.com`).
    pub presence_id: Option<Box<str>>,
    /// Its variables, by their names in the API.
    pub variables: Vec<(Box<str>, Box<str>)>,
}

/// One event of one conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceEvent<'a> {
    /// What happened.
    pub kind: EventKind,
    /// The switch's own number of the event; numbers step back on the wire.
    pub sequence: u64,
    /// Identifies this run of the conference.
    pub instance: Cow<'a, str>,
    /// Its name on the switch.
    pub conference: Cow<'a, str>,
    /// How many members it had when the event was made, ghosts not counted.
    pub size: Option<u32>,
    /// The conference variable `account_id`.
    pub account: Option<Cow<'a, str>>,
    /// The member it is about, with his whole state.
    pub member: Option<MemberFacts<'a>>,
    /// What else it tells. Few events do, so it does not lie in all of them.
    pub extra: Option<Box<Extra<'a>>>,
}

/// A member as an event tells him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts<'a> {
    /// Identifies the call.
    pub call_id: Cow<'a, str>,
    /// His number on the switch; used again after a restart.
    pub member_id: u32,
    /// Flags and energies.
    pub state: MemberState,
    /// Caller id name, empty if there is none.
    pub caller_name: Cow<'a, str>,
    /// Caller id number, empty if there is none.
    pub caller_number: Cow<'a, str>,
    /// The channel's `account_id`, if the channel shows it.
    pub account: Option<Cow<'a, str>>,
}
