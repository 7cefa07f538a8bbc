//! Lines of the log as entries of systemd's journal, with a field for each value: `journalctl CONVENED_NODE=fs1`.
//! `journalctl` shows nothing but the message unless it is asked, so the values stand behind it, too.
//!
//! ```text
//! message = text *( " " name "=" value )                ; those of the spans first
//! entry = 1*field                                       ; one datagram (systemd's JOURNAL_NATIVE_PROTOCOL)
//! field = KEY "=" value LF / KEY LF length value LF     ; the second if the value has line feeds; 8 octets, little end first
//! ```
//!
//! Why not the crate for it: it sends where it is logged, and waits for a journal that does not read. Here entries go
//! to the thread that writes all lines, and whoever logs goes on.

use std::fmt::{Debug, Write as _};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Where the journal takes entries.
const SOCKET: &str = "/run/systemd/journal/socket";
/// No value is longer: together they have to fit into a datagram.
const LONGEST: usize = 16_384;

/// Whether standard error is a stream of the journal: `JOURNAL_STREAM` is `DEVICE:INODE` of it (systemd.exec(5)).
pub(super) fn is_standard_error() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|file| names(&named, file.dev(), file.ino()))
}

fn names(stream: &str, device: u64, inode: u64) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    stream.split_once(':').is_some_and(|(dev, ino)| (number(dev), number(ino)) == (Some(device), Some(inode)))
}

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// That of the machine.
    pub(super) fn open() -> io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // Not connected for good: the journal may be started anew.
        socket.connect(path)?;
        Ok(Self { socket: UnixDatagram::unbound()?, path: path.to_owned() })
    }
}

impl Write for Journal {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        match self.socket.send_to(entry, &self.path) {
            Ok(_) => Ok(entry.len()),
            // Better in another shape than not at all.
            Err(_) => io::stderr().write_all(&line(entry)).map(|()| entry.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An entry as one line of text, for people.
fn line(entry: &[u8]) -> Vec<u8> {
    let printable = |byte: &u8| if byte.is_ascii_control() { b' ' } else { *byte };
    let mut line: Vec<u8> = entry.trim_ascii_end().iter().map(printable).collect();
    line.push(b'\n');
    line
}

/// Makes entries of events.
pub(super) struct Entries<W>(pub(super) W);

impl<S, W> tracing_subscriber::Layer<S> for Entries<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut entry = Fields::default();
        entry.put("PRIORITY", priority(*event.metadata().level()));
        entry.put("SYSLOG_IDENTIFIER", "convened");
        entry.put("CONVENED_TARGET", event.metadata().target());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            entry.put("CONVENED_SPAN", span.name());
            if let Some(fields) = span.extensions().get::<Fields>() {
                entry.encoded.extend_from_slice(&fields.encoded);
                entry.values.push_str(&fields.values);
            }
        }
        event.record(&mut entry);
        // There is nobody to tell.
        let _ = self.0.make_writer_for(event.metadata()).write_all(&entry.finished());
    }
}

/// Priorities of syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// Fields of an entry.
#[derive(Debug, Default)]
struct Fields {
    /// As they are sent, without the message.
    encoded: Vec<u8>,
    message: String,
    /// As they stand behind the message: ` name=value` for each.
    values: String,
}

impl Fields {
    /// All of the entry.
    fn finished(mut self) -> Vec<u8> {
        let message = std::mem::take(&mut self.message) + &self.values;
        self.put("MESSAGE", &message);
        self.encoded
    }

    fn put(&mut self, key: &str, value: &str) {
        let end = value.floor_char_boundary(LONGEST);
        let value = &value.as_bytes()[..end];
        self.encoded.extend_from_slice(key.as_bytes());
        if value.contains(&b'\n') {
            self.encoded.push(b'\n');
            self.encoded.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.encoded.push(b'=');
        }
        self.encoded.extend_from_slice(value);
        self.encoded.push(b'\n');
    }

    fn put_field(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => {
                let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
                let key: String = "CONVENED_".chars().chain(name.chars().map(upper)).collect();
                self.put(&key, value);
                // Writing to a string cannot fail.
                let _ = write!(self.values, " {name}={value}");
            }
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_field(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // A `Debug` that fails has written what it has written.
        let _ = write!(text, "{value:?}");
        self.put_field(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::secret::Secret;

    /// What the journal is told while something is logged.
    fn told(logged: impl FnOnce()) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_nonblocking(true).unwrap();
        let writer = std::sync::Mutex::new(Journal::at(&path).unwrap());
        let subscriber = tracing_subscriber::registry().with(Entries(writer));
        tracing::subscriber::with_default(subscriber, logged);
        let mut room = [0; 65_536];
        std::iter::from_fn(|| {
            let length = journal.recv(&mut room).ok()?;
            Some(String::from_utf8_lossy(&room[..length]).into_owned())
        })
        .collect()
    }

    #[test]
    fn every_value_is_a_field_and_those_of_the_spans_too() {
        let entries = told(|| {
            let span = tracing::info_span!("session", node = "fs1", number = tracing::field::Empty);
            let _in = span.enter();
            span.record("number", 7);
            tracing::warn!(lost = 3, room.name = "daily", secret = ?Secret::new("hunter2"), "gone {}", "away");
        });
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        let lines: Vec<_> = entry.lines().collect();
        for line in [
            "PRIORITY=4",
            "SYSLOG_IDENTIFIER=convened",
            "CONVENED_SPAN=session",
            "CONVENED_NODE=fs1",
            "CONVENED_NUMBER=7",
            "CONVENED_LOST=3",
            "CONVENED_ROOM_NAME=daily",
            "CONVENED_SECRET=[redacted]",
            "MESSAGE=gone away node=fs1 number=7 lost=3 room.name=daily secret=[redacted]",
        ] {
            assert!(lines.contains(&line), "{line}: {entry}");
        }
        assert!(!entry.contains("hunter2"));
    }

    #[test]
    fn a_value_with_line_feeds_makes_no_fields_of_its_own() {
        let mut fields = Fields::default();
        fields.put("MESSAGE", "a\nPRIORITY=0");
        assert_eq!(fields.encoded, b"MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n");
    }

    #[test]
    fn the_stream_of_the_journal_is_told_from_another_one() {
        assert!(names("9:123", 9, 123));
        for other in ["9:124", "8:123", "", "9", "x:123"] {
            assert!(!names(other, 9, 123), "{other}");
        }
    }
}
