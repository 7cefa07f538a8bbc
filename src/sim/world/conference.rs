//! The `conference` command: its words, whom it means, which handler it goes to.
//!
//! ```text
//! conference <global>                 json_list [compact] | xml_list | list | count
//! conference <room> <word> [...]      see `handle`
//! member = <id> | all | last | non_moderator | <variable>=<value>
//! ```
//! A handler that refuses its arguments answers its syntax line, without `-ERR` and without a line end.

use super::room::Seat;
use super::{RoomKey, World};
use std::io::Write as _;

/// A handler has answered, or its arguments are wrong.
pub(crate) type Handled = Result<(), Syntax>;
/// The arguments were wrong: the syntax line is the answer.
pub(crate) struct Syntax;

/// The answer being written; bytes, because caller names are.
pub(crate) type Answer = Vec<u8>;

/// Appends formatted text to an answer. Writing into a `Vec` cannot fail.
macro_rules! say {
    ($out:expr, $($text:tt)*) => {{ let _ = write!($out, $($text)*); }};
}
pub(crate) use say;

/// The words of a command as FreeSWITCH splits them: at blanks, at most `limit`, the last keeps the rest;
/// `'` quotes, `\` escapes, `^^:` at the beginning chooses another separator.
pub(crate) fn split_words(text: &str, limit: usize) -> Vec<String> {
    let (separator, text) = match text.strip_prefix("^^").and_then(|rest| rest.chars().next()) {
        Some(separator) => (separator, text.get(2 + separator.len_utf8()..).unwrap_or("")),
        None => (' ', text),
    };
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| *c == separator && separator == ' ').is_some() {}
        if chars.peek().is_none() {
            return words;
        }
        let last = words.len() + 1 == limit;
        let (mut word, mut quoted) = (String::new(), false);
        while let Some(c) = chars.next() {
            match c {
                '\'' => quoted = !quoted,
                '\\' => match chars.next_if(|c| "'\"\\nrts".contains(*c)) {
                    Some('n') => word.push('\n'),
                    Some('r') => word.push('\r'),
                    Some('t') => word.push('\t'),
                    Some('s') => word.push(' '),
                    Some(other) => word.push(other),
                    None => word.push('\\'),
                },
                c if c == separator && !quoted && !last => break,
                c => word.push(c),
            }
        }
        words.push(if last { word.trim_end().to_owned() } else { word });
    }
}

/// Numbers as C reads them: `12abc` is 12, `abc` is 0.
pub(crate) fn atoi(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    sign * digits.get(..end).and_then(|d| d.parse::<i64>().ok()).unwrap_or(0)
}

impl World {
    /// `conference` and its arguments; gives the answer.
    pub(crate) fn conference(&mut self, arguments: &str) -> Answer {
        let words = split_words(arguments, 25);
        let mut out = Answer::new();
        let Some(name) = words.first() else {
            return b"Conference command, not specified.\nTry 'help'\n".to_vec();
        };
        let Some(key) = self.find_room(name) else {
            if !self.list_all(&words, &mut out) {
                say!(out, "-ERR Conference {name} not found\n");
            }
            return out;
        };
        let Some(word) = words.get(1) else {
            return b"Conference command, not specified.\nTry 'help'\n".to_vec();
        };
        let arguments: Vec<&str> = words.iter().skip(2).map(String::as_str).collect();
        match self.handle(key, word, &arguments, &mut out) {
            Some(Ok(())) => {}
            Some(Err(Syntax)) => say!(out, "{}", syntax(word)),
            None => say!(out, "-ERR Conference command '{word}' not found.\n"),
        }
        out
    }

    /// `None`: there is no such word.
    fn handle(&mut self, key: RoomKey, word: &str, args: &[&str], out: &mut Answer) -> Option<Handled> {
        let answer = match word {
            "mute" | "unmute" | "tmute" | "deaf" | "undeaf" | "hold" | "unhold" | "kick" | "hup"
            | "energy" | "volume_in" | "volume_out" | "agc" | "dtmf" | "get-uuid" | "floor" => {
                self.for_members(key, word, args, out)
            }
            "lock" | "unlock" => self.lock(key, word == "lock", out),
            "pin" | "nopin" => self.set_pin(key, word, args, out),
            "get" => self.get(key, args, out),
            "set" => self.set(key, args, out),
            "setvar" | "getvar" => self.variable(key, word, args, out),
            "enter_sound" | "exit_sound" => self.door_sound(key, word, args, out),
            "relate" => self.relate(key, args, out),
            "count" | "list" | "json_list" | "xml_list" => self.list_one(key, word, args, out),
            "play" => self.play(key, args, out),
            "stop" => self.stop(key, args, out),
            "play_status" => self.play_status(key, args, out),
            "say" | "saymember" => self.speak(key, word, args, out),
            "recording" => self.recording_command(key, args, out),
            "record" => self.recording_word(key, "start", args, out),
            "norecord" => self.recording_word(key, "stop", args, out),
            "chkrecord" => self.recording_word(key, "check", args, out),
            "pause" | "resume" => self.recording_word(key, word, args, out),
            "transfer" => self.transfer(key, args, out),
            "dial" | "bgdial" => self.dial(key, word == "bgdial", args, out),
            _ => return None,
        };
        Some(answer)
    }

