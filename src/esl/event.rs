//! An event as FreeSWITCH wrote it, read without being taken apart first.
//!
//! Values stay percent-encoded until somebody reads them. A reader that wants the same dozen values
//! of every event names them once ([`Names`]) and gets them in one pass ([`Event::fields`]).

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memchr;

use super::grammar::{Cursor, event_header, length};

/// The content of a `text/event-plain` frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    bytes: Bytes,
}

impl Event {
    /// Takes the content of the frame as it is; what is wrong with it shows when it is read.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The headers in the order of the wire, repeated ones each time.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Value<'_>)> {
        let mut cursor = Cursor::new(&self.bytes);
        std::iter::from_fn(move || {
            let (rest, (name, value)) = event_header(cursor).ok()?;
            cursor = rest;
            Some((name, Value(value)))
        })
    }

    /// The first header of that name, as FreeSWITCH's own look-up has it.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.headers().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// The values of all wanted headers, found in one pass; of a repeated header the first.
    pub fn fields<'a, const N: usize>(&'a self, names: &Names<N>) -> Fields<'a, N> {
        let mut values = [None; N];
        let mut cursor = Cursor::new(&self.bytes);
        while let Ok((rest, (name, value))) = event_header(cursor) {
            cursor = rest;
            if let Some(slot) = names.slot(name)
                && values[slot].is_none()
            {
                values[slot] = Some(value);
            }
        }
        Fields { values }
    }

    /// The event's own body (a BACKGROUND_JOB's result), empty if it has none. Its length is the last
    /// that is given: the one that the switch puts below the headers of whoever made the event.
    pub fn body(&self) -> &[u8] {
        let mut cursor = Cursor::new(&self.bytes);
        let mut announced = 0;
        let rest = loop {
            match event_header(cursor) {
                Ok((next, (name, value))) => {
                    if name == b"Content-Length" {
                        announced = length(value).unwrap_or(0);
                    }
                    cursor = next;
                }
                Err(nom::Err::Error(end) | nom::Err::Failure(end)) => break end.input.rest(),
                Err(nom::Err::Incomplete(_)) => break &[],
            }
        };
        &rest[..usize::try_from(announced).unwrap_or(usize::MAX).min(rest.len())]
    }

    /// All bytes of the event.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// A header's value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// The bytes as received, percent-encoded.
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// Percent-decoded; what FreeSWITCH would not have written as an escape, such as `%zz`, stays as it is.
    pub fn bytes(self) -> Cow<'a, [u8]> {
        if memchr(b'%', self.0).is_none() { Cow::Borrowed(self.0) } else { decoded(self.0).into() }
    }

    /// Percent-decoded text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            },
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// A whole decimal number, nothing else around it.
    #[inline]
    pub fn number(self) -> Option<u64> {
        let digits = self.0;
        if digits.is_empty() || digits.len() > 19 {
            return None;
        }
        digits.iter().try_fold(0u64, |sum, digit| match digit {
            b'0'..=b'9' => Some(sum * 10 + u64::from(digit - b'0')),
            _ => None,
        })
    }

    /// `true`, as FreeSWITCH writes it; anything else is not.
    #[inline]
    pub fn is_true(self) -> bool {
        self.0 == b"true"
    }
}

/// What FreeSWITCH writes as an escape (`SWITCH_URL_UNSAFE` in switch_utils.h), besides all that is not printable
/// ASCII.
const ESCAPED: &[u8] = b"\r\n \"#%&+:;<=>?@[\\]^`{|}";

/// Takes back what `switch_url_encode` (switch_utils.c) did. It leaves a `%` alone that two upper-case hex digits
/// follow, so that `%41` stands for itself: nobody writes an `A` so. `%20` may stand for either; it is taken for
/// a blank.
fn decoded(raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'%', rest) {
        decoded.extend_from_slice(&rest[..at]);
        let escape = rest.get(at + 1..at + 3).and_then(|digits| escaped(digits[0], digits[1]));
        decoded.push(escape.unwrap_or(b'%'));
        rest = &rest[at + if escape.is_some() { 3 } else { 1 }..];
    }
    decoded.extend_from_slice(rest);
    decoded
}

/// The byte of an escape that FreeSWITCH would have written.
fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let byte = digit(high)? << 4 | digit(low)?;
    (!(b' '..=b'~').contains(&byte) || ESCAPED.contains(&byte)).then_some(byte)
}

/// The values found by [`Event::fields`], by their place in the [`Names`].
#[derive(Debug, Clone)]
pub struct Fields<'a, const N: usize> {
    values: [Option<&'a [u8]>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// The value of the header at that place; an empty one is there, a missing one is not.
    #[inline(always)]
    pub fn get(&self, slot: usize) -> Option<Value<'a>> {
        self.values.get(slot).copied().flatten().map(Value)
    }
}

/// A set of header names with a perfect hash over it, made once.
#[derive(Debug)]
pub struct Names<const N: usize> {
    keys: [Key; N],
    /// Places in `keys` by hash; [`EMPTY`] where there is none.
    table: [u8; TABLE],
    multiplier: u64,
}

const TABLE: usize = 512;
const EMPTY: u8 = u8::MAX;
/// The longest name that fits a [`Key`]; FreeSWITCH's longest that anybody wants has 23.
const LONGEST: usize = 24;

