//! Texts that may stand in a command.
//!
//! FreeSWITCH cuts a `conference` line at blanks, takes quotes and backslashes for its own (switch_utils.c,
//! `separate_string_blank_delim`), and expands `${api(...)}` in what it plays or says to one member
//! (switch_channel.c, `switch_channel_expand_variables`): `${system(...)}` runs a program. So each type here
//! lists what may be in it, and refuses the rest.

mod dial;
mod files;
mod sound;

use std::fmt;

pub use dial::{
    CallerName, CallerNumber, DialString, Endpoint, Profile, RoomName, SipUri, Telephone, Template,
};
use files::{FORMATS, LONGEST_PATH};
pub use files::{Media, Places, RecordingFile, RecordingPlace, check_directory};
pub use sound::Sound;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing is left to say.
    #[error("must not be empty")]
    Empty,
    /// It is longer than this.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A character that cannot be sent.
    #[error("must not hold {0:?}")]
    Character(char),
    /// No format of sound files that FreeSWITCH knows by this ending.
    #[error("must end with one of {}", FORMATS.join(", "))]
    Format,
    /// There is nowhere to put it.
    #[error("cannot be recorded to: media.recordings is not configured")]
    NoRecordings,
    /// `..` in a path.
    #[error("must not leave its directory")]
    Outside,
    /// A path or a scheme that the configuration does not name.
    #[error("is not within media.roots and has no scheme of media.schemes")]
    NotConfigured,
    /// Something that sounds like no tone, or for too long.
    #[error(
        "is no tone such as %(200,0,500): `on,off,frequency...`, each at most 10 s, with at most loops=20"
    )]
    NotATone,
    /// Neither a SIP URI nor a telephone number.
    #[error("must be sip:USER@HOST, sips:USER@HOST or a telephone number")]
    NotAnEndpoint,
    /// A telephone number, and nobody said how one is called.
    #[error("is a telephone number, and the configuration has no dial.number to call one")]
    NoNumbers,
}

/// Words to say. Blanks may be in it, and nothing that FreeSWITCH would read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech(String);

/// DTMF digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits(String);

/// The value of a setting, as one word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String);

/// A minute or two of talking.
const LONGEST_SPEECH: usize = 1_000;
/// FreeSWITCH holds a hundred and blocks then (conference_member.c).
const MOST_DIGITS: usize = 64;
const LONGEST_WORD: usize = 128;
fn check(text: &str, longest: usize, allowed: impl Fn(char) -> bool) -> Result<(), Refused> {
    if text.is_empty() {
        return Err(Refused::Empty);
    }
    if text.chars().count() > longest {
        return Err(Refused::TooLong(longest));
    }
    text.chars().find(|c| !allowed(*c)).map_or(Ok(()), |c| Err(Refused::Character(c)))
}

impl Speech {
    /// Text of letters, digits, blanks and plain punctuation.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let allowed = |c: char| {
            c.is_alphanumeric()
                || matches!(c, ' ' | '.' | ',' | '!' | '?' | ':' | '-' | '(' | ')' | '%' | '+' | '’')
        };
        check(text, LONGEST_SPEECH, allowed)?;
        // A blank at either end is cut by the switch.
        match text.trim() {
            "" => Err(Refused::Empty),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl Digits {
    /// `0`-`9`, `A`-`D`, `*`, `#`.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        check(text, MOST_DIGITS, |c| matches!(c, '0'..='9' | 'A'..='D' | '*' | '#'))?;
        Ok(Self(text.to_owned()))
    }
}

impl Word {
    /// Letters, digits and `. _ - + / @`.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/' | '@');
        check(text, LONGEST_WORD, allowed)?;
        Ok(Self(text.to_owned()))
    }
}

macro_rules! shown {
    ($($type:ty),*) => { $(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

use shown;

shown!(Speech, Digits, Word);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::files::tests::places;
    use super::*;

    /// What others have put into such fields, and what FreeSWITCH would read in it.
    pub(super) const HOSTILE: [&str; 24] = [
        "${system(touch /tmp/x)}",
        "$${domain}",
        "a\r\n\r\nexit",
        "a\nb",
        "it's",
        "say \"x\"",
        "a\\nb",
        "^^:a:b",
        "a;b",
        "a|b",
        "a{b}",
        "a[b]",
        "a<b>",
        "a`id`",
        "&park()",
        "a\u{0}b",
        "$(id)",
        "\u{1b}[2J",
        "a\tb",
        "{x=1}y",
        "[leg]a",
        "'",
        "a=b\r",
        "\u{202e}abc\u{7}",
    ];

    #[test]
    fn nothing_hostile_becomes_a_word() {
        for hostile in HOSTILE {
            assert!(Speech::new(hostile).is_err(), "{hostile:?}");
            assert!(Digits::new(hostile).is_err(), "{hostile:?}");
            assert!(Word::new(hostile).is_err(), "{hostile:?}");
            assert!(Media::new(hostile, &places()).is_err(), "{hostile:?}");
            let place = RecordingPlace::new(&places(), "acme");
            assert!(place.clone().unwrap().file(hostile).is_err(), "{hostile:?}");
            assert!(RecordingFile::running(&format!("/{hostile}"), place).is_err(), "{hostile:?}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_one_word_and_one_line(text in "\\PC{0,40}|[ -~]{0,60}|[a-z/.$'{};|^\\\\]{0,30}") {
            let words = [
                Media::new(&text, &places()).map(|word| word.to_string()).ok(),
                Word::new(&text).map(|word| word.to_string()).ok(),
                Digits::new(&text).map(|word| word.to_string()).ok(),
                RecordingPlace::new(&places(), "acme").and_then(|place| place.file(&text)).map(|word| word.to_string()).ok(),
            ];
            for word in words.into_iter().flatten() {
                prop_assert!(!word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\"\\`;|,^${}[]<>".contains(c)), "{word:?}");
                prop_assert!(!word.contains("/../") && !word.ends_with("/.."), "{word:?}");
            }
            if let Ok(speech) = Speech::new(&text) {
                prop_assert!(!speech.to_string().contains(|c: char| c.is_control() || "'\"\\`;|^${}[]<>".contains(c)), "{speech:?}");
            }
        }
    }
}
