//! The certificate of the API: read, offered to clients, read again when it changes.
//!
//! ```text
//! look ── the files are as they were ─▶ nothing
//!      ├─ they fit together ─▶ offered from now on; connections that are open keep theirs
//!      └─ they do not ─▶ the old one stays; said when they are still so at the next look, for a pair of files is
//!                        not written at one moment
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::{error, info};

use super::{TlsError, content, provider};

/// How often the files are read.
const EVERY: Duration = Duration::from_secs(5);

/// The two files, as they are configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate with those between it and its root, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// What looking at the files has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// They are as they were.
    Same,
    /// They are new and good, and offered from now on.
    Taken,
    /// They cannot be used, perhaps because somebody is writing them.
    Unusable(TlsError),
}

/// What is offered to clients.
pub struct Certificate {
    files: Files,
    offered: ArcSwap<CertifiedKey>,
    seen: Mutex<Contents>,
}

impl Files {
    /// Reads them. Blocks for a moment.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn read(&self) -> Result<Certificate, TlsError> {
        let contents = self.contents()?;
        let offered = self.understood(&contents)?;
        Ok(Certificate {
            files: self.clone(),
            offered: ArcSwap::from_pointee(offered),
            seen: Mutex::new(contents),
        })
    }

    fn contents(&self) -> Result<Contents, TlsError> {
        Ok(Contents { certificate: content(&self.certificate)?, key: content(&self.key)? })
    }

    fn understood(&self, contents: &Contents) -> Result<CertifiedKey, TlsError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(&contents.certificate).collect::<Result<_, _>>().map_err(
                |error| TlsError::of(&self.certificate, format!("is no certificate in PEM: {error}")),
            )?;
        if chain.is_empty() {
            return Err(TlsError::of(&self.certificate, "has no certificate in PEM (BEGIN CERTIFICATE)"));
        }
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| {
            let has = |mark: &[u8]| contents.key.windows(mark.len()).any(|part| part == mark);
            let why = match error {
                _ if has(b"ENCRYPTED") => "is encrypted; a key without a passphrase is needed".to_owned(),
                rustls::pki_types::pem::Error::NoItemsFound => "has no private key in PEM".into(),
                error => format!("is no private key in PEM: {error}"),
            };
            TlsError::of(&self.key, why)
        })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::of(&self.key, format!("is not the key of {}", self.certificate.display()))
            }
            rustls::Error::InvalidCertificate(why) => {
                TlsError::of(&self.certificate, format!("cannot be used: {why}"))
            }
            error => TlsError::of(&self.key, format!("cannot be used: {error}")),
        })
    }
}

impl Certificate {
    /// What makes TLS of a connection with it.
    ///
    /// # Errors
    /// The library refuses its own defaults, which it does not.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }

    /// Reads the files again. Blocks for a moment.
    pub fn look(&self) -> Look {
        let contents = match self.files.contents() {
            Ok(contents) => contents,
            Err(error) => return Look::Unusable(error),
        };
        if *self.seen() == contents {
            return Look::Same;
        }
        match self.files.understood(&contents) {
            Ok(offered) => {
                *self.seen() = contents;
                self.offered.store(Arc::new(offered));
                Look::Taken
            }
            Err(error) => Look::Unusable(error),
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Contents> {
        // Nothing that could panic is done under the lock.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks now and then, and tells the log. Never ends.
    pub async fn watch(self: Arc<Self>) {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut patience = Patience::default();
        loop {
            turns.tick().await;
            let this = self.clone();
            let Ok(look) = tokio::task::spawn_blocking(move || this.look()).await else { continue };
            if patience.is_worth_telling(&look) {
                self.tell(&look);
            }
        }
    }

    /// Tells the log at once what a look has come to.
    pub fn tell(&self, look: &Look) {
        match look {
            Look::Same => {}
            Look::Taken => {
                info!(file = %self.files.certificate.display(), "the new certificate of the API is in use");
            }
            Look::Unusable(error) => error!(%error, "the old certificate of the API stays"),
        }
    }
}

/// What the log need not know, as it may pass, or knows already.
#[derive(Default)]
struct Patience {
    /// What was wrong at the last look, and how often in a row.
    trouble: Option<(TlsError, u32)>,
}

impl Patience {
    /// Trouble is told at its second look, once.
    fn is_worth_telling(&mut self, look: &Look) -> bool {
        let Look::Unusable(error) = look else {
            self.trouble = None;
            return true;
        };
        let before = self.trouble.take().filter(|(last, _)| last == error).map_or(0, |(_, times)| times);
        self.trouble = Some((error.clone(), before.saturating_add(1)));
        before == 1
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.offered.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_is_just_being_written_is_not_told_of_and_a_broken_one_once() {
        let wrong = |why: &str| Look::Unusable(TlsError { file: "key.pem".into(), why: why.into() });
        let mut patience = Patience::default();
        let mut told = |look: &Look| patience.is_worth_telling(look);
        assert!(!told(&wrong("is not the key")), "the other file may follow");
        assert!(told(&Look::Taken));
        let looks =
            [wrong("is not the key"), wrong("is not the key"), wrong("is not the key"), wrong("is empty")];
        assert_eq!(looks.each_ref().map(&mut told), [false, true, false, false]);
        assert!(told(&wrong("is empty")));
    }

    #[test]
    fn what_cannot_be_offered_is_refused_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            Files { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let long = "x".repeat(1 << 20) + "x";
        for (certificate, key, expected) in [
            (Some("nothing"), Some(&*key), "chain.pem: has no certificate in PEM"),
            (Some(&*key), Some(&key), "chain.pem: has no certificate in PEM"),
            (Some("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), Some(&key), "chain.pem: "),
            (Some(&chain), Some(""), "key.pem: has no private key in PEM"),
            (Some(&chain), Some(&chain), "key.pem: has no private key in PEM"),
            (Some(&chain), Some(&encrypted), "key.pem: is encrypted"),
            (Some(&chain), Some(&other.serialize_pem()), "key.pem: is not the key of"),
            (Some(&long), Some(&key), "chain.pem: is longer than"),
            (Some(&chain), None, "key.pem: cannot be read"),
            (None, Some(&key), "chain.pem: cannot be read"),
        ] {
            for (path, content) in [(&files.certificate, certificate), (&files.key, key)] {
                let _ = std::fs::remove_file(path);
                if let Some(content) = content {
                    std::fs::write(path, content).unwrap();
                }
            }
            let error = files.read().expect_err(expected).to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        std::fs::remove_file(&files.key).unwrap();
        std::fs::create_dir(&files.key).unwrap();
        std::fs::write(&files.certificate, chain).unwrap();
        assert!(files.read().expect_err("a directory").to_string().ends_with("key.pem: is no file"));
        std::fs::remove_dir(&files.key).unwrap();
        std::fs::write(&files.key, key).unwrap();
        assert!(files.read().is_ok());
    }
}
