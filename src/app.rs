//! The composition root: starts every part in order and stops them in the reverse order.
//!
//! ```text
//! start: database (with its lock) ─▶ port ─▶ nodes ─▶ API
//! stop:  API (requests in flight are finished) ─▶ nodes ─▶ database
//! ```

mod credential;
mod daemon;
mod database;
mod demo;
mod export;
mod following;
mod import;
mod migrate;
mod replay;
mod run;
mod service;
mod sweep;
mod transfer;

pub use credential::credential;
pub use daemon::{Daemon, Reloaded};
pub use demo::demo;
pub use export::export;
pub use following::NodeChanges;
pub use import::import;
pub use migrate::migrate;
pub use replay::replay;
pub use run::run;
