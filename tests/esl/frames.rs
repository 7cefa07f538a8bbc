//! Any frames that FreeSWITCH can write come back, however they arrive, and unknown ones are passed over.

use bytes::Bytes;
use convened::esl::fuzzing::{End, decode};
use convened::esl::{Event, Frame, Limits};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::switch;

/// What was sent, to be compared with what was decoded.
#[derive(Debug, Clone)]
enum Sent {
    AuthRequest,
    Reply(String),
    Api(Vec<u8>),
    Event(Vec<u8>),
    Disconnect(Vec<u8>),
    Rude(Vec<u8>),
    Unknown(&'static str, Vec<u8>),
}

impl Sent {
    fn wire(&self) -> Vec<u8> {
        match self {
            Self::AuthRequest => b"Content-Type: auth/request\n\n".to_vec(),
            Self::Reply(text) => format!("Content-Type: command/reply\nReply-Text: {text}\n\n").into_bytes(),
            Self::Api(body) => switch::frame("api/response", body),
            Self::Event(body) => switch::frame("text/event-plain", body),
            Self::Disconnect(body) => switch::frame("text/disconnect-notice", body),
            Self::Rude(body) => switch::frame("text/rude-rejection", body),
            Self::Unknown(content_type, body) => switch::frame(content_type, body),
        }
    }

    fn is(&self, frame: &Frame) -> bool {
        match (self, frame) {
            (Self::AuthRequest, Frame::AuthRequest) => true,
            (Self::Reply(text), Frame::CommandReply(headers)) => headers.reply_text() == *text,
            (Self::Api(sent), Frame::ApiResponse(found))
            | (Self::Disconnect(sent), Frame::DisconnectNotice(found))
            | (Self::Rude(sent), Frame::RudeRejection(found)) => found == sent,
            (Self::Event(sent), Frame::Event(found)) => found.bytes() == sent,
            (Self::Unknown(sent, body), Frame::Other(headers)) => {
                headers.get("content-TYPE").as_deref() == Some(sent)
                    && headers.get("Content-Length") == Some(body.len().to_string().into())
            }
            _ => false,
        }
    }
}

/// Bytes that are often mistaken for the end of something.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\n\n".to_vec()),
        Just(b"Content-Length: 7\n".to_vec()),
        Just(b"Content-Type: auth/request\n\n".to_vec()),
        vec(any::<u8>(), 0..40),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn sent() -> impl Strategy<Value = Sent> {
    let unknown =
        prop::sample::select(vec!["log/data", "text/event-json", "text/event-xml", "x", "api/Response"]);
    prop_oneof![
        Just(Sent::AuthRequest),
        "[^\n]{0,60}".prop_map(Sent::Reply),
        body().prop_map(Sent::Api),
        body().prop_map(Sent::Event),
        body().prop_map(Sent::Disconnect),
        body().prop_map(Sent::Rude),
        (unknown, body()).prop_map(|(content_type, body)| Sent::Unknown(content_type, body)),
    ]
}

proptest! {
    #[test]
    fn any_frames_come_back_at_any_splits(
        sent in vec(sent(), 0..12),
        blanks in vec(0..3usize, 12),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut wire = Vec::new();
        for (sent, blanks) in sent.iter().zip(blanks) {
            wire.extend_from_slice(&sent.wire());
            wire.resize(wire.len() + blanks, b'\n');
        }
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let found = decode(Limits::default(), cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]));
        prop_assert_eq!(found.end, End::Clean);
        prop_assert_eq!(found.frames.len(), sent.len());
        for (sent, frame) in sent.iter().zip(&found.frames) {
            prop_assert!(sent.is(frame), "{:?} came as {:?}", sent, frame);
        }
    }

    #[test]
    fn any_bytes_give_frames_or_an_error(bytes in vec(any::<u8>(), 0..2_000)) {
        decode(Limits::default(), [&bytes[..]]);
    }
}