    /// Those a selector means, newest first, or the answer why there is nobody.
    fn for_members(&mut self, key: RoomKey, word: &str, args: &[&str], out: &mut Answer) -> Handled {
        let selector = *args.first().ok_or(Syntax)?;
        let rest = args.get(1..).unwrap_or_default();
        let Some(room) = self.rooms.get(&key) else { return Ok(()) };
        let seats: Vec<(Seat, bool)> =
            room.listed(self.now).map(|(place, m)| ((key, place), m.moderator)).collect();
        match selector {
            "all" | "non_moderator" => {
                for (seat, moderator) in seats {
                    if moderator && selector == "non_moderator" {
                        let id = self.member(seat.0, seat.1).map_or(0, |m| m.id);
                        say!(out, "Skipping moderator (member id {id}).\n");
                    } else {
                        self.for_member(seat, word, rest, out)?;
                    }
                }
                return Ok(());
            }
            "last" => {
                let id = |seat: &Seat| self.member(seat.0, seat.1).map_or(0, |m| m.id);
                let Some(seat) = seats.into_iter().map(|(seat, _)| seat).max_by_key(id) else {
                    return Ok(());
                };
                return self.for_member(seat, word, rest, out);
            }
            _ => {}
        }
        match self.find_member(key, selector) {
            Some(seat) => return self.for_member(seat, word, rest, out),
            None if selector.contains('=') && self.options.selectors => {
                say!(out, "-ERR Non-Existant member\n")
            }
            None if atoi(selector) > 0 => say!(out, "-ERR Non-Existant ID {}\n", atoi(selector)),
            None => return Err(Syntax),
        }
        Ok(())
    }

    /// The one member of an id or `variable=value`, unless it has been kicked already.
    pub(crate) fn find_member(&self, key: RoomKey, selector: &str) -> Option<Seat> {
        let room = self.rooms.get(&key)?;
        let place = match selector.split_once('=') {
            Some(_) if !self.options.selectors => return None,
            Some(("uuid", uuid)) => self.seat(uuid).filter(|(room, _)| *room == key)?.1,
            Some((name, value)) => {
                let has = |call: &str| {
                    self.calls.get(call).and_then(|c| c.text_variable(name)).as_deref() == Some(value)
                };
                room.listed(self.now).find(|(_, m)| has(&m.call))?.0
            }
            None => *room.by_id.get(&u32::try_from(atoi(selector)).ok()?)?,
        };
        let member = room.members.get(&place)?;
        (!member.kicked && member.listed_from <= self.now).then_some((key, place))
    }
}

/// What a command answers when its arguments are wrong.
fn syntax(word: &str) -> String {
    let arguments = match word {
        "mute" | "unmute" | "tmute" => "<[member_id|all]|last|non_moderator> [<quiet>]",
        "deaf" | "undeaf" | "unhold" => "<[member_id|all]|last|non_moderator>",
        "hold" => "<[member_id|all]|last|non_moderator> [file]",
        "kick" => "<[member_id|all|last|non_moderator]> [<optional sound file>]",
        "hup" => "<[member_id|all|last|non_moderator]>",
        "energy" | "volume_in" | "volume_out" | "agc" => "<member_id|all|last|non_moderator> [<newval>]",
        "dtmf" => "<[member_id|all|last|non_moderator]> <digits>",
        "get-uuid" | "floor" => "<member_id|last>",
        "play" => "<file_path> [async|<member_id> [nomux]]",
        "stop" => "<[current|all|async|last]> [<member_id>]",
        "play_status" => "[<member_id>]",
        "say" => "<text>",
        "saymember" => "<member_id> <text>",
        "recording" => "[start|stop|check|pause|resume] [<filename>|all]",
        "record" | "pause" | "resume" => "<filename>",
        "norecord" => "<[filename|all]>",
        "transfer" => "<conference_name> <member id> [...<member id>]",
        "dial" | "bgdial" => "<endpoint_module_name>/<destination> <callerid number> <callerid name>",
        "relate" => "<member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]",
        "enter_sound" | "exit_sound" => "on|off|none|file <filename>",
        "pin" => "<pin#>",
        "get" => "<parameter-name>",
        "set" => {
            "<max_members|sound_prefix|caller_id_name|caller_id_number|endconference_grace_time> <value>"
        }
        "getvar" => "<varname>",
        "setvar" => "<varname> <value>",
        _ => "",
    };
    format!("{word} {arguments}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_quoted_and_escaped() {
        assert_eq!(split_words("a  b 'c d' e\\sf", 25), ["a", "b", "c d", "e f"]);
        assert_eq!(split_words("^^:a b:c", 25), ["a b", "c"]);
        assert_eq!(split_words("room say hello there", 3), ["room", "say", "hello there"]);
        assert_eq!(split_words("room 'open", 25), ["room", "open"]);
        assert_eq!(split_words("", 25), [""; 0]);
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!((atoi("12abc"), atoi("abc"), atoi("-3"), atoi(" 7")), (12, 0, -3, 7));
        assert_eq!(atoi("99999999999999999999"), 0);
    }
}
