//! Recordings of a real switch, read back as what was said.
//!
//! A capture is JSON lines, `{"t": seconds, "dir": "recv" | "send", "data": "bytes as latin-1"}`, one per
//! socket read or write of the client that recorded it, plain or gzipped. Here the bytes become commands,
//! answers and events again, each with the moment its last byte came.

use super::events::Event;
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::Path;

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be read or unpacked.
    #[error("cannot read the capture: {0}")]
    Io(#[from] std::io::Error),
    /// A line is no record.
    #[error("line {line} is no record of a capture")]
    Record {
        /// Counted from 1.
        line: usize,
    },
}

/// What was said, in the order it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The client's command, without the empty line at its end.
    Command(String),
    /// Anything the switch sent that is no event: header lines and body.
    Answer {
        /// The header lines.
        head: String,
        /// The body, if there is a `Content-Length`.
        body: Option<Vec<u8>>,
    },
    /// An event.
    Event(Event),
}

/// Something said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since the recording began.
    pub at: u64,
    /// What was said.
    pub said: Said,
}

/// A recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capture {
    /// Everything, in order.
    pub moments: Vec<Moment>,
}

impl Capture {
    /// Reads a `.jsonl` or `.jsonl.gz` file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let bytes = std::fs::read(path)?;
        let mut text = String::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
        } else {
            bytes.as_slice().read_to_string(&mut text)?;
        }
        Self::parse(&text)
    }

    /// Reads the text of a capture.
    pub fn parse(text: &str) -> Result<Self, CaptureError> {
        let mut moments = Vec::new();
        let (mut received, mut sent) = (Vec::new(), Vec::new());
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let record = Record::parse(line).ok_or(CaptureError::Record { line: i + 1 })?;
            let buffer = if record.received { &mut received } else { &mut sent };
            buffer.extend_from_slice(&record.data);
            while let Some(said) = cut(buffer, record.received) {
                moments.push(Moment { at: record.at, said });
            }
        }
        Ok(Self { moments })
    }

    /// The events and when they came.
    pub fn events(&self) -> impl Iterator<Item = (u64, &Event)> {
        self.moments.iter().filter_map(|moment| match &moment.said {
            Said::Event(event) => Some((moment.at, event)),
            _ => None,
        })
    }

    /// Commands with the answer each of them got.
    pub fn exchanges(&self) -> Vec<(u64, &str, &Said)> {
        let mut waiting: std::collections::VecDeque<(u64, &str)> = std::collections::VecDeque::new();
        let mut exchanges = Vec::new();
        for moment in &self.moments {
            match &moment.said {
                Said::Command(text) => waiting.push_back((moment.at, text)),
                Said::Answer { .. } => {
                    if let Some((at, text)) = waiting.pop_front() {
                        exchanges.push((at, text, &moment.said));
                    }
                }
                Said::Event(_) => {}
            }
        }
        exchanges
    }
}

struct Record {
    at: u64,
    received: bool,
    data: Vec<u8>,
}

impl Record {
    fn parse(line: &str) -> Option<Self> {
        let value = crate::json::parse(line.as_bytes()).ok()?;
        let seconds = value.get("t")?.as_f64()?;
        let received = match value.get("dir")?.as_str()? {
            "recv" => true,
            "send" => false,
            _ => return None,
        };
        let bytes = value.get("data")?.as_str()?.chars().map(|c| u8::try_from(u32::from(c)).ok());
        let at = (seconds * 1_000_000.0).round() as u64;
        Some(Self { at, received, data: bytes.collect::<Option<_>>()? })
    }
}

/// Cuts the first whole command or frame out of a direction's bytes.
fn cut(buffer: &mut Vec<u8>, received: bool) -> Option<Said> {
    let end = buffer.windows(2).position(|two| two == b"\n\n")?;
    let head = String::from_utf8_lossy(buffer.get(..end)?).into_owned();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
    };
    let length = header("Content-Length").and_then(|n| n.parse::<usize>().ok());
    let until = (end + 2).checked_add(length.unwrap_or(0))?;
    let body = buffer.get(end + 2..until)?.to_vec();
    buffer.drain(..until);
    if !received {
        return Some(Said::Command(head));
    }
    if header("Content-Type").as_deref() == Some("text/event-plain")
        && let Some(event) = Event::parse(&String::from_utf8_lossy(&body))
    {
        return Some(Said::Event(event));
    }
    Some(Said::Answer { head, body: length.map(|_| body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_may_be_split_and_a_record_may_hold_several() {
        let text = r#"{"t": 0.5, "dir": "send", "data": "api x\n\n"}
{"t": 1.0, "dir": "recv", "data": "Content-Type: api/response\nContent-Length: 3\n"}
{"t": 2.0, "dir": "recv", "data": "\n\u00ffabContent-Type: command/reply\nReply-Text: +OK\n\n"}"#;
        let capture = Capture::parse(text).expect("a capture");
        let times: Vec<_> = capture.moments.iter().map(|m| m.at).collect();
        assert_eq!(times, [500_000, 2_000_000, 2_000_000]);
        let Said::Answer { body, .. } = &capture.moments[1].said else { panic!("an answer") };
        assert_eq!(body.as_deref(), Some(&b"\xffab"[..]));
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let error =
            Capture::parse("{\"t\": 1, \"dir\": \"recv\", \"data\": \"\"}\n{}").expect_err("no record");
        assert_eq!(error.to_string(), "line 2 is no record of a capture");
    }
}
