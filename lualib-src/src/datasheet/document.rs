//! Tables as `skynet.datasheet.dump` writes them: which bytes are a document.
//!
//! All numbers have 32 bits, little endian. A document: where the strings begin, the
//! number of tables, for each table where it begins behind these numbers (or [`GONE`]),
//! the tables, the strings, each with a zero after it. A table: how many values it has
//! under 1, 2, 3, …, how many under strings, a byte for the type of each of them, zeros
//! up to a multiple of four, the values, and then, for each string, that and its value.
//! A string is its place among the strings, a table its number; the first one, 0, is
//! what was dumped.

#![forbid(unsafe_code)]

/// Bytes in front of the numbers that say where tables begin.
pub(crate) const HEADER: usize = 8;
/// Bytes in front of a table's types.
pub(crate) const TABLE_HEADER: usize = 8;
/// Bytes of a number, and of any value.
pub(crate) const WORD: usize = 4;

/// The beginning of a table that an update took away; its number is not used again.
pub(crate) const GONE: u32 = u32::MAX;

pub(crate) const NIL: u8 = 0;
pub(crate) const INTEGER: u8 = 1;
pub(crate) const REAL: u8 = 2;
pub(crate) const BOOLEAN: u8 = 3;
pub(crate) const TABLE: u8 = 4;
pub(crate) const STRING: u8 = 5;

/// Why bytes are no document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something would be outside of it.
    Short,
    /// A table begins in another one.
    Overlap,
    /// There is no such type.
    Type,
}

/// Where the values of a table are, from its beginning.
pub(crate) fn values_at(values: usize) -> usize {
    TABLE_HEADER + values.next_multiple_of(WORD)
}

fn word(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    Ok(u32::from_le_bytes(*word.ok_or(Fault::Short)?))
}

fn size(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    usize::try_from(word(bytes, at)?).map_err(|_| Fault::Short)
}

struct Document<'a> {
    bytes: &'a [u8],
    strings: usize,
    tables: u32,
}

impl Document<'_> {
    /// Checks a value.
    fn check_value(&self, kind: u8, at: usize) -> Result<(), Fault> {
        let value = word(self.bytes, at)?;
        let inside = match kind {
            NIL | INTEGER | REAL | BOOLEAN => true,
            TABLE => value < self.tables,
            // The zero after the last string may be the one that Lua adds.
            STRING => value as usize <= self.bytes.len().saturating_sub(self.strings),
            _ => return Err(Fault::Type),
        };
        if inside { Ok(()) } else { Err(Fault::Short) }
    }

    /// Checks a table; how many bytes it has.
    fn check_table(&self, start: usize) -> Result<usize, Fault> {
        let array = size(self.bytes, start)?;
        let pairs = size(self.bytes, start + WORD)?;
        let count = array.checked_add(pairs).ok_or(Fault::Short)?;
        let types = start + TABLE_HEADER;
        let types = self.bytes.get(types..).ok_or(Fault::Short)?;
        let types = types.get(..count).ok_or(Fault::Short)?;
        let (items, named) = types.split_at(array);
        let mut at = start + values_at(count);
        for &kind in items {
            self.check_value(kind, at)?;
            at += WORD;
        }
        for &kind in named {
            self.check_value(STRING, at)?;
            self.check_value(kind, at + WORD)?;
            at += 2 * WORD;
        }
        Ok(at - start)
    }
}

/// Checks that whoever follows the numbers in a document stays inside of it, or of the
/// zero byte after it. The work is in proportion to its size.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let strings = size(bytes, 0)?;
    let tables = word(bytes, WORD)?;
    let document = Document {
        bytes,
        strings,
        tables,
    };
    if tables == 0 || strings > bytes.len() {
        return Err(Fault::Short);
    }
    let first = (tables as usize)
        .checked_mul(WORD)
        .and_then(|size| size.checked_add(HEADER))
        .filter(|&first| first <= bytes.len())
        .ok_or(Fault::Short)?;
    let mut taken = 0;
    for number in 0..tables as usize {
        let start = word(bytes, HEADER + number * WORD)?;
        if start != GONE {
            let start = first.checked_add(start as usize).ok_or(Fault::Short)?;
            taken += document.check_table(start)?;
        }
        if taken > bytes.len() {
            return Err(Fault::Overlap);
        }
    }
    Ok(())
}
