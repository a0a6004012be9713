//! Certificates for the tests of TLS, made while they run.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// The files of a certificate and its key.
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Makes an authority, and writes its certificate and its key.
pub fn authority(directory: &Path, name: &str) -> (Authority, Pair) {
    let mut params = params(&["authority.test"]);
    // Authorities of one name would be taken for each other.
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let text = key.serialize_pem();
    let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
    let pair = write(directory, name, &issuer.pem(), &text);
    (Authority(issuer), pair)
}

impl Authority {
    /// Writes a certificate for some hosts, and its key.
    pub fn issue(&self, directory: &Path, name: &str, hosts: &[&str]) -> Pair {
        self.sign(directory, name, params(hosts))
    }

    /// As [`issue`](Self::issue), of a time that is over.
    #[allow(dead_code)] // Not every test that has this file needs it.
    pub fn issue_old(&self, directory: &Path, name: &str, hosts: &[&str]) -> Pair {
        let mut params = params(hosts);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.sign(directory, name, params)
    }

    fn sign(&self, directory: &Path, name: &str, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        write(directory, name, &certificate.pem(), &key.serialize_pem())
    }
}

fn params(hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| host.to_string()).collect();
    CertificateParams::new(hosts).unwrap()
}

fn write(directory: &Path, name: &str, certificate: &str, key: &str) -> Pair {
    let pair = Pair {
        certificate: directory.join(format!("{name}.pem")),
        key: directory.join(format!("{name}.key.pem")),
    };
    fs::write(&pair.certificate, certificate).unwrap();
    fs::write(&pair.key, key).unwrap();
    pair
}
