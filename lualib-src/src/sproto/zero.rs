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

/// Writes a word that is not full, packed, to the start of `place`, which has room.
/// Returns its size.
#[inline]
fn pack_word(word: u64, place: &mut [u8]) -> usize {
    let mut head = 0;
    let mut end = 1;
    let mut bits = filled_bits(word);
    while bits != 0 {
        let bit = bits.trailing_zeros() / 8;
        head |= 1 << bit;
        if let Some(place) = place.get_mut(end) {
            *place = (word >> (bit * 8)) as u8;
        }
        end += 1;
        bits &= bits - 1;
    }
    if let Some(place) = place.first_mut() {
        *place = head;
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

/// How many bytes are unpacked from `bytes`.
fn unpacked_size(bytes: &[u8]) -> Result<usize, Fault> {
    let mut rest = bytes;
    let mut words = 0_usize;
    while let Some((&head, after)) = rest.split_first() {
        let mut size = head.count_ones() as usize;
        words += 1;
        if head == 0xff {
            let more = usize::from(*after.first().ok_or(Fault::Truncated)?);
            words += more;
            size = 1 + (more + 1) * WORD;
        }
        rest = after.get(size..).ok_or(Fault::Truncated)?;
    }
    // Not more than 8 times as many as there are: no overflow.
    Ok(words * WORD)
}

/// Appends what `bytes` were packed from, and the zeros that filled it up.
pub fn unpack(bytes: &[u8], out: &mut Output) -> Result<(), Fault> {
    let size = unpacked_size(bytes)?;
    let mut place = out.space(size).map_err(Fault::Full)?;
    let mut rest = bytes;
    while let Some((&head, after)) = rest.split_first() {
        if head == 0xff {
            let words = after.first().map_or(0, |&more| usize::from(more) + 1);
            let (run, after) = after
                .split_at_checked(1 + words * WORD)
                .ok_or(Fault::Truncated)?;
            let (to, next) = place
                .split_at_mut_checked(words * WORD)
                .ok_or(Fault::Truncated)?;
            to.copy_from_slice(&run[1..]);
            place = next;
            rest = after;
            continue;
        }
        let (to, next) = place
            .split_first_chunk_mut::<WORD>()
            .ok_or(Fault::Truncated)?;
        let mut word = 0;
        let mut bits = head;
        let mut bytes = after.iter();
        while bits != 0 {
            let &byte = bytes.next().ok_or(Fault::Truncated)?;
            word |= u64::from(byte) << (bits.trailing_zeros() * 8);
            bits &= bits - 1;
        }
        *to = word.to_le_bytes();
        place = next;
        rest = bytes.as_slice();
    }
    Ok(())
}
