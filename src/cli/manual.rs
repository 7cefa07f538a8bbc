//! Completion scripts and manual pages, made of the definition of the arguments.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Args, Failure};

/// A script for that shell.
pub(super) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "convened", &mut script);
    String::from_utf8_lossy(&script).trim_end().to_owned()
}

/// Writes `convened.1`, `convened-run.1` and so on.
///
/// # Errors
/// The directory is not there, or cannot be written to.
pub(super) fn pages(directory: &Path) -> Result<(), Failure> {
    clap_mangen::generate_to(Args::command(), directory).map_err(|error| {
        let place = directory.display().to_string();
        anyhow::Error::new(error).context(format!("{place}: no manual pages can be written")).into()
    })
}
