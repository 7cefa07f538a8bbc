//! Standard output: how wide it is, whether it has colours, and what becomes of a closed one.

use std::fmt::{self, Display};
use std::io::{ErrorKind, IsTerminal, Write, stdout};

use serde_json::Value;

use crate::cli::Failure;

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Odd,
}

/// Where a command prints to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    colours: bool,
    /// Columns; none: nobody cuts.
    pub(super) width: Option<usize>,
}

impl Output {
    /// Standard output.
    pub(super) fn new() -> Self {
        let is_terminal = stdout().is_terminal();
        let size = is_terminal.then(crossterm::terminal::size).and_then(Result::ok);
        Self { colours: is_terminal && wants_colours(), width: size.map(|(columns, _)| columns.into()) }
    }

    /// Without colours.
    #[cfg(test)]
    pub(super) fn plain(width: Option<usize>) -> Self {
        Self { colours: false, width }
    }

    /// A text in a tone.
    pub(super) fn tone(self, tone: Tone, text: impl Display) -> impl Display {
        Toned { tone: if self.colours { tone } else { Tone::Plain }, text }
    }

    /// Prints lines. False: nobody reads any more (`| head`), which is no error.
    ///
    /// # Errors
    /// It cannot be written: a full disk.
    pub(super) fn print(self, text: impl Display) -> Result<bool, Failure> {
        let mut out = stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("the result cannot be written").into()),
            Ok(()) => Ok(true),
        }
    }

    /// Prints one JSON document.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub(super) fn json(self, document: &Value) -> Result<(), Failure> {
        self.print(format_args!("{document:#}")).map(drop)
    }
}

/// <https://no-color.org>: set and not empty means no; and a terminal may say that it knows none.
pub(super) fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}

struct Toned<T> {
    tone: Tone,
    text: T,
}

impl<T: Display> Display for Toned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.tone {
            Tone::Plain => return self.text.fmt(f),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Odd => "33",
        };
        write!(f, "\u{1b}[{code}m{}\u{1b}[0m", self.text)
    }
}

/// A time span as people say it: `42 s`, `7 min`, `2 h 05 min`, `3 d 4 h`.
pub(super) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// `1 participant`, `2 participants`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_by_people() {
        let spans = [0, 59, 60, 3_599, 3_600, 7_500, 86_399, 86_400, 1_000_000].map(span);
        let expected = [
            "0 s",
            "59 s",
            "1 min",
            "59 min",
            "1 h 00 min",
            "2 h 05 min",
            "23 h 59 min",
            "1 d 0 h",
            "11 d 13 h",
        ];
        assert_eq!(spans, expected);
    }

    #[test]
    fn tones_are_only_there_where_colours_are() {
        let text = |colours| Output { colours, ..Output::plain(None) }.tone(Tone::Bad, "no").to_string();
        assert_eq!((&*text(true), &*text(false)), ("\u{1b}[31mno\u{1b}[0m", "no"));
    }
}
