//! A running conference and a participant, as readers see them: immutable parts, atomics, and a list of
//! participants that is swapped as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::model::{AccountTag, ChannelFacts, MemberState};

/// Somebody in a conference.
#[derive(Debug)]
pub struct Participant {
    /// Identifies the call: the key.
    pub call_id: Arc<str>,
    /// The member's number on the switch: shown to people, used again after a restart of the switch.
    pub member_id: u32,
    /// Caller id name, empty if there is none.
    pub caller_name: Box<str>,
    /// Caller id number, empty if there is none.
    pub caller_number: Box<str>,
    /// When he joined, in milliseconds since 1970.
    pub joined_unix_ms: u64,
    /// Tells this stay in the conference from another one of the same call.
    pub stay: u32,
    /// What was told of his channel when he joined.
    pub channel: Option<Arc<ChannelFacts>>,
    state: AtomicU64,
    /// Who is telling him to go. Only that he was told so, by the switch, makes a reason of it.
    sender: ArcSwapOption<Sender>,
}

/// Who tells somebody to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The name of the token, or its id.
    pub name: Arc<str>,
    /// Everybody has to go, so that the conference ends.
    pub ends: bool,
}

/// What a conference is recorded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The file's path on the switch.
    pub path: Arc<str>,
    /// It goes on without writing.
    pub paused: bool,
    /// When it began, in milliseconds since 1970.
    pub since_unix_ms: u64,
}

impl Participant {
    pub(super) fn new(
        call_id: Arc<str>,
        member_id: u32,
        names: (&str, &str),
        (joined_unix_ms, stay): (u64, u32),
        state: MemberState,
    ) -> Self {
        Self {
            stay,
            channel: None,
            call_id,
            member_id,
            caller_name: names.0.into(),
            caller_number: names.1.into(),
            joined_unix_ms,
            state: AtomicU64::new(state.word()),
            sender: ArcSwapOption::empty(),
        }
    }

    /// The same on a channel of which that is known.
    pub(super) fn on(self, channel: Option<Arc<ChannelFacts>>) -> Self {
        Self { channel, ..self }
    }

    /// The same somebody, known better.
    pub(super) fn known_as(&self, member_id: u32, names: (&str, &str), joined: (u64, u32)) -> Self {
        let new =
            Self::new(self.call_id.clone(), member_id, names, joined, self.state()).on(self.channel.clone());
        if joined.1 == self.stay {
            new.sender.store(self.sender.load_full());
        }
        new
    }

    /// Notes who is about to tell him to go, unless somebody is already; gives whether it is noted.
    pub fn claim_sending(&self, sender: &Arc<Sender>) -> bool {
        self.sender.compare_and_swap(&None::<Arc<Sender>>, Some(sender.clone())).is_none()
    }

    /// Whoever had noted it does not tell him to go after all.
    pub fn give_up_sending(&self, sender: &Arc<Sender>) {
        self.sender.compare_and_swap(sender, None);
    }

    pub(super) fn sender(&self) -> Option<Arc<Sender>> {
        self.sender.load_full()
    }

    /// Flags and energies, all of the same moment.
    pub fn state(&self) -> MemberState {
        MemberState::from_word(self.state.load(Ordering::Acquire))
    }

    pub(super) fn set_state(&self, state: MemberState) {
        self.state.store(state.word(), Ordering::Release);
    }
}

/// The participants of one moment, by member id.
pub(super) type Participants = imbl::OrdMap<u64, Arc<Participant>>;

/// One run of a conference on one node.
#[derive(Debug)]
pub struct Conference {
    /// `Conference-Unique-ID`: the key.
    pub instance: Arc<str>,
    /// The name on the switch: a document's id, or chosen by somebody's dialplan.
    pub name: Arc<str>,
    /// Where it runs.
    pub node: Arc<str>,
    /// When it began, in milliseconds since 1970.
    pub began_unix_ms: u64,
    /// It was found in a list: its beginning was not seen here.
    found: bool,
    tag: ArcSwap<AccountTag>,
    locked: AtomicBool,
    stale: AtomicBool,
    /// The number of the latest change; what it says is in the rest already.
    changes: AtomicU64,
    participants: ArcSwap<Participants>,
    recordings: ArcSwap<Vec<Arc<Recording>>>,
    /// How often something may have begun to be played to everybody.
    plays: AtomicU64,
    /// What that was when the switch was asked last and said that nothing is played.
    idle_at: AtomicU64,
}

