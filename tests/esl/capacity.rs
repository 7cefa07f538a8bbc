//! What a peer can make the decoder keep, whatever it announces.

use bytes::BytesMut;
use convened::esl::{DecodeError, Decoder, Frame, Limits};
use tokio_util::codec::Decoder as _;

use crate::switch;

/// What a connection may take beside the content that it waits for.
const READING: usize = 256 << 10;

/// A connection that counts the memory of its buffer.
struct Connection {
    decoder: Decoder,
    buffer: BytesMut,
    most: usize,
}

impl Connection {
    fn new(limits: Limits) -> Self {
        Self { decoder: Decoder::new(limits), buffer: BytesMut::new(), most: 0 }
    }

    /// Takes bytes as from a socket and gives the frames; their memory is free at once.
    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, DecodeError> {
        self.buffer.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = self.decoder.decode(&mut self.buffer)? {
            frames.push(frame);
        }
        self.most = self.most.max(self.buffer.capacity());
        Ok(frames)
    }
}

const LIMITS: Limits = Limits { header: 300, event: 5_000, response: 70_000 };

fn limit_of(content_type: &str) -> usize {
    if content_type == "api/response" { LIMITS.response } else { LIMITS.event }
}

const TYPES: [&str; 6] = [
    "text/event-plain",
    "api/response",
    "text/disconnect-notice",
    "text/rude-rejection",
    "command/reply",
    "log/data",
];

#[test]
fn a_gibibyte_is_passed_over_in_little_memory_and_the_next_frame_is_found() {
    for content_type in ["text/event-plain", "api/response"] {
        let mut connection = Connection::new(Limits::default());
        let head = format!("Content-Length: {}\nContent-Type: {content_type}\n\n", 1u64 << 30);
        assert_eq!(connection.feed(head.as_bytes()).unwrap(), []);
        // Anything that looks like a frame is none.
        let body = b"Content-Type: auth/request\n\n".repeat(2_048);
        let mut left = 1usize << 30;
        while left > body.len() {
            assert_eq!(connection.feed(&body).unwrap(), [], "{left} octets before the end");
            left -= body.len();
        }
        let last = [&body[..left], b"Content-Type: command/reply\nReply-Text: +OK\n\n"].concat();
        let frames = connection.feed(&last).unwrap();
        let [Frame::TooLarge { content_type: found, length, .. }, Frame::CommandReply(reply)] = &frames[..]
        else {
            panic!("{frames:?}");
        };
        assert_eq!((found.as_str(), *length), (content_type, 1 << 30));
        assert_eq!(reply.reply_text(), "+OK");
        assert!(connection.most <= READING, "{} octets were taken", connection.most);
    }
}

#[test]
fn the_longest_length_there_is_takes_no_memory() {
    let mut connection = Connection::new(Limits::default());
    connection
        .feed(format!("Content-Type: api/response\nContent-Length: {}\n\n", u64::MAX).as_bytes())
        .unwrap();
    for _ in 0..1_000 {
        assert_eq!(connection.feed(&[b'\n'; 50_000]).unwrap(), []);
        assert!(connection.buffer.is_empty());
    }
    assert!(connection.most <= READING, "{} octets were taken", connection.most);
}

#[test]
fn content_up_to_its_limit_comes_and_beyond_it_does_not() {
    for content_type in TYPES {
        let limit = limit_of(content_type);
        let mut connection = Connection::new(LIMITS);
        for (length, comes) in [(0, true), (limit - 1, true), (limit, true), (limit + 1, false)] {
            let frames = connection.feed(&switch::frame(content_type, &vec![b'x'; length])).unwrap();
            let [frame] = &frames[..] else { panic!("{frames:?}") };
            let came = match frame {
                Frame::TooLarge { content_type: found, length: announced, limit: allowed } => {
                    assert_eq!((found.as_str(), *announced), (content_type, length as u64));
                    assert_eq!(*allowed, limit as u64);
                    false
                }
                Frame::Event(event) => event.bytes().len() == length,
                Frame::ApiResponse(body) | Frame::DisconnectNotice(body) | Frame::RudeRejection(body) => {
                    body.len() == length
                }
                _ => true,
            };
            assert_eq!(came, comes, "{content_type} with {length} octets");
        }
        assert!(connection.most <= 2 * LIMITS.response + READING, "{} octets were taken", connection.most);
    }
}

