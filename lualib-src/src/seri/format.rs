//! The wire format of `skynet.pack`, without Lua: how a value's head is written,
//! and a reader that takes any bytes whatsoever.
//!
//! A stream is a row of values. Each starts with a byte whose low three bits are
//! its type and whose high five bits are a detail of the type:
//!
//! | type | detail | follows |
//! |---|---|---|
//! | 0 nil | | |
//! | 1 boolean | 0 false, else true | |
//! | 2 number | 0 | the integer zero |
//! | | 1, 2 | 1 or 2 bytes, unsigned |
//! | | 4, 6 | 4 or 8 bytes, signed |
//! | | 8 | a double |
//! | 3 light userdata | | an address |
//! | 4 short string | its length | its bytes |
//! | 5 long string | 2 or 4 | a length of that many bytes, the bytes |
//! | 6 table | length of its array part, up to 30 | the array's values, key and value pairs, nil |
//! | | 31 | an integer, which is the array's length, then as above |
//!
//! Numbers are little-endian, as on every machine that skynet runs on. An integer
//! takes the shortest form that holds it, except that negative ones start at 4
//! bytes.
#![forbid(unsafe_code)]

use std::ffi::CStr;

const NIL: u8 = 0;
const BOOLEAN: u8 = 1;
const NUMBER: u8 = 2;
const POINTER: u8 = 3;
const SHORT_STRING: u8 = 4;
const LONG_STRING: u8 = 5;
const TABLE: u8 = 6;

const NUMBER_ZERO: u8 = 0;
const NUMBER_1: u8 = 1;
const NUMBER_2: u8 = 2;
const NUMBER_4: u8 = 4;
const NUMBER_8: u8 = 6;
const NUMBER_REAL: u8 = 8;

/// The detail of a table that writes the length of its array part apart.
const ARRAY_APART: u8 = 31;

/// What fits in a `c_int`, which is what Lua passes sizes in.
pub const MAX_SIZE: usize = i32::MAX as usize;

/// How deep tables nest at most in a packed value: the outermost has level 0.
pub const MAX_PACK_LEVEL: u32 = 32;

/// How deep they nest at most in a stream that is read. Nothing that `pack`
/// writes comes near; it bounds the C stack that reading takes.
pub const MAX_UNPACK_LEVEL: u32 = 200;

const ADDRESS: usize = size_of::<usize>();

/// The first bytes of a value, all of it unless it is a string or a table.
#[derive(Clone, Copy)]
pub struct Head {
    /// Type and detail.
    pub tag: u8,
    /// What follows, little-endian, as far as `len` goes.
    pub payload: u64,
    /// How many bytes the head has, the tag included.
    pub len: usize,
}

impl Head {
    /// Bytes of the longest head.
    pub const MAX: usize = 1 + size_of::<u64>();

    #[inline(always)]
    fn new(kind: u8, detail: u8, payload: u64, width: usize) -> Self {
        Self {
            tag: kind | (detail << 3),
            payload,
            len: 1 + width,
        }
    }

    #[inline(always)]
    pub fn nil() -> Self {
        Self::new(NIL, 0, 0, 0)
    }

    #[inline(always)]
    pub fn boolean(value: bool) -> Self {
        Self::new(BOOLEAN, value.into(), 0, 0)
    }

    #[inline(always)]
    pub fn integer(value: i64) -> Self {
        let (detail, width) = match value {
            0 => (NUMBER_ZERO, 0),
            1..=0xff => (NUMBER_1, 1),
            0x100..=0xffff => (NUMBER_2, 2),
            _ if i32::try_from(value).is_ok() => (NUMBER_4, 4),
            _ => (NUMBER_8, 8),
        };
        Self::new(NUMBER, detail, value as u64, width)
    }

    #[inline(always)]
    pub fn real(value: f64) -> Self {
        Self::new(NUMBER, NUMBER_REAL, value.to_bits(), 8)
    }

    #[inline(always)]
    pub fn pointer(address: usize) -> Self {
        Self::new(POINTER, 0, address as u64, ADDRESS)
    }

    /// The head of a string; its bytes follow.
    #[inline(always)]
    pub fn string(len: u32) -> Self {
        match len {
            0..32 => Self::new(SHORT_STRING, len as u8, 0, 0),
            32..=0xffff => Self::new(LONG_STRING, 2, len.into(), 2),
            _ => Self::new(LONG_STRING, 4, len.into(), 4),
        }
    }

    /// The head of a table whose array part has `array` values, in two parts if
    /// it takes them. The values follow, then the other keys and values, then nil.
    #[inline(always)]
    pub fn table(array: u32) -> (Self, Option<Self>) {
        if array < ARRAY_APART.into() {
            (Self::new(TABLE, array as u8, 0, 0), None)
        } else {
            let apart = Self::new(TABLE, ARRAY_APART, 0, 0);
            (apart, Some(Self::integer(array.into())))
        }
    }
}

/// Why bytes are no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How many bytes were left where reading stopped.
    pub remaining: usize,
    pub reason: &'static CStr,
}

