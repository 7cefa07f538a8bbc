//! The screen: taken for this, and given back however it ends.
//!
//! On a panic the hook that `ratatui::try_init` sets gives it back before the words of the panic are written; on
//! everything else the end of [`Screen`] does.

use std::io;

use ratatui::{DefaultTerminal, Frame};

/// The whole terminal, for as long as this lives.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    /// Takes it: another page, no cursor, keys as they are pressed.
    ///
    /// # Errors
    /// It is no terminal that can do this. It is given back then.
    pub(super) fn enter() -> io::Result<Self> {
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(render).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // `restore` writes an error to standard error; a terminal that is gone needs none.
        let _ = ratatui::try_restore();
        let _ = self.0.show_cursor();
    }
}
