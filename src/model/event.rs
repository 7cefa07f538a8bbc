//! One thing that a switch told about a conference.

use std::borrow::Cow;

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
    /// Something is played to everybody from now on, or behind what is played already.
    Played,
    /// Anything else: talking, muting, kicking, recording ...
    Other,
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
