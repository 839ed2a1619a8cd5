//! Whom we believe: the public roots, and those that the operator adds. The
//! cryptography is named explicitly, so nothing depends on a process-wide default.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Trusted roots.
#[derive(Debug, Clone)]
pub struct Roots(RootCertStore);

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read certificates from this PEM text: {0}")]
pub struct RootsError(String);

impl Default for Roots {
    fn default() -> Self {
        Self(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }
}

impl Roots {
    /// These roots and the certificates in a PEM text, such as a company's own.
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, RootsError> {
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| RootsError(error.to_string()))?;
            self.0.add(certificate).map_err(|error| RootsError(error.to_string()))?;
            added += 1;
        }
        if added == 0 {
            return Err(RootsError("there is no certificate in it".into()));
        }
        Ok(self)
    }

    /// A client that believes these roots; without ALPN.
    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the suites of TLS 1.2 and 1.3")
            .with_root_certificates(self.0.clone())
            .with_no_client_auth()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_certificates_is_refused() {
        let error = Roots::default().with_pem(b"hello").unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error}");
    }
}
