//! The world as a test sees it: what a perfect observer would know of each conference.

use super::{RelationTruth, World};

/// A conference as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomTruth {
    /// Its name; not unique over time.
    pub name: String,
    /// `Conference-Unique-ID`.
    pub uuid: String,
    /// No new callers.
    pub locked: bool,
    /// Whether it is being recorded, and into which files.
    pub recordings: Vec<String>,
    /// `setvar` and `confvar_` variables in the order they were set.
    pub variables: Vec<(String, String)>,
    /// Its members in the order they joined; one that was kicked is there until its `del-member`.
    pub members: Vec<MemberTruth>,
    /// Who does not hear whom, the oldest first.
    pub relations: Vec<RelationTruth>,
}

impl RoomTruth {
    /// The member with that call id.
    pub fn member(&self, call: &str) -> Option<&MemberTruth> {
        self.members.iter().find(|m| m.call == call)
    }

    /// Whether the one call hears the other, as the mixer decides it (mod_conference.c, `conference_thread_run`).
    pub fn hears(&self, listener: &str, speaker: &str) -> bool {
        let (Some(listener), Some(speaker)) = (self.member(listener), self.member(speaker)) else {
            return false;
        };
        let between = |a: &MemberTruth, b: &MemberTruth| {
            self.relations.iter().find(|relation| (relation.member, relation.other) == (a.id, b.id))
        };
        listener.id != speaker.id
            && listener.hear
            && speaker.speak
            && !speaker.hold
            && between(listener, speaker).is_none_or(|relation| relation.hear)
            && between(speaker, listener).is_none_or(|relation| relation.speak)
    }
}

/// A member as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberTruth {
    /// Member-ID.
    pub id: u32,
    /// `Unique-ID`: its call.
    pub call: String,
    /// The caller's name, as bytes: nobody promises UTF-8.
    pub name: Vec<u8>,
    /// The caller's number.
    pub number: Vec<u8>,
    /// Not deaf. Events say this; lists say it only while the member is not on hold.
    pub hear: bool,
    /// Not muted. The same holds.
    pub speak: bool,
    /// Is being heard.
    pub talking: bool,
    /// On hold.
    pub hold: bool,
    /// Has the floor.
    pub floor: bool,
    /// May not be muted in bulk.
    pub moderator: bool,
    /// Not counted in `Conference-Size`.
    pub ghost: bool,
    /// The conference ends when it leaves.
    pub endconf: bool,
    /// `energy`.
    pub energy_level: i64,
    /// `volume_in`.
    pub volume_in: i64,
    /// `volume_out`.
    pub volume_out: i64,
}

impl World {
    /// All running conferences in the order they were made. One that has ended is not among them, even
    /// while its `conference-destroy` is still to come.
    pub fn rooms(&self) -> Vec<RoomTruth> {
        let view = |room: &super::Room| RoomTruth {
            name: room.name.clone(),
            uuid: room.uuid.clone(),
            locked: room.locked,
            recordings: room.recordings.iter().map(|r| r.path.clone()).collect(),
            variables: room.variables.clone(),
            members: room.members.values().map(|m| self.member_truth(room, m)).collect(),
            relations: room.relations.clone(),
        };
        self.rooms.values().filter(|room| !room.ended).map(view).collect()
    }

    fn member_truth(&self, room: &super::Room, member: &super::Member) -> MemberTruth {
        let call = self.calls.get(&member.call);
        MemberTruth {
            id: member.id,
            call: member.call.clone(),
            name: call.map(|c| c.name.clone()).unwrap_or_default(),
            number: call.map(|c| c.number.clone()).unwrap_or_default(),
            hear: member.hear,
            speak: member.speak,
            talking: member.talking,
            hold: member.hold,
            floor: room.holds_floor(member),
            moderator: member.moderator,
            ghost: member.ghost,
            endconf: member.endconf,
            energy_level: member.energy_level,
            volume_in: member.volume_in,
            volume_out: member.volume_out,
        }
    }
}
