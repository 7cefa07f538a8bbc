//! `[[node]]`: one FreeSWITCH and how to reach it.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;
use super::password::{self, PasswordError};

/// One FreeSWITCH node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name in logs, documents and answers; unique, 1 to 64 of `[A-Za-z0-9_.@-]`.
    pub name: String,
    /// `host:port` of its Event Socket; the host is a name, an IPv4 or a bracketed IPv6 address.
    #[serde(default = "default_address")]
    pub address: String,
    /// The password, if it is not in a file.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file whose first line is the password; relative to the configuration file's directory.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// `user@domain` for `userauth`; without it the plain `auth` is used.
    #[serde(default)]
    pub user: Option<String>,
    /// From the attempt to connect to the accepted password, in milliseconds.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// From a command to its answer, in milliseconds.
    #[serde(default = "default_command_timeout_ms")]
    pub command_timeout_ms: u64,
    /// A node that sent nothing for so long is taken for lost, in seconds. FreeSWITCH sends a
    /// heartbeat every 20 s.
    #[serde(default = "default_heartbeat_timeout_s")]
    pub heartbeat_timeout_s: u64,
    /// The first pause before a new attempt to connect, in milliseconds; it doubles each time.
    #[serde(default = "default_reconnect_min_ms")]
    pub reconnect_min_ms: u64,
    /// The longest pause between two attempts, in milliseconds.
    #[serde(default = "default_reconnect_max_ms")]
    pub reconnect_max_ms: u64,
    /// From the loss of the event connection until the node's conferences count as stale, unless
    /// everything has been listed again, in seconds; 0: at once.
    #[serde(default = "default_stale_after_s")]
    pub stale_after_s: u64,
    /// From the same loss until they count as gone, in seconds.
    #[serde(default = "default_gone_after_s")]
    pub gone_after_s: u64,
    /// Where calls go that belong into a conference that runs on this node and came in on another one:
    /// `sip:USER@HOST[:PORT]`, which the node's dialplan has to park. None: then they stay where they came in.
    #[serde(default)]
    pub sip_uri: Option<String>,
}

fn default_address() -> String {
    "127.0.0.1:8021".into()
}

fn default_connect_timeout_ms() -> u64 {
    5_000
}

fn default_command_timeout_ms() -> u64 {
    10_000
}

fn default_heartbeat_timeout_s() -> u64 {
    65
}

fn default_reconnect_min_ms() -> u64 {
    200
}

fn default_reconnect_max_ms() -> u64 {
    15_000
}

fn default_stale_after_s() -> u64 {
    10
}

fn default_gone_after_s() -> u64 {
    120
}

impl Node {
    /// A node with the defaults of the file, for a demo or a test.
    pub fn new(name: impl Into<String>, address: impl Into<String>, password: Secret) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            password: Some(password),
            password_file: None,
            user: None,
            connect_timeout_ms: default_connect_timeout_ms(),
            command_timeout_ms: default_command_timeout_ms(),
            heartbeat_timeout_s: default_heartbeat_timeout_s(),
            reconnect_min_ms: default_reconnect_min_ms(),
            reconnect_max_ms: default_reconnect_max_ms(),
            stale_after_s: default_stale_after_s(),
            gone_after_s: default_gone_after_s(),
            sip_uri: None,
        }
    }

    /// The password to send. A password file is read each time, so that a changed one is used at
    /// the next connection without a restart.
    ///
    /// # Errors
    /// None is configured, or the file is missing, empty, not text or no single line.
    pub fn read_password(&self) -> Result<Secret, PasswordError> {
        let Some(path) = &self.password_file else {
            return self.password.clone().ok_or(PasswordError::Missing);
        };
        password::read(path)
    }
}
