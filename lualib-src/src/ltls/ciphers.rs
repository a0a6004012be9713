//! Lists of ciphers as OpenSSL writes them.

#![forbid(unsafe_code)]

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as suite;

/// A cipher, and the words that choose it, its name in OpenSSL first.
struct Cipher {
    suite: SupportedCipherSuite,
    words: &'static [&'static str],
    strength: u16,
    /// Of TLS 1.3, whose ciphers are chosen by their own names alone.
    modern: bool,
}

impl Cipher {
    fn is(&self, word: &str) -> bool {
        self.words.contains(&word) || !self.modern && EVERY.contains(&word)
    }
}

/// Words for every cipher of TLS 1.2 that there is.
const EVERY: [&str; 9] = [
    "ALL", "DEFAULT", "HIGH", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "AEAD",
];

/// In the order of preference that `DEFAULT` stands for.
static CIPHERS: [Cipher; 9] = [
    Cipher {
        suite: suite::TLS13_AES_256_GCM_SHA384,
        words: &["TLS_AES_256_GCM_SHA384"],
        strength: 256,
        modern: true,
    },
    Cipher {
        suite: suite::TLS13_CHACHA20_POLY1305_SHA256,
        words: &["TLS_CHACHA20_POLY1305_SHA256"],
        strength: 256,
        modern: true,
    },
    Cipher {
        suite: suite::TLS13_AES_128_GCM_SHA256,
        words: &["TLS_AES_128_GCM_SHA256"],
        strength: 128,
        modern: true,
    },
    Cipher {
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        words: &[
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "ECDSA",
            "aECDSA",
            "AES",
            "AESGCM",
            "AES256",
        ],
        strength: 256,
        modern: false,
    },
    Cipher {
        suite: suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        words: &[
            "ECDHE-RSA-AES256-GCM-SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "aRSA",
            "AES",
            "AESGCM",
            "AES256",
        ],
        strength: 256,
        modern: false,
    },
    Cipher {
        suite: suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        words: &[
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "ECDSA",
            "aECDSA",
            "CHACHA20",
        ],
        strength: 256,
        modern: false,
    },
    Cipher {
        suite: suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        words: &[
            "ECDHE-RSA-CHACHA20-POLY1305",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "aRSA",
            "CHACHA20",
        ],
        strength: 256,
        modern: false,
    },
    Cipher {
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        words: &[
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "ECDSA",
            "aECDSA",
            "AES",
            "AESGCM",
            "AES128",
        ],
        strength: 128,
        modern: false,
    },
    Cipher {
        suite: suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        words: &[
            "ECDHE-RSA-AES128-GCM-SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "aRSA",
            "AES",
            "AESGCM",
            "AES128",
        ],
        strength: 128,
        modern: false,
    },
];

/// The ciphers that a list names, the preferred one first.
///
/// Its elements are names, or words like `ECDSA` and `AES128` joined by `+`; `!`
/// before one bars its ciphers for good, `-` takes them out, `+` puts them last, and
/// `@STRENGTH` sorts. What is not known is passed over, as OpenSSL does. A list that
/// names no cipher of TLS 1.3 leaves those of TLS 1.3 as they are. None if it leaves
/// nothing.
pub(crate) fn choose(list: &str) -> Option<Vec<SupportedCipherSuite>> {
    let mut chosen: Vec<&Cipher> = Vec::new();
    let mut barred: Vec<&'static str> = Vec::new();
    for element in list.split([':', ',', ';', ' ']) {
        if element == "@STRENGTH" {
            chosen.sort_by_key(|cipher| std::cmp::Reverse(cipher.strength));
            continue;
        }
        let words = element.trim_start_matches(['!', '-', '+']);
        let matches = |cipher: &&Cipher| words.split('+').all(|word| cipher.is(word));
        match element.bytes().next() {
            Some(b'!') => {
                chosen.retain(|cipher| !matches(cipher));
                barred.extend(CIPHERS.iter().filter(matches).map(|cipher| cipher.words[0]));
            }
            Some(b'-') => chosen.retain(|cipher| !matches(cipher)),
            Some(b'+') => chosen.sort_by_key(|cipher| matches(cipher)),
            _ => {
                let open = |cipher: &&Cipher| {
                    let same = |other: &&Cipher| other.words[0] == cipher.words[0];
                    !barred.contains(&cipher.words[0]) && !chosen.iter().any(same)
                };
                let new: Vec<_> = CIPHERS.iter().filter(matches).filter(open).collect();
                chosen.extend(new);
            }
        }
    }
    if chosen.is_empty() {
        return None;
    }
    if !chosen.iter().any(|cipher| cipher.modern) {
        let modern = CIPHERS.iter().filter(|cipher| cipher.modern);
        chosen.extend(modern.filter(|cipher| !barred.contains(&cipher.words[0])));
    }
    // TLS 1.3 is preferred whatever the list says; this is the order within each.
    chosen.sort_by_key(|cipher| !cipher.modern);
    Some(chosen.iter().map(|cipher| cipher.suite).collect())
}

/// The names of all ciphers, for messages.
pub(crate) fn names() -> String {
    let names: Vec<&str> = CIPHERS.iter().map(|cipher| cipher.words[0]).collect();
    names.join(":")
}
