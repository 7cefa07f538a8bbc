//! The grammar: header lines and blocks, as nom parsers over bytes.
//!
//! "More is needed" and "this is wrong" are different answers: the decoder hands over a block only
//! when its end has been seen, so that here everything is complete and an error is an error.

use nom::bytes::complete::{tag, take_until, take_while1};
use nom::character::complete::{space0, u64};
use nom::combinator::{all_consuming, opt};
use nom::error::{Error, ErrorKind};
use nom::sequence::{delimited, separated_pair, terminated};
use nom::{IResult, Parser};

use super::scan::Delimiters;

/// A header as it stands in the block, its value still percent-encoded.
pub(super) type RawHeader<'a> = (&'a [u8], &'a [u8]);

/// header = name ":" [SP] value LF
///
/// The frame's own headers. A line without a colon is passed over by [`outer_header`]'s caller.
pub(super) fn outer_header(input: &[u8]) -> IResult<&[u8], RawHeader<'_>> {
    let name = take_while1(|byte| byte != b':' && byte != b'\n');
    let value = take_until("\n");
    terminated(separated_pair(name, (tag(":"), opt(tag(" "))), value), tag("\n")).parse(input)
}

/// Any line at all: what [`outer_header`] did not take.
pub(super) fn line(input: &[u8]) -> IResult<&[u8], &[u8]> {
    terminated(take_until("\n"), tag("\n")).parse(input)
}

/// length = *BLANK 1*DIGIT *BLANK
pub(super) fn length(value: &[u8]) -> Option<u64> {
    let parsed: IResult<&[u8], u64> = all_consuming(delimited(space0, u64, space0)).parse(value);
    parsed.ok().map(|(_, number)| number)
}

/// Where a walk over an event's headers stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    delimiters: Delimiters<'a>,
    /// The first byte of the line to be read.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { delimiters: Delimiters::new(bytes), at: 0 }
    }

    /// What follows the lines read so far.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.delimiters.bytes().get(self.at..).unwrap_or_default()
    }
}

/// header = name ":" [SP] value LF
///
/// One header of an event. The empty line that ends the block is an error, and so is the end of the
/// bytes; a line without a colon comes as a name without a value. The last line may lack its LF.
#[inline(always)]
pub(super) fn event_header<'a>(
    mut input: Cursor<'a>,
) -> IResult<Cursor<'a>, RawHeader<'a>, Error<Cursor<'a>>> {
    let bytes = input.delimiters.bytes();
    let start = input.at;
    let mut colon = None;
    let end = loop {
        match input.delimiters.next() {
            Some(at) if bytes[at] == b'\n' => break at,
            Some(at) => colon = colon.or(Some(at)),
            None => break bytes.len(),
        }
    };
    input.at = (end + 1).min(bytes.len());
    if end <= start {
        return Err(nom::Err::Error(Error::new(input, ErrorKind::Eof)));
    }
    Ok((input, split(&bytes[start..end], colon.map(|at| at - start))))
}

/// Cuts a line at its colon and drops the blank after it.
#[inline(always)]
fn split(line: &[u8], colon: Option<usize>) -> RawHeader<'_> {
    let Some(colon) = colon else { return (line, &[]) };
    let value = &line[colon + 1..];
    (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_colons_and_be_empty() {
        assert_eq!(outer_header(b"To: sip:a@b\n").unwrap().1, (&b"To"[..], &b"sip:a@b"[..]));
        assert_eq!(
            outer_header(b"Empty:\nNext: 1\n").unwrap(),
            (&b"Next: 1\n"[..], (&b"Empty"[..], &b""[..]))
        );
        let (rest, header) = event_header(Cursor::new(b"To: sip:a@b:5060\nX:\n\nbody")).unwrap();
        assert_eq!(header, (&b"To"[..], &b"sip:a@b:5060"[..]));
        let (rest, header) = event_header(rest).unwrap();
        assert_eq!(header, (&b"X"[..], &b""[..]));
        let Err(nom::Err::Error(end)) = event_header(rest) else { panic!("the empty line ends the block") };
        assert_eq!(end.input.rest(), b"body");
    }

    #[test]
    fn lengths_are_digits_only() {
        assert_eq!(length(b"2405"), Some(2405));
        assert_eq!(length(b" 12 "), Some(12));
        for wrong in [&b""[..], b"-1", b"12x", b"0x10", b"99999999999999999999999"] {
            assert_eq!(length(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
