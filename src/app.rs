//! The composition root: starts every part in order and stops them in the reverse order.
//!
//! ```text
//! start: database (with its lock) ─▶ port ─▶ nodes ─▶ API
//! stop:  API (requests in flight are finished) ─▶ nodes ─▶ database
//! ```

mod daemon;
mod database;
mod demo;
mod replay;
mod run;
mod token;

pub use daemon::Daemon;
pub use demo::demo;
pub use replay::replay;
pub use run::run;
pub use token::token;
