//! Texts that may stand in an `originate` line.
//!
//! FreeSWITCH reads it several times over, and each reader has characters of its own: the line is cut at
//! blanks and loses its quotes (mod_commands.c, `originate_function`), `{...}` is cut at its delimiter and at
//! `=` (switch_event.c, `switch_event_create_brackets`), what follows at `,`, `|` and `:_:`, with `[...]` and
//! `<...>` of its own (switch_ivr_originate.c, `switch_ivr_originate`), the application at `(` and `)`, its
//! data at `+flags{`, `+` and `@` (mod_conference.c, `conference_function`). None of them is in any type here.

use std::fmt;

use super::{Refused, check, shown};

/// The longest user part, or host, of a SIP URI.
const LONGEST_PART: usize = 128;
/// Numbers of the telephone network have 15 digits; a prefix of a carrier may stand before them.
const MOST_DIGITS: usize = 32;
const LONGEST_NAME: usize = 64;
const LONGEST_TEMPLATE: usize = 256;
/// As of a document.
const LONGEST_PROFILE: usize = 64;
/// As long as a name may be that stands in a command (node, `conference_word`).
const LONGEST_ROOM: usize = 256;

/// `sip:` or `sips:`, a user, a host, and a port perhaps: no parameters, no headers, no password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SipUri(String);

/// A telephone number: `+` perhaps, then digits, `*` and `#`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Telephone(String);

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A phone of the internet.
    Uri(SipUri),
    /// A phone of a carrier.
    Number(Telephone),
}

/// The name that the called phone shows. Letters of any script, digits, blanks and `. _ - + ( ) / @ # *`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerName(String);

/// The number that the called phone shows: `+` perhaps, then letters, digits and `. _ - * #`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerNumber(String);

/// The name of a conference profile: letters, digits and `. _ -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile(String);

/// The name of a conference as the application `conference` takes it: letters, digits and `. _ - @`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomName(String);

/// How an endpoint is called on the switch: a dial string with one place for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

/// The dial string of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialString(String);

impl SipUri {
    /// `("sip:" | "sips:") user "@" host [":" port]`, with letters, digits and `. _ - + *` in the user part and
    /// a host name or IPv4 address. The host is kept in small letters: they make no difference.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let (scheme, rest) = text.split_once(':').ok_or(Refused::NotAnEndpoint)?;
        let (user, place) = rest.split_once('@').ok_or(Refused::NotAnEndpoint)?;
        if !matches!(scheme, "sip" | "sips") {
            return Err(Refused::NotAnEndpoint);
        }
        let is_user = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '*');
        check(user, LONGEST_PART, is_user)?;
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        check(host, LONGEST_PART, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))?;
        let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        let is_port = |port: &str| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && matches!(port.parse::<u16>(), Ok(1..))
        };
        if !host.split('.').all(is_label) || !port.is_none_or(is_port) {
            return Err(Refused::NotAnEndpoint);
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{scheme}:{user}@{}{port}", host.to_ascii_lowercase())))
    }
}

impl Telephone {
    /// A number as it is dialled, without blanks or dashes.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        check(digits, MOST_DIGITS, |c| matches!(c, '0'..='9' | '*' | '#'))?;
        Ok(Self(text.to_owned()))
    }
}

impl Endpoint {
    /// A SIP URI if there is a colon in it, else a number.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        if text.contains([':', '@']) {
            return SipUri::new(text).map(Self::Uri);
        }
        let number = Telephone::new(text).map(Self::Number);
        number.map_err(|refused| match refused {
            Refused::Character(c) if c.is_alphabetic() => Refused::NotAnEndpoint,
            refused => refused,
        })
    }
}

impl CallerName {
    /// A name to be shown.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let plain = |c: char| {
            c.is_alphanumeric()
                || matches!(c, ' ' | '.' | '_' | '-' | '+' | '(' | ')' | '/' | '@' | '#' | '*')
        };
        check(text, LONGEST_NAME, plain)?;
        // A blank at either end is cut by the switch.
        match text.trim() {
            "" => Err(Refused::Empty),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl CallerNumber {
    /// A number to be shown.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let rest = text.strip_prefix('+').unwrap_or(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '#');
        check(rest, LONGEST_NAME, plain)?;
        Ok(Self(text.to_owned()))
    }
}

