//! Where the API is: `http://HOST:PORT` or `https://HOST:PORT`, with a path in front of `/v2` if a proxy wants one, or
//! `unix:/PATH` of a socket.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;

/// The address of an API.
///
/// Another way to it is another value of `Way` and a line in `client::transport`; nothing else looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    pub(super) way: Way,
    /// What a request names as its host.
    pub(super) authority: String,
    /// What stands in front of each path; empty, or without a slash at its end.
    pub(super) prefix: String,
}

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// HTTP over TCP: a name or an address, and the port.
    Tcp(String, u16),
    /// HTTP over TLS: a name or an address, which its certificate has to bear, and the port.
    Tls(String, u16),
    /// HTTP over a unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected http://HOST:PORT, https://HOST:PORT or unix:/PATH";
        if let Some(path) = text.strip_prefix("unix:") {
            let way = Way::Unix(path.into());
            // The name of a host that a socket does not have (RFC 9112, 3.2, wants one).
            let authority = "localhost".to_owned();
            return match path.starts_with('/') && !path.contains('\0') {
                true => Ok(Self { text: text.to_owned(), way, authority, prefix: String::new() }),
                false => Err(EXPECTED.to_owned()),
            };
        }
        let uri: Uri = text.parse().map_err(|error| format!("{EXPECTED}: {error}"))?;
        let authority = uri.authority().ok_or(EXPECTED)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(EXPECTED.to_owned()),
        };
        // A password in it would be seen by everybody who lists processes.
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(format!("{EXPECTED}, without a user and without a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(EXPECTED.to_owned());
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let (host, port) = (host.to_owned(), authority.port_u16());
        Ok(Self {
            text: format!("{}://{authority}{prefix}", if is_tls { "https" } else { "http" }),
            way: match is_tls {
                true => Way::Tls(host, port.unwrap_or(443)),
                false => Way::Tcp(host, port.unwrap_or(80)),
            },
            authority: authority.as_str().to_owned(),
            prefix,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_path_are_taken_apart() {
        let parsed = |text: &str| {
            let address: Address = text.parse().expect(text);
            (address.to_string(), address.way, address.authority, address.prefix)
        };
        let tcp = |host: &str, port| Way::Tcp(host.to_owned(), port);
        let of = |text: &str, way, authority: &str, prefix: &str| {
            (text.to_owned(), way, authority.to_owned(), prefix.to_owned())
        };
        let here = of("http://127.0.0.1:8000", tcp("127.0.0.1", 8000), "127.0.0.1:8000", "");
        assert_eq!(parsed("http://127.0.0.1:8000/"), here);
        let six = of("http://[::1]:81", tcp("::1", 81), "[::1]:81", "");
        assert_eq!(parsed("http://[::1]:81"), six);
        let behind = of("http://pbx/convened", tcp("pbx", 80), "pbx", "/convened");
        assert_eq!(parsed("http://pbx/convened/"), behind);
        let tls = of("https://pbx/convened", Way::Tls("pbx".into(), 443), "pbx", "/convened");
        assert_eq!(parsed("https://pbx/convened/"), tls);
        let six = of("https://[::1]:8443", Way::Tls("::1".into(), 8443), "[::1]:8443", "");
        assert_eq!(parsed("https://[::1]:8443"), six);
        let socket = "unix:/run/convened/api.sock";
        let unix = of(socket, Way::Unix("/run/convened/api.sock".into()), "localhost", "");
        assert_eq!(parsed(socket), unix);
    }

    #[test]
    fn what_is_no_address_is_refused_and_says_what_is_expected() {
        for wrong in [
            "",
            "localhost:8000",
            "ftp://localhost",
            "http://",
            "http://user:secret@localhost",
            "http://localhost/?token=secret",
            "https://",
            "wss://localhost",
            "unix:",
            "unix:convened.sock",
        ] {
            let error = wrong.parse::<Address>().expect_err(wrong);
            assert!(error.contains("http://HOST:PORT") && !error.contains("secret"), "{wrong}: {error}");
        }
    }
}
