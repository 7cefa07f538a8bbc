//! A command is one command to the switch, whatever a caller has put into it.

use convened::esl::{Command, Forbidden};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::switch::read_commands;

/// Words that somebody might try.
const HOSTILE: [&str; 24] = [
    "",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\0",
    "\n\napi shutdown\n\n",
    "3000\n\napi fsctl crash",
    "3000\r\rapi shutdown",
    "3000\0",
    "x\u{85}y",
    "x\u{2028}\u{2029}y",
    "x\u{b}\u{c}y",
    "\u{10a}\u{10d}\u{100}",
    "%0A%0Aapi%20shutdown",
    "\\n\\napi shutdown",
    ": ",
    "a: b",
    "Content-Length: 100",
    "Content-Length",
    "content-length",
    "${api(shutdown)}",
    "'; api shutdown",
];

fn word() -> impl Strategy<Value = String> {
    let hostile = select(HOSTILE.to_vec()).prop_map(str::to_owned);
    prop_oneof![hostile, any::<String>(), "[a-z :\n\r\0]{0,6}", "[A-Za-z-]{1,12}"]
}

fn is_forbidden(text: &str) -> bool {
    text.contains(['\n', '\r', '\0'])
}

/// Checks what was made of a line and headers: exactly one command to the switch, with the next one intact.
fn check(made: Result<Command, Forbidden>, line: &str, headers: &[(&str, &str)]) {
    let has_byte = is_forbidden(line) || headers.iter().any(|(n, v)| is_forbidden(n) || is_forbidden(v));
    let command = match made {
        Ok(command) => command,
        Err(Forbidden::Byte { byte, position }) => {
            assert!(has_byte && matches!(byte, b'\n' | b'\r' | 0), "{line:?} {headers:?}");
            let mut texts = headers.iter().flat_map(|(name, value)| [*name, *value]).chain([line]);
            assert!(texts.any(|text| text.as_bytes().get(position) == Some(&byte)), "{position} {line:?}");
            return;
        }
        Err(Forbidden::EmptyLine) => return assert!(line.is_empty()),
        Err(Forbidden::Length) => {
            let is_length = |name: &str| name.to_ascii_lowercase().starts_with("content-length");
            return assert!(headers.iter().any(|(name, _)| is_length(name)), "{headers:?}");
        }
        Err(error @ Forbidden::TooLong { .. }) => panic!("{error}"),
    };
    assert!(!has_byte, "{line:?} {headers:?}");
    let wire = &command.wire()[..];
    let ends: Vec<_> = (1..wire.len()).filter(|at| &wire[at - 1..=*at] == b"\n\n").collect();
    assert_eq!(ends, [wire.len() - 1], "one empty line, at the end: {}", wire.escape_ascii());
    assert_eq!(wire.iter().filter(|byte| **byte == b'\n').count(), headers.len() + 2);
    let read = read_commands(&[wire, b"exit\n\n"].concat());
    assert_eq!(read.len(), 2, "{} is read as {read:?}", wire.escape_ascii());
    assert_eq!(read[0].0, line.as_bytes());
    assert_eq!(read[0].1.len(), headers.len());
    assert_eq!(read[1], (b"exit".to_vec(), vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_argument_that_is_accepted_makes_one_command(line in word(), headers in vec((word(), word()), 0..4)) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        check(Command::with_headers(&line, &headers), &line, &headers);
        check(Command::line(&line), &line, &[]);
        check(Command::api(&line), &format!("api {line}"), &[]);
        check(Command::auth(&line), &format!("auth {line}"), &[]);
        check(Command::userauth(&line, "p"), &format!("userauth {line}:p"), &[]);
        check(Command::userauth("u", &line), &format!("userauth u:{line}"), &[]);
    }
}

#[test]
fn every_hostile_word_in_every_place_makes_one_command_or_none() {
    for word in HOSTILE {
        check(Command::line(word), word, &[]);
        check(Command::api(word), &format!("api {word}"), &[]);
        check(Command::auth(word), &format!("auth {word}"), &[]);
        for other in HOSTILE {
            check(Command::with_headers(word, &[(other, "7")]), word, &[(other, "7")]);
            check(Command::with_headers(word, &[("X", other)]), word, &[("X", other)]);
            let both = [("X", "y"), (word, other)];
            check(Command::with_headers("sendevent CUSTOM", &both), "sendevent CUSTOM", &both);
            check(Command::userauth(word, other), &format!("userauth {word}:{other}"), &[]);
        }
    }
}

#[test]
fn a_command_that_the_switch_would_cut_in_two_is_refused() {
    let padding = (10 << 20) - "api \n\n".len();
    for length in [padding - 1, padding, padding + 1, padding + 3, padding + 1_000] {
        let line = format!("{}api shutdown", "x".repeat(length - "api shutdown".len()));
        match Command::api(&line) {
            Ok(command) => assert_eq!(read_commands(command.wire()).len(), 1),
            Err(error) => assert!(matches!(error, Forbidden::TooLong { .. }) && length >= padding, "{error}"),
        }
    }
}

#[test]
fn a_password_is_in_no_debug_text() {
    for password in ["ClueCon", "a:b", " ", "\u{e9}"] {
        for command in [Command::auth(password), Command::userauth("u@d", password)] {
            let shown = format!("{:?}", command.unwrap());
            assert!(!shown.contains(password) || password == " ", "{shown}");
            assert!(shown.ends_with("auth ***"), "{shown}");
        }
    }
}
