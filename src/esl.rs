//! The Event Socket protocol as bytes: frames in, events read, commands out.
//!
//! Owns the grammar of mod_event_socket (src/mod/event_handlers/mod_event_socket/mod_event_socket.c)
//! and nothing else: it does no I/O and knows no conference. [`Decoder`] cuts a byte stream into
//! [`Frame`]s, an [`Event`] is read through a set of [`Names`], and a [`Command`] cannot be made to
//! hold a second one.
//!
//! ```text
//! frame  = 1*header LF [body]           body: Content-Length octets
//! header = name ":" [SP] value LF
//! event  = 1*header LF [body]           the body of a text/event-plain frame; values percent-encoded
//! ```

mod command;
mod decoder;
mod event;
mod frame;
pub mod fuzzing;
mod grammar;
mod scan;

pub use command::{Command, Forbidden};
pub use decoder::{DecodeError, Decoder, Limits};
pub use event::{Event, Fields, Names, Value};
pub use frame::{Frame, Header, Headers};
