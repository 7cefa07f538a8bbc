//! One client's conversation: a command in, frames out. No socket, no clock.
//!
//! ```text
//! command = line *(header) empty-line [body]          ; body if there is a Content-Length
//! greeting -> auth | userauth -> commands ... -> exit
//! ```
//! Who may come in and what the world is, is passed in; sending is left to [`super::switch`].

use super::subscription::Subscription;
use super::text;
use super::world::World;

/// The most a command may take, as in FreeSWITCH.
pub const MAX_COMMAND: usize = 10 * 1024 * 1024;

/// A command with its headers and body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The first line.
    pub line: String,
    /// The other lines.
    pub headers: Vec<(String, String)>,
    /// What came after the empty line, if a `Content-Length` said so.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// Cuts the first whole command out of `buffer`. `None`: more is needed.
    pub fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let begin = buffer.iter().position(|b| !matches!(b, b'\n' | b'\r'))?;
        let (end, after) = empty_line(buffer, begin)?;
        let head = String::from_utf8_lossy(buffer.get(begin..end)?).into_owned();
        let mut lines = head.lines().map(|line| line.trim_end_matches('\r'));
        let line = lines.next().unwrap_or("").to_owned();
        let header = |line: &str| {
            line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        };
        let headers: Vec<_> = lines.filter_map(header).collect();
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
        let length = length.and_then(|(_, value)| value.parse::<usize>().ok());
        let mut until = after;
        let body = match length {
            Some(length) => {
                until = after.saturating_add(length.min(MAX_COMMAND));
                Some(buffer.get(after..until)?.to_vec())
            }
            None => None,
        };
        buffer.drain(..until);
        Some(Self { line, headers, body })
    }

    /// The first value of that header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All of it, as a test wants to see it.
    pub fn text(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("\n{name}: {value}"));
        std::iter::once(self.line.clone()).chain(headers).collect()
    }
}

/// Where the first empty line after `from` begins and ends.
fn empty_line(buffer: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let end = at + buffer.get(at..)?.iter().position(|b| *b == b'\n')?;
        let next = end + 1;
        match buffer.get(next..)? {
            [b'\n', ..] => return Some((end, next + 1)),
            [b'\r', b'\n', ..] => return Some((end, next + 2)),
            [] | [b'\r'] => return None,
            _ => at = next,
        }
    }
}

/// Who may come in.
#[derive(Debug, Clone)]
pub struct Doorkeeper {
    /// The password of `auth`.
    pub password: String,
    /// `user@domain` and password for `userauth`.
    pub users: Vec<(String, String)>,
    /// Nobody, whatever the password.
    pub refuse: bool,
}

impl Doorkeeper {
    fn admits(&self, line: &str) -> Option<bool> {
        if let Some(user) = line.strip_prefix("userauth ") {
            let known = user
                .split_once(':')
                .is_some_and(|(name, password)| self.users.iter().any(|(n, p)| n == name && p == password));
            return Some(known && !self.refuse);
        }
        let password = line.strip_prefix("auth ")?;
        Some(password.trim() == self.password && !self.refuse)
    }
}

/// What came of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Frames for the client, in order.
    pub frames: Vec<u8>,
    /// The connection ends when they are sent.
    pub close: bool,
}

impl Outcome {
    fn reply(text: &str) -> Self {
        Self { frames: text::command_reply(text, ""), close: false }
    }
}

/// One client.
#[derive(Debug, Clone, Default)]
pub struct Session {
    admitted: bool,
}

impl Session {
    /// Executes one command.
    pub fn answer(
        &mut self,
        request: &Request,
        keeper: &Doorkeeper,
        subscription: &mut Subscription,
        world: &mut World,
        now: u64,
    ) -> Outcome {
        let line = request.line.trim();
        if let Some(admitted) = keeper.admits(line) {
            return self.admit(admitted);
        }
        if !self.admitted {
            return Outcome::reply("-ERR command not found");
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        let text = match word {
            "api" if !rest.is_empty() => {
                return Outcome { frames: text::api_response(&world.api(now, rest)), close: false };
            }
            "bgapi" if !rest.is_empty() => {
                let job = world.bgapi(now, rest, request.header("Job-UUID").map(str::to_owned));
                let extra = format!("Job-UUID: {job}\n");
                let reply = text::command_reply(&format!("+OK Job-UUID: {job}"), &extra);
                return Outcome { frames: reply, close: false };
            }
            "sendevent" if !words.is_empty() => {
                let name = words.first().copied().unwrap_or("CUSTOM");
                format!("+OK {}", world.send_event(now, name, &request.headers, request.body.clone()))
            }
            "sendmsg" => {
                let call = words.first().copied().or_else(|| request.header("session-id"));
                world.message(now, call.unwrap_or(""), &request.headers)
            }
            "event" => subscription.event(&words),
            "nixevent" => subscription.nixevent(&words),
            "noevents" => subscription.noevents(),
            "filter" => subscription.filter(&words),
            "linger" => "+OK will linger".to_owned(),
            "nolinger" => "+OK will not linger".to_owned(),
            "log" => "+OK log level 7 [7]".to_owned(),
            "nolog" => "+OK no longer logging".to_owned(),
            "exit" => {
                let mut frames = text::command_reply("+OK bye", "");
                frames.extend_from_slice(&text::disconnect_notice());
                return Outcome { frames, close: true };
            }
            _ => "-ERR command not found".to_owned(),
        };
        Outcome::reply(&text)
    }

    fn admit(&mut self, admitted: bool) -> Outcome {
        if admitted {
            self.admitted = true;
            return Outcome::reply("+OK accepted");
        }
        let mut frames = text::command_reply("-ERR invalid", "");
        frames.extend_from_slice(&text::disconnect_notice());
        Outcome { frames, close: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_at_the_first_empty_line_and_brings_its_body() {
        let mut buffer =
            b"\r\nsendevent CUSTOM\r\nEvent-Subclass: a::b\nContent-Length: 2\n\nhixapi".to_vec();
        let request = Request::take(&mut buffer).expect("a command");
        assert_eq!(request.line, "sendevent CUSTOM");
        assert_eq!(request.header("event-subclass"), Some("a::b"));
        assert_eq!(request.body.as_deref(), Some(&b"hi"[..]));
        assert_eq!(buffer, b"xapi");
        assert_eq!(Request::take(&mut buffer), None);
    }

    #[test]
    fn half_a_command_is_waited_for_at_every_cut() {
        let whole = b"bgapi status\nJob-UUID: 1\n\n";
        for cut in 0..whole.len() - 1 {
            let mut buffer = whole[..cut].to_vec();
            assert_eq!(Request::take(&mut buffer), None, "cut at {cut}");
        }
    }
}
