//! Events and lists made by hand, as a switch with one dispatch thread would tell them.

use convened::model::{
    ConferenceEvent, EventKind, Extra, Flag, ListedConference, ListedMember, MemberFacts, MemberState, Moment,
};

/// A moment, in milliseconds from the start of the story.
pub fn at(ms: u64) -> Moment {
    Moment { unix_ms: 1_795_426_262_000 + ms, monotonic_ms: ms }
}

/// Hears and is heard.
pub fn plain() -> MemberState {
    MemberState::default().with(Flag::Hear, true).with(Flag::Speak, true).with_energy_level(100)
}

/// An event under construction: of the instance `i1` of `daily`, unless it is said otherwise.
#[derive(Clone)]
pub struct Told(pub ConferenceEvent<'static>);

pub fn told(sequence: u64, kind: EventKind) -> Told {
    Told(ConferenceEvent {
        kind,
        sequence,
        instance: "i1".into(),
        conference: "daily".into(),
        size: None,
        account: None,
        member: None,
        extra: None,
    })
}

impl Told {
    /// Which tells this beside.
    pub fn with(mut self, extra: Extra<'static>) -> Self {
        self.0.extra = Some(Box::new(extra));
        self
    }

    /// Of another run of the conference.
    pub fn of(mut self, instance: &'static str) -> Self {
        self.0.instance = instance.into();
        self
    }

    pub fn size(mut self, size: u32) -> Self {
        self.0.size = Some(size);
        self
    }

    pub fn account(mut self, account: &'static str) -> Self {
        self.0.account = Some(account.into());
        self
    }

    /// About somebody.
    pub fn who(mut self, call_id: &'static str, member_id: u32) -> Self {
        self.0.member = Some(MemberFacts {
            call_id: call_id.into(),
            member_id,
            state: plain(),
            caller_name: format!("Caller {member_id}").into(),
            caller_number: "2000".into(),
            account: None,
        });
        self
    }

    /// With or without that flag.
    pub fn is(mut self, flag: Flag, set: bool) -> Self {
        if let Some(member) = &mut self.0.member {
            member.state = member.state.with(flag, set);
        }
        self
    }

    /// Whose channel says that account.
    pub fn pays(mut self, account: &'static str) -> Self {
        if let Some(member) = &mut self.0.member {
            member.account = Some(account.into());
        }
        self
    }
}

pub fn joined(sequence: u64, call_id: &'static str, member_id: u32) -> Told {
    told(sequence, EventKind::Joined).who(call_id, member_id)
}

pub fn left(sequence: u64, call_id: &'static str, member_id: u32) -> Told {
    told(sequence, EventKind::Left).who(call_id, member_id)
}

/// A recording begins, ends, pauses or goes on.
pub fn recording(sequence: u64, kind: EventKind, path: &'static str) -> Told {
    told(sequence, kind).with(Extra::Recording { path: path.into(), error: None })
}

/// Anything that tells a member's state.
pub fn state(sequence: u64, call_id: &'static str, member_id: u32) -> Told {
    told(sequence, EventKind::Other).who(call_id, member_id)
}

/// The floor goes to somebody.
pub fn floor(sequence: u64, call_id: &'static str, member_id: u32) -> Told {
    let kind = EventKind::FloorChanged { to: Some(member_id) };
    told(sequence, kind).who(call_id, member_id).is(Flag::Floor, true)
}

/// The floor goes to nobody.
pub fn no_floor(sequence: u64) -> Told {
    told(sequence, EventKind::FloorChanged { to: None })
}

/// A list of one conference: `i1` of `daily`.
pub fn listed(members: Vec<ListedMember>) -> ListedConference {
    ListedConference {
        instance: "i1".into(),
        name: "daily".into(),
        run_time_s: 10,
        locked: false,
        ending: false,
        account: None,
        members,
        recordings: Vec::new(),
    }
}

pub fn listed_member(call_id: &str, member_id: u32) -> ListedMember {
    ListedMember {
        call_id: call_id.into(),
        member_id,
        state: plain(),
        caller_name: format!("Caller {member_id}"),
        caller_number: "2000".into(),
        joined_s_ago: 0,
    }
}