fn only(wire: &[u8]) -> Frame {
    let found = decode(Limits::default(), [wire]);
    assert_eq!(found.end, End::Clean, "{}", wire.escape_ascii());
    let [frame] = &found.frames[..] else { panic!("{:?}", found.frames) };
    frame.clone()
}

#[test]
fn header_names_of_a_frame_may_be_written_in_any_case_and_any_order() {
    for head in [
        "Content-Type: api/response\nContent-Length: 3\n\n",
        "content-length: 3\ncontent-type: api/response\n\n",
        "CONTENT-LENGTH:3\nCONTENT-TYPE:api/response\n\n",
        "no header\n: nothing\nContent-Length:  3 \nX: Content-Length: 9\nContent-Type: api/response\n\n",
    ] {
        assert_eq!(only(format!("{head}+OK").as_bytes()), Frame::ApiResponse("+OK".into()), "{head}");
    }
}

#[test]
fn a_repeated_header_of_a_frame_is_its_first() {
    let wire = b"Content-Type: api/response\nContent-Length: 3\nContent-Length: x\nContent-Type: x\n\n+OK";
    assert_eq!(only(wire), Frame::ApiResponse("+OK".into()));
    let Frame::CommandReply(headers) = only(b"Content-Type: command/reply\nReply-Text: a\nReply-Text: b\n\n")
    else {
        panic!("a reply");
    };
    assert_eq!(headers.reply_text(), "a");
    assert_eq!(headers.iter().count(), 3);
}

#[test]
fn values_of_a_frame_may_hold_colons_nothing_and_bytes_that_are_no_text() {
    let Frame::CommandReply(headers) = only(
        b"Content-Type: command/reply\nReply-Text: -ERR a: b %41\nEmpty:\nBlank: \nBad: Jos\xe9\nnothing\n\n",
    ) else {
        panic!("a reply");
    };
    assert_eq!(headers.reply_text(), "-ERR a: b %41", "a frame's values are not encoded");
    assert_eq!(headers.get("Empty").as_deref(), Some(""));
    assert_eq!(headers.get("Blank").as_deref(), Some(""));
    assert_eq!(headers.get("Bad").as_deref(), Some("Jos\u{fffd}"));
    assert_eq!(headers.get("nothing"), None);
    assert_eq!(headers.get("Missing"), None);
    assert!(format!("{headers:?}").contains("Jos\u{fffd}"));
}

#[test]
fn a_reply_without_its_text_is_an_empty_one() {
    let Frame::CommandReply(headers) = only(b"Content-Type: command/reply\n\n") else { panic!("a reply") };
    assert_eq!(headers.reply_text(), "");
}

#[test]
fn refusals_and_farewells_come_with_their_words() {
    let words = b"Access Denied, go away.\n";
    assert_eq!(
        only(&switch::frame("text/rude-rejection", words)),
        Frame::RudeRejection(Bytes::from_static(words))
    );
    assert_eq!(
        only(&switch::frame("text/disconnect-notice", b"killed listener because of lost events\n")),
        Frame::DisconnectNotice("killed listener because of lost events\n".into())
    );
}

#[test]
fn an_empty_event_is_an_event() {
    let event = Frame::Event(Event::new(Bytes::new()));
    assert_eq!(only(b"Content-Length: 0\nContent-Type: text/event-plain\n\n"), event);
    assert_eq!(only(b"Content-Type: text/event-plain\n\n"), event);
}

#[test]
fn frames_share_the_memory_that_they_were_read_into() {
    use tokio_util::codec::Decoder as _;
    let event = switch::frame("text/event-plain", &[b'x'; 3_000]);
    let mut buffer = bytes::BytesMut::from(&event.repeat(10)[..]);
    let memory = buffer.as_ptr_range();
    let mut decoder = convened::esl::Decoder::new(Limits::default());
    for _ in 0..10 {
        let Ok(Some(Frame::Event(event))) = decoder.decode(&mut buffer) else { panic!("an event") };
        assert!(memory.contains(&event.bytes().as_ptr()), "the event was copied");
    }
}
