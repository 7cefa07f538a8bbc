//! The program as a client of the REST API, for the commands for people.
//!
//! ```text
//! address ─▶ transport ─▶ api   one question, one answer; pages followed to the end
//!                    └──▶ live  the websocket: what happens, over broken connections
//!                           └▶ picture  who is where, put together from it
//! ```
//!
//! Nothing here knows the daemon's inside: what this program sees, any client can see.

mod address;
mod api;
mod live;
mod picture;
mod token;
mod transport;
mod trouble;
mod view;

pub use address::Address;
pub use api::{Answer, Api, segment};
pub use live::{Live, News};
pub use picture::{Instance, Picture, Room};
pub use token::{Places, find_token};
pub use trouble::Trouble;
pub use view::{Event, Line, Message, Participant, Snapshot, clean};
