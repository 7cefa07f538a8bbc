//! An event as FreeSWITCH keeps it on the wire: header lines in order, values percent-encoded.
//!
//! [`Lines`] is that text, readable and changeable by header name; [`Event`] adds what a listener is
//! chosen by (name, subclass, sequence) and the body. Which headers an event has is decided in
//! [`super::world`]; here is only how it is written.

use super::text;
use std::fmt::Write as _;

/// Header lines, each `Name: value` with the value percent-encoded. Names may repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    text: String,
}

impl Lines {
    /// No headers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes lines that are encoded already. A last line without an end gets one.
    pub fn from_encoded(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Self { text }
    }

    /// Room for an event, so that a member's 65 headers are written without growing.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes) }
    }

    /// Appends a header.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.text.push_str(name);
        self.text.push_str(": ");
        text::encode_into(&mut self.text, value.as_ref());
        self.text.push('\n');
        self
    }

    /// Appends a header whose value is a number.
    pub fn push_number(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        // Digits, sign and point need no encoding, and writing into a String cannot fail.
        let _ = writeln!(self.text, "{name}: {value}");
        self
    }

    /// Appends `true` or `false`.
    pub fn push_bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.text.push_str(name);
        self.text.push_str(if value { ": true\n" } else { ": false\n" });
        self
    }

    /// Appends all of `other`.
    pub fn append(&mut self, other: &Lines) -> &mut Self {
        self.text.push_str(&other.text);
        self
    }

    /// The headers in order, values still encoded.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().filter_map(|line| line.split_once(": "))
    }

    /// The first value of that name, decoded.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| text::decode(value).into_owned())
    }

    /// Replaces the value of a header that is there.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        if let Some((from, to)) = self.find(name) {
            let mut line = Lines::new();
            line.push(name, value);
            self.text.replace_range(from..to, &line.text);
        }
    }

    /// Puts a header behind another one (or at the end); replaces it where it stands if it is there.
    pub fn set_after(&mut self, anchor: &str, name: &str, value: impl AsRef<[u8]>) {
        if self.find(name).is_some() {
            return self.set(name, value);
        }
        let mut line = Lines::new();
        line.push(name, value);
        let at = self.find(anchor).map_or(self.text.len(), |(_, to)| to);
        self.text.insert_str(at, &line.text);
    }

    /// Takes a header out.
    pub fn remove(&mut self, name: &str) {
        if let Some((from, to)) = self.find(name) {
            self.text.replace_range(from..to, "");
        }
    }

    /// The lines as they are sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the first line of that name begins and ends.
    fn find(&self, name: &str) -> Option<(usize, usize)> {
        let mut from = 0;
        for line in self.text.split_inclusive('\n') {
            if line.strip_prefix(name).is_some_and(|rest| rest.starts_with(": ")) {
                return Some((from, from + line.len()));
            }
            from += line.len();
        }
        None
    }
}

/// An event, ready to be sent to whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `Event-Sequence`: given when the event was made, which is not always the order it was fired in.
    pub sequence: u64,
    /// `Event-Name`.
    pub name: String,
    /// `Event-Subclass` of a CUSTOM event.
    pub subclass: Option<String>,
    /// All headers but the body's `Content-Length`.
    pub headers: Lines,
    /// The body of a BACKGROUND_JOB or of an event that a client has sent.
    pub body: Option<Vec<u8>>,
}

impl Event {
    /// Reads the text of a recorded event (the body of its `text/event-plain` frame).
    pub fn parse(recorded: &str) -> Option<Self> {
        let (head, rest) = recorded.split_once("\n\n")?;
        let mut headers = Lines::from_encoded(head);
        let body = headers.get("Content-Length").map(|_| rest.as_bytes().to_vec());
        if body.is_some() {
            headers.remove("Content-Length");
        }
        let string = |name: &str| headers.get(name).map(|v| String::from_utf8_lossy(&v).into_owned());
        let sequence = string("Event-Sequence")?.parse().ok()?;
        Some(Self {
            sequence,
            name: string("Event-Name")?,
            subclass: string("Event-Subclass"),
            body,
            headers,
        })
    }

    /// The first header of that name, decoded; bytes that are not UTF-8 are replaced.
    pub fn get(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    /// What happened in the conference, for instance `mute-member`.
    pub fn action(&self) -> Option<String> {
        self.get("Action")
    }

    /// The frame of a client that asked for `event plain`.
    pub fn plain(&self) -> Vec<u8> {
        let text = self.headers.as_str();
        let end = match &self.body {
            Some(body) => format!("Content-Length: {}\n\n", body.len()),
            None => "\n".to_owned(),
        };
        let body = self.body.as_deref().unwrap_or_default();
        let length = text.len() + end.len() + body.len();
        let mut frame = Vec::with_capacity(length + 64);
        frame.extend_from_slice(
            format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n").as_bytes(),
        );
        frame.extend_from_slice(text.as_bytes());
        frame.extend_from_slice(end.as_bytes());
        frame.extend_from_slice(body);
        frame
    }

    /// The frame of a client that asked for `event json`; a repeated header keeps its last value.
    pub fn json(&self) -> Vec<u8> {
        let mut object = serde_json::Map::new();
        for (name, value) in self.headers.iter() {
            let value = String::from_utf8_lossy(&text::decode(value)).into_owned();
            object.insert(name.to_owned(), value.into());
        }
        if let Some(body) = &self.body {
            object.insert("Content-Length".to_owned(), body.len().to_string().into());
            object.insert("_body".to_owned(), String::from_utf8_lossy(body).into_owned().into());
        }
        let body = serde_json::Value::Object(object).to_string();
        format!("Content-Length: {}\nContent-Type: text/event-json\n\n{body}", body.len()).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_changed_inserted_and_removed_where_it_stands() {
        let mut lines = Lines::new();
        lines.push("Answer-State", "answered").push("Caller-Context", "public");
        lines.set_after("Answer-State", "Hangup-Cause", "NORMAL_CLEARING");
        lines.set("Answer-State", "hangup");
        lines.remove("Caller-Context");
        assert_eq!(lines.as_str(), "Answer-State: hangup\nHangup-Cause: NORMAL_CLEARING\n");
    }

    #[test]
    fn a_recorded_event_is_sent_as_it_was_received() {
        let text = "Event-Name: BACKGROUND_JOB\nEvent-Sequence: 7\nContent-Length: 4\n\n+OK\n";
        let event = Event::parse(text).expect("an event");
        assert_eq!(event.sequence, 7);
        let frame = String::from_utf8(event.plain()).expect("text");
        let head = format!("Content-Length: {}\nContent-Type: text/event-plain\n\n", text.len());
        assert_eq!(frame, format!("{head}{text}"));
    }

    #[test]
    fn an_event_without_body_ends_with_an_empty_line() {
        let text = "Event-Name: HEARTBEAT\nEvent-Sequence: 9\n\n";
        let frame = Event::parse(text).expect("an event").plain();
        assert!(frame.ends_with(text.as_bytes()), "{}", String::from_utf8_lossy(&frame));
    }
}
