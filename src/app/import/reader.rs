//! From the bytes of a file to batches that can be written.
//!
//! Owns: the order of lines, their number in messages, and that a file that was cut is noticed. Holds
//! one batch at a time, however long the file or a line of it is.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::input::Input;
use crate::app::transfer::{Counts, Header, Line, LineError, bytes};
use crate::store::Exported;

/// The most lines that are written at once...
const MOST_LINES: usize = 500;
/// ... and the most bytes, but for the last line.
const MOST_BYTES: usize = 1 << 20;
/// No line of an export is longer: a document has at most 128 KiB.
const LONGEST_LINE: usize = 1 << 20;

/// Lines that are written together. They follow each other without a gap.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) first_line: u64,
    pub(super) entries: Vec<Exported>,
    bytes: usize,
}

impl Batch {
    pub(super) fn last_line(&self) -> u64 {
        self.first_line + (self.entries.len() as u64).saturating_sub(1)
    }
}

/// What ends an import early.
#[derive(Debug)]
pub(super) struct Problem {
    line: Option<u64>,
    text: String,
}

impl Problem {
    /// Something that is no single line's fault.
    pub(super) fn of_all(text: String) -> Self {
        Self { line: None, text }
    }

    /// Something about one line.
    pub(super) fn of_line(line: u64, text: String) -> Self {
        Self { line: Some(line), text }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Reads an export line by line.
pub(super) struct Reader {
    input: BufReader<Box<dyn Read + Send>>,
    progress: ProgressBar,
    buffer: Vec<u8>,
    /// The number of the line in the buffer.
    line: u64,
    counts: Counts,
}

impl Reader {
    pub(super) fn new(input: Input) -> Self {
        let progress = bytes(input.length());
        let input = input.into_reader();
        Self { input, progress, buffer: Vec::new(), line: 0, counts: Counts::default() }
    }

    /// Reads to the end and sends full batches on the way. A batch with a wrong line is not sent; a
    /// receiver that goes away ends it.
    pub(super) fn run(mut self, to: &mpsc::Sender<Batch>) -> Result<Counts, Problem> {
        if !self.next_line()? {
            return Err(Problem::of_all("is empty: an export has a first and a last line".into()));
        }
        let header = self.text().and_then(Header::check);
        header.map_err(|error| self.wrong(&error))?;
        let mut batch = Batch::default();
        while let Some(entry) = self.next_entry()? {
            if batch.entries.is_empty() {
                batch.first_line = self.line;
            }
            batch.bytes += self.buffer.len();
            batch.entries.push(entry);
            let is_full = batch.entries.len() >= MOST_LINES || batch.bytes >= MOST_BYTES;
            if is_full && to.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(self.counts);
            }
        }
        if !batch.entries.is_empty() {
            // Nobody is there to be told that nobody is there.
            let _ = to.blocking_send(batch);
        }
        Ok(self.counts)
    }

    /// The next document or credential; none after the last line, which is as it has to be then.
    fn next_entry(&mut self) -> Result<Option<Exported>, Problem> {
        if !self.next_line()? {
            return Err(self.cut());
        }
        let is_cut_off = !self.buffer.ends_with(b"\n");
        let entry = match self.text().and_then(Line::read) {
            Ok(Line::End(counts)) => {
                self.check_end(counts)?;
                return Ok(None);
            }
            // What is left of a line may even look like a whole one.
            _ if is_cut_off => return Err(self.cut()),
            Ok(Line::Document(document)) => document.record().map(Exported::Document),
            Ok(Line::Credential(credential)) => credential.record().map(Exported::Credential),
            Err(error) => Err(error),
        };
        let entry = entry.map_err(|error| self.wrong(&error))?;
        match &entry {
            Exported::Document(_) => self.counts.documents += 1,
            Exported::Credential(_) => self.counts.credentials += 1,
        }
        Ok(Some(entry))
    }

    fn check_end(&mut self, told: Counts) -> Result<(), Problem> {
        if told != self.counts {
            let text =
                format!("tells of {told}, but {} were read: lines are missing or too many", self.counts);
            return Err(Problem::of_line(self.line, text));
        }
        if self.next_line()? {
            return Err(Problem::of_line(self.line, "stands after the end of the export".into()));
        }
        Ok(())
    }

    /// Reads a line into the buffer; false at the end.
    fn next_line(&mut self) -> Result<bool, Problem> {
        self.buffer.clear();
        let mut limited = self.input.by_ref().take(LONGEST_LINE as u64 + 1);
        let read = limited.read_until(b'\n', &mut self.buffer);
        let read =
            read.map_err(|error| Problem::of_line(self.line + 1, format!("cannot be read: {error}")))?;
        if read == 0 {
            return Ok(false);
        }
        self.line += 1;
        self.progress.inc(read as u64);
        if read > LONGEST_LINE {
            return Err(self.wrong(&LineError::new("is longer than 1 MiB: no line of an export is")));
        }
        Ok(true)
    }

    fn text(&self) -> Result<&str, LineError> {
        let wrong = |error: std::str::Utf8Error| {
            LineError::new(format!("is not UTF-8 at byte {}", error.valid_up_to() + 1))
        };
        std::str::from_utf8(&self.buffer).map_err(wrong)
    }

    fn wrong(&self, error: &LineError) -> Problem {
        Problem::of_line(self.line, error.to_string())
    }

    fn cut(&self) -> Problem {
        let Counts { documents, .. } = self.counts;
        let text =
            format!("the file ends without its last line: it was cut; {documents} documents were read");
        Problem::of_all(text)
    }
}
