//! What a client wants to hear: `event`, `nixevent`, `noevents`, `filter`.
//!
//! Pure state with FreeSWITCH's traps: once `CUSTOM` has been said every later word is a subclass; with
//! filters an event needs one that fits; with only negative ones nothing is ever sent.

use super::events::Event;
use std::collections::BTreeSet;

/// How events are written for a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// `text/event-plain`.
    #[default]
    Plain,
    /// `text/event-json`.
    Json,
}

/// What one client has asked for.
#[derive(Debug, Clone, Default)]
pub struct Subscription {
    /// How its events are written.
    pub format: Format,
    all: bool,
    names: BTreeSet<String>,
    subclasses: BTreeSet<String>,
    filters: Vec<(String, String)>,
}

impl Subscription {
    /// True if the client listens to anything: then its connection is one for events.
    pub fn listens(&self) -> bool {
        self.all || !self.names.is_empty() || !self.subclasses.is_empty()
    }

    /// `event [plain|json|xml] <names>`; gives the text of the reply.
    pub(crate) fn event(&mut self, words: &[&str]) -> String {
        let (format, rest) = match words.first() {
            Some(&"plain") => (Format::Plain, words.get(1..).unwrap_or_default()),
            Some(&"json") => (Format::Json, words.get(1..).unwrap_or_default()),
            _ => (Format::Plain, words),
        };
        if rest.is_empty() {
            return "-ERR no keywords supplied".to_owned();
        }
        self.format = format;
        self.each(rest, |set, name| {
            set.insert(name);
        });
        self.all |= rest.iter().any(|word| word.eq_ignore_ascii_case("ALL"));
        let format = if self.format == Format::Json { "json" } else { "plain" };
        format!("+OK event listener enabled {format}")
    }

    /// `nixevent <names>`.
    pub(crate) fn nixevent(&mut self, words: &[&str]) -> String {
        if words.is_empty() {
            return "-ERR no keywords supplied".to_owned();
        }
        self.each(words, |set, name| {
            set.remove(&name);
        });
        self.all &= !words.iter().any(|word| word.eq_ignore_ascii_case("ALL"));
        "+OK events nixed".to_owned()
    }

    /// `noevents`.
    pub(crate) fn noevents(&mut self) -> String {
        *self = Self { filters: std::mem::take(&mut self.filters), ..Self::default() };
        "+OK no longer listening for events".to_owned()
    }

    /// `filter <header> <value>`, `filter delete <header> [<value>]`, `filter delete all`.
    pub(crate) fn filter(&mut self, words: &[&str]) -> String {
        match words {
            ["delete", "all"] => {
                self.filters.clear();
                "+OK filter deleted. [all]".to_owned()
            }
            ["delete", header] => {
                self.filters.retain(|(h, _)| !h.eq_ignore_ascii_case(header));
                format!("+OK filter deleted. [{header}]")
            }
            ["delete", header, value @ ..] => {
                let value = value.join(" ");
                self.filters.retain(|(h, v)| !h.eq_ignore_ascii_case(header) || *v != value);
                format!("+OK filter deleted. [{header}][{value}]")
            }
            [header, value, rest @ ..] => {
                let value = [&[*value], rest].concat().join(" ");
                let reply = format!("+OK filter added. [{header}]=[{value}]");
                self.filters.push(((*header).to_owned(), value));
                reply
            }
            _ => "-ERR invalid syntax".to_owned(),
        }
    }

    /// Whether this event is for the client.
    pub fn wants(&self, event: &Event) -> bool {
        let subscribed = match &event.subclass {
            _ if self.all => true,
            Some(subclass) => self.subclasses.contains(subclass),
            None => self.names.contains(&event.name),
        };
        subscribed && self.passes(event)
    }

