//! Files whose only line is a password.
//!
//! ```text
//! password_file = credential / path
//! credential    = "credential:" NAME    ; $CREDENTIALS_DIRECTORY/NAME, else $CREDENTIALS_DIRECTORY/convened_NAME
//! ```
//!
//! The second name is what `LoadCredential=convened:DIRECTORY` makes of the file `NAME` in the directory
//! (systemd.exec(5)). A command that systemd has not started finds the file where the unit takes it from: in
//! `credentials` beside the configuration file.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::Secret;

/// No password is longer; a larger file is most likely another one named by mistake.
const MAX_BYTES: u64 = 4096;

/// Why there is no password to send.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Neither a password nor a file is configured.
    #[error("needs `password` or `password_file`")]
    Missing,
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file as it was looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's content is no password.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The file as it was looked for.
        path: PathBuf,
        /// What is wrong with its content.
        reason: &'static str,
    },
}

/// What marks a credential of systemd.
const CREDENTIAL: &str = "credential:";
/// The id under which the unit loads a directory of them.
const LOADED_AS: &str = "convened_";
/// Where the unit loads them from, beside the configuration file.
const BESIDE: &str = "credentials";

/// Where a password file is. The path stays as it is, for `read` to refuse it, if it is the name of a credential
/// that leads out of its directory.
pub(super) fn file(written: &Path, beside: &Path, credentials: Option<&Path>) -> PathBuf {
    let Some(name) = written.to_str().and_then(|text| text.strip_prefix(CREDENTIAL)) else {
        return beside.join(written);
    };
    if !is_name(name) {
        return written.to_owned();
    }
    let Some(directory) = credentials else { return beside.join(BESIDE).join(name) };
    let exact = directory.join(name);
    let loaded = directory.join(format!("{LOADED_AS}{name}"));
    if !exact.exists() && loaded.exists() { loaded } else { exact }
}

/// What a credential may be called here: a file of its directory.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
}

/// The password in a file.
///
/// # Errors
/// The file is missing, empty, not text or no single line.
pub(super) fn read(path: &Path) -> Result<Secret, PasswordError> {
    if let Some(name) = path.to_str().and_then(|text| text.strip_prefix(CREDENTIAL))
        && !is_name(name)
    {
        let reason = "names no credential: expected letters, digits and . _ -, and no dot in front";
        return Err(PasswordError::Unusable { path: path.to_owned(), reason });
    }
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content))
        .map_err(|source| PasswordError::Unreadable { path: path.to_owned(), source })?;
    let unusable = |reason| PasswordError::Unusable { path: path.to_owned(), reason };
    if content.len() as u64 > MAX_BYTES {
        return Err(unusable("is longer than any password"));
    }
    let text = String::from_utf8(content).map_err(|_| unusable("is not UTF-8 text"))?;
    // Editors and `echo` end the line; everything else belongs to the password.
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(unusable("is empty"));
    }
    if !is_sendable(line) {
        return Err(unusable("has more than one line or a NUL byte"));
    }
    Ok(Secret::new(line))
}

/// Whether the text fits on one line of the Event Socket.
pub(super) fn is_sendable(text: &str) -> bool {
    !text.contains(['\r', '\n', '\0'])
}
