//! A participant's flags and energies in one word, so that a reader sees them whole.
//!
//! ```text
//! 63      48 47      32 31                    0
//! ┌─────────┬──────────┬───────────────────────┐
//! │ current │ level    │ one bit per flag      │
//! └─────────┴──────────┴───────────────────────┘
//! ```

use std::fmt;

/// Something that is so or not so about a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Flag {
    /// Hears the conference; not so when deaf. As in events: a hold does not change it.
    Hear = 0,
    /// Is heard; not so when muted. As in events: a hold does not change it.
    Speak = 1,
    /// Makes noise above the energy level.
    Talking = 2,
    /// Holds the audio floor.
    Floor = 3,
    /// Is on hold.
    Hold = 4,
    /// Joined as a moderator.
    Moderator = 5,
    /// Is there without being counted.
    Ghost = 6,
    /// Is told when he talks while muted.
    MuteDetect = 7,
    /// Sends video.
    Video = 8,
    /// Sees the conference's video.
    See = 9,
    /// The current energy has been told by an event; a list does not tell it.
    EnergyKnown = 10,
}

/// Flags and energies of a participant at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MemberState(u64);

impl MemberState {
    /// The word that [`MemberState::word`] gave.
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// All of it as one word.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Whether the flag is set.
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u32) != 0
    }

    /// The same with the flag set or not.
    #[must_use]
    pub const fn with(self, flag: Flag, set: bool) -> Self {
        Self(self.0 & !(1 << flag as u32) | (set as u64) << flag as u32)
    }

    /// The noise above which the participant counts as talking (FreeSWITCH's `Energy-Level`).
    pub const fn energy_level(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// The same with another energy level; what does not fit is cut to 65535.
    #[must_use]
    pub const fn with_energy_level(self, level: u64) -> Self {
        Self(self.0 & !(0xffff << 32) | saturated(level) << 32)
    }

    /// How loud he was at the last event; `None` as long as only a list has told of him.
    pub const fn current_energy(self) -> Option<u16> {
        if self.has(Flag::EnergyKnown) { Some((self.0 >> 48) as u16) } else { None }
    }

    /// The same with a current energy; what does not fit is cut to 65535.
    #[must_use]
    pub const fn with_current_energy(self, energy: u64) -> Self {
        Self(self.0 & !(0xffff << 48) | saturated(energy) << 48).with(Flag::EnergyKnown, true)
    }

    /// The same without what no change is published for: how loud it is at the moment.
    #[must_use]
    pub const fn without_current_energy(self) -> Self {
        Self(self.0 & !(0xffff << 48)).with(Flag::EnergyKnown, false)
    }
}

const fn saturated(value: u64) -> u64 {
    if value > 0xffff { 0xffff } else { value }
}

impl fmt::Debug for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(Flag, &str); 10] = [
            (Flag::Hear, "hear"),
            (Flag::Speak, "speak"),
            (Flag::Talking, "talking"),
            (Flag::Floor, "floor"),
            (Flag::Hold, "hold"),
            (Flag::Moderator, "moderator"),
            (Flag::Ghost, "ghost"),
            (Flag::MuteDetect, "mute_detect"),
            (Flag::Video, "video"),
            (Flag::See, "see"),
        ];
        for (flag, name) in NAMES {
            if self.has(flag) {
                write!(f, "{name}|")?;
            }
        }
        write!(f, "{}/{:?}", self.energy_level(), self.current_energy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_of_the_word_do_not_touch_each_other(level in 0u64..70_000, energy in 0u64..70_000, flag in 0u32..10, set: bool) {
            let flag = [Flag::Hear, Flag::Speak, Flag::Talking, Flag::Floor, Flag::Hold, Flag::Moderator, Flag::Ghost, Flag::MuteDetect, Flag::Video, Flag::See][flag as usize];
            let state = MemberState::default().with_energy_level(level).with_current_energy(energy).with(flag, set);
            prop_assert_eq!(u64::from(state.energy_level()), level.min(65_535));
            prop_assert_eq!(state.current_energy().map(u64::from), Some(energy.min(65_535)));
            prop_assert_eq!(state.has(flag), set);
            prop_assert_eq!(state.with(flag, false).without_current_energy(), MemberState::default().with_energy_level(level));
        }
    }

    #[test]
    fn energy_is_unknown_until_told() {
        assert_eq!(MemberState::default().current_energy(), None);
        assert_eq!(MemberState::default().with_current_energy(0).current_energy(), Some(0));
    }
}
