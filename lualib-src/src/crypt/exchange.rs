//! Diffie and Hellman's exchange over a prime of 64 bits. It keeps out who listens
//! by accident; it is no match for who means to.
#![forbid(unsafe_code)]

/// The largest prime below 2^64.
const PRIME: u64 = 0xffff_ffff_ffff_ffc5;
const GENERATOR: u64 = 5;

fn multiply(a: u64, b: u64) -> u64 {
    // 2^64 is 59 more than the prime, so each half above it is worth 59.
    const EXCESS: u128 = (1 << 64) - PRIME as u128;
    const LOW: u128 = (1 << 64) - 1;
    let mut product = u128::from(a) * u128::from(b);
    while product > LOW {
        product = (product >> 64) * EXCESS + (product & LOW);
    }
    let product = product as u64;
    if product >= PRIME {
        product - PRIME
    } else {
        product
    }
}

/// `base` to the power of `exponent`, which is not 0. The prime itself is left as
/// it is when the exponent is 1, as the peers of this protocol do.
fn power(base: u64, exponent: u64) -> u64 {
    let base = if base > PRIME { base - PRIME } else { base };
    let mut square = base;
    let mut result = None;
    let mut rest = exponent;
    while rest != 0 {
        if rest & 1 == 1 {
            result = Some(result.map_or(square, |result| multiply(result, square)));
        }
        rest >>= 1;
        if rest != 0 {
            square = multiply(square, square);
        }
    }
    result.unwrap_or(1)
}

/// What to send for a private key; none for the key 0.
pub fn public_key(private: [u8; 8]) -> Option<[u8; 8]> {
    shared_secret(GENERATOR.to_le_bytes(), private)
}

/// What both sides share; none if either number is 0. Numbers are little-endian.
pub fn shared_secret(public: [u8; 8], private: [u8; 8]) -> Option<[u8; 8]> {
    let public = u64::from_le_bytes(public);
    let private = u64::from_le_bytes(private);
    (public != 0 && private != 0).then(|| power(public, private).to_le_bytes())
}