    fn passes(&self, event: &Event) -> bool {
        let mut send = self.filters.is_empty();
        for (header, wanted) in &self.filters {
            let values = event.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(header));
            for (_, value) in values {
                let value = String::from_utf8_lossy(&super::text::decode(value)).to_ascii_lowercase();
                match wanted.strip_prefix('-') {
                    // A negated expression is compared literally: the switch looks at the first byte only.
                    Some(unwanted) if value.contains(&unwanted.to_ascii_lowercase()) => return false,
                    Some(_) => {}
                    None => send |= fits(&value, wanted),
                }
            }
        }
        send
    }

    fn each(&mut self, words: &[&str], mut change: impl FnMut(&mut BTreeSet<String>, String)) {
        let mut custom = false;
        for word in words {
            if custom {
                change(&mut self.subclasses, (*word).to_owned());
            } else if word.eq_ignore_ascii_case("CUSTOM") {
                custom = true;
            } else {
                change(&mut self.names, word.to_ascii_uppercase());
            }
        }
    }
}

/// A value contains the wanted text. Of expressions (`/.../`) only literals and `^`, `$`, `.*` are known.
fn fits(value: &str, wanted: &str) -> bool {
    let wanted = wanted.to_ascii_lowercase();
    let Some(expression) = wanted.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) else {
        return value.contains(&wanted);
    };
    let starts = expression.starts_with('^');
    let ends = expression.ends_with('$');
    let parts: Vec<&str> = expression.trim_start_matches('^').trim_end_matches('$').split(".*").collect();
    let mut rest = value;
    for (i, part) in parts.iter().enumerate() {
        let Some(at) = rest.find(part) else { return false };
        if i == 0 && starts && at != 0 {
            return false;
        }
        rest = rest.get(at + part.len()..).unwrap_or("");
    }
    !ends || rest.is_empty() || parts.last() == Some(&"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        Event::parse(&format!("{text}Event-Sequence: 1\n\n")).expect("an event")
    }

    fn mute() -> Event {
        event("Event-Subclass: conference%3A%3Amaintenance\nEvent-Name: CUSTOM\nAction: mute-member\n")
    }

    #[test]
    fn after_custom_every_word_is_a_subclass() {
        let mut s = Subscription::default();
        assert_eq!(
            s.event(&["plain", "CUSTOM", "conference::maintenance", "HEARTBEAT"]),
            "+OK event listener enabled plain"
        );
        assert!(s.wants(&mute()));
        assert!(!s.wants(&event("Event-Name: HEARTBEAT\n")));
        s.event(&["HEARTBEAT"]);
        assert!(s.wants(&event("Event-Name: HEARTBEAT\n")));
        assert_eq!(s.nixevent(&["CUSTOM", "conference::maintenance"]), "+OK events nixed");
        assert!(!s.wants(&mute()));
    }

    #[test]
    fn filters_are_ored_and_a_negative_one_wins() {
        let mut s = Subscription::default();
        s.event(&["plain", "ALL"]);
        assert_eq!(s.filter(&["Action", "lock"]), "+OK filter added. [Action]=[lock]");
        assert!(!s.wants(&mute()));
        s.filter(&["action", "mute"]);
        assert!(s.wants(&mute()));
        assert!(!s.wants(&event("Event-Name: HEARTBEAT\n")), "an event without the header is dropped");
        s.filter(&["Event-Name", "-custom"]);
        assert!(!s.wants(&mute()));
        assert_eq!(s.filter(&["delete", "all"]), "+OK filter deleted. [all]");
        assert!(s.wants(&mute()));
    }

    #[test]
    fn with_only_negative_filters_nothing_is_sent() {
        let mut s = Subscription::default();
        s.event(&["ALL"]);
        s.filter(&["Action", "-lock"]);
        assert!(!s.wants(&mute()));
    }

    #[test]
    fn simple_expressions_are_understood() {
        assert!(fits("mute-member", "/^mute.*member$/"));
        assert!(!fits("unmute-member", "/^mute/"));
        assert!(fits("unmute-member", "/mute/"));
    }
}
