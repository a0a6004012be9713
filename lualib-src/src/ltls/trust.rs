//! Which servers a client talks to.

#![forbid(unsafe_code)]

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Accepts servers whose certificate leads to one of the roots, is valid today and is
/// for the host's name; without roots, any server.
pub(crate) fn verifier(
    provider: &Arc<CryptoProvider>,
    roots: Option<&Arc<RootCertStore>>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let Some(roots) = roots else {
        return Ok(Arc::new(Anyone));
    };
    match WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build() {
        Ok(chains) => Ok(Arc::new(Known {
            chains,
            roots: roots.clone(),
        })),
        Err(error) => Err(error.to_string()),
    }
}

/// Accepts what a root has signed, and a root itself: a certificate that somebody made
/// for a server, without an authority, is trusted by being one.
#[derive(Debug)]
struct Known {
    chains: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
}

impl Known {
    fn is_root(&self, certificate: &CertificateDer<'_>) -> bool {
        let anchor = webpki::anchor_from_trusted_cert(certificate);
        anchor.is_ok_and(|anchor| self.roots.roots.contains(&anchor))
    }
}

/// Whether the one thing that was wrong with a certificate is that it is an
/// authority's. The dates have been looked at by then, the name has not.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    matches!(
        other.0.downcast_ref(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self
            .chains
            .verify_server_cert(certificate, chain, name, ocsp, now);
        match verdict {
            Err(error) if is_authority(&error) && self.is_root(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Accepts every certificate, whatever is in it. The signatures are not looked at
/// either: of somebody unknown they prove nothing, and the certificates that people
/// make for themselves may be of a kind that cannot be parsed here.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
        ]
    }
}
