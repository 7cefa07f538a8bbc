//! Where the API listens, as operators write it.
//!
//! ```text
//! listen = place / *( place "," )        ; or a list of places
//! place  = IP ":" PORT                   ; HTTP
//!        / "tls:" IP ":" PORT            ; HTTPS, with the certificate of api.tls_certificate
//!        / "unix:" PATH                  ; HTTP on a socket of this machine
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// The longest path of a unix socket, in bytes (unix(7): `sun_path` has 108 with the NUL at its end).
const LONGEST_PATH: usize = 107;

/// One place to listen at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listen {
    /// HTTP over TCP.
    Plain(SocketAddr),
    /// HTTP over TLS.
    Tls(SocketAddr),
    /// HTTP over a unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// The address, unless it is a unix socket.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(address) | Self::Tls(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Plain(address)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = |text: &str| {
            text.parse::<SocketAddr>().map_err(|_| {
                format!(
                    "expected IP:port such as 127.0.0.1:8000 or [::1]:8000, tls:IP:port or unix:/PATH, found `{text}`"
                )
            })
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            if !path.is_absolute() || text.ends_with('/') || text.contains('\0') {
                return Err(format!("expected the absolute path of a socket after unix:, found `{text}`"));
            }
            let length = path.as_os_str().as_bytes().len();
            if length > LONGEST_PATH {
                return Err(format!(
                    "the path of a socket has at most {LONGEST_PATH} bytes, found {length}: `{text}`"
                ));
            }
            return Ok(Self::Unix(path));
        }
        match text.strip_prefix("tls:") {
            Some(rest) => address(rest).map(Self::Tls),
            None => address(text).map(Self::Plain),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) => address.fmt(f),
            Self::Tls(address) => write!(f, "tls:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One place, several with commas between, or a list of them.
pub(super) fn places<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Listen>, D::Error> {
    struct Places;

    impl<'de> Visitor<'de> for Places {
        type Value = Vec<Listen>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address to listen on, or a list of them")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            text.split(',').map(|place| place.trim().parse().map_err(E::custom)).collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut places = Vec::new();
            while let Some(place) = items.next_element()? {
                places.push(place);
            }
            Ok(places)
        }
    }

    deserializer.deserialize_any(Places)
}

/// Who may connect to a unix socket: the permission bits of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketMode(pub u32);

impl Default for SocketMode {
    /// Its owner and its group.
    fn default() -> Self {
        Self(0o660)
    }
}

impl<'de> Deserialize<'de> for SocketMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_octal = matches!(text.len(), 3 | 4) && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if is_octal && mode <= 0o777 => Ok(Self(mode)),
            _ => Err(D::Error::custom(format!("expected permissions such as \"0660\", found `{text}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_as_it_is_written() {
        for text in [
            "127.0.0.1:8000",
            "[::1]:0",
            "tls:0.0.0.0:8443",
            "tls:[fd00::1]:8443",
            "unix:/run/convened/api.sock",
        ] {
            assert_eq!(text.parse::<Listen>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused_with_what_is_expected() {
        let long = format!("unix:/{}", "x".repeat(LONGEST_PATH));
        for wrong in [
            "",
            "8000",
            "localhost:8000",
            "127.0.0.1",
            "tls:",
            "tls:8443",
            "https://127.0.0.1:8443",
            "unix:",
            "unix:api.sock",
            "unix:/run/convened/",
            "unix:@convened",
            "unix:/a\0b",
            &long,
        ] {
            let error = wrong.parse::<Listen>().expect_err(wrong);
            assert!(error.contains("expected") || error.contains("at most 107 bytes"), "{wrong}: {error}");
        }
        assert!(format!("unix:/{}", "x".repeat(LONGEST_PATH - 1)).parse::<Listen>().is_ok());
    }
}
