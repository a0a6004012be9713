//! MD5 as a stream cipher in cipher feedback mode: each block of text is combined
//! with the digest of the block that was encrypted before it, followed by the key.
#![forbid(unsafe_code)]

use md5::{Digest, Md5};

/// Most bytes of a seed: a block.
pub const MAX_SEED: usize = 16;

/// What stands in for the block before the first one. In front of an encrypted text
/// it has its length before it.
#[derive(Clone, Copy)]
pub struct Seed {
    /// The length, then the seed, then zeros.
    bytes: [u8; 1 + MAX_SEED],
}

impl Seed {
    /// None if it is longer than a block.
    pub fn new(seed: &[u8]) -> Option<Seed> {
        let mut bytes = [0; 1 + MAX_SEED];
        bytes.get_mut(1..1 + seed.len())?.copy_from_slice(seed);
        bytes[0] = seed.len() as u8;
        Some(Seed { bytes })
    }

    /// The seed in front of an encrypted text, and the rest of it.
    pub fn split(text: &[u8]) -> Option<(Seed, &[u8])> {
        let (length, rest) = text.split_first()?;
        let (seed, rest) = rest.split_at_checked(usize::from(*length))?;
        Some((Seed::new(seed)?, rest))
    }

    /// The form in front of an encrypted text.
    pub fn head(&self) -> &[u8] {
        &self.bytes[..1 + usize::from(self.bytes[0])]
    }

    fn block(&self) -> [u8; MAX_SEED] {
        std::array::from_fn(|i| self.bytes[1 + i])
    }
}

fn code(block: &[u8; MAX_SEED], key: &[u8]) -> [u8; MAX_SEED] {
    Md5::new()
        .chain_update(block)
        .chain_update(key)
        .finalize()
        .into()
}

/// Writes the seed's head and the encrypted text, which fill `out`.
pub fn encrypt(seed: Seed, key: &[u8], text: &[u8], out: &mut [u8]) {
    let (head, out) = out.split_at_mut(seed.head().len());
    head.copy_from_slice(seed.head());
    let mut last = seed.block();
    for (text, out) in text.chunks(MAX_SEED).zip(out.chunks_mut(MAX_SEED)) {
        combine(text, code(&last, key), out);
        last[..out.len()].copy_from_slice(out);
    }
}

/// Writes the plain text, which is as long as the encrypted one without its head.
pub fn decrypt(seed: Seed, key: &[u8], text: &[u8], out: &mut [u8]) {
    let mut last = seed.block();
    for (text, out) in text.chunks(MAX_SEED).zip(out.chunks_mut(MAX_SEED)) {
        combine(text, code(&last, key), out);
        last[..text.len()].copy_from_slice(text);
    }
}

fn combine(text: &[u8], code: [u8; MAX_SEED], out: &mut [u8]) {
    for ((text, code), out) in text.iter().zip(code).zip(out) {
        *out = text ^ code;
    }
}
