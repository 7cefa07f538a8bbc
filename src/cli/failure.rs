//! Why a command failed, as an exit code.

use std::fmt;

use crate::config::ConfigError;

/// A failed command. Shown with `convened: ` before each line.
#[derive(Debug)]
pub enum Failure {
    /// The arguments do not go together. Exit code 2.
    Usage(String),
    /// The configuration is wrong, or a password, key or token is refused: starting again will not
    /// help. Exit code 78, `EX_CONFIG` of `sysexits.h`.
    Config(String),
    /// What was asked for is not there, or does not run. Exit code 4.
    NotFound(String),
    /// The daemon, its switch or its database is out of reach: later it may go well. Exit code 69,
    /// `EX_UNAVAILABLE` of `sysexits.h`.
    Unavailable(String),
    /// Anything else. Exit code 1.
    Other(anyhow::Error),
}

impl Failure {
    /// The exit code for wrong arguments, also clap's.
    pub const USAGE: u8 = 2;
    /// The exit code for a configuration that cannot work.
    pub const CONFIG: u8 = 78;
    /// The exit code for what is not there.
    pub const NOT_FOUND: u8 = 4;
    /// The exit code for what cannot be reached.
    pub const UNAVAILABLE: u8 = 69;

    /// The code that the process exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => Self::USAGE,
            Self::Config(_) => Self::CONFIG,
            Self::NotFound(_) => Self::NOT_FOUND,
            Self::Unavailable(_) => Self::UNAVAILABLE,
            Self::Other(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Usage(text) | Self::Config(text) | Self::NotFound(text) | Self::Unavailable(text) => {
                text.clone()
            }
            // With all causes on one line.
            Self::Other(error) => format!("{error:#}"),
        };
        for (index, line) in text.lines().enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}convened: {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
