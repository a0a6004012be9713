//! BSON without Lua: what elements look like, and a reader that takes any bytes
//! whatsoever.
//!
//! A document is its size (four bytes, counting themselves), its elements and a
//! zero. An element is a byte for its kind, its key, a zero, and its value. All
//! numbers are little-endian.
#![forbid(unsafe_code)]

pub const REAL: u8 = 1;
pub const STRING: u8 = 2;
pub const DOCUMENT: u8 = 3;
pub const ARRAY: u8 = 4;
pub const BINARY: u8 = 5;
pub const OBJECTID: u8 = 7;
pub const BOOLEAN: u8 = 8;
pub const DATE: u8 = 9;
pub const NULL: u8 = 10;
pub const REGEX: u8 = 11;
pub const DBPOINTER: u8 = 12;
pub const JSCODE: u8 = 13;
pub const SYMBOL: u8 = 14;
pub const CODEWS: u8 = 15;
pub const INT32: u8 = 16;
pub const TIMESTAMP: u8 = 17;
pub const INT64: u8 = 18;
pub const MINKEY: u8 = 255;
pub const MAXKEY: u8 = 127;

/// The smallest document: a size and a zero.
pub const MIN_SIZE: usize = 5;

/// Why bytes are no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fewer bytes than a value needs, or a size below what it can be.
    Block {
        left: usize,
        need: i64,
    },
    Key,
    Text {
        length: i32,
    },
    Kind(u8),
    End,
}

/// A value. Those that Lua has no type for are given as they stand in the document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Real(f64),
    Integer(i64),
    Boolean(bool),
    Text(&'a [u8]),
    Document(Reader<'a>),
    Array(Reader<'a>),
    /// Milliseconds since 1970.
    Date(i64),
    Other(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element<'a> {
    pub kind: u8,
    pub key: &'a [u8],
    /// Where the value is, from the start of the document's first element.
    pub offset: usize,
    pub value: Value<'a>,
}

/// What is left of a document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reader<'a> {
    rest: &'a [u8],
    size: usize,
}

impl<'a> Reader<'a> {
    /// The document that bytes begin with.
    pub fn document(bytes: &'a [u8]) -> Result<Reader<'a>, Fault> {
        Reader {
            rest: bytes,
            size: bytes.len(),
        }
        .nested()
    }

    pub fn next(&mut self) -> Result<Option<Element<'a>>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let kind = self.array::<1>()?[0];
        let key = self.name()?;
        let offset = self.size - self.rest.len();
        let start = *self;
        let value = match kind {
            REAL => Value::Real(f64::from_le_bytes(self.array()?)),
            BOOLEAN => Value::Boolean(self.array::<1>()?[0] != 0),
            INT32 => Value::Integer(self.int32()?.into()),
            INT64 => Value::Integer(i64::from_le_bytes(self.array()?)),
            DATE => Value::Date(i64::from_le_bytes(self.array()?)),
            DOCUMENT => Value::Document(self.nested()?),
            ARRAY => Value::Array(self.nested()?),
            STRING => {
                let length = self.int32()?;
                if length <= 0 {
                    return Err(Fault::Text { length });
                }
                let text = self.take(length.into())?;
                Value::Text(&text[..text.len() - 1])
            }
            BINARY => {
                let length = self.int32()?;
                // The subtype is in front.
                Value::Other(self.sized(length.into(), 1)?)
            }
            OBJECTID => Value::Other(self.take(12)?),
            TIMESTAMP => Value::Other(self.take(8)?),
            NULL | MINKEY | MAXKEY => Value::Other(&[]),
            REGEX => {
                self.name()?;
                self.name()?;
                Value::Other(start.until(self))
            }
            DBPOINTER => {
                let length = self.int32()?;
                self.sized(length.into(), 12)?;
                Value::Other(start.until(self))
            }
            JSCODE | SYMBOL => {
                let length = self.int32()?;
                self.take(length.into())?;
                Value::Other(start.until(self))
            }
            CODEWS => {
                let length = self.int32()?;
                self.take(i64::from(length) - 4)?;
                Value::Other(start.until(self))
            }
            _ => return Err(Fault::Kind(kind)),
        };
        Ok(Some(Element {
            kind,
            key,
            offset,
            value,
        }))
    }

    fn nested(&mut self) -> Result<Reader<'a>, Fault> {
        let size = self.int32()?;
        let rest = self.take(i64::from(size) - MIN_SIZE as i64)?;
        if self.array()? != [0] {
            return Err(Fault::End);
        }
        Ok(Reader {
            rest,
            size: rest.len(),
        })
    }

    /// What was read between this state of a reader and a later one.
    fn until(&self, later: &Reader<'a>) -> &'a [u8] {
        &self.rest[..self.rest.len() - later.rest.len()]
    }

    fn take(&mut self, count: i64) -> Result<&'a [u8], Fault> {
        let fault = Fault::Block {
            left: self.rest.len(),
            need: count,
        };
        let count = usize::try_from(count).map_err(|_| fault)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(fault)?;
        self.rest = rest;
        Ok(taken)
    }

    /// As many bytes as a size, which is not negative, says, and some more.
    fn sized(&mut self, size: i64, more: i64) -> Result<&'a [u8], Fault> {
        let need = if size < 0 { size } else { size + more };
        self.take(need)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as i64)?);
        Ok(array)
    }

    fn int32(&mut self) -> Result<i32, Fault> {
        self.array().map(i32::from_le_bytes)
    }

    /// The bytes in front of the next zero.
    fn name(&mut self) -> Result<&'a [u8], Fault> {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let name = self.take(end.ok_or(Fault::Key)? as i64)?;
        self.take(1)?;
        Ok(name)
    }
}

/// The index, from 1, that an array's key stands for: the number it begins with, or
/// the first.
pub fn array_index(key: &[u8]) -> i64 {
    let key = key.trim_ascii_start();
    let (negative, digits) = match key {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, key),
    };
    let number = digits
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0_i64, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add((digit - b'0').into())
        });
    let number = if negative { -number } else { number };
    (number as i32).wrapping_add(1).into()
}
