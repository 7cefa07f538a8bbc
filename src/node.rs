//! One FreeSWITCH: connect, authenticate, subscribe, list, follow, reconnect.

mod listing;
mod translate;

pub use listing::{ListingError, parse_listing};
pub use translate::Translator;
