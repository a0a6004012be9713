//! Bytes as text and back: hexadecimal, base64, and exclusive or with a string.
#![forbid(unsafe_code)]

/// The text is no encoding of anything.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes two lower-case digits for each byte; `out` has room for exactly those.
pub fn hex_encode(bytes: &[u8], out: &mut [u8]) {
    for (byte, digits) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

/// What is no digit, of hexadecimal or base64: a number that no digit stands for, with
/// the highest bit.
const NONE: u8 = 0xff;

/// What a digit stands for. Everything but `0` to `9` is counted from `a`, which is
/// 10: the nine characters in front of `a` and the `g` after `f` count on in both
/// directions, and upper case is no digit. Programs may rely on it by accident.
const fn hex_digit(digit: u8) -> u8 {
    let value = if digit.is_ascii_digit() {
        digit - b'0'
    } else {
        digit.wrapping_sub(b'a' - 10)
    };
    if value <= 16 { value } else { NONE }
}

const HEX_VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut digit = 0;
    while digit < values.len() {
        values[digit] = hex_digit(digit as u8);
        digit += 1;
    }
    values
};

/// Writes one byte for each pair of digits; `out` has room for exactly those.
pub fn hex_decode(text: &[u8], out: &mut [u8]) -> Result<(), Invalid> {
    let mut all = 0;
    for (digits, byte) in text.as_chunks::<2>().0.iter().zip(out) {
        let [high, low] = digits.map(|digit| HEX_VALUES[usize::from(digit)]);
        all |= high | low;
        *byte = high << 4 | low;
    }
    if all & 0x80 == 0 {
        Ok(())
    } else {
        Err(Invalid)
    }
}

/// How long the base64 text for so many bytes is, with its padding.
pub fn base64_size(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Writes the base64 text of the bytes and returns its length, which is
/// [`base64_size`] and must fit into `out`.
pub fn base64_encode(bytes: &[u8], out: &mut [u8]) -> Result<usize, Invalid> {
    let size = base64_size(bytes.len());
    let out = out.get_mut(..size).ok_or(Invalid)?;
    let (groups, rest) = bytes.as_chunks::<3>();
    let (places, _) = out.as_chunks_mut::<4>();
    let mut places = places.iter_mut();
    for (&[a, b, c], place) in groups.iter().zip(&mut places) {
        let [first, second] = pair(u16::from(a) << 4 | u16::from(b >> 4));
        let [third, fourth] = pair(u16::from(b) << 8 | u16::from(c));
        *place = [first, second, third, fourth];
    }
    match (rest, places.next()) {
        (&[a, b], Some(place)) => {
            let [first, second] = pair(u16::from(a) << 4 | u16::from(b >> 4));
            *place = [first, second, digit(usize::from(b) << 2), b'='];
        }
        (&[a], Some(place)) => {
            let [first, second] = pair(u16::from(a) << 4);
            *place = [first, second, b'=', b'='];
        }
        _ => {}
    }
    Ok(size)
}

/// The digit for the lower six bits.
const fn digit(bits: usize) -> u8 {
    ALPHABET[bits & 63]
}

/// The two digits for the lower twelve bits, from a table: half as many steps.
fn pair(bits: u16) -> [u8; 2] {
    PAIRS[usize::from(bits & 0xfff)]
}

/// The most bytes that a base64 text of this length stands for.
pub fn base64_room(text: usize) -> usize {
    text.div_ceil(4) * 3
}

/// The padding sign, which is no digit either.
const PADDING: u8 = 0xfe;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static PAIRS: [[u8; 2]; 4096] = {
    let mut pairs = [[0; 2]; 4096];
    let mut i = 0;
    while i < pairs.len() {
        pairs[i] = [digit(i >> 6), digit(i)];
        i += 1;
    }
    pairs
};

const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values[b'=' as usize] = PADDING;
    values
};

/// Writes the bytes that a base64 text stands for and returns their number; `out`
/// has room for [`base64_room`] of the text.
///
/// Characters of no meaning are skipped, padding may be missing at the end, and
/// more text may follow padding. But there must be something to decode in each
/// group of four that begins, so a text cannot end in characters that are skipped,
/// unless they are within a group.
pub fn base64_decode(text: &[u8], out: &mut [u8]) -> Result<usize, Invalid> {
    let mut rest = text;
    let mut written = 0;
    loop {
        let (plain, bytes) = decode_plain(rest, out.get_mut(written..).unwrap_or_default());
        written += bytes;
        rest = &rest[plain..];
        if rest.is_empty() {
            return Ok(written);
        }
        let (group, after) = next_group(rest);
        rest = after;
        let bytes = decode_group(group)?;
        let size = bytes.1;
        let Some(place) = out.get_mut(written..written + size) else {
            return Err(Invalid);
        };
        place.copy_from_slice(&bytes.0[..size]);
        written += size;
    }
}

/// Decodes the groups of four digits that a text begins with. Returns the lengths of
/// what was read and written.
fn decode_plain(text: &[u8], out: &mut [u8]) -> (usize, usize) {
    let (groups, places) = (text.as_chunks::<4>().0, out.as_chunks_mut::<3>().0);
    let mut count = 0;
    for (group, place) in groups.iter().zip(places) {
        let [a, b, c, d] = group.map(|character| VALUES[usize::from(character)]);
        if (a | b | c | d) & 0x80 != 0 {
            break;
        }
        *place = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        count += 1;
    }
    (count * 4, count * 3)
}

/// The next four values of the text, and what follows them.
fn next_group(text: &[u8]) -> ([u8; 4], &[u8]) {
    let mut group = [PADDING; 4];
    let mut count = 0;
    for (at, character) in text.iter().enumerate() {
        let value = VALUES[usize::from(*character)];
        if value == NONE {
            continue;
        }
        group[count] = value;
        count += 1;
        if count == group.len() {
            return (group, &text[at + 1..]);
        }
    }
    (group, &[])
}

/// Up to three bytes, and how many they are. The bits that a group with padding has
/// left over must be zero.
fn decode_group(group: [u8; 4]) -> Result<([u8; 3], usize), Invalid> {
    let padding = group.iter().filter(|value| **value == PADDING).count();
    let [a, b, c, d] = group;
    match (padding, c, d) {
        (0, _, _) => Ok(([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d], 3)),
        (1, _, PADDING) if c & 0x3 == 0 => Ok(([a << 2 | b >> 4, b << 4 | c >> 2, 0], 2)),
        (2, PADDING, PADDING) if b & 0xf == 0 => Ok(([a << 2 | b >> 4, 0, 0], 1)),
        _ => Err(Invalid),
    }
}

/// Writes the text with each byte changed by the key's, which repeats. The key has
/// at least one byte, and `out` the text's length.
pub fn xor(text: &[u8], key: &[u8], out: &mut [u8]) {
    let keys = key.iter().cycle();
    for ((byte, key), out) in text.iter().zip(keys).zip(out) {
        *out = byte ^ key;
    }
}
