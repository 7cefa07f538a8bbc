//! What can be asked of a switch: each action's name, its arguments, and what in them may reach FreeSWITCH.
//!
//! ```text
//! name, arguments (JSON) ─▶ schema ─▶ words ─▶ ConferenceAction | ParticipantAction
//!                             └ field errors ┘
//! ```
//!
//! Owns: `actions.schema.json`, which is data: it is served as it is and arguments are validated by it; and
//! the types of [`words`], which can hold nothing that FreeSWITCH would take for more than a word. Leaves to
//! `switchboard`: the command line and what came of it.
//!
//! Architecture Invariant: no text of a client reaches a switch but as one of these types.

mod dial;
mod intake;
mod schema;
pub mod words;

pub use dial::{Callee, DialOrder, Dialling, JoinFlag};
pub use intake::{Args, Asker, Unfit, participants_selection};
pub use schema::{Scope, names, schema};
