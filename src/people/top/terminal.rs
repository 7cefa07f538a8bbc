//! The screen: taken for this, and given back however it ends.
//!
//! On a panic, in whichever task, the hook that `ratatui::try_init` sets gives it back before the words of the panic
//! are written, and nothing is drawn any more; on everything else the end of [`Screen`] does.

use std::io;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::{DefaultTerminal, Frame};

/// Whether the hook has given it back. To leave the other page twice would put the cursor over the words of the panic.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// The whole terminal, for as long as this lives.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    /// Takes it: another page, no cursor, keys as they are pressed.
    ///
    /// # Errors
    /// It is no terminal that can do this. It is given back then.
    pub(super) fn enter() -> io::Result<Self> {
        let screen = ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())?;
        let gives_back = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            PANICKED.store(true, Ordering::SeqCst);
            gives_back(panicked);
        }));
        Ok(screen)
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// The terminal is gone, or was given back because something panicked.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if PANICKED.load(Ordering::SeqCst) {
            return Err(io::Error::other("it was given back after a panic"));
        }
        self.0.draw(render).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !PANICKED.load(Ordering::SeqCst) {
            // `restore` writes an error to standard error; a terminal that is gone needs none.
            let _ = ratatui::try_restore();
        }
        let _ = self.0.show_cursor();
    }
}
