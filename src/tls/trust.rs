//! Whom a client believes.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{TlsError, content, provider};

/// The roots that a server's certificate has to come from.
#[derive(Clone)]
pub struct Trust(TlsConnector);

impl Trust {
    /// Those of the file, in PEM; without one those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).
    ///
    /// # Errors
    /// [`TlsError`] if there is no root to believe.
    pub fn load(file: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match file {
            Some(file) => {
                let content = content(file)?;
                for root in CertificateDer::pem_slice_iter(&content) {
                    let wrong = |error: &dyn std::fmt::Display| {
                        TlsError::of(file, format!("cannot be used: {error}"))
                    };
                    roots.add(root.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
                }
                if roots.is_empty() {
                    return Err(TlsError::of(file, "has no certificate in PEM (BEGIN CERTIFICATE)"));
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                // What a system collects has some that no library takes.
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let why =
                        found.errors.first().map_or_else(|| "there is none".into(), ToString::to_string);
                    return Err(TlsError::of(Path::new("the certificates of the system"), why));
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::of(Path::new("TLS"), error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config).into()))
    }

    /// What makes TLS of a connection.
    pub fn connector(&self) -> &TlsConnector {
        &self.0
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}
