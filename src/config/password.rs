//! Files whose only line is a password.

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

/// The password in a file.
///
/// # Errors
/// The file is missing, empty, not text or no single line.
pub(super) fn read(path: &Path) -> Result<Secret, PasswordError> {
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
