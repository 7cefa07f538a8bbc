//! The REST surface on hyper: listener, router, request, response, error; a file per resource.
//!
//! A request goes through these files, top to bottom:
//!
//! ```text
//! server      accepts, counts and stops connections; knows no HTTP
//! connection  one connection: hyper, the timeouts of heads and of idleness
//! dispatch    one request: route, checks, gate, handler; span, panic and time guards
//!   router      method and path to a handler and what it requires
//!   forwarded   who is behind a proxy
//!   cors        pages of other origins
//!   negotiate   Accept and Content-Type
//!   body        reads within limits; gets rid of what nobody reads
//!   envelope    the JSON around `data`
//!   request     what a handler sees
//!   response    what a handler answers
//!   kept        an answer that is given again
//!   traffic     what is counted of all this
//!   error       every refusal of the contract
//! ```
//!
//! What the paths answer is in `resources`, a file for each.
//!
//! Architecture Invariant: outside `resources` nothing here knows conferences, the registry or documents,
//! and nothing decides who may do what: that is the [`Gate`], which the owner of the context brings.

mod body;
mod connection;
mod cors;
mod dispatch;
mod envelope;
mod error;
mod forwarded;
pub mod health;
mod kept;
mod limits;
mod negotiate;
mod path;
mod request;
pub mod resources;
mod response;
mod router;
mod server;
mod stream;
mod traffic;

pub(crate) use cors::wrong_origin;
pub use dispatch::Api;
pub use envelope::{Envelope, parse_data};
pub use error::ApiError;
pub use kept::{give_again, keep};
pub use limits::Limits;
pub use request::{Query, Request};
pub use response::{Page, Response};
pub use router::{Access, Asking, Gate, Handler, HandlerFuture, Params, Route, Router, RouterError};
pub use server::{BindError, NotBound, Server, Stopped};
pub use stream::Items;
pub use traffic::{Answered, Asked, Traffic};
