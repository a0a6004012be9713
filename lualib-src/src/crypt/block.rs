//! DES, one block after another, with padding at the end.
#![forbid(unsafe_code)]

use des::Des;
use des::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// Bytes of a block, and of a key.
pub const BLOCK: usize = 8;

/// How a text is made a multiple of a block. At least one byte is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// 0x80, then zeros.
    Iso7816_4,
    /// As many bytes as are added, each of that value.
    Pkcs7,
}

impl Padding {
    /// Both, in the order of the numbers that Lua programs give.
    pub const ALL: [Padding; 2] = [Padding::Iso7816_4, Padding::Pkcs7];

    fn write(self, room: &mut [u8]) {
        match self {
            Padding::Iso7816_4 => {
                room.fill(0);
                if let Some(first) = room.first_mut() {
                    *first = 0x80;
                }
            }
            Padding::Pkcs7 => room.fill(room.len() as u8),
        }
    }

    /// How many of a text's bytes are padding; none if its end is no padding.
    fn measure(self, text: &[u8]) -> Option<usize> {
        match self {
            Padding::Iso7816_4 => {
                let zeros = text.iter().rev().take_while(|byte| **byte == 0).count();
                let mark = text.iter().rev().nth(zeros);
                (zeros < BLOCK && mark == Some(&0x80)).then_some(zeros + 1)
            }
            Padding::Pkcs7 => {
                let count = usize::from(*text.last()?);
                let start = text.len().checked_sub(count)?;
                let padding = &text[start..];
                let all = padding.iter().all(|byte| usize::from(*byte) == count);
                (all && (1..=BLOCK).contains(&count)).then_some(count)
            }
        }
    }
}

/// The length of a text of so many bytes when it is encrypted.
pub fn encrypted_size(size: usize) -> usize {
    size / BLOCK * BLOCK + BLOCK
}

/// Writes the encrypted text; `out` has [`encrypted_size`] bytes.
pub fn encrypt(key: [u8; BLOCK], text: &[u8], padding: Padding, out: &mut [u8]) {
    let (plain, rest) = out.split_at_mut(text.len());
    plain.copy_from_slice(text);
    padding.write(rest);
    let cipher = Des::new(&key.into());
    for block in out.as_chunks_mut::<BLOCK>().0 {
        cipher.encrypt_block(block.into());
    }
}

/// Writes the plain text and returns its length; none if the text does not end in
/// padding, as with a wrong key. `text` has at least one block and nothing but
/// blocks, `out` as many bytes.
pub fn decrypt(key: [u8; BLOCK], text: &[u8], padding: Padding, out: &mut [u8]) -> Option<usize> {
    out.copy_from_slice(text);
    let cipher = Des::new(&key.into());
    for block in out.as_chunks_mut::<BLOCK>().0 {
        cipher.decrypt_block(block.into());
    }
    Some(out.len() - padding.measure(out)?)
}
