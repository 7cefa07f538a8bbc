//! Bindings, as Kazoo's blackhole takes them, and the keys of events.
//!
//! binding = "conference.event." [ event "." ] conference "." call; each may be `*`. Kazoo's longer form has the
//! account between `event` and conference. In a key an id is percent-encoded where it would be read as something else.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::told::Told;

/// What separates words, stands for all of them, or begins an escape.
const SPECIAL: &AsciiSet = &CONTROLS.add(b'.').add(b'*').add(b'#').add(b'%').add(b' ');

/// An id as a word of a key.
pub fn word(id: &str) -> impl fmt::Display {
    utf8_percent_encode(id, SPECIAL)
}

/// `conference.event.C.CALL`
pub fn routing_key(told: &Told) -> String {
    let call = told.call_id().map_or("-", |call_id| call_id);
    match told.call_id() {
        Some(_) => format!("conference.event.{}.{}", word(told.conference_id()), word(call)),
        None => format!("conference.event.{}.-", word(told.conference_id())),
    }
}

/// `None` is `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// As it was asked for.
    pub text: Box<str>,
    /// The name of an event.
    pub event: Option<Box<str>>,
    /// The id of a conference.
    pub conference: Option<Box<str>>,
    /// A call; `-` for events of the conference itself.
    pub call: Option<Box<str>>,
}

/// Why a text is no binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBinding {
    /// It has another form.
    #[error("a binding is conference.event.CONFERENCE.CALL, where either may be *")]
    Form,
    /// It names another account.
    #[error("the account in the binding is not the one of the subscription")]
    Account,
    /// It is too long.
    #[error("a binding has at most 512 characters")]
    Long,
}

/// Longer than any id that FreeSWITCH or this daemon gives.
const LONGEST: usize = 512;

impl Binding {
    /// Reads a binding of that account.
    ///
    /// # Errors
    /// [`NoBinding`] says why it is none.
    pub fn parse(text: &str, account: &str) -> Result<Self, NoBinding> {
        if text.len() > LONGEST {
            return Err(NoBinding::Long);
        }
        let rest = text.strip_prefix("conference.event.").ok_or(NoBinding::Form)?;
        let words: Vec<_> = rest.split('.').collect();
        if words.iter().any(|word| word.is_empty()) {
            return Err(NoBinding::Form);
        }
        let id = |word: &str| -> Option<Box<str>> {
            (word != "*").then(|| percent_decode_str(word).decode_utf8_lossy().into_owned().into())
        };
        let is_event = |word: &str| word == "*" || super::EVENTS.contains(&word);
        let (event, conference, call) = match *words {
            [conference, call] => (None, conference, call),
            // Kazoo's longer form, with the account in front.
            [first, conference, call] if is_event(first) => (id(first), conference, call),
            [first, conference, call] if first == account => (None, conference, call),
            [event, of, conference, call] if is_event(event) && of == account => {
                (id(event), conference, call)
            }
            [_, _, _] | [_, _, _, _] => return Err(NoBinding::Account),
            _ => return Err(NoBinding::Form),
        };
        Ok(Self { text: text.into(), event, conference: id(conference), call: id(call) })
    }

    /// Whether it is told under this binding, the account apart.
    pub fn takes(&self, told: &Told) -> bool {
        let is = |wanted: &Option<Box<str>>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        is(&self.event, told.event())
            && is(&self.conference, told.conference_id())
            && is(&self.call, told.call_id().map_or("-", |call_id| call_id))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bindings_are_taken_in_all_forms() {
        let parts = |text: &str| {
            let binding = Binding::parse(text, "acme")?;
            let shown = |part: Option<Box<str>>| part.map_or("*".to_owned(), String::from);
            Ok((shown(binding.event), shown(binding.conference), shown(binding.call)))
        };
        let are = |event: &str, conference: &str, call: &str| {
            Ok((event.to_owned(), conference.to_owned(), call.to_owned()))
        };
        assert_eq!(parts("conference.event.*.*"), are("*", "*", "*"));
        assert_eq!(parts("conference.event.c1.*"), are("*", "c1", "*"));
        assert_eq!(parts("conference.event.c%2E1.a%20b"), are("*", "c.1", "a b"));
        assert_eq!(parts("conference.event.add-member.c1.*"), are("add-member", "c1", "*"));
        assert_eq!(parts("conference.event.*.c1.-"), are("*", "c1", "-"));
        assert_eq!(parts("conference.event.acme.c1.*"), are("*", "c1", "*"));
        assert_eq!(parts("conference.event.*.acme.c1.u1"), are("*", "c1", "u1"));
        assert_eq!(parts("conference.event.other.c1.*"), Err(NoBinding::Account));
        assert_eq!(parts("conference.event.*.other.c1.*"), Err(NoBinding::Account));
        for wrong in [
            "",
            "call.*.*",
            "conference.event.",
            "conference.event.c1",
            "conference.event..*",
            "conference.event.a.b.c.d.e",
        ] {
            assert_eq!(parts(wrong), Err(NoBinding::Form), "{wrong}");
        }
        assert_eq!(parts(&format!("conference.event.{}.*", "c".repeat(600))), Err(NoBinding::Long));
    }

    proptest! {
        #[test]
        fn an_id_comes_back_out_of_a_key(conference in "\\PC{1,40}", call in "[ -~]{1,40}") {
            let text = format!("conference.event.*.{}.{}", word(&conference), word(&call));
            let binding = Binding::parse(&text, "acme").unwrap();
            prop_assert_eq!(binding.conference.as_deref(), Some(&*conference));
            prop_assert_eq!(binding.call.as_deref(), Some(&*call));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,80}|conference\\.event\\.[a-z*.%0-9-]{0,40}") {
            let _ = Binding::parse(&text, "acme");
        }
    }
}
