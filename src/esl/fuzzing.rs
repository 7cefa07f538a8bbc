//! What must hold for any bytes: the bodies of the fuzz targets, which the ordinary tests run too.
//!
//! Each compares the parsers with a second reading of the same bytes that is as plain as possible, and
//! panics where they differ. Nothing else in the program uses this.

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder as _;

use super::frame::Headers;
use super::{DecodeError, Decoder, Event, Frame, Limits, Names, Value};

/// Small enough that a fuzzer reaches each of them, and in no order that the defaults have.
const NARROW: [Limits; 2] =
    [Limits { header: 64, event: 200, response: 400 }, Limits { header: 400, event: 3_000, response: 90 }];

/// Memory that a connection may take for reading, whatever the limits are.
const READING: usize = 256 << 10;

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Behind a frame.
    Clean,
    /// Within one.
    InsideFrame,
    /// In a header block without an end.
    HeaderTooLarge,
    /// At this `Content-Length`.
    BadLength(String),
}

/// All that a stream gives: its frames and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The frames in their order.
    pub frames: Vec<Frame>,
    /// What came behind the last one.
    pub end: End,
}

/// Decodes a stream that comes in these pieces.
///
/// # Panics
/// If a frame or what is kept between two pieces is beyond the limits.
pub fn decode<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = Decoder::new(limits);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let largest = limits.header.max(limits.event).max(limits.response);
    let mut largest_piece = 0;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        largest_piece = largest_piece.max(piece.len());
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(within(limits, frame)),
                Ok(None) => break,
                Err(error) => return Decoded { frames, end: end_of(error) },
            }
        }
        assert!(buffer.len() <= largest, "{} octets are kept: {limits:?}", buffer.len());
        let memory = 4 * (largest + largest_piece) + READING;
        assert!(buffer.capacity() <= memory, "{} octets are taken, not {memory}", buffer.capacity());
    }
    let end = match decoder.decode_eof(&mut buffer) {
        Ok(None) => End::Clean,
        Ok(Some(frame)) => panic!("a frame that nothing has completed: {frame:?}"),
        Err(error) => end_of(error),
    };
    Decoded { frames, end }
}

fn end_of(error: DecodeError) -> End {
    match error {
        DecodeError::HeaderTooLarge { .. } => End::HeaderTooLarge,
        DecodeError::BadLength { value } => End::BadLength(value),
        DecodeError::Io(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
            End::InsideFrame
        }
    }
}

fn within(limits: Limits, frame: Frame) -> Frame {
    match &frame {
        Frame::Event(event) => assert!(event.bytes().len() <= limits.event),
        Frame::ApiResponse(body) => assert!(body.len() <= limits.response),
        Frame::DisconnectNotice(words) | Frame::RudeRejection(words) => assert!(words.len() <= limits.event),
        Frame::CommandReply(headers) | Frame::Other(headers) => {
            let octets: usize = headers.iter().map(|header| header.name.len() + header.value.len()).sum();
            assert!(octets <= limits.header);
        }
        Frame::TooLarge { length, limit, .. } => assert!(length > limit),
        Frame::AuthRequest => {}
    }
    frame
}

/// The body of the target `decoder`: `data` is what a switch sends.
///
/// # Panics
/// If the frames depend on how the bytes are cut, differ from those of a plain reading, or take more
/// memory than the limits allow.
pub fn decoder(data: &[u8]) {
    for limits in NARROW {
        let expected = plain_frames(limits, data);
        assert_eq!(decode(limits, [data]), expected, "in one piece, {limits:?}");
        assert_eq!(decode(limits, data.chunks(1)), expected, "byte by byte, {limits:?}");
        assert_eq!(decode(limits, uneven(data)), expected, "in uneven pieces, {limits:?}");
    }
    for frame in decode(Limits::default(), [data]).frames {
        if let Frame::Event(event) = frame {
            read(&event);
        }
    }
}

/// The body of the target `event`: `data` is the content of a `text/event-plain` frame.
///
/// # Panics
/// If the event reads otherwise than line by line.
pub fn event(data: &[u8]) {
    read(&Event::new(Bytes::copy_from_slice(data)));
}

/// Reads an event in every way there is and compares.
fn read(event: &Event) {
    let (expected, body) = plain_event(event.bytes());
    let found: Vec<_> = event.headers().map(|(name, value)| (name, value.raw())).collect();
    assert_eq!(found, expected);
    assert_eq!(event.body(), body);
    for (_, value) in event.headers() {
        read_value(value);
    }
    let first = |name: &[u8]| expected.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
    let wanted = wanted(&expected);
    for name in &wanted {
        assert_eq!(event.get(name).map(Value::raw), first(name.as_bytes()), "{name:?}");
    }
    let wanted: [&str; WANTED] = std::array::from_fn(|slot| wanted[slot].as_str());
    let Some(names) = Names::find(wanted) else { return };
    let fields = event.fields(&names);
    for (slot, name) in wanted.into_iter().enumerate() {
        assert_eq!(fields.get(slot).map(Value::raw), first(name.as_bytes()), "{name:?} at {slot}");
    }
    assert!(fields.get(WANTED).is_none());
}

fn read_value(value: Value<'_>) {
    let decoded = plain_decoded(value.raw());
    assert_eq!(value.bytes(), decoded);
    assert_eq!(value.text(), String::from_utf8_lossy(&decoded));
    assert_eq!(value.is_true(), value.raw() == b"true");
    let is_short_number = value.raw().len() <= 19 && value.raw().iter().all(u8::is_ascii_digit);
    let number = is_short_number.then(|| std::str::from_utf8(value.raw()).ok()?.parse().ok()).flatten();
    assert_eq!(value.number(), number);
}

