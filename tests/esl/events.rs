//! Any event that FreeSWITCH can write is read back, and a set of names reads as a plain search does.

use bytes::Bytes;
use convened::esl::{Event, Names, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::switch;

/// A name as C code can set it: not empty, without what ends it on the wire.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec!["Event-Name", "Unique-ID", "variable_a", "Content-Length", "A"]);
    let usable = |byte: &u8| !matches!(byte, 0 | b':' | b'\n');
    prop_oneof![
        known.prop_map(|name| name.as_bytes().to_vec()),
        "[A-Za-z_-]{1,40}".prop_map(String::into_bytes),
        vec(any::<u8>().prop_filter("ends the name", usable), 1..30),
    ]
}

/// A value as C code can set it: anything but NUL.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let known =
        select(vec!["", "sip:1001@host:5060;x=y", "Jos\u{e9}", "%zz", "%41%e9%", "100%", "a\nB: c\n\n"]);
    prop_oneof![
        known.prop_map(|value| value.as_bytes().to_vec()),
        vec(1u8.., 0..60),
        "[ -~]{0,40}".prop_map(String::into_bytes),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"+OK\nA: 1\n\nContent-Length: 3\n".to_vec()),
        vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #[test]
    fn what_the_switch_encodes_is_read_back(headers in vec((name(), value()), 0..40), body in body()) {
        // Without a body the switch adds no length, and the last one counts.
        let sent: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), switch::readable(value))).collect();
        let event = Event::new(switch::serialize(&headers, &body).into());
        let read = event.headers().map(|(name, value)| (name.to_vec(), value.bytes().into_owned()));
        let mut read: Vec<_> = read.collect();
        if !body.is_empty() {
            let length = (b"Content-Length".to_vec(), body.len().to_string().into_bytes());
            prop_assert_eq!(read.pop(), Some(length));
        }
        prop_assert_eq!(read, sent.clone());
        prop_assert_eq!(event.body(), &body[..]);
        for (name, value) in event.headers() {
            let text = String::from_utf8_lossy(&value.bytes()).into_owned();
            prop_assert_eq!(value.text(), text);
            if let Ok(name) = std::str::from_utf8(name) {
                let first = sent.iter().find(|(sent, _)| sent == name.as_bytes()).map(|(_, value)| value.clone());
                let first = first.unwrap_or_else(|| body.len().to_string().into_bytes());
                prop_assert_eq!(event.get(name).map(|value| value.bytes().into_owned()), Some(first));
            }
        }
    }
}

/// Lines as no switch should write them.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let near = select(near_names()).prop_map(str::to_owned);
    let name = prop_oneof![near, "[ab]{0,3}", "[ab]{7,9}", "[ab]{15,17}", "[ab]{23,26}", "[a-b:]{0,3}"];
    let value = prop_oneof!["[^\n]{0,20}", Just(String::new()), Just(" ".to_owned()), "[:% ]{0,4}"];
    (name, select(vec![": ", ":", ""]), value)
        .prop_map(|(name, colon, value)| [name, colon.to_owned(), value].concat().into_bytes())
}

/// Names that differ from those of [`wanted`] in a single place, or not at all.
fn near_names() -> Vec<&'static str> {
    vec![
        "",
        "A",
        "B",
        "\0",
        "\0A",
        "A\0",
        "1234567",
        "0234567",
        "123456",
        "12345678",
        "12345679",
        "123456789",
        "Unique-ID",
        "Unique-Id",
        "Caller-Unique-ID",
        "Caller-Onique-ID",
        "Conference-Unique-ID",
        "Conference-Vnique-ID",
        "Conference-Name",
        "Conference-Same",
        "abcdefghXXXXXXXXabcdefgh",
        "abcdefghXXXXYXXXabcdefgh",
        "abcdefghXXXXXXXXXabcdefgh",
        "abcdefghXXXXXXXXXXXXXXXXabcdefgh",
        "abcdefghZZZZZZZZabcdefgi",
    ]
}

fn wanted() -> Names<12> {
    Names::new(WANTED)
}

const WANTED: [&str; 12] = [
    "",
    "A",
    "\0A",
    "1234567",
    "12345678",
    "123456789",
    "Unique-ID",
    "Caller-Unique-ID",
    "Conference-Unique-ID",
    "Conference-Name",
    "abcdefghXXXXXXXXabcdefgh",
    "abababababababab",
];

/// The first line of that name, by the standard library only.
fn plain<'a>(lines: &'a [Vec<u8>], wanted: &str) -> Option<&'a [u8]> {
    lines.iter().take_while(|line| !line.is_empty()).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        (line[..colon] == *wanted.as_bytes()).then(|| value.strip_prefix(b" ").unwrap_or(value))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_set_of_names_reads_as_a_plain_search(lines in vec(line(), 0..40), is_ended in any::<bool>()) {
        let mut bytes = lines.join(&b'\n');
        if is_ended {
            bytes.extend_from_slice(b"\n\nA: in the body\n");
        }
        let event = Event::new(bytes.into());
        let fields = event.fields(&wanted());
        for (slot, name) in WANTED.into_iter().enumerate() {
            let expected = plain(&lines, name);
            prop_assert_eq!(fields.get(slot).map(Value::raw), expected, "{:?}", name);
            prop_assert_eq!(event.get(name).map(Value::raw), expected, "{:?}", name);
        }
    }

    #[test]
    fn any_set_of_names_reads_as_a_plain_search(
        names in prop::collection::hash_set("[a-d]{1,9}|[ab]{1,4}[a-z-]{3,12}", 6),
        picks in vec((any::<Index>(), "[^\n]{0,9}", any::<bool>()), 0..30),
    ) {
        let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
        let lines: Vec<Vec<u8>> = picks
            .iter()
            .map(|(pick, value, is_near)| {
                let name = pick.get(&names);
                format!("{name}{}:{value}", if *is_near { "a" } else { "" }).into_bytes()
            })
            .collect();
        let event = Event::new(lines.join(&b'\n').into());
        let wanted: [&'static str; 6] = names.clone().try_into().unwrap();
        let wanted = Names::new(wanted);
        let fields = event.fields(&wanted);
        for (slot, name) in names.into_iter().enumerate() {
            prop_assert_eq!(fields.get(slot).map(Value::raw), plain(&lines, name), "{:?}", name);
        }
    }
}

#[test]
#[should_panic(expected = "longer than 24")]
fn a_name_that_does_not_fit_is_found_when_the_set_is_made() {
    Names::new(["A", "abcdefghXXXXXXXXXabcdefgh"]);
}

#[test]
#[should_panic(expected = "no perfect hash")]
fn a_name_that_is_there_twice_is_found_when_the_set_is_made() {
    Names::new(["A", "B", "A"]);
}

#[test]
fn line_ends_and_colons_at_each_place_of_a_block_are_found() {
    // Names and values of all lengths around the 64 bytes that are searched at once.
    for name in 1..140 {
        for value in [0, 1, 61, 62, 63, 64, 65, 127, 128, 129] {
            let bytes = format!("{}: {}\nEnd: 1\n\nbody", "n".repeat(name), "v".repeat(value));
            let event = Event::new(Bytes::from(bytes));
            let lengths: Vec<_> =
                event.headers().map(|(name, value)| (name.len(), value.raw().len())).collect();
            assert_eq!(lengths, [(name, value), (3, 1)]);
        }
    }
}