#[test]
fn content_that_is_announced_and_comes_slowly_takes_its_length_and_no_multiple() {
    let limits = Limits::default();
    for (content_type, length) in [("api/response", limits.response), ("text/event-plain", limits.event)] {
        let mut connection = Connection::new(limits);
        let head = format!("Content-Type: {content_type}\nContent-Length: {length}\n\n");
        assert_eq!(connection.feed(head.as_bytes()).unwrap(), []);
        let piece = [b'x'; 16 << 10];
        for _ in 1..length / piece.len() {
            assert_eq!(connection.feed(&piece).unwrap(), []);
        }
        assert_eq!(connection.feed(&piece).unwrap().len(), 1);
        assert!(connection.most <= length + length / 8 + READING, "{} octets were taken", connection.most);
    }
}

#[test]
fn a_header_block_up_to_its_limit_comes_and_beyond_it_ends_the_connection() {
    let block = |length: usize| {
        let head = "Content-Type: command/reply\nReply-Text: ";
        [head, &"x".repeat(length - head.len() - 1), "\n\n"].concat()
    };
    for pieces in [1, 7, 1_000] {
        let mut connection = Connection::new(LIMITS);
        let mut frames = Vec::new();
        for piece in block(LIMITS.header).as_bytes().chunks(pieces) {
            frames.extend(connection.feed(piece).unwrap());
        }
        assert!(matches!(&frames[..], [Frame::CommandReply(_)]), "{frames:?}");

        let mut connection = Connection::new(LIMITS);
        let text = block(LIMITS.header + 1);
        let found = text.as_bytes().chunks(pieces).find_map(|piece| connection.feed(piece).err());
        assert!(matches!(found, Some(DecodeError::HeaderTooLarge { limit: 300 })), "{found:?}");
    }
}

#[test]
fn a_header_block_without_an_end_is_an_error_before_it_is_a_burden() {
    for piece in [&b"A"[..], b"A: b\n", &[0; 5_000], "\u{e9}".as_bytes()] {
        let mut connection = Connection::new(Limits::default());
        let mut octets = 0;
        let error = loop {
            octets += piece.len();
            match connection.feed(piece) {
                Ok(frames) => assert_eq!(frames, []),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, DecodeError::HeaderTooLarge { limit: 65_536 }), "{error:?}");
        assert!(octets <= (64 << 10) + piece.len(), "{octets} octets were read");
        assert!(connection.most <= 2 * READING, "{} octets were taken", connection.most);
        // Nothing that comes later makes it whole.
        assert!(connection.feed(b"\n\nContent-Type: auth/request\n\n").is_err());
    }
}

#[test]
fn line_feeds_between_frames_are_no_burden() {
    let mut connection = Connection::new(Limits::default());
    for _ in 0..1_000 {
        assert_eq!(connection.feed(&[b'\n'; 50_000]).unwrap(), []);
    }
    let frames = connection.feed(b"\n\nContent-Type: auth/request\n\n\n\n").unwrap();
    assert_eq!(frames, [Frame::AuthRequest]);
    assert!(connection.most <= READING, "{} octets were taken", connection.most);
}

#[test]
fn a_length_that_is_no_number_is_an_error() {
    let hostile: [&[u8]; 16] = [
        b"",
        b" ",
        b"-1",
        b"+1",
        b"0x10",
        b"1 2",
        b"1,000",
        b"12x",
        b"1e3",
        b"18446744073709551616",
        b"99999999999999999999999999999999999999999999",
        b"NaN",
        "\u{ff11}".as_bytes(),
        b"\xff\xfe",
        b"%31",
        b"5\r",
    ];
    for value in hostile {
        let head = [b"Content-Type: text/event-plain\nContent-Length: ", value, b"\n\n"].concat();
        let error = Connection::new(Limits::default()).feed(&head).unwrap_err();
        let DecodeError::BadLength { value: shown } = &error else { panic!("{error:?}") };
        assert_eq!(*shown, String::from_utf8_lossy(value), "{}", value.escape_ascii());
    }
    let long = format!("Content-Length: {}\n\n", "9".repeat(10_000));
    let error = Connection::new(Limits::default()).feed(long.as_bytes()).unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
}
