//! `convened replay`: plays a recording to whoever connects.

use super::run::Signals;
use crate::cli::{self, Failure, Speed};
use crate::sim::capture::Capture;
use crate::sim::replay::{Replay, ReplayOptions};

/// Plays it once, from the moment when the first client subscribes to events, and answers commands
/// until SIGINT or SIGTERM.
///
/// # Errors
/// If the recording cannot be read or the address is taken.
pub async fn replay(replay: cli::Replay) -> Result<(), Failure> {
    let mut stopping = Signals::new()?;
    let path = replay.capture.display();
    let capture = Capture::read(&replay.capture).map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
    let speed = match replay.speed {
        Speed::Times(times) => times,
        Speed::Max => 0.0,
    };
    let options = ReplayOptions { listen: replay.listen, speed, ..ReplayOptions::default() };
    let password = options.password.clone();
    let playing = Replay::start(&capture, options).await;
    let playing = playing.map_err(|error| anyhow::anyhow!("{}: cannot listen: {error}", replay.listen))?;
    println!(
        "{path}: {} events, played once somebody subscribes\naddress   {}\npassword  {password}",
        capture.events().count(),
        playing.switch().addr(),
    );
    tokio::select! {
        _ = stopping.received() => return Ok(()),
        events = playing.finished() => println!("all {events} events have been played; commands are still answered (Ctrl-C ends it)"),
    }
    stopping.received().await;
    Ok(())
}