impl Conference {
    /// Its changes are numbered after `changes`.
    pub(super) fn new(instance: &str, name: &str, node: Arc<str>, began_unix_ms: u64, changes: u64) -> Self {
        Self {
            instance: instance.into(),
            name: name.into(),
            node,
            began_unix_ms,
            found: false,
            tag: ArcSwap::default(),
            locked: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            changes: AtomicU64::new(changes),
            participants: ArcSwap::from_pointee(Participants::new()),
            recordings: ArcSwap::default(),
            plays: AtomicU64::new(0),
            idle_at: AtomicU64::new(0),
        }
    }

    /// The same, found in a list.
    pub(super) fn found(self) -> Self {
        Self { found: true, ..self }
    }

    /// Whether its beginning was not seen here. Then its changes are numbered from when it was found: another daemon, or
    /// this one before a restart, has given the same numbers to others.
    pub fn is_found(&self) -> bool {
        self.found
    }

    /// Whether something may be played to everybody, and the switch is the one to ask; `None` if nothing has
    /// begun since it last said that nothing is played. The number is for [`Conference::nothing_plays`].
    pub fn may_be_playing(&self) -> Option<u64> {
        let plays = self.plays.load(Ordering::Acquire);
        (plays != self.idle_at.load(Ordering::Acquire)).then_some(plays)
    }

    /// The switch has said that nothing is played, asked after [`Conference::may_be_playing`] gave `plays`: what
    /// began since then is not meant.
    pub fn nothing_plays(&self, plays: u64) {
        // Somebody else may have asked later and been first.
        self.idle_at.fetch_max(plays, Ordering::AcqRel);
    }

    /// The number of a change that is in all that is read after this call.
    pub fn change_number(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether joining is refused.
    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Acquire)
    }

    /// Whether all this is old: the node is out of reach, and has been for a while.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    /// Whose it is, as far as the switch has told.
    pub fn account_tag(&self) -> AccountTag {
        AccountTag::clone(&self.tag.load())
    }

    /// Everybody in it at this moment, in the order of their member ids.
    pub fn participants(&self) -> Vec<Arc<Participant>> {
        self.participants.load().values().cloned().collect()
    }

    /// How many are in it, moderators and ghosts among them.
    pub fn len(&self) -> usize {
        self.participants.load().len()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.participants.load().is_empty()
    }

    /// The participant with that member id.
    pub fn by_member_id(&self, member_id: u32) -> Option<Arc<Participant>> {
        let participants = self.participants.load();
        let first = u64::from(member_id) << 32;
        participants.range(first..=first | u64::from(u32::MAX)).next().map(|(_, found)| found.clone())
    }

    /// The participant with that call.
    pub fn by_call_id(&self, call_id: &str) -> Option<Arc<Participant>> {
        self.participants.load().values().find(|participant| &*participant.call_id == call_id).cloned()
    }

    /// What it is recorded to at this moment, in the order of beginning.
    pub fn recordings(&self) -> Arc<Vec<Arc<Recording>>> {
        self.recordings.load_full()
    }

    pub(super) fn set_recordings(&self, recordings: Vec<Arc<Recording>>) {
        self.recordings.store(Arc::new(recordings));
    }

    /// Something has begun to be played, or may have: there was nobody to tell.
    pub(super) fn count_play(&self) {
        self.plays.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn set_locked(&self, locked: bool) {
        self.locked.store(locked, Ordering::Release);
    }

    pub(super) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::Release);
    }

    pub(super) fn set_tag(&self, tag: AccountTag) {
        self.tag.store(Arc::new(tag));
    }

    pub(super) fn set_participants(&self, participants: &Participants) {
        self.participants.store(Arc::new(participants.clone()));
    }

    /// Counts a change, after all that it says has been stored. There is one writer only.
    pub(super) fn count_change(&self) -> u64 {
        let number = self.changes.load(Ordering::Relaxed) + 1;
        self.changes.store(number, Ordering::Release);
        number
    }
}