impl<const N: usize> Names<N> {
    /// Looks for a multiplier under which no two names meet.
    ///
    /// # Panics
    /// If a name is there twice, is longer than 24 bytes, differs from another in nothing but bytes that
    /// are neither among its first nor its last eight, or there are more than a few dozen: all are
    /// constants of the program, so that a test of any reader finds it.
    pub fn new(names: [&'static str; N]) -> Self {
        assert!(N < TABLE / 8, "{N} names do not fit the table");
        assert!(names.iter().all(|name| name.len() <= LONGEST), "a name is longer than {LONGEST}: {names:?}");
        match Self::find(names) {
            Some(names) => names,
            None => panic!("no perfect hash for {names:?}: is one of them there twice?"),
        }
    }

    /// The same for a few names of any origin, if there is a hash for them.
    pub(super) fn find(names: [&str; N]) -> Option<Self> {
        if names.iter().any(|name| name.len() > LONGEST) {
            return None;
        }
        let keys = names.map(|name| Key::of(name.as_bytes()));
        let alike = |at: usize| keys[..at].iter().any(|key| key.mixed() == keys[at].mixed());
        if (0..N).any(alike) {
            return None;
        }
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            if let Some(table) = Self::try_table(&keys, seed | 1) {
                return Some(Self { keys, table, multiplier: seed | 1 });
            }
        }
        None
    }

    fn try_table(keys: &[Key; N], multiplier: u64) -> Option<[u8; TABLE]> {
        let mut table = [EMPTY; TABLE];
        for (slot, key) in keys.iter().enumerate() {
            let place = &mut table[key.hash(multiplier)];
            if *place != EMPTY {
                return None;
            }
            *place = u8::try_from(slot).ok()?;
        }
        Some(table)
    }

    /// The place of a name, if it is wanted.
    #[inline(always)]
    fn slot(&self, name: &[u8]) -> Option<usize> {
        let key = Key::of(name);
        let slot = self.table[key.hash(self.multiplier)];
        (*self.keys.get(usize::from(slot))? == key).then_some(usize::from(slot))
    }
}

/// A name of at most 24 bytes in four words: compared without a loop. Two longer names may have the same
/// key, a longer and a wanted one cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    length: usize,
    first: u64,
    middle: u64,
    last: u64,
}

impl Key {
    #[inline(always)]
    fn of(name: &[u8]) -> Self {
        let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let length = name.len();
        match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => {
                let middle = if length > 16 { word(name[8..].first_chunk()) } else { 0 };
                Self { length, first: word(Some(first)), middle, last: word(Some(last)) }
            }
            _ => {
                let first = name.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                Self { length, first, middle: 0, last: 0 }
            }
        }
    }

    /// First and last bytes and the length tell FreeSWITCH's names apart, nearly always.
    #[inline(always)]
    fn mixed(self) -> u64 {
        self.first.rotate_left(17) ^ self.last ^ self.length as u64
    }

    #[inline(always)]
    fn hash(self, multiplier: u64) -> usize {
        (self.mixed().wrapping_mul(multiplier) >> (64 - TABLE.trailing_zeros())) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        Event::new(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn values_are_decoded_when_read_and_not_before() {
        let event = event("A: 100%25%20Real%3B%0Ax\nB: %zz%4\nC: Jos%E9\nD:\nE: caf\u{e9}\n\n");
        assert_eq!(event.get("A").unwrap().text(), "100% Real;\nx");
        assert_eq!(event.get("B").unwrap().text(), "%zz%4");
        assert_eq!(event.get("C").unwrap().text(), "Jos\u{fffd}");
        assert_eq!(event.get("D").unwrap().text(), "");
        assert_eq!(event.get("E").unwrap().text(), "caf\u{e9}");
        assert_eq!(event.get("F"), None);
    }

    #[test]
    fn what_freeswitch_would_not_have_escaped_stands_for_itself() {
        for (wire, meant) in [
            ("victim%31", "victim%31"),
            ("p%2Fq", "p%2Fq"),
            ("a%40b%3A5060", "a@b:5060"),
            ("%e9", "%e9"),
            ("%25%41", "%%41"),
            ("%", "%"),
            ("%2", "%2"),
            ("%C3%A9", "\u{e9}"),
        ] {
            assert_eq!(Value(wire.as_bytes()).text(), meant, "{wire}");
        }
    }

    #[test]
    fn a_repeated_header_is_its_first_and_an_empty_one_is_there() {
        let names = Names::new(["Conference-Name", "Empty", "Missing", "ID"]);
        let event = event("Conference-Name: a\nEmpty: \nOther: x\nID: 7\nConference-Name: b\n\n");
        let fields = event.fields(&names);
        assert_eq!(fields.get(0).unwrap().raw(), b"a");
        assert_eq!(fields.get(1).unwrap().raw(), b"");
        assert_eq!(fields.get(2), None);
        assert_eq!(fields.get(3).unwrap().number(), Some(7));
        assert_eq!(fields.get(99), None);
    }

    #[test]
    fn a_body_inside_the_event_is_no_header() {
        let job = event("Event-Name: BACKGROUND_JOB\nContent-Length: 14\n\n+OK done\nA: 1\nmore");
        assert_eq!(job.body(), b"+OK done\nA: 1\n");
        assert_eq!(job.get("A"), None);
        assert_eq!(event("A: 1\n\n").body(), b"");
        assert_eq!(event("A: 1").body(), b"");
        assert_eq!(event("Content-Length: 99\n\nshort").body(), b"short");
        assert_eq!(event("").body(), b"");
    }

    #[test]
    fn numbers_have_nothing_around_them() {
        for (text, number) in
            [("0", Some(0)), ("12", Some(12)), ("", None), ("-1", None), ("12abc", None), ("1 ", None)]
        {
            assert_eq!(Value(text.as_bytes()).number(), number, "{text:?}");
        }
        assert_eq!(Value(b"99999999999999999999").number(), None);
    }
}
