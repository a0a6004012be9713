//! The packing of zeros, without Lua.
//!
//! Bytes are taken in words of 8, zeros fill up the last one. A word becomes a
//! byte whose bits say which of its bytes are not zero, and those bytes. A word
//! without a zero starts a run instead: 0xff, the number of words less one, and the
//! words as they are; words with at most two zeros continue it, up to 256.
#![forbid(unsafe_code)]

use std::iter;

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

/// How large so many bytes are at most when they are packed: a run adds 2 bytes to
/// its words, and 2 zeros at most if its last one is not whole.
pub fn packed_bound(size: usize) -> usize {
    size.saturating_add(size.div_ceil(2048) * 2)
        .saturating_add(2)
}

/// A word of which each byte that is not zero has its highest bit set, and no other.
#[inline]
fn filled_bits(word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    (((word & LOW) + LOW) | word) & !LOW
}

/// The first word of `bytes`, filled up with zeros, and how many of its bytes are
/// not zero.
#[inline]
fn first_word(bytes: &[u8]) -> (u64, usize) {
    let word = match bytes.first_chunk::<WORD>() {
        Some(word) => u64::from_le_bytes(*word),
        None => {
            let shifted = |word, &byte| (word << 8) | u64::from(byte);
            bytes.iter().rev().fold(0, shifted)
        }
    };
    (word, filled_bits(word).count_ones() as usize)
}

/// Room in which a word can be packed without a look at its end.
const AMPLE: usize = 2 * WORD;

/// Writes a word that is not full, packed, to the start of `place`, which has room for
/// it. Returns its size.
#[inline]
fn pack_word(word: u64, place: &mut [u8]) -> usize {
    // Moves the highest bit of each byte into one byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let head = ((filled_bits(word) >> 7).wrapping_mul(GATHER) >> 56) as u8;
    if let Some(place) = place.first_chunk_mut::<AMPLE>() {
        // Without a branch: a byte that is zero is written over by the next one, and the
        // last one by the next word.
        place[0] = head;
        let mut end = 1;
        for byte in word.to_le_bytes() {
            place[end % AMPLE] = byte;
            end += usize::from(byte != 0);
        }
        return end;
    }
    let filled = word.to_le_bytes().into_iter().filter(|byte| *byte != 0);
    let mut end = 0;
    for (place, byte) in place.iter_mut().zip(iter::once(head).chain(filled)) {
        *place = byte;
        end += 1;
    }
    end
}

/// Appends `bytes`, packed.
pub fn pack(bytes: &[u8], out: &mut Output) -> Result<(), Full> {
    let bound = packed_bound(bytes.len());
    if bound > MAX_SIZE {
        return Err(Full::Size);
    }
    let mut place = out.space(bound)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (word, filled) = first_word(rest);
        if filled < WORD {
            let size = pack_word(word, place);
            place = place.get_mut(size..).unwrap_or_default();
            rest = rest.get(WORD..).unwrap_or_default();
            continue;
        }
        let words = 1 + rest
            .chunks(WORD)
            .skip(1)
            .take(RUN - 1)
            .take_while(|word| first_word(word).1 >= WORD - 2)
            .count();
        let (run, after) = rest.split_at(rest.len().min(words * WORD));
        // At most RUN words. What a run's last word lacks is zero already.
        let (head, content) = place.split_at_mut(place.len().min(2));
        head.copy_from_slice(&[0xff, (words - 1) as u8][..head.len()]);
        if let Some(content) = content.get_mut(..run.len()) {
            content.copy_from_slice(run);
        }
        place = content.get_mut(words * WORD..).unwrap_or_default();
        rest = after;
    }
    let unused = place.len();
    out.drop_last(unused);
    Ok(())
}

/// For each head of a word, where its bytes are among those that follow the head. Those
/// that are zero are behind them all.
static SOURCES: [[u8; WORD]; 256] = {
    let mut sources = [[WORD as u8; WORD]; 256];
    let mut head = 0;
    while head < 256 {
        let mut next = 0;
        let mut bit = 0;
        while bit < WORD {
            if head >> bit & 1 != 0 {
                sources[head][bit] = next;
                next += 1;
            }
            bit += 1;
        }
        head += 1;
    }
    sources
};

/// The word of a head and the bytes that follow it, of which it has some.
#[inline]
fn unpack_word(head: u8, content: [u8; WORD]) -> u64 {
    let content = u64::from_le_bytes(content);
    // With the zero for those that are zero.
    let content = u128::from(content).to_le_bytes();
    let sources = &SOURCES[usize::from(head)];
    let bytes = sources
        .iter()
        .map(|source| content[usize::from(*source) % (2 * WORD)]);
    bytes
        .zip(0..)
        .fold(0, |word, (byte, at)| word | u64::from(byte) << (8 * at))
}

/// Appends what `bytes` were packed from, and the zeros that filled it up. After a fault
/// some of it is there.
pub fn unpack(bytes: &[u8], out: &mut Output) -> Result<(), Fault> {
    let mut rest = bytes;
    while let Some((&head, after)) = rest.split_first() {
        if head == 0xff {
            let (&more, after) = after.split_first().ok_or(Fault::Truncated)?;
            let (run, after) = after
                .split_at_checked((usize::from(more) + 1) * WORD)
                .ok_or(Fault::Truncated)?;
            out.append(run).map_err(Fault::Full)?;
            rest = after;
            continue;
        }
        let content = match after.first_chunk::<WORD>() {
            Some(content) => *content,
            None => {
                let mut content = [0; WORD];
                content[..after.len()].copy_from_slice(after);
                content
            }
        };
        let size = head.count_ones() as usize;
        rest = after.get(size..).ok_or(Fault::Truncated)?;
        let word = unpack_word(head, content);
        out.append(&word.to_le_bytes()).map_err(Fault::Full)?;
    }
    Ok(())
}
