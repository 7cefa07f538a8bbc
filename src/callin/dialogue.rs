//! The dialogue with a caller: which conference, which PIN, and what comes of it. Without I/O, clock or switch.
//!
//! ```text
//! lobby: ask for a number ─▶ look it up ─▶ no such: ask again, three times
//!                                  │
//! number known ────────────────────┴▶ no PIN wanted ─────────────────▶ admit
//!                                   └▶ ask for it ─▶ right ──────────▶ admit
//!                                        ▲   └ wrong ─▶ may it go on? ─▶ ask again, three times
//!                                        └──────────────────┘ └ no ──▶ refuse: locked out
//! ```
//!
//! Whoever drives it tells what the caller did and does what is said: [`Next`]. A hang-up needs no word: the dialogue
//! is dropped.

use super::prompts::Prompt;
use crate::model::Typed;

/// What a caller becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// One of many.
    Member,
    /// Runs the conference.
    Moderator,
}

/// For whom a number is that was dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum For {
    /// Members; with a moderator's PIN one becomes a moderator all the same.
    Members,
    /// Moderators only.
    Moderators,
    /// The PIN decides.
    Everybody,
}

/// Which PINs open which role.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pins {
    /// For whom the number is.
    pub(super) whom: For,
    /// Those of members; none: a member needs no PIN.
    pub(super) members: Vec<Typed>,
    /// Those of moderators.
    pub(super) moderators: Vec<Typed>,
}

impl std::fmt::Debug for Pins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (members, moderators) = (self.members.len(), self.moderators.len());
        write!(f, "{members} of members, {moderators} of moderators, for {:?}", self.whom)
    }
}

impl Pins {
    /// What somebody becomes who types nothing, if he is let in at all.
    fn unasked(&self) -> Option<Role> {
        match self.whom {
            For::Members | For::Everybody => self.members.is_empty().then_some(Role::Member),
            For::Moderators => self.moderators.is_empty().then_some(Role::Moderator),
        }
    }

    /// Whether a PIN may be typed that changes anything.
    fn is_asked(&self) -> bool {
        match self.whom {
            For::Members => !self.members.is_empty(),
            For::Moderators => !self.moderators.is_empty(),
            For::Everybody => !self.members.is_empty() || !self.moderators.is_empty(),
        }
    }

    /// What somebody becomes who types that.
    fn role(&self, typed: &str) -> Option<Role> {
        let is_one = |pins: &[Typed]| pins.iter().any(|pin| pin.expose() == typed);
        if is_one(&self.moderators) {
            return Some(Role::Moderator);
        }
        (self.whom != For::Moderators && is_one(&self.members)).then_some(Role::Member)
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// He has typed wrong PINs.
    BadPin,
    /// The conference is locked.
    Locked,
    /// It has `max_participants`.
    Full,
    /// He has typed nothing.
    Timeout,
    /// There is no conference of that number.
    UnknownNumber,
    /// This caller is let in nowhere.
    Banned,
    /// Too many wrong PINs, of this caller or for this conference.
    LockedOut,
    /// The conferences could not be looked up, or the switch did not do what it was asked.
    Unavailable,
    /// There are too many callers.
    Busy,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::BadPin,
        Self::Locked,
        Self::Full,
        Self::Timeout,
        Self::UnknownNumber,
        Self::Banned,
        Self::LockedOut,
        Self::Unavailable,
        Self::Busy,
    ];

    /// The word for it in events.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BadPin => "bad_pin",
            Self::Locked => "locked",
            Self::Full => "full",
            Self::Timeout => "timeout",
            Self::UnknownNumber => "unknown_number",
            Self::Banned => "banned",
            Self::LockedOut => "locked_out",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
        }
    }

    /// What the caller hears.
    #[must_use]
    pub(super) const fn prompt(self) -> Prompt {
        match self {
            Self::BadPin | Self::Timeout => Prompt::TooManyAttempts,
            Self::Locked => Prompt::Locked,
            Self::Full => Prompt::Full,
            Self::UnknownNumber => Prompt::BadNumber,
            Self::Banned => Prompt::Banned,
            Self::LockedOut => Prompt::LockedOut,
            Self::Unavailable | Self::Busy => Prompt::Unavailable,
        }
    }
}

/// What digits are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// The number of a conference.
    Number,
    /// A PIN.
    Pin,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Play these and take digits: [`Dialogue::typed`].
    Ask(Question, Vec<Prompt>),
    /// Find the conference of that number: [`Dialogue::found`].
    LookUp(Typed),
    /// A PIN was wrong. It counts: [`Dialogue::may_go_on`].
    Wrong,
    /// Let him in.
    Admit(Role),
    /// Tell him why not, and hang up.
    Refuse(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Number,
    LookingUp,
    Pin(Pins),
    Judging(Pins),
    Over(Next),
}

