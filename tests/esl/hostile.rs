//! Hostile values in each header of each recorded event: they are read, and nothing else is harmed.

use std::collections::HashSet;

use bytes::Bytes;
use convened::esl::fuzzing::decode;
use convened::esl::{Event, Frame, Limits, Names, Value};
use convened::node::Translator;

use crate::{support, switch};

/// A value on the wire, and as it is read.
const HOSTILE: [(&[u8], &str); 20] = [
    (b"", ""),
    (b" ", " "),
    (b":", ":"),
    (b": : ", ": : "),
    (b"sip:1001@host:5060;transport=tcp", "sip:1001@host:5060;transport=tcp"),
    (b"two%20words", "two words"),
    (b"%0A%0AEvent-Name: X%0a%0A", "\n\nEvent-Name: X%0a\n"),
    (b"%0D%0AContent-Length: 9", "\r\nContent-Length: 9"),
    (b"%zz", "%zz"),
    (b"%", "%"),
    (b"%4", "%4"),
    (b"%%34%31", "%%34%31"),
    (b"%00\0", "\0\0"),
    (b"Jos%E9", "Jos\u{fffd}"),
    (b"Jos\xe9", "Jos\u{fffd}"),
    (b"%F0%9F%98%80\xf0\x9f%98\x80", "\u{1f600}\u{1f600}"),
    (b"\xff%FF\xc0%80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
    (b"\r", "\r"),
    (b"-99999999999999999999", "-99999999999999999999"),
    (b"99999999999999999999", "99999999999999999999"),
];

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// One event of each shape (which headers, in which order) of each recording.
fn shapes() -> Vec<(String, Headers, Vec<u8>)> {
    let mut shapes = Vec::new();
    let mut events = 0;
    for path in support::captures() {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut seen = HashSet::new();
        for frame in decode(Limits::default(), [&support::received(&support::records(&path))[..]]).frames {
            let Frame::Event(event) = frame else { continue };
            events += 1;
            let headers: Headers =
                event.headers().map(|(name, value)| (name.to_vec(), value.raw().to_vec())).collect();
            let names: Vec<_> = headers.iter().map(|(name, _)| name.clone()).collect();
            if seen.insert(names) {
                shapes.push((file.clone(), headers, event.body().to_vec()));
            }
        }
    }
    println!("{events} events, {} shapes", shapes.len());
    assert!(events > 2_500 && shapes.len() > 100, "{events} events, {} shapes", shapes.len());
    shapes
}

fn written(headers: &Headers, body: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.extend_from_slice(&[name, b": ".as_slice(), value, b"\n"].concat());
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes.into()
}

fn read(event: &Event) -> Headers {
    event.headers().map(|(name, value)| (name.to_vec(), value.raw().to_vec())).collect()
}

#[test]
fn a_hostile_value_in_any_header_is_read_and_harms_no_other() {
    let translator = Translator::default();
    let wanted = ["Event-Name", "Action", "Conference-Name", "Unique-ID", "Member-ID", "Event-Sequence"];
    let names = Names::new(wanted);
    let mut seen = HashSet::new();
    let mut places = 0;
    for (file, headers, body) in shapes() {
        let length = headers.iter().rposition(|(name, _)| name == b"Content-Length");
        let kind = |wanted: &[u8]| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let kind = (kind(b"Event-Name"), kind(b"Action"));
        for (at, (name, _)) in headers.iter().enumerate() {
            // A header of an action is tried once in each recording, and each repetition of it.
            let earlier = headers[..at].iter().filter(|(earlier, _)| earlier == name).count();
            if !seen.insert((file.clone(), format!("{kind:?}"), name.clone(), earlier)) {
                continue;
            }
            let mut changed = headers.clone();
            // Four of the values each, in turn: an event of 70 headers takes a while in a debug build.
            for n in 0..4 {
                let (wire, text) = HOSTILE[(places * 4 + n) % HOSTILE.len()];
                wire.clone_into(&mut changed[at].1);
                let event = Event::new(written(&changed, &body));
                let found = event.headers().map(|(name, value)| (name, value.raw()));
                assert!(
                    found.eq(changed.iter().map(|(name, value)| (&name[..], &value[..]))),
                    "{file}: {event:?}"
                );
                let (_, value) = event.headers().nth(at).unwrap();
                assert_eq!(value.text(), text, "{file}: {}", wire.escape_ascii());
                assert_eq!(value.number(), None, "{}", wire.escape_ascii());
                if length != Some(at) {
                    assert_eq!(event.body(), body, "{file}");
                }
                let fields = event.fields(&names);
                for (slot, wanted) in wanted.into_iter().enumerate() {
                    let first = changed.iter().find(|(name, _)| name == wanted.as_bytes());
                    let first = first.map(|(_, value)| &value[..]);
                    assert_eq!(fields.get(slot).map(Value::raw), first, "{file}: {wanted}");
                }
                let _ = translator.conference_event(&event);
            }
            places += 1;
        }
    }
    println!("{places} places, four values in each");
    assert!(places > 2_000, "{places} places");
}

#[test]
fn hostile_values_in_all_headers_at_once_are_read() {
    let translator = Translator::default();
    for (file, headers, _) in shapes() {
        for (shift, _) in HOSTILE.iter().enumerate() {
            let hostile = |at: usize| HOSTILE[(at + shift) % HOSTILE.len()];
            let changed: Headers = headers
                .iter()
                .enumerate()
                .map(|(at, (name, _))| (name.clone(), hostile(at).0.to_vec()))
                .collect();
            let wire = switch::frame("text/event-plain", &written(&changed, b""));
            let found = decode(Limits::default(), [&wire[..], b"Content-Type: auth/request\n\n"]);
            let [Frame::Event(event), Frame::AuthRequest] = &found.frames[..] else {
                panic!("{file}: {found:?}");
            };
            for (at, (name, value)) in event.headers().enumerate() {
                assert_eq!((name, &*value.text()), (&headers[at].0[..], hostile(at).1), "{file}");
            }
            let _ = translator.conference_event(event);
        }
    }
}

#[test]
fn an_empty_value_is_there_and_a_missing_header_is_not() {
    for (file, headers, body) in shapes() {
        let at = headers.iter().position(|(name, _)| name == b"Event-Name").unwrap();
        let names = Names::new(["Event-Name"]);
        let mut changed = headers.clone();
        changed[at].1.clear();
        let event = Event::new(written(&changed, &body));
        assert_eq!(
            event.get("Event-Name").map(|value| value.text().into_owned()),
            Some(String::new()),
            "{file}"
        );
        assert_eq!(event.fields(&names).get(0).map(Value::raw), Some(&b""[..]), "{file}");
        changed.remove(at);
        let event = Event::new(written(&changed, &body));
        assert_eq!(event.get("Event-Name"), None, "{file}");
        assert_eq!(event.fields(&names).get(0), None, "{file}");
    }
}

#[test]
fn a_body_that_looks_like_headers_overwrites_none() {
    for (file, mut headers, _) in shapes() {
        let mut lines = headers.clone();
        for (_, value) in &mut lines {
            *value = b"from%20the%20body".to_vec();
        }
        let body = [&written(&lines, b"")[..], b"Content-Length: 3\n\nEvent-Name: X\n"].concat();
        headers.retain(|(name, _)| name != b"Content-Length");
        headers.push((b"Content-Length".to_vec(), body.len().to_string().into_bytes()));
        let wire = switch::frame("text/event-plain", &written(&headers, &body));
        let found = decode(Limits::default(), [&wire[..], &wire[..]]);
        let [Frame::Event(event), Frame::Event(second)] = &found.frames[..] else {
            panic!("{file}: {found:?}");
        };
        assert_eq!(event, second);
        assert_eq!(read(event), headers, "{file}");
        assert_eq!(event.body(), body, "{file}");
    }
}

#[test]
fn a_floor_change_repeats_headers_and_the_first_is_read() {
    let mut found = 0;
    for path in support::captures() {
        for frame in decode(Limits::default(), [&support::received(&support::records(&path))[..]]).frames {
            let Frame::Event(event) = frame else { continue };
            if event.get("Action").is_none_or(|action| action.raw() != b"floor-change") {
                continue;
            }
            let headers = read(&event);
            let names: HashSet<_> = headers.iter().map(|(name, _)| name).collect();
            let repeated = headers.len() - names.len();
            found += usize::from(repeated >= 6);
            // The later ones get other values, so that it shows which one is read.
            let mut seen = HashSet::new();
            let mut changed = headers.clone();
            for (name, value) in &mut changed {
                if !seen.insert(name.clone()) {
                    *value = b"later".to_vec();
                }
            }
            let event = Event::new(written(&changed, b""));
            let wanted = ["Conference-Name", "Conference-Size", "Conference-Unique-ID", "Conference-Ghosts"];
            let fields = event.fields(&Names::new(wanted));
            for (slot, name) in wanted.into_iter().enumerate() {
                let first = headers.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, v)| &v[..]);
                assert!(first.is_some(), "{name}");
                assert_eq!(fields.get(slot).map(Value::raw), first, "{name}");
                assert_eq!(event.get(name).map(Value::raw), first, "{name}");
            }
        }
    }
    println!("{found} floor-changes that repeat six headers or more");
    assert!(found > 0);
}