/// One step in a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    Nil,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Pointer(usize),
    Bytes(&'a [u8]),
    /// A table starts, with an array part of that length.
    Table(u64),
}

/// Reads a stream from its start.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream }
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[cold]
    pub fn fault(&self, reason: &'static CStr) -> Fault {
        Fault {
            remaining: self.rest.len(),
            reason,
        }
    }

    #[inline(always)]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.fault(c"the stream ends within a value")),
        }
    }

    #[inline(always)]
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        match self.rest.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.fault(c"a string is longer than the stream")),
        }
    }

    #[inline(always)]
    fn integer(&mut self, detail: u8) -> Result<i64, Fault> {
        Ok(match detail {
            NUMBER_ZERO => 0,
            NUMBER_1 => u8::from_le_bytes(self.fixed()?).into(),
            NUMBER_2 => u16::from_le_bytes(self.fixed()?).into(),
            NUMBER_4 => i32::from_le_bytes(self.fixed()?).into(),
            NUMBER_8 => i64::from_le_bytes(self.fixed()?),
            _ => return Err(self.fault(c"unknown kind of number")),
        })
    }

    /// The next step. At the end of the stream this is a fault: see [`is_empty`].
    ///
    /// [`is_empty`]: Self::is_empty
    #[inline(always)]
    pub fn next(&mut self) -> Result<Item<'a>, Fault> {
        let Some((&first, rest)) = self.rest.split_first() else {
            return Err(self.fault(c"the stream ends within a table"));
        };
        self.rest = rest;
        let detail = first >> 3;
        Ok(match first & 7 {
            NIL => Item::Nil,
            BOOLEAN => Item::Boolean(detail != 0),
            NUMBER if detail == NUMBER_REAL => Item::Real(f64::from_le_bytes(self.fixed()?)),
            NUMBER => Item::Integer(self.integer(detail)?),
            POINTER => Item::Pointer(usize::from_le_bytes(self.fixed::<ADDRESS>()?)),
            SHORT_STRING => Item::Bytes(self.bytes(detail.into())?),
            LONG_STRING => {
                let len = match detail {
                    2 => u16::from_le_bytes(self.fixed()?).into(),
                    4 => u32::from_le_bytes(self.fixed()?),
                    _ => return Err(self.fault(c"unknown kind of string")),
                };
                Item::Bytes(self.bytes(len as usize)?)
            }
            TABLE if detail == ARRAY_APART => Item::Table(self.array_length()?),
            TABLE => Item::Table(detail.into()),
            _ => return Err(self.fault(c"unknown type")),
        })
    }

    fn array_length(&mut self) -> Result<u64, Fault> {
        let [first] = self.fixed()?;
        let length = match first & 7 {
            NUMBER => self.integer(first >> 3)?,
            _ => return Err(self.fault(c"the length of an array is no integer")),
        };
        u64::try_from(length).map_err(|_| self.fault(c"the length of an array is negative"))
    }
}

/// What a whole stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Values that are in no table.
    pub values: usize,
    /// Tables, on every level.
    pub tables: usize,
}

/// Reads a whole stream, and so proves that it can be read. For each table, in
/// the order of their heads, `pairs` gets the number of its keys and values
/// outside the array part, as far as it has room.
///
/// Besides [`Reader`]'s faults these are found: an array part that is longer than
/// the stream, a key that is not a number, tables nested too deep.
pub fn survey(stream: &[u8], pairs: &mut [u32]) -> Result<Survey, Fault> {
    let mut surveyor = Surveyor {
        reader: Reader::new(stream),
        pairs,
        tables: 0,
    };
    let mut values = 0;
    while !surveyor.reader.is_empty() {
        let item = surveyor.reader.next()?;
        surveyor.item(item, 0)?;
        values += 1;
    }
    Ok(Survey {
        values,
        tables: surveyor.tables,
    })
}

struct Surveyor<'a, 'p> {
    reader: Reader<'a>,
    pairs: &'p mut [u32],
    tables: usize,
}

impl Surveyor<'_, '_> {
    #[inline(always)]
    fn item(&mut self, item: Item, level: u32) -> Result<(), Fault> {
        match item {
            Item::Table(array) => self.table(array, level),
            _ => Ok(()),
        }
    }

    fn table(&mut self, array: u64, level: u32) -> Result<(), Fault> {
        if level > MAX_UNPACK_LEVEL {
            return Err(self.reader.fault(c"tables are nested too deep"));
        }
        let slot = self.tables;
        self.tables += 1;
        // An array's value takes a byte at least: the loop ends with the stream.
        for _ in 0..array {
            let item = self.reader.next()?;
            self.item(item, level + 1)?;
        }
        let mut count = 0u32;
        loop {
            match self.reader.next()? {
                Item::Nil => break,
                Item::Real(key) if key.is_nan() => {
                    return Err(self.reader.fault(c"a table's key is NaN"));
                }
                key => self.item(key, level + 1)?,
            }
            let value = self.reader.next()?;
            self.item(value, level + 1)?;
            count = count.saturating_add(1);
        }
        if let Some(place) = self.pairs.get_mut(slot) {
            *place = count;
        }
        Ok(())
    }
}
