//! Where the API is: `http://HOST:PORT`, with a path in front of `/v2` if a proxy wants one.

use std::fmt;
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
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected http://HOST:PORT";
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        if matches!(scheme, "https" | "unix") {
            return Err(format!("{scheme} is not spoken, {EXPECTED}"));
        }
        let uri: Uri = text.parse().map_err(|error| format!("{EXPECTED}: {error}"))?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or(EXPECTED)?;
        // A password in it would be seen by everybody who lists processes.
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(format!("{EXPECTED}, without a user and without a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(EXPECTED.to_owned());
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self {
            text: format!("http://{authority}{prefix}"),
            way: Way::Tcp(host.to_owned(), authority.port_u16().unwrap_or(80)),
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
            "https://localhost",
            "unix:/run/convened.sock",
        ] {
            let error = wrong.parse::<Address>().expect_err(wrong);
            assert!(error.contains("http://HOST:PORT") && !error.contains("secret"), "{wrong}: {error}");
        }
    }
}