const WANTED: usize = 12;

/// Names to look for: some that the event has, some that differ from one of its own in a single place,
/// and some that it may have.
fn wanted(headers: &[(&[u8], &[u8])]) -> Vec<String> {
    let own = headers.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok());
    let own = own.filter(|name| name.len() <= 24).enumerate().map(|(n, name)| {
        let changed = |at: usize| {
            let old = name.char_indices().nth(at).map(|(at, old)| at..at + old.len_utf8());
            let mut name = name.to_owned();
            if let Some(old) = old.filter(|old| old.len() == 1) {
                name.replace_range(old, "x");
            }
            name
        };
        match n % 6 {
            1 => changed(0),
            2 => changed(name.len() / 2),
            3 => changed(name.len().saturating_sub(1)),
            4 => name.chars().skip(1).collect(),
            _ => name.to_owned(),
        }
    });
    let usual = ["", "A", "Event-Name", "Unique-ID", "Conference-Name", "Event-Subclass", "Content-Length"];
    let usual = usual.into_iter().chain(["Answer-State", "Floor", "Hear", "Speak", "Talking", "Member-ID"]);
    let mut wanted: Vec<String> = Vec::new();
    for name in own.take(24).chain(usual.map(str::to_owned)) {
        if wanted.len() < WANTED && !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    wanted
}

/// The frames of a stream, read without any thought of speed.
fn plain_frames(limits: Limits, data: &[u8]) -> Decoded {
    let mut frames = Vec::new();
    let mut rest = data;
    let end = loop {
        while let [b'\n', behind @ ..] = rest {
            rest = behind;
        }
        let Some(end) = rest.windows(2).position(|two| two == b"\n\n") else {
            break match rest.len() {
                0 => End::Clean,
                length if length > limits.header => End::HeaderTooLarge,
                _ => End::InsideFrame,
            };
        };
        let (head, behind) = (&rest[..=end], &rest[end + 2..]);
        if head.len() > limits.header {
            break End::HeaderTooLarge;
        }
        let content_type = plain_header(head, "content-type").unwrap_or_default();
        let length = plain_header(head, "content-length").unwrap_or(b"0");
        let Some(length) = plain_length(length) else {
            let shown = &length[..length.len().min(80)];
            break End::BadLength(String::from_utf8_lossy(shown).into_owned());
        };
        let limit = if content_type == b"api/response" { limits.response } else { limits.event };
        let Some((body, behind)) = usize::try_from(length).ok().and_then(|n| behind.split_at_checked(n))
        else {
            break End::InsideFrame;
        };
        rest = behind;
        let copy = Bytes::copy_from_slice;
        frames.push(match content_type {
            _ if body.len() > limit => Frame::TooLarge {
                content_type: String::from_utf8_lossy(content_type).into_owned(),
                length,
                limit: limit as u64,
            },
            b"text/event-plain" => Frame::Event(Event::new(copy(body))),
            b"api/response" => Frame::ApiResponse(copy(body)),
            b"command/reply" => Frame::CommandReply(Headers::new(copy(head))),
            b"auth/request" => Frame::AuthRequest,
            b"text/disconnect-notice" => Frame::DisconnectNotice(copy(body)),
            b"text/rude-rejection" => Frame::RudeRejection(copy(body)),
            _ => Frame::Other(Headers::new(copy(head))),
        });
    };
    Decoded { frames, end }
}

fn plain_header<'a>(head: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = &line[colon + 1..];
        let is_wanted = line[..colon].eq_ignore_ascii_case(wanted.as_bytes());
        is_wanted.then(|| value.strip_prefix(b" ").unwrap_or(value))
    })
}

fn plain_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

type PlainHeaders<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The headers and the body of an event, read without any thought of speed.
fn plain_event(data: &[u8]) -> (PlainHeaders<'_>, &[u8]) {
    let mut headers = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
        if line.is_empty() {
            break;
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().unwrap_or_default();
        let value = parts.next().unwrap_or_default();
        headers.push((name, value.strip_prefix(b" ").unwrap_or(value)));
    }
    let announced = headers.iter().rev().find(|(name, _)| *name == b"Content-Length");
    let announced = announced.and_then(|(_, value)| plain_length(value)).unwrap_or(0);
    let length = usize::try_from(announced).unwrap_or(usize::MAX).min(rest.len());
    (headers, &rest[..length])
}

fn plain_decoded(value: &[u8]) -> Vec<u8> {
    let digit = |at: usize| "0123456789ABCDEF".find(char::from(*value.get(at)?)).map(|digit| digit as u32);
    let is_written = |byte: u32| {
        !(32..=126).contains(&byte) || " \"#%&+:;<=>?@[\\]^`{|}".bytes().any(|b| u32::from(b) == byte)
    };
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) if is_written(high << 4 | low) => {
                decoded.extend(u8::try_from(high << 4 | low));
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

/// Cuts bytes into pieces whose sizes come from the bytes themselves: empty, small and large ones.
fn uneven(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut state = data.iter().fold(0xcbf2_9ce4_8422_2325u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let widest = 1usize << (state >> 61);
        let length = ((state >> 32) as usize % (widest * 4)).min(data.len());
        let (piece, rest) = data.split_at(length);
        data = rest;
        Some(piece)
    })
}
