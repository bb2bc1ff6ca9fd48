//! Builds the one TLS configuration of this process.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::net::NetError;

/// TLS 1.2 and 1.3 by ring, trusting what the system trusts (and `extra`).
///
/// The platform's verifier is used so that an organisation's own authority,
/// installed on its machines, works as in the browser. A system without any
/// authority still gets a network: local domains need none.
pub(crate) fn client_config(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, NetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Libraries that ask for the process-wide provider must find the same one.
    let _already_set = rustls::crypto::CryptoProvider::install_default((*provider).clone());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| NetError::Tls(error.to_string()))?;
    Ok(match Verifier::new_with_extra_roots(extra, provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "the system has no certificate authorities; no public domain can be reached");
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    })
}

/// The same, offering these protocols.
pub(crate) fn speaking(mut config: ClientConfig, protocols: &[&str]) -> ClientConfig {
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}
