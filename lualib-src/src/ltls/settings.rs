//! What connections have in common: certificates, ciphers, and whom to trust.

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::certificates::{Certificates, read_roots};
use super::{ciphers, trust};

/// Runs what calls the TLS library. A panic there is an error, after which the caller
/// lets go of what was worked on.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err("an error in the TLS library".to_owned()))
}

/// A context. Connections take its settings when their handshake begins; a change
/// is for those that come later.
#[derive(Default)]
pub(crate) struct Settings {
    provider: Option<Arc<CryptoProvider>>,
    certificates: Certificates,
    roots: Option<Arc<RootCertStore>>,
    client: Option<Arc<ClientConfig>>,
    server: Option<Arc<ServerConfig>>,
}

impl Settings {
    fn provider(&mut self) -> Arc<CryptoProvider> {
        let make = || Arc::new(ring::default_provider());
        self.provider.get_or_insert_with(make).clone()
    }

    /// What was made of the settings before a change is of no more use.
    fn changed(&mut self) {
        self.client = None;
        self.server = None;
    }

    /// Adds the certificate chain and the key in two files.
    pub(crate) fn set_cert(&mut self, certificate: &[u8], key: &[u8]) -> Result<(), String> {
        let provider = self.provider();
        self.certificates.load(&provider, certificate, key)?;
        self.changed();
        Ok(())
    }

    /// Limits the ciphers to those of a list, which is OpenSSL's kind of list.
    pub(crate) fn set_ciphers(&mut self, list: &[u8]) -> Result<(), String> {
        let list = String::from_utf8_lossy(list);
        let Some(cipher_suites) = ciphers::choose(&list) else {
            let known = ciphers::names();
            return Err(format!("no cipher of '{list}' is known; there are {known}"));
        };
        self.provider = Some(Arc::new(CryptoProvider {
            cipher_suites,
            ..ring::default_provider()
        }));
        self.changed();
        Ok(())
    }

    /// Trusts the certificates in a file from now on, and nobody else.
    pub(crate) fn set_ca(&mut self, file: &[u8]) -> Result<(), String> {
        self.roots = Some(Arc::new(read_roots(file)?));
        self.changed();
        Ok(())
    }

    /// Whether clients find out who the server is.
    pub(crate) fn verifies(&self) -> bool {
        self.roots.is_some()
    }

    /// For clients. All of them share it, and so the sessions that they resume.
    pub(crate) fn client(&mut self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = &self.client {
            return Ok(config.clone());
        }
        let provider = self.provider();
        let verifier = trust::verifier(&provider, self.roots.as_ref())?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(self.certificates.clone()));
        Ok(self.client.insert(Arc::new(config)).clone())
    }

    /// For servers; they need a certificate.
    pub(crate) fn server(&mut self) -> Result<Arc<ServerConfig>, String> {
        if let Some(config) = &self.server {
            return Ok(config.clone());
        }
        if self.certificates.is_empty() {
            return Err("a server needs a certificate: call set_cert of its context".to_owned());
        }
        let config = ServerConfig::builder_with_provider(self.provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.certificates.clone()));
        Ok(self.server.insert(Arc::new(config)).clone())
    }
}