impl Profile {
    /// A profile's name.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        check(text, LONGEST_PROFILE, plain)?;
        Ok(Self(text.to_owned()))
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl RoomName {
    /// A conference's name.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        check(text, LONGEST_ROOM, plain)?;
        if text.len() > LONGEST_ROOM {
            return Err(Refused::TooLong(LONGEST_ROOM));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Template {
    /// A dial string with `placeholder` once in it, `{number}` for instance: `MODULE/...`, of letters, digits and
    /// `/ . _ - @ : ; = + ~ %`.
    ///
    /// # Errors
    /// A sentence for an operator.
    pub fn new(text: &str, placeholder: &str) -> Result<Self, String> {
        let example = match placeholder {
            "{uri}" => "sofia/internal/{uri}",
            _ => "sofia/gateway/carrier/{number}",
        };
        let Some((before, after)) =
            text.split_once(placeholder).filter(|(_, after)| !after.contains(placeholder))
        else {
            return Err(format!("expected a dial string with {placeholder} once in it, such as {example}"));
        };
        let plain = |c: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '/' | '.' | '_' | '-' | '@' | ':' | ';' | '=' | '+' | '~' | '%')
        };
        if let Some(c) = [before, after].iter().flat_map(|part| part.chars()).find(|c| !plain(*c)) {
            return Err(format!("must not hold {c:?}: expected a dial string such as {example}"));
        }
        let module = before.split_once('/').map_or("", |(module, _)| module);
        let is_module = !module.is_empty() && module.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_module || text.len() > LONGEST_TEMPLATE {
            return Err(format!(
                "expected MODULE/... with at most {LONGEST_TEMPLATE} characters, such as {example}"
            ));
        }
        // `:_:` parts calls from each other, wherever it stands.
        if [before, after].iter().any(|part| part.contains(":_")) || after.starts_with("_:") {
            return Err(format!("must not hold \":_\": expected a dial string such as {example}"));
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// The dial string of a number or URI.
    fn filled(&self, endpoint: &str) -> DialString {
        DialString(format!("{}{endpoint}{}", self.before, self.after))
    }

    /// The dial string of a URI.
    #[must_use]
    pub fn uri(&self, uri: &SipUri) -> DialString {
        self.filled(&uri.0)
    }

    /// The dial string of a number.
    #[must_use]
    pub fn number(&self, number: &Telephone) -> DialString {
        self.filled(&number.0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(uri) => uri.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

shown!(SipUri, Telephone, CallerName, CallerNumber, Profile, RoomName, DialString);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::HOSTILE;
    use super::*;

    #[test]
    fn whom_to_call_is_a_uri_or_a_number() {
        for (text, shown) in [
            ("sip:ann@example.com", "sip:ann@example.com"),
            ("sips:a.b-c_d+1@PBX.Example.COM:5061", "sips:a.b-c_d+1@pbx.example.com:5061"),
            ("sip:*72@192.0.2.7", "sip:*72@192.0.2.7"),
            ("+493012345678", "+493012345678"),
            ("*72#", "*72#"),
        ] {
            assert_eq!(Endpoint::new(text).map(|endpoint| endpoint.to_string()).as_deref(), Ok(shown));
        }
        for (text, why) in [
            ("", Refused::Empty),
            ("+", Refused::Empty),
            ("ann", Refused::NotAnEndpoint),
            ("5edbfdd3b825314a71b0a05957392edb", Refused::NotAnEndpoint),
            ("ann@example.com", Refused::NotAnEndpoint),
            ("tel:+4930123", Refused::NotAnEndpoint),
            ("SIP:ann@example.com", Refused::NotAnEndpoint),
            ("sip:example.com", Refused::NotAnEndpoint),
            ("sip:@example.com", Refused::Empty),
            ("sip:ann@", Refused::Empty),
            ("sip:ann@example.com:", Refused::NotAnEndpoint),
            ("sip:ann@example.com:0", Refused::NotAnEndpoint),
            ("sip:ann@example.com:+80", Refused::NotAnEndpoint),
            ("sip:ann@example.com:65536", Refused::NotAnEndpoint),
            ("sip:ann@a..b", Refused::NotAnEndpoint),
            ("sip:ann@-a.b", Refused::NotAnEndpoint),
            ("sip:ann@[::1]", Refused::Character('[')),
            ("sip:ann:secret@example.com", Refused::Character(':')),
            ("sip:a%40b@example.com", Refused::Character('%')),
            ("sip:ann@example.com;transport=tcp", Refused::Character(';')),
            ("sip:ann@example.com?x=1", Refused::Character('?')),
            ("sip:ann@example.com,sip:b@example.com", Refused::Character(',')),
            ("sip:ann@example.com|sip:b@example.com", Refused::Character('|')),
            ("sip:_:_:_@example.com", Refused::Character(':')),
            ("030 123", Refused::Character(' ')),
            ("030-123", Refused::Character('-')),
            ("00+49", Refused::Character('+')),
        ] {
            assert_eq!(Endpoint::new(text), Err(why), "{text:?}");
        }
        assert_eq!(Endpoint::new(&"1".repeat(33)), Err(Refused::TooLong(32)));
    }

    #[test]
    fn a_template_has_one_place_and_nothing_that_the_switch_would_read() {
        let number = Telephone::new("+4930123").unwrap();
        for (text, dialled) in [
            ("sofia/gateway/carrier/{number}", "sofia/gateway/carrier/+4930123"),
            (
                "sofia/internal/{number}@pbx:5080;transport=tcp",
                "sofia/internal/+4930123@pbx:5080;transport=tcp",
            ),
            ("loopback/{number}/default", "loopback/+4930123/default"),
        ] {
            assert_eq!(Template::new(text, "{number}").unwrap().number(&number).to_string(), dialled);
        }
        for text in [
            "",
            "{number}",
            "sofia/gateway/carrier/",
            "sofia/{number}/{number}",
            "sofia/gateway/carrier/{uri}",
            "/{number}",
            "sofia gateway/{number}",
            "{x=1}sofia/gateway/carrier/{number}",
            "[x=1]sofia/gateway/carrier/{number}",
            "<x=1>sofia/gateway/carrier/{number}",
            "sofia/gateway/a/{number},sofia/gateway/b/1",
            "sofia/gateway/a/{number}|sofia/gateway/b/1",
            "sofia/gateway/a/{number}:_:sofia/gateway/b/1",
            "sofia/gateway/a:_{number}",
            "sofia/gateway/${x}/{number}",
            "sofia/gateway/a/{number}\n",
            "sofia/gateway/a/{number}'",
            "sofia/gateway/a/{number} &park()",
        ] {
            assert!(Template::new(text, "{number}").is_err(), "{text:?}");
        }
        assert!(Template::new(&format!("sofia/{}/{{number}}", "x".repeat(256)), "{number}").is_err());
    }

    #[test]
    fn nothing_hostile_becomes_a_word_of_a_dial() {
        for hostile in
            HOSTILE.into_iter().chain(["a,b", "a=b;c", "a:_:b", "a\u{2028}b", "a^b", "}x", "a)b+flags{"])
        {
            assert!(Endpoint::new(hostile).is_err(), "{hostile:?}");
            assert!(Endpoint::new(&format!("sip:{hostile}@example.com")).is_err(), "{hostile:?}");
            assert!(Endpoint::new(&format!("sip:a@{hostile}")).is_err(), "{hostile:?}");
            assert!(CallerNumber::new(hostile).is_err(), "{hostile:?}");
            assert!(Profile::new(hostile).is_err(), "{hostile:?}");
            assert!(RoomName::new(hostile).is_err(), "{hostile:?}");
            assert!(CallerName::new(hostile).is_err(), "{hostile:?}");
        }
        for plain in ["Ann", "Zoë Müller-Lüdenscheidt", "Conference (Berlin) No. 7", "日本"] {
            assert_eq!(CallerName::new(&format!(" {plain} ")).unwrap().to_string(), plain);
        }
        assert!(CallerName::new("  ").is_err() && CallerNumber::new("+").is_err());
    }

    proptest! {
        #[test]
        fn what_passes_holds_nothing_that_any_reader_of_the_line_knows(
            text in "\\PC{0,40}|[ -~]{0,60}|sips?:[ -~]{0,20}@[ -~]{0,20}|[a-z+@:;,|_{}()<>=^$'\\[\\]]{0,30}"
        ) {
            let read = |c: char| c.is_control() || "'\"\\`;|,^${}[]<>=&!?%".contains(c);
            let words = [
                Endpoint::new(&text).map(|word| word.to_string()).ok(),
                CallerNumber::new(&text).map(|word| word.to_string()).ok(),
                Profile::new(&text).map(|word| word.to_string()).ok(),
                RoomName::new(&text).map(|word| word.to_string()).ok(),
            ];
            for word in words.into_iter().flatten() {
                prop_assert!(!word.is_empty() && !word.contains(|c: char| read(c) || c.is_whitespace() || "()".contains(c)), "{word:?}");
                prop_assert!(!word.contains(":_:"), "{word:?}");
            }
            if let Ok(name) = CallerName::new(&text) {
                let name = name.to_string();
                prop_assert!(!name.contains(|c: char| read(c) || c == ':' || (c.is_whitespace() && c != ' ')), "{name:?}");
                prop_assert_eq!(name.trim(), name.as_str());
            }
        }
    }
}
