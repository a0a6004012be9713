//! A document as it grows.
#![forbid(unsafe_code)]

use super::format::*;

/// Why a value cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No memory, or more bytes than a document's size can say.
    Size,
    /// Not UTF-8.
    Text,
    /// A key or a part of a regular expression that ends before its last byte.
    Zero,
    /// The bytes of a special string are not what its kind has.
    Special(u8),
    /// A special string of no known kind.
    Kind(u8),
}

type Written = Result<(), Refusal>;

/// Most bytes of a document.
const MAX_SIZE: usize = i32::MAX as usize;

#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
}

/// Where a document began, to write its size when it ends.
#[must_use]
#[derive(Clone, Copy)]
pub struct Start(usize);

impl Output {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn append(&mut self, bytes: &[u8]) -> Written {
        if bytes.len() > MAX_SIZE - self.bytes.len() {
            return Err(Refusal::Size);
        }
        let reserved = self.bytes.try_reserve(bytes.len());
        reserved.map_err(|_| Refusal::Size)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub fn begin(&mut self) -> Result<Start, Refusal> {
        let start = self.bytes.len();
        self.append(&[0; 4])?;
        Ok(Start(start))
    }

    pub fn end(&mut self, start: Start) -> Written {
        self.append(&[0])?;
        let size = (self.bytes.len() - start.0) as u32;
        self.bytes[start.0..start.0 + 4].copy_from_slice(&size.to_le_bytes());
        Ok(())
    }

    /// Begins an element.
    pub fn head(&mut self, kind: u8, key: &[u8]) -> Written {
        self.append(&[kind])?;
        self.name(key)
    }

    /// Text that a zero ends.
    fn name(&mut self, name: &[u8]) -> Written {
        if name.contains(&0) {
            return Err(Refusal::Zero);
        }
        check_text(name)?;
        self.append(name)?;
        self.append(&[0])
    }

    pub fn integer(&mut self, key: &[u8], value: i64) -> Written {
        match i32::try_from(value) {
            Ok(value) => {
                self.head(INT32, key)?;
                self.append(&value.to_le_bytes())
            }
            Err(_) => {
                self.head(INT64, key)?;
                self.append(&value.to_le_bytes())
            }
        }
    }

    pub fn real(&mut self, key: &[u8], value: f64) -> Written {
        self.head(REAL, key)?;
        self.append(&value.to_le_bytes())
    }

    pub fn boolean(&mut self, key: &[u8], value: bool) -> Written {
        self.head(BOOLEAN, key)?;
        self.append(&[value.into()])
    }

    /// A Lua string: text, or a zero, a kind, and the value of that kind.
    pub fn string(&mut self, key: &[u8], string: &[u8]) -> Written {
        if let [0, kind, value @ ..] = string {
            return self.special(key, *kind, value);
        }
        self.head(STRING, key)?;
        check_text(string)?;
        let length = u32::try_from(string.len() + 1).map_err(|_| Refusal::Size)?;
        self.append(&length.to_le_bytes())?;
        self.append(string)?;
        self.append(&[0])
    }

    fn special(&mut self, key: &[u8], kind: u8, value: &[u8]) -> Written {
        self.head(kind, key)?;
        let wrong = Refusal::Special(kind);
        match kind {
            BINARY => {
                let length = value.len().checked_sub(1).ok_or(wrong)?;
                let length = u32::try_from(length).map_err(|_| Refusal::Size)?;
                self.append(&length.to_le_bytes())?;
                self.append(value)
            }
            OBJECTID if value.len() == 12 => self.append(value),
            TIMESTAMP | INT64 if value.len() == 8 => self.append(value),
            DATE => self.append(&date(value).ok_or(wrong)?),
            REGEX => {
                let (pattern, options) = regex_parts(value).ok_or(wrong)?;
                self.name(pattern)?;
                self.name(options)
            }
            JSCODE | DBPOINTER | SYMBOL | CODEWS => self.append(value),
            NULL | MINKEY | MAXKEY => Ok(()),
            OBJECTID | TIMESTAMP | INT64 => Err(wrong),
            _ => Err(Refusal::Kind(kind)),
        }
    }
}

/// Milliseconds, from seconds as a special string has them.
pub fn date(seconds: &[u8]) -> Option<[u8; 8]> {
    let seconds = u32::from_le_bytes(seconds.try_into().ok()?);
    Some((i64::from(seconds) * 1000).to_le_bytes())
}

/// The pattern and the options of a regular expression, each of which a zero ends.
pub fn regex_parts(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, value) = value.split_last()?;
    let middle = value.iter().rposition(|byte| *byte == 0)?;
    Some((&value[..middle], &value[middle + 1..]))
}

/// Whether text is UTF-8. Halves of surrogate pairs are let through, because Lua
/// programs that took them from elsewhere expect it.
fn check_text(mut text: &[u8]) -> Written {
    while let Err(wrong) = std::str::from_utf8(text) {
        let rest = &text[wrong.valid_up_to()..];
        match rest {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, after @ ..] => text = after,
            _ => return Err(Refusal::Text),
        }
    }
    Ok(())
}
