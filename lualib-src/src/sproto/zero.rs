//! The packing of zeros, without Lua.
//!
//! Bytes are taken in words of 8, zeros fill up the last one. A word becomes a
//! byte whose bits say which of its bytes are not zero, and those bytes. A word
//! without a zero starts a run instead: 0xff, the number of words less one, and the
//! words as they are; words with at most two zeros continue it, up to 256.
#![forbid(unsafe_code)]

use super::wire::{Full, MAX_SIZE, Output};

const WORD: usize = 8;
const RUN: usize = 256;

/// Why bytes cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They end early.
    Truncated,
    Full(Full),
}

impl From<Full> for Fault {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

/// How large so many bytes are at most when they are packed.
pub fn packed_bound(size: usize) -> usize {
    size.saturating_add(size.div_ceil(2048) * 2)
        .saturating_add(2)
}

/// How many bytes of a word are not zero.
#[inline]
fn filled(word: &[u8]) -> usize {
    word.iter().map(|&byte| usize::from(byte != 0)).sum()
}

/// Appends `bytes`, packed.
pub fn pack(bytes: &[u8], out: &mut Output) -> Result<(), Full> {
    if packed_bound(bytes.len()) > MAX_SIZE {
        return Err(Full::Size);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.len().min(WORD));
        if filled(word) < WORD {
            let mut packed = [0; 1 + WORD];
            let mut end = 1;
            for (bit, &byte) in word.iter().enumerate() {
                let set = byte != 0;
                packed[0] |= u8::from(set) << bit;
                packed[end] = byte;
                end += usize::from(set);
            }
            out.append(&packed[..end])?;
            rest = after;
            continue;
        }
        let words = 1 + after
            .chunks(WORD)
            .take(RUN - 1)
            .take_while(|word| filled(word) >= WORD - 2)
            .count();
        let size = (words * WORD).min(rest.len());
        let (run, after) = rest.split_at(size);
        // At most RUN words.
        out.append(&[0xff, (words - 1) as u8])?;
        out.append(run)?;
        out.append(&[0; WORD][..words * WORD - size])?;
        rest = after;
    }
    Ok(())
}

/// Appends what `bytes` were packed from, and the zeros that filled it up.
pub fn unpack(bytes: &[u8], out: &mut Output) -> Result<(), Fault> {
    let mut rest = bytes;
    while let Some((&head, after)) = rest.split_first() {
        if head == 0xff {
            let (&words, after) = after.split_first().ok_or(Fault::Truncated)?;
            let size = (usize::from(words) + 1) * WORD;
            let (run, after) = after.split_at_checked(size).ok_or(Fault::Truncated)?;
            out.append(run)?;
            rest = after;
            continue;
        }
        let size = head.count_ones() as usize;
        let (bytes, after) = after.split_at_checked(size).ok_or(Fault::Truncated)?;
        let mut word = [0; WORD];
        let mut bytes = bytes.iter();
        let mut bits = head;
        while bits != 0 {
            let place = word.get_mut(bits.trailing_zeros() as usize);
            if let (Some(place), Some(&byte)) = (place, bytes.next()) {
                *place = byte;
            }
            bits &= bits - 1;
        }
        out.append(&word)?;
        rest = after;
    }
    Ok(())
}
