//! Who is kept from hearing whom.

/// What is to be between one participant and another.
///
/// FreeSWITCH keeps one relation for each pair in each direction, with its first participant: a new one takes
/// the place of the one before (conference_api.c, `_conference_api_sub_relate_set_member_relationship`), and it
/// goes with him when he leaves (conference_member.c, `conference_member_del`). The other direction is another
/// relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relationship {
    /// The first does not hear the other. FreeSWITCH's `nohear`: the mixer takes the other's sound out of what
    /// the first gets (mod_conference.c, `conference_thread_run`).
    Deaf,
    /// The other does not hear the first. FreeSWITCH's `nospeak`: the mixer takes the first's sound out of what
    /// the other gets (the same function).
    Mute,
    /// Neither of it any more.
    Clear,
}

impl Relationship {
    /// The relationship of that name in the API.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Deaf, Self::Mute, Self::Clear].into_iter().find(|known| known.name() == name)
    }

    /// The word for it in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deaf => "deaf",
            Self::Mute => "mute",
            Self::Clear => "clear",
        }
    }
}

/// What is to be between which two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// Whom it is about, by participant id.
    pub participant_id: u32,
    /// The other one, by participant id.
    pub other_participant: u32,
    /// What is to be between them.
    pub relationship: Relationship,
}
