//! New inputs from those that are there.
#![forbid(unsafe_code)]

use crate::random::Random;

/// Numbers at which parsers go another way.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
];

/// Turns an input into another one of at most `longest` bytes. `others` are inputs to
/// take pieces of, `words` what the format is made of.
pub fn mutate(
    input: &mut Vec<u8>,
    random: &mut Random,
    others: &[Vec<u8>],
    words: &[Vec<u8>],
    longest: usize,
) {
    // Mostly one change, sometimes several.
    let mut changes = 1;
    while changes < 8 && random.once_in(2) {
        changes += 1;
    }
    for _ in 0..changes {
        change(input, random, others, words);
        input.truncate(longest);
    }
}

fn change(input: &mut Vec<u8>, random: &mut Random, others: &[Vec<u8>], words: &[Vec<u8>]) {
    match random.below(if words.is_empty() { 12 } else { 15 }) {
        0 => {
            if let Some(byte) = any(input, random) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            let new = random.byte();
            if let Some(byte) = any(input, random) {
                *byte = new;
            }
        }
        2 => {
            let by = 1 + random.below(8) as u8;
            let up = random.once_in(2);
            if let Some(byte) = any(input, random) {
                *byte = byte.wrapping_add(if up { by } else { by.wrapping_neg() });
            }
        }
        3 => {
            let new = random.byte();
            let at = random.below(input.len() + 1);
            input.insert(at, new);
        }
        4 | 5 => {
            let range = piece(input, random);
            input.drain(range);
        }
        6 => {
            // A piece once more, or some times.
            let range = piece(input, random);
            let copy = input[range.clone()].repeat(1 + random.below(4));
            input.splice(range.end..range.end, copy);
        }
        7 => number(input, random),
        8 => {
            let other = random.pick(others);
            let part = other[piece(other, random)].to_vec();
            let at = random.below(input.len() + 1);
            input.splice(at..at, part);
        }
        9 => {
            // The end of another one.
            let other = random.pick(others);
            let from = random.below(other.len() + 1);
            input.truncate(random.below(input.len() + 1));
            input.extend_from_slice(&other[from..]);
        }
        10 => input.truncate(random.below(input.len() + 1)),
        11 => {
            let range = piece(input, random);
            let new = if random.once_in(2) { 0 } else { random.byte() };
            input[range].fill(new);
        }
        _ => {
            let word = random.pick(words);
            let at = random.below(input.len() + 1);
            let end = if random.once_in(2) {
                at
            } else {
                input.len().min(at + word.len())
            };
            input.splice(at..end, word.iter().copied());
        }
    }
}

fn any<'a>(input: &'a mut [u8], random: &mut Random) -> Option<&'a mut u8> {
    let at = random.below(input.len().max(1));
    input.get_mut(at)
}

/// A part of an input, short more often than long.
fn piece(input: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let start = random.below(input.len() + 1);
    let left = input.len() - start;
    let most = if random.once_in(4) { left } else { left.min(8) };
    start..start + random.below(most + 1)
}

/// Writes an edge, or something near the number of bytes that follow, as a number of 1,
/// 2, 4 or 8 bytes in either order.
fn number(input: &mut [u8], random: &mut Random) {
    let size = *random.pick(&[1, 2, 4, 8]);
    if input.len() < size {
        return;
    }
    let at = random.below(input.len() - size + 1);
    let left = (input.len() - at - size) as u64;
    let near = random.below(5) as u64;
    let value = match random.below(3) {
        0 => *random.pick(&EDGES),
        1 => left.wrapping_add(near).wrapping_sub(2),
        _ => random.pick(&EDGES).wrapping_add(near).wrapping_sub(2),
    };
    let place = &mut input[at..at + size];
    if random.once_in(2) {
        place.copy_from_slice(&value.to_le_bytes()[..size]);
    } else {
        place.copy_from_slice(&value.to_be_bytes()[8 - size..]);
    }
}
