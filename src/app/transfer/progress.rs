//! How far it is, for people at a terminal; nothing of it anywhere else.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// Counts lines of which nobody knows how many there will be.
pub(in crate::app) fn counting() -> ProgressBar {
    styled(None, "{spinner} {human_pos} lines")
}

/// Counts the bytes of a file, if its length is known.
pub(in crate::app) fn bytes(length: Option<u64>) -> ProgressBar {
    match length {
        Some(_) => styled(length, "{wide_bar} {bytes} of {total_bytes}, {eta} left"),
        None => styled(None, "{spinner} {bytes}, {bytes_per_sec}"),
    }
}

fn styled(length: Option<u64>, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // It goes however the work ends.
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr())
        .with_finish(ProgressFinish::AndClear);
    // A template that cannot be read shows the usual bar instead.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
