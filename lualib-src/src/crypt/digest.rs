//! Digests and authentication codes: SHA-1, MD5, their HMAC, and three short ones
//! of 64 bits that are this protocol's own.
#![forbid(unsafe_code)]

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use md5::block_api::compress;
use sha1::{Digest, Sha1};

pub fn sha1(text: &[u8]) -> [u8; 20] {
    Sha1::digest(text).into()
}

pub fn md5(text: &[u8]) -> [u8; 16] {
    Md5::digest(text).into()
}

pub fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    // A key of any length is one, which is all that can be wrong.
    Hmac::<Sha1>::new_from_slice(key).map_or([0; 20], |mac| {
        mac.chain_update(text).finalize().into_bytes().into()
    })
}

pub fn hmac_md5(key: &[u8], text: &[u8]) -> [u8; 16] {
    // As in hmac_sha1.
    Hmac::<Md5>::new_from_slice(key).map_or([0; 16], |mac| {
        mac.chain_update(text).finalize().into_bytes().into()
    })
}

/// Two hashes of 32 bits, little-endian: Bernstein's, which adds, and Sobel's.
pub fn hashkey(text: &[u8]) -> [u8; 8] {
    let mut bernstein = 5381_u32;
    let mut sobel = 1_315_423_911_u32;
    for byte in text {
        let byte = u32::from(*byte);
        bernstein = bernstein.wrapping_mul(33).wrapping_add(byte);
        sobel ^= (sobel << 5).wrapping_add(byte).wrapping_add(sobel >> 2);
    }
    join(bernstein, sobel)
}

fn join(low: u32, high: u32) -> [u8; 8] {
    (u64::from(high) << 32 | u64::from(low)).to_le_bytes()
}

/// The state that MD5 starts from.
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// One code for two keys: the rounds of MD5 over one block without padding or
/// length, in which the keys stand four times, each with its halves exchanged. What
/// MD5 adds at its end is left out, and the four words are folded into two.
pub fn hmac64(x: [u8; 8], y: [u8; 8]) -> [u8; 8] {
    let mut block = [0; 64];
    for part in block.chunks_exact_mut(16) {
        part[0..4].copy_from_slice(&x[4..8]);
        part[4..8].copy_from_slice(&x[0..4]);
        part[8..12].copy_from_slice(&y[4..8]);
        part[12..16].copy_from_slice(&y[0..4]);
    }
    let mut state = START;
    compress(&mut state, &[block]);
    for (word, start) in state.iter_mut().zip(START) {
        *word = word.wrapping_sub(start);
    }
    let [a, b, c, d] = state;
    join(c ^ d, a ^ b)
}

/// The MD5 of both keys, three times over, with its halves folded into one.
pub fn hmac64_md5(x: [u8; 8], y: [u8; 8]) -> [u8; 8] {
    let mut text = [0; 48];
    for part in text.chunks_exact_mut(16) {
        part[..8].copy_from_slice(&x);
        part[8..].copy_from_slice(&y);
    }
    let digest = md5(&text);
    std::array::from_fn(|i| digest[i] ^ digest[i + 8])
}

/// [`hmac64`] of a text's [`hashkey`].
pub fn hmac_hash(key: [u8; 8], text: &[u8]) -> [u8; 8] {
    hmac64(hashkey(text), key)
}
