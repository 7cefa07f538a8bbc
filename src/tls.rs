//! TLS (RFC 8446): the certificate that the API offers, and whom the commands for people believe.

mod certificate;
mod trust;

use std::io::Read;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

pub use certificate::{Certificate, Files, Look};
pub use trust::Trust;

/// No chain of certificates and no key is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// Why a certificate or a key cannot be used. Tells the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct TlsError {
    /// The file at fault.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl TlsError {
    fn of(file: &Path, why: impl Into<String>) -> Self {
        Self { file: file.to_owned(), why: why.into() }
    }
}

/// Named, so that a crate that brings another one cannot change it.
fn provider() -> CryptoProvider {
    ring::default_provider()
}

fn content(file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut content = Vec::new();
    // A pipe would be waited for until somebody writes.
    if std::fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(TlsError::of(file, "is no file"));
    }
    let read = std::fs::File::open(file).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut content));
    match read {
        Err(error) => Err(TlsError::of(file, format!("cannot be read: {error}"))),
        Ok(_) if content.len() as u64 > LONGEST => {
            Err(TlsError::of(file, "is longer than any certificate or key"))
        }
        Ok(_) => Ok(content),
    }
}
