//! What FreeSWITCH says: one frame, by its `Content-Type`.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::event::Event;
use super::grammar::{RawHeader, length, line, outer_header};

/// One message of the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// `auth/request`: who are you? The first frame of every connection.
    AuthRequest,
    /// `command/reply`: the answer to anything but `api`, in its `Reply-Text`.
    CommandReply(Headers),
    /// `api/response`: what the command printed.
    ApiResponse(Bytes),
    /// `text/event-plain`
    Event(Event),
    /// `text/disconnect-notice`: the switch ends the connection; its words.
    DisconnectNotice(Bytes),
    /// `text/rude-rejection`: the switch's access list does not let us in; its words.
    RudeRejection(Bytes),
    /// A body beyond its limit. It has been read and thrown away: the stream goes on behind it.
    TooLarge {
        /// The frame's `Content-Type`.
        content_type: String,
        /// Its `Content-Length`, in octets.
        length: u64,
        /// What was allowed, in octets.
        limit: u64,
    },
    /// A type that is not known here (`log/data`, `text/event-json`): to be passed over.
    Other(Headers),
}

/// The header block of a frame. Its values are not percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers {
    block: Bytes,
}

/// One header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name as written.
    pub name: &'a [u8],
    /// The value without the blank after the colon.
    pub value: &'a [u8],
}

impl Headers {
    /// `block` is the header lines, each with its LF, without the empty line.
    pub(super) fn new(block: Bytes) -> Self {
        Self { block }
    }

    /// The headers in the order of the wire; lines that are none are left out.
    pub fn iter(&self) -> impl Iterator<Item = Header<'_>> {
        lines(&self.block).map(|(name, value)| Header { name, value })
    }

    /// The first value of that name, as text.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = self.iter().find(|header| header.name.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|header| String::from_utf8_lossy(header.value))
    }

    /// `Reply-Text`, empty if there is none.
    pub fn reply_text(&self) -> Cow<'_, str> {
        self.get("Reply-Text").unwrap_or_default()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|h| (String::from_utf8_lossy(h.name), String::from_utf8_lossy(h.value))))
            .finish()
    }
}

/// The two headers that the decoder needs, found in one walk; of a repeated one the first, as
/// [`Headers::get`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    pub(super) content_type: &'a [u8],
    /// `Err` holds a `Content-Length` that is no number.
    pub(super) content_length: Result<u64, &'a [u8]>,
}

impl<'a> Envelope<'a> {
    /// envelope = 1*header
    pub(super) fn of(block: &'a [u8]) -> Self {
        let (mut content_type, mut content_length) = (None, None);
        for (name, value) in lines(block) {
            if name.eq_ignore_ascii_case(b"content-type") {
                content_type.get_or_insert(value);
            } else if name.eq_ignore_ascii_case(b"content-length") {
                content_length.get_or_insert(value);
            }
        }
        Self {
            content_type: content_type.unwrap_or_default(),
            content_length: content_length.map_or(Ok(0), |value| length(value).ok_or(value)),
        }
    }
}

fn lines(block: &[u8]) -> impl Iterator<Item = RawHeader<'_>> {
    let mut input = block;
    std::iter::from_fn(move || {
        loop {
            match outer_header(input) {
                Ok((rest, header)) => {
                    input = rest;
                    return Some(header);
                }
                Err(_) => input = line(input).ok()?.0,
            }
        }
    })
}
