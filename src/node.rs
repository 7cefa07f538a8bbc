//! One FreeSWITCH: connect, authenticate, subscribe, list, follow, reconnect.
//!
//! Three tasks for each node, and a fourth where callers are let in, so that none waits for another:
//!
//! ```text
//! follow    event connection: only read; owns the registry's writer         down ⇄ up
//! commands  command connection: pipelined, matched first in, first out      down ⇄ up
//! lister    lists everything after each connect, and what looked odd since; compares in `follow`
//! calls     call connection, if callers are let in: only read; what happens to calls, to whoever lets them in
//! ```
//!
//! Commands on the event connection would starve its events (mod_event_socket.c writes events only
//! while no command bytes wait), hence two. A [`Node::fence`] ties them together: an own event, sent on
//! the command connection and seen on the event connection, divides what arrived before from after.
//!
//! Invariant: the event connection is read whatever hangs: its task waits for nothing but its socket.

mod address;
pub(crate) mod backoff;
mod calls;
mod commands;
mod connection;
mod fences;
mod figures;
mod follow;
mod handle;
mod inquiry;
mod jobs;
mod keep;
mod lister;
mod listing;
mod look;
mod outside;
mod report;
mod status;
mod summary;
mod translate;
mod version;

pub use address::{Unaddressable, call_word, conference_word};
pub use calls::{CallSink, CallTranslator, Channel, DIGITS, MARK, TICKET};
pub use commands::{CommandError, Reply};
pub use figures::Counts;
pub use handle::{Node, Running, Settings};
pub use inquiry::ListError;
pub use jobs::{Job, JobNews};
pub(crate) use jobs::{RINGING, RINGING_ID};
pub use listing::{ListingError, parse_listing};
pub use outside::{Machine, Outside, Stream};
pub use status::Status;
pub use translate::Translator;
pub use version::Version;
