//! A FreeSWITCH look-alike for the demo, the tests and the benches.
//!
//! It speaks the Event Socket and holds a small world of conferences that behaves as the recordings in
//! `fixtures/captures` say. It writes and reads its own wire text and shares no code with [`crate::esl`]:
//! an error made once must not hide in both. What it cannot know (sound, SIP, DTMF of a phone) is told to
//! it by the test or the demo that drives it.
//!
//! ```text
//!            commands                   replies, events
//! client ──▶ switch ──▶ world.api() ──▶ events ──▶ faults ──▶ queue per connection ──▶ client
//!                         ▲    ▲
//!            people: join, │    │ replay: a recording,
//!            talk, leave ──┘    └── folded event by event
//! ```
//!
//! * [`text`]: percent-encoding, frames, dates. * [`events`]: an event as ordered header lines.
//! * [`world`]: conferences and members without I/O, clock or global randomness.
//! * [`capture`], [`fold`], [`replay`]: recordings read, folded into a world, served with their timing.
//! * `pattern`: the regular expressions that digits are compared with.
//! * [`session`], [`subscription`]: one client's conversation, without sockets.
//! * [`switch`]: the server around a world; [`faults`]: how it misbehaves on request.
//! * [`network`]: the way to a switch in memory, and how it fails.

pub mod capture;
pub mod dice;
pub mod events;
pub mod faults;
pub mod fold;
pub mod network;
mod pattern;
pub mod replay;
pub mod session;
pub mod subscription;
pub mod switch;
pub mod text;
pub mod world;

/// The words of a line as FreeSWITCH splits them, for tests of what is sent.
#[cfg(test)]
pub(crate) fn words_of(line: &str) -> Vec<String> {
    world::split_words(line, 25)
}
