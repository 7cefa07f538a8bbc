//! The sections of the configuration except `[[node]]`, with their built-in defaults.
//!
//! Units are in the names. `conf/convened.toml` explains every key to operators; a test keeps the
//! two equal.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::Network;
use super::listen::{self, Listen, SocketMode};
use super::password::{self, PasswordError};
use crate::secret::Secret;
use crate::store::url::{self, Engine};
use crate::tls::Files;

/// `[api]`: the HTTP listener and its limits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Where to listen; port 0 takes a free one.
    #[serde(deserialize_with = "listen::places")]
    pub listen: Vec<Listen>,
    /// The permissions of a unix socket.
    pub socket_mode: SocketMode,
    /// The certificate for TLS with those between it and its root, in PEM.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    pub tls_key: Option<PathBuf>,
    /// Whose `X-Forwarded-For` is believed; nobody's if it is empty.
    pub trusted_proxies: Vec<Network>,
    /// The origins whose pages may use the API from browsers, or `*`; none: no page may.
    pub cors_origins: Vec<String>,
    /// Connections at the same time, at each place; one more is answered 503 and closed.
    pub max_connections: usize,
    /// Requests of one token, or of all tokens of one API key, within a second; 0: as many as they like.
    pub max_requests_per_s: u32,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// The largest request head (request line and headers together), in bytes.
    pub max_header_bytes: usize,
    /// From the first byte of a request to the end of its headers, in milliseconds.
    pub header_timeout_ms: u64,
    /// From the end of the headers to the end of the body, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long an answer may take to be made, in milliseconds; a guard against a stuck request,
    /// above every timeout of a switch or the database.
    pub answer_timeout_ms: u64,
    /// How long a connection without a request is kept, in seconds.
    pub idle_timeout_s: u64,
    /// At a stop: how long requests in flight may take to finish, in seconds.
    pub shutdown_grace_s: u64,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Plain(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)))],
            socket_mode: SocketMode::default(),
            tls_certificate: None,
            tls_key: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            max_connections: 1024,
            max_requests_per_s: 1000,
            max_body_bytes: 1 << 20,
            max_header_bytes: 1 << 16,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            answer_timeout_ms: 60_000,
            idle_timeout_s: 75,
            shutdown_grace_s: 10,
        }
    }
}

impl Api {
    /// Where certificate and key are, if both are configured.
    pub fn tls_files(&self) -> Option<Files> {
        let (certificate, key) = (self.tls_certificate.clone()?, self.tls_key.clone()?);
        Some(Files { certificate, key })
    }
}

/// `[database]`: where documents, tokens and the audit log are kept.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite://PATH`; the file is made if it is missing. Or `postgres://USER@HOST/DATABASE`.
    pub url: String,
    /// A file whose only line is the password of a PostgreSQL user.
    pub password_file: Option<PathBuf>,
    /// Connections at the same time: to PostgreSQL, or those that read an SQLite file.
    pub connections: u32,
    /// How long the database may take to answer, in milliseconds; then documents are unavailable.
    pub timeout_ms: u64,
    /// For how many days the audit log is kept; 0: for ever.
    pub audit_keep_days: u32,
}

impl Default for Database {
    fn default() -> Self {
        let url = "sqlite:///var/lib/convened/convened.db".into();
        Self { url, password_file: None, connections: 8, timeout_ms: 5_000, audit_keep_days: 365 }
    }
}

impl Database {
    /// Which engine the URL names, if any.
    pub fn engine(&self) -> Option<Engine<'_>> {
        url::engine(&self.url)
    }

    /// The URL without the password that it may carry, for logs.
    pub fn url_without_password(&self) -> String {
        url::without_secrets(&self.url)
    }

    /// The password in the file, if there is one.
    ///
    /// # Errors
    /// [`PasswordError`] if the file cannot be read or holds no password.
    pub fn read_password(&self) -> Result<Option<Secret>, PasswordError> {
        self.password_file.as_deref().map(password::read).transpose()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("url", &self.url_without_password())
            .field("password_file", &self.password_file)
            .field("connections", &self.connections)
            .field("timeout_ms", &self.timeout_ms)
            .field("audit_keep_days", &self.audit_keep_days)
            .finish()
    }
}

/// `[conference]`: what holds for every conference.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conference {
    /// The account of a conference that nothing else tells the account of.
    pub default_account: Option<String>,
    /// The clock of `join_time`.
    pub timestamps: Timestamps,
    /// Whether `kick` plays the kicked sound of the profile (FreeSWITCH's `kick`) or hangs up
    /// without one (`hup`).
    pub kick_sound: bool,
    /// How often each conference is compared with FreeSWITCH's own list, in seconds.
    pub audit_interval_s: u64,
}

impl Default for Conference {
    fn default() -> Self {
        Self {
            default_account: None,
            timestamps: Timestamps::default(),
            kick_sound: false,
            audit_interval_s: 30,
        }
    }
}

/// `[media]`: what may be played in conferences, and where they are recorded. FreeSWITCH reads it, on its own machine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// Directories on the switch; a relative name is one within the first of them.
    pub roots: Vec<String>,
    /// URL schemes.
    pub schemes: Vec<String>,
    /// The directory on the switch that conferences are recorded to, each account's in one of its own; none: they
    /// are not recorded.
    pub recordings: Option<String>,
}

impl Default for Media {
    fn default() -> Self {
        Self { roots: vec!["/usr/share/freeswitch/sounds".into()], schemes: Vec::new(), recordings: None }
    }
}

/// The clock in which `join_time` is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// Seconds since the year 0, as Kazoo counts: Unix time + 62167219200.
    #[default]
    Gregorian,
    /// Seconds since 1970.
    Unix,
}

/// `[esl]`: what the Event Socket decoder accepts from any node. A larger item ends the connection.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Esl {
    /// The header block of one frame, in bytes.
    pub max_header_bytes: usize,
    /// The body of one event, in bytes.
    pub max_event_bytes: usize,
    /// The answer to one command, in bytes; a list of a conference of 10,000 takes some 10 MB.
    pub max_response_bytes: usize,
}

impl Default for Esl {
    fn default() -> Self {
        Self { max_header_bytes: 1 << 16, max_event_bytes: 1 << 20, max_response_bytes: 1 << 26 }
    }
}

/// `[log]`: what is logged and how. Logs go to standard error.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level, or directives of tracing's `EnvFilter` such as `info,convened::node=debug`.
    pub level: String,
    /// The shape of a line.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Auto }
    }
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `Journald` if standard error is a stream of the journal, `Pretty` on a terminal, `Json` otherwise.
    #[default]
    Auto,
    /// Text for people; coloured on a terminal only.
    Pretty,
    /// One JSON object a line.
    Json,
    /// Entries of systemd's journal with a field for each value; `Json` on standard error where there is none.
    Journald,
}
