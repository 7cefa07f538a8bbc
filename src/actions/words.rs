//! Texts that may stand in a command.
//!
//! FreeSWITCH cuts a `conference` line at blanks, takes quotes and backslashes for its own (switch_utils.c,
//! `separate_string_blank_delim`), and expands `${api(...)}` in what it plays or says to one member
//! (switch_channel.c, `switch_channel_expand_variables`): `${system(...)}` runs a program. So each type here
//! lists what may be in it, and refuses the rest.

mod dial;

use std::fmt;

pub use dial::{
    CallerName, CallerNumber, DialString, Endpoint, Profile, RoomName, SipUri, Telephone, Template,
};

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
    /// `..` in a path.
    #[error("must not leave its directory")]
    Outside,
    /// A path or a scheme that the configuration does not name.
    #[error("is not within media.roots and has no scheme of media.schemes")]
    NotConfigured,
    /// Neither a SIP URI nor a telephone number.
    #[error("must be sip:USER@HOST, sips:USER@HOST or a telephone number")]
    NotAnEndpoint,
    /// A telephone number, and nobody said how one is called.
    #[error("is a telephone number, and the configuration has no dial.number to call one")]
    NoNumbers,
}

/// Where media are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Directories on the switch that may be played from; a relative name is one within the first.
    pub roots: Vec<String>,
    /// URL schemes that may be played.
    pub schemes: Vec<String>,
}

/// A file or URL to play, as one word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media(String);

/// Words to say. Blanks may be in it, and nothing that FreeSWITCH would read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech(String);

/// DTMF digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits(String);

/// The value of a setting, as one word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String);

/// More than this is no path and no URL that somebody means.
const LONGEST_PATH: usize = 512;
/// A minute or two of talking.
const LONGEST_SPEECH: usize = 1_000;
/// FreeSWITCH holds a hundred and blocks then (conference_member.c).
const MOST_DIGITS: usize = 64;
const LONGEST_WORD: usize = 128;

/// What may be in a path or URL: no blank, no quote, nothing that is expanded or delimits.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '/' | '.' | '_' | '-' | '~' | '@' | ':' | '%' | '=' | '&' | '?' | '+')
}

fn check(text: &str, longest: usize, allowed: impl Fn(char) -> bool) -> Result<(), Refused> {
    if text.is_empty() {
        return Err(Refused::Empty);
    }
    if text.chars().count() > longest {
        return Err(Refused::TooLong(longest));
    }
    text.chars().find(|c| !allowed(*c)).map_or(Ok(()), |c| Err(Refused::Character(c)))
}

/// A path within a directory, without a step out of it.
fn within(directory: &str, path: &str) -> Result<String, Refused> {
    let is_step = |part: &str| part == "." || part == "..";
    if path.split('/').any(is_step) {
        return Err(Refused::Outside);
    }
    Ok(format!("{}/{}", directory.trim_end_matches('/'), path.trim_start_matches('/')))
}

impl Media {
    /// A URL of a configured scheme, an absolute path within a configured root, or a name in the first root.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str, places: &Places) -> Result<Self, Refused> {
        check(text, LONGEST_PATH, is_plain)?;
        if let Some((scheme, rest)) = text.split_once("://") {
            let known = places.schemes.iter().any(|known| known == scheme);
            return if known && !rest.is_empty() {
                Ok(Self(text.to_owned()))
            } else {
                Err(Refused::NotConfigured)
            };
        }
        if !text.starts_with('/') {
            let root = places.roots.first().ok_or(Refused::NotConfigured)?;
            return within(root, text).map(Self);
        }
        for root in &places.roots {
            let inside =
                text.strip_prefix(root.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
            if let Some(rest) = inside {
                return within(root, rest).map(Self);
            }
        }
        Err(Refused::NotConfigured)
    }
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

shown!(Media, Speech, Digits, Word);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places() -> Places {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        Places {
            roots: texts(&["/usr/share/freeswitch/sounds", "/srv/media/"]),
            schemes: texts(&["https", "local_stream"]),
        }
    }

    #[test]
    fn media_is_where_the_configuration_says() {
        for (asked, played) in [
            ("en/ivr/hello.wav", "/usr/share/freeswitch/sounds/en/ivr/hello.wav"),
            ("/usr/share/freeswitch/sounds/a.wav", "/usr/share/freeswitch/sounds/a.wav"),
            ("/srv/media/a/b.mp3", "/srv/media/a/b.mp3"),
            ("https://media.example.com/a.mp3?x=1", "https://media.example.com/a.mp3?x=1"),
            ("local_stream://moh", "local_stream://moh"),
        ] {
            assert_eq!(Media::new(asked, &places()).unwrap().to_string(), played);
        }
        for (asked, why) in [
            ("", Refused::Empty),
            ("../../etc/passwd", Refused::Outside),
            ("/srv/media/../x", Refused::Outside),
            ("/srv/mediator/x", Refused::NotConfigured),
            ("/etc/passwd", Refused::NotConfigured),
            ("http://example.com/a", Refused::NotConfigured),
            ("https://", Refused::NotConfigured),
            ("a b.wav", Refused::Character(' ')),
            ("${system(id)}", Refused::Character('$')),
            ("a.wav;b", Refused::Character(';')),
            ("a,b", Refused::Character(',')),
            ("{loops=3}a.wav", Refused::Character('{')),
        ] {
            assert_eq!(Media::new(asked, &places()), Err(why), "{asked}");
        }
        assert_eq!(Media::new("a.wav", &Places::default()), Err(Refused::NotConfigured));
    }

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
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_one_word_and_one_line(text in "\\PC{0,40}|[ -~]{0,60}|[a-z/.$'{};|^\\\\]{0,30}") {
            let words = [
                Media::new(&text, &places()).map(|word| word.to_string()).ok(),
                Word::new(&text).map(|word| word.to_string()).ok(),
                Digits::new(&text).map(|word| word.to_string()).ok(),
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