/// One caller's dialogue.
#[derive(Debug, Clone)]
pub(super) struct Dialogue {
    state: State,
    /// How often something may be typed for each question.
    tries: u32,
    left: u32,
    /// Whether something was typed since the question was asked first.
    has_typed: bool,
    /// What is played in front of the next question.
    before: Vec<Prompt>,
}

impl Dialogue {
    /// One in which each question is asked at most so often.
    #[must_use]
    pub(super) fn new(tries: u32) -> Self {
        Self { state: State::Number, tries, left: tries, has_typed: false, before: Vec::new() }
    }

    /// Begins with a welcome.
    #[must_use]
    pub(super) fn welcoming(mut self) -> Self {
        self.before.push(Prompt::Welcome);
        self
    }

    /// Begins in a lobby: the conference is not known.
    pub(super) fn begin_in_lobby(&mut self) -> Next {
        self.ask(State::Number)
    }

    /// Begins at the door of a conference.
    pub(super) fn begin_at(&mut self, pins: Pins) -> Next {
        (self.left, self.has_typed) = (self.tries, false);
        match pins.unasked() {
            Some(role) if !pins.is_asked() => self.end(Next::Admit(role)),
            _ => self.ask(State::Pin(pins)),
        }
    }

    /// What the prompts before the next question are, for a caller who is asked none.
    pub(super) fn take_greeting(&mut self) -> Vec<Prompt> {
        std::mem::take(&mut self.before)
    }

    /// The caller has typed that, or nothing in time.
    pub(super) fn typed(&mut self, digits: Option<&Typed>) -> Next {
        self.has_typed |= digits.is_some();
        match (self.state.clone(), digits) {
            (State::Number, Some(digits)) => {
                self.state = State::LookingUp;
                Next::LookUp(digits.clone())
            }
            (State::Number, None) => self.again(State::Number, Prompt::BadNumber),
            (State::Pin(pins), Some(digits)) => match pins.role(digits.expose()) {
                Some(role) => self.end(Next::Admit(role)),
                None => {
                    self.state = State::Judging(pins);
                    Next::Wrong
                }
            },
            (State::Pin(pins), None) => match pins.unasked() {
                Some(role) => self.end(Next::Admit(role)),
                None => self.again(State::Pin(pins), Prompt::BadPin),
            },
            (state, _) => self.unchanged(state),
        }
    }

    /// No PIN is taken: who needs none is let in, the others are not.
    pub(super) fn without_pin(&mut self) -> Next {
        match self.state.clone() {
            State::Pin(pins) => match pins.unasked() {
                Some(role) => self.end(Next::Admit(role)),
                None => self.end(Next::Refuse(Refusal::LockedOut)),
            },
            state => self.unchanged(state),
        }
    }

    /// The number that was typed leads to that, or nowhere.
    pub(super) fn found(&mut self, pins: Option<Pins>) -> Next {
        match (self.state.clone(), pins) {
            (State::LookingUp, Some(pins)) => self.begin_at(pins),
            (State::LookingUp, None) => self.again(State::Number, Prompt::BadNumber),
            (state, _) => self.unchanged(state),
        }
    }

    /// Whether somebody may try again whose PIN was wrong.
    pub(super) fn may_go_on(&mut self, may: bool) -> Next {
        match (self.state.clone(), may) {
            (State::Judging(pins), true) => self.again(State::Pin(pins), Prompt::BadPin),
            (State::Judging(_), false) => self.end(Next::Refuse(Refusal::LockedOut)),
            (state, _) => self.unchanged(state),
        }
    }

    /// Asks once more if there is a try left.
    fn again(&mut self, state: State, because: Prompt) -> Next {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            let refusal = match (&state, self.has_typed) {
                (_, false) => Refusal::Timeout,
                (State::Number, true) => Refusal::UnknownNumber,
                (_, true) => Refusal::BadPin,
            };
            return self.end(Next::Refuse(refusal));
        }
        if self.has_typed {
            self.before.push(because);
        }
        self.ask(state)
    }

    fn ask(&mut self, state: State) -> Next {
        let (question, prompt) = match &state {
            State::Pin(_) | State::Judging(_) => (Question::Pin, Prompt::EnterPin),
            _ => (Question::Number, Prompt::EnterNumber),
        };
        self.state = state;
        let mut prompts = self.take_greeting();
        prompts.push(prompt);
        Next::Ask(question, prompts)
    }

    fn end(&mut self, next: Next) -> Next {
        self.state = State::Over(next.clone());
        next
    }

    /// That is no answer to what was asked: what was said last is said again.
    fn unchanged(&mut self, state: State) -> Next {
        match state {
            State::Over(next) => next,
            State::Judging(_) => Next::Wrong,
            State::LookingUp => self.again(State::Number, Prompt::BadNumber),
            state => self.ask(state),
        }
    }
}

#[cfg(test)]
mod tests;
