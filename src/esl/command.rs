//! Commands that cannot be made to hold a second one.
//!
//! mod_event_socket ends a line at CR or LF and a command at an empty line; a caller-chosen name with
//! a line end in it would be a command of its own, so such bytes cannot get in here. What else a
//! token may hold (a blank, a quote) depends on what the word means and is for its author to check.

use bytes::{BufMut, Bytes, BytesMut};

/// The switch stops reading a command at so many octets and takes the rest for the next one
/// (mod_event_socket.c, read_packet).
const LONGEST: usize = 10 << 20;

/// Why something cannot be a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// A byte that would end a line, or the switch's reading of it.
    #[error("byte 0x{byte:02x} at {position} cannot be part of a command")]
    Byte {
        /// CR, LF or NUL.
        byte: u8,
        /// Where in the argument it stands.
        position: usize,
    },
    /// The switch passes over an empty line without an answer, and takes what follows for the command.
    #[error("an empty line is no command")]
    EmptyLine,
    /// The switch would read the commands behind this one as its body.
    #[error("a command with a Content-Length would swallow the next ones")]
    Length,
    /// The switch would read the end of it as another command.
    #[error("a command of {octets} octets is longer than a switch reads in one piece")]
    TooLong {
        /// How long it would be.
        octets: usize,
    },
}

/// One complete command, ready for the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    wire: Bytes,
    /// Shown in logs instead of the wire text if that holds a password.
    shown: Option<&'static str>,
}

impl Command {
    /// `line`, with a line feed and an empty line after it: `event plain HEARTBEAT`, `exit`.
    pub fn line(line: &str) -> Result<Self, Forbidden> {
        Self::with_headers(line, &[])
    }

    /// `api LINE`: the reply comes when the command has been executed.
    pub fn api(line: &str) -> Result<Self, Forbidden> {
        Self::with_headers(&format!("api {line}"), &[])
    }

    /// Whether it is answered by what it printed (`api/response`), unless it is not allowed.
    pub fn is_api(&self) -> bool {
        self.wire.starts_with(b"api ")
    }

    /// `line` and headers below it: `sendevent CUSTOM`, `bgapi` with a `Job-UUID`.
    pub fn with_headers(line: &str, headers: &[(&str, &str)]) -> Result<Self, Forbidden> {
        let mut wire = BytesMut::with_capacity(line.len() + 2);
        if line.is_empty() {
            return Err(Forbidden::EmptyLine);
        }
        put(&mut wire, line)?;
        for (name, value) in headers {
            let key = name.split_once(':').map_or(*name, |(key, _)| key);
            if key.eq_ignore_ascii_case("content-length") {
                return Err(Forbidden::Length);
            }
            wire.put_u8(b'\n');
            put(&mut wire, name)?;
            wire.put_slice(b": ");
            put(&mut wire, value)?;
        }
        wire.put_slice(b"\n\n");
        if wire.len() >= LONGEST {
            return Err(Forbidden::TooLong { octets: wire.len() });
        }
        Ok(Self { wire: wire.freeze(), shown: None })
    }

    /// `auth PASSWORD`, the answer to `auth/request`.
    pub fn auth(password: &str) -> Result<Self, Forbidden> {
        let command = Self::with_headers(&format!("auth {password}"), &[])?;
        Ok(Self { shown: Some("auth ***"), ..command })
    }

    /// `userauth USER@DOMAIN:PASSWORD`, for a user of the directory with `esl-password`.
    pub fn userauth(user: &str, password: &str) -> Result<Self, Forbidden> {
        let command = Self::with_headers(&format!("userauth {user}:{password}"), &[])?;
        Ok(Self { shown: Some("userauth ***"), ..command })
    }

    /// The bytes to be sent.
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.shown {
            Some(shown) => f.write_str(shown),
            None => f.write_str(String::from_utf8_lossy(&self.wire).trim_end()),
        }
    }
}

fn put(wire: &mut BytesMut, text: &str) -> Result<(), Forbidden> {
    match text.bytes().position(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        Some(position) => Err(Forbidden::Byte { byte: text.as_bytes()[position], position }),
        None => {
            wire.put_slice(text.as_bytes());
            Ok(())
        }
    }
}

impl tokio_util::codec::Encoder<Command> for super::Decoder {
    type Error = std::io::Error;

    fn encode(&mut self, command: Command, wire: &mut BytesMut) -> std::io::Result<()> {
        wire.extend_from_slice(&command.wire);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_command() {
        assert_eq!(&Command::api("version").unwrap().wire()[..], b"api version\n\n");
        let fence =
            Command::with_headers("sendevent CUSTOM", &[("Event-Subclass", "convened::fence")]).unwrap();
        assert_eq!(&fence.wire()[..], b"sendevent CUSTOM\nEvent-Subclass: convened::fence\n\n");
        for hostile in ["a\nb", "a\rb", "a\0b", "\n\napi shutdown"] {
            let found = Command::api(hostile).unwrap_err();
            assert!(matches!(found, Forbidden::Byte { byte: b'\n' | b'\r' | 0, .. }), "{found}");
            assert!(Command::with_headers("sendevent CUSTOM", &[("A", hostile)]).is_err());
            assert!(Command::with_headers("sendevent CUSTOM", &[(hostile, "A")]).is_err());
            assert!(Command::auth(hostile).is_err());
            assert!(Command::userauth(hostile, "x").is_err());
        }
    }

    #[test]
    fn what_the_switch_would_not_read_as_one_command_is_refused() {
        assert_eq!(Command::line("").unwrap_err(), Forbidden::EmptyLine);
        assert_eq!(Command::with_headers("", &[("api shutdown", "")]).unwrap_err(), Forbidden::EmptyLine);
        for name in ["Content-Length", "content-LENGTH", "content-length:5", "content-length: 5"] {
            let found = Command::with_headers("sendevent CUSTOM", &[(name, "5")]);
            assert_eq!(found.unwrap_err(), Forbidden::Length, "{name}");
        }
        let line = "x".repeat(LONGEST - 2);
        assert_eq!(Command::line(&line).unwrap_err(), Forbidden::TooLong { octets: LONGEST });
        assert_eq!(Command::line(&line[1..]).unwrap().wire().len(), LONGEST - 1);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(format!("{:?}", Command::auth("ClueCon").unwrap()), "auth ***");
        assert_eq!(format!("{:?}", Command::userauth("a@b", "ClueCon").unwrap()), "userauth ***");
    }
}
