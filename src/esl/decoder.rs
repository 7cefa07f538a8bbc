//! Cuts the byte stream into frames, within limits.
//!
//! ```text
//!          empty line seen            body complete
//!   Head ───────────────▶ Body ─────────────────────▶ frame, Head
//!     │                     body beyond its limit
//!     └─────────────────▶ Skip ─────────────────────▶ TooLarge, Head
//! ```
//!
//! A header block beyond its limit, or a length that is no number, cannot be skipped: nobody knows
//! where the next frame begins. That is an error, and the connection has to be made anew.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use super::event::Event;
use super::frame::{Envelope, Frame, Headers};

/// What a switch may send at most, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A frame's own header block.
    pub header: usize,
    /// The content of an event, and of any other frame that is not an `api/response`.
    pub event: usize,
    /// An `api/response`: a list of all conferences is the longest.
    pub response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header: 64 << 10, event: 1 << 20, response: 64 << 20 }
    }
}

/// Bytes after which no next frame can be found.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The empty line did not come in time.
    #[error("a header block is longer than {limit} octets")]
    HeaderTooLarge {
        /// The limit, in octets.
        limit: usize,
    },
    /// Where the frame ends is not known.
    #[error("Content-Length \"{value}\" is not a number")]
    BadLength {
        /// What stood there.
        value: String,
    },
    /// The connection itself failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// The decoder of one connection.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Looking for the empty line; so many bytes have been searched already.
    Head { searched: usize },
    /// The header block is known, the body is awaited.
    Body { kind: Kind, head: Bytes, length: usize },
    /// The rest of a body that is too long is thrown away as it comes.
    Skip { left: u64, frame: Frame },
}

/// How much room a read should find: a busy switch sends 20 ms of events at once.
const READ: usize = 64 << 10;

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Head { searched: 0 } }
    }

    /// Whether bytes of an unfinished frame have been seen, `pending` of them not yet taken.
    fn is_inside_frame(&self, pending: usize) -> bool {
        pending > 0 || !matches!(self.state, State::Head { .. })
    }

    /// Takes the header block off, once its end is there.
    fn head(&mut self, searched: usize, source: &mut BytesMut) -> Result<bool, DecodeError> {
        // Line feeds between frames are tolerated, as FreeSWITCH's own client library does.
        let blank = source.iter().take_while(|byte| **byte == b'\n').count();
        if searched == 0 && blank > 0 {
            source.advance(blank);
        }
        let Some(found) = memmem::find(&source[searched..], b"\n\n") else {
            if source.len() > self.limits.header {
                return Err(DecodeError::HeaderTooLarge { limit: self.limits.header });
            }
            self.state = State::Head { searched: source.len().saturating_sub(1) };
            return Ok(false);
        };
        let end = searched + found + 1;
        if end > self.limits.header {
            return Err(DecodeError::HeaderTooLarge { limit: self.limits.header });
        }
        let envelope = Envelope::of(&source[..end]);
        let kind = Kind::of(envelope.content_type);
        let length = envelope.content_length.map_err(|value| DecodeError::BadLength {
            value: String::from_utf8_lossy(&value[..value.len().min(80)]).into_owned(),
        })?;
        let limit = if kind == Kind::ApiResponse { self.limits.response } else { self.limits.event };
        self.state = match usize::try_from(length) {
            Ok(length) if length <= limit => {
                let head = if kind.keeps_head() {
                    source.split_to(end).freeze()
                } else {
                    source.advance(end);
                    Bytes::new()
                };
                State::Body { kind, head, length }
            }
            _ => {
                let content_type = String::from_utf8_lossy(envelope.content_type).into_owned();
                let frame = Frame::TooLarge { content_type, length, limit: limit as u64 };
                source.advance(end);
                State::Skip { left: length, frame }
            }
        };
        source.advance(1);
        Ok(true)
    }
}

/// What a frame is, by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Event,
    ApiResponse,
    CommandReply,
    AuthRequest,
    DisconnectNotice,
    RudeRejection,
    Other,
}

impl Kind {
    fn of(content_type: &[u8]) -> Self {
        match content_type {
            b"text/event-plain" => Self::Event,
            b"api/response" => Self::ApiResponse,
            b"command/reply" => Self::CommandReply,
            b"auth/request" => Self::AuthRequest,
            b"text/disconnect-notice" => Self::DisconnectNotice,
            b"text/rude-rejection" => Self::RudeRejection,
            _ => Self::Other,
        }
    }

    /// Whether the frame's own headers are the message, or part of it.
    fn keeps_head(self) -> bool {
        matches!(self, Self::CommandReply | Self::Other)
    }

    fn frame(self, head: Bytes, body: Bytes) -> Frame {
        match self {
            Self::Event => Frame::Event(Event::new(body)),
            Self::ApiResponse => Frame::ApiResponse(body),
            Self::CommandReply => Frame::CommandReply(Headers::new(head)),
            Self::AuthRequest => Frame::AuthRequest,
            Self::DisconnectNotice => Frame::DisconnectNotice(body),
            Self::RudeRejection => Frame::RudeRejection(body),
            Self::Other => Frame::Other(Headers::new(head)),
        }
    }
}

impl tokio_util::codec::Decoder for Decoder {
    type Item = Frame;
    type Error = DecodeError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        loop {
            match &mut self.state {
                State::Head { searched } => {
                    let searched = *searched;
                    if !self.head(searched, source)? {
                        source.reserve(READ);
                        return Ok(None);
                    }
                }
                State::Body { kind, head, length } => {
                    if source.len() < *length {
                        // Room for what follows too, but not behind long content: to make some would
                        // copy it.
                        source.reserve((*length - source.len()).max(if *length < READ { READ } else { 0 }));
                        return Ok(None);
                    }
                    let body = source.split_to(*length).freeze();
                    let frame = kind.frame(std::mem::take(head), body);
                    self.state = State::Head { searched: 0 };
                    return Ok(Some(frame));
                }
                State::Skip { left, frame } => {
                    let taken = source.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    source.advance(taken);
                    *left -= taken as u64;
                    if *left > 0 {
                        source.reserve(READ);
                        return Ok(None);
                    }
                    let frame = frame.clone();
                    self.state = State::Head { searched: 0 };
                    return Ok(Some(frame));
                }
            }
        }
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        match self.decode(source)? {
            None if self.is_inside_frame(source.len()) => {
                Err(DecodeError::Io(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)))
            }
            frame => Ok(frame),
        }
    }
}
