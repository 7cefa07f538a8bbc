//! A switch's own list of what runs.

use super::state::MemberState;

/// A conference in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConference {
    /// Identifies this run of the conference.
    pub instance: String,
    /// Its name on the switch.
    pub name: String,
    /// How long it has run, in seconds.
    pub run_time_s: u64,
    /// Nobody joins any more.
    pub locked: bool,
    /// It is about to end: everybody has been told to go.
    pub ending: bool,
    /// The conference variable `account_id`.
    pub account: Option<String>,
    /// Everybody with a call.
    pub members: Vec<ListedMember>,
    /// What it is recorded to.
    pub recordings: Vec<ListedRecording>,
}

/// A recording in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRecording {
    /// The file's path on the switch.
    pub path: String,
    /// It goes on without writing.
    pub paused: bool,
    /// When it began, in seconds since 1970 by the clock of the switch.
    pub since_unix_s: u64,
}

/// A member in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMember {
    /// Identifies the call.
    pub call_id: String,
    /// His number on the switch.
    pub member_id: u32,
    /// What the list tells of his flags. Current energy, ghost and, for somebody on hold, hear and
    /// speak are not among it.
    pub state: MemberState,
    /// Caller id name, empty if there is none.
    pub caller_name: String,
    /// Caller id number, empty if there is none.
    pub caller_number: String,
    /// How long ago he joined, in seconds.
    pub joined_s_ago: u64,
}
