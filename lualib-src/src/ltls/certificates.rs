//! Certificates and private keys from files, and which of them a handshake gets.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{ResolvesClientCert, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore, SignatureScheme};

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The certificates of a context, the newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates(Vec<(PathBuf, Arc<CertifiedKey>)>);

impl Certificates {
    /// Adds the certificate chain and the key in two files. A certificate that came
    /// from the same file before is replaced.
    pub(crate) fn load(
        &mut self,
        provider: &CryptoProvider,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<(), String> {
        let (certificate, key) = (path(certificate), path(key));
        let pair = read_pair(provider, certificate, key)?;
        self.0.retain(|(file, _)| file != certificate);
        self.0.push((certificate.to_owned(), Arc::new(pair)));
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest one that can sign with one of the schemes: if there are such, one
    /// that is for the name.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let able = || {
            let newest = self.0.iter().rev().map(|(_, pair)| pair);
            newest.filter(|pair| pair.key.choose_scheme(schemes).is_some())
        };
        let named = name.and_then(|name| able().find(|pair| is_for(pair, name)));
        named.or_else(|| able().next()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // With one that the client cannot use, the error says what they do not agree on.
        self.choose(hello.server_name(), hello.signature_schemes())
            .or_else(|| self.0.last().map(|(_, pair)| pair.clone()))
    }
}

impl ResolvesClientCert for Certificates {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.choose(None, schemes)
    }

    fn has_certs(&self) -> bool {
        !self.is_empty()
    }
}

/// Whether a certificate says that it is for a host.
fn is_for(pair: &CertifiedKey, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name) else {
        return false;
    };
    let certificate = pair.end_entity_cert().and_then(ParsedCertificate::try_from);
    certificate.is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("{} has more than {MAX_FILE} bytes", path.display()));
    }
    Ok(bytes)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read_file(path)?;
    let chain = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    match chain {
        Ok(chain) if chain.is_empty() => Err(format!(
            "{} has no certificate in PEM format",
            path.display()
        )),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!(
            "{} is no PEM file of certificates: {error}",
            path.display()
        )),
    }
}

fn read_pair(
    provider: &CryptoProvider,
    certificate: &Path,
    key: &Path,
) -> Result<CertifiedKey, String> {
    let chain = read_certificates(certificate)?;
    let der = PrivateKeyDer::from_pem_slice(&read_file(key)?).map_err(|error| match error {
        pem::Error::NoItemsFound => format!(
            "{} has no private key in PEM format (an encrypted one must be decrypted first)",
            key.display()
        ),
        error => format!("{} is no PEM file of a key: {error}", key.display()),
    })?;
    let signer = provider.key_provider.load_private_key(der);
    let signer =
        signer.map_err(|error| format!("{}: key cannot be used: {error}", key.display()))?;
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        // A certificate of version 1 is not parsed, but others accept it.
        Ok(()) | Err(Error::InvalidCertificate(CertificateError::Other(_))) => Ok(pair),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(format!(
            "the private key in {} is not that of the certificate in {}",
            key.display(),
            certificate.display()
        )),
        Err(error) => Err(format!(
            "{}: certificate cannot be used: {error}",
            certificate.display()
        )),
    }
}

/// The certificates in a file, as those that a client trusts.
pub(crate) fn read_roots(file: &[u8]) -> Result<RootCertStore, String> {
    let file = path(file);
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(read_certificates(file)?);
    if added == 0 {
        return Err(format!(
            "{} has no certificate that can be used",
            file.display()
        ));
    }
    Ok(roots)
}
