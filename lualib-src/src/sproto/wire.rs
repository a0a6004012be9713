//! The wire format, without Lua: a reader that takes any bytes whatsoever, and a
//! writer that takes no more memory than a message may have.
//!
//! A message is a row of 16-bit records, their number before them, and after them
//! the data of the fields that need some. A record belongs to the tag after the
//! previous one's, and is
//!
//! * odd: no field; half of it, rounded down, and one more are the tags passed over;
//! * 0: a field with data: a 32-bit length and so many bytes;
//! * else a field whose value is half of it, less one.
//!
//! An array is data too: of integers and doubles a byte that is 4 or 8 and then
//! integers of that size, of booleans a byte each, of strings and structs each with
//! its length. All numbers are little-endian.
#![forbid(unsafe_code)]

/// A message's size must not be more, nor what it unpacks to.
pub const MAX_SIZE: usize = 0x100_0000;

/// What a field's record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Small(u16),
    Data(&'a [u8]),
}

/// What a message's reader comes upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A field's tag and value.
    Field(u32, Part<'a>),
    /// Tags that are passed over.
    Skip,
    /// The last record was read.
    End,
    /// A field's data is not all there.
    Cut,
}

fn word(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_le_bytes(*word), rest))
}

/// The data at the start of `bytes`, and what follows it.
#[inline]
fn data(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// A reader of a message's records.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    records: &'a [u8],
    rest: &'a [u8],
    tag: u32,
}

impl<'a> Message<'a> {
    /// `None` if the records are not all there.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (count, rest) = word(bytes)?;
        let (records, rest) = rest.split_at_checked(usize::from(count) * 2)?;
        Some(Self {
            records,
            rest,
            tag: 0,
        })
    }

    /// How many records are left.
    pub fn record_count(&self) -> usize {
        self.records.len() / 2
    }

    /// Reads the next record.
    #[inline]
    pub fn step(&mut self) -> Step<'a> {
        let Some((value, records)) = word(self.records) else {
            return Step::End;
        };
        self.records = records;
        let tag = self.tag;
        self.tag += 1;
        if value & 1 != 0 {
            self.tag += u32::from(value / 2);
            return Step::Skip;
        }
        if value != 0 {
            return Step::Field(tag, Part::Small(value / 2 - 1));
        }
        match data(self.rest) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Step::Field(tag, Part::Data(bytes))
            }
            None => Step::Cut,
        }
    }

    /// The bytes after what was read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// An array's strings or structs. An element that is not all there is `None`, and
/// the last.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many elements there are; `None` if one of them is not all there.
    pub fn count_all(mut self) -> Option<usize> {
        let mut count = 0;
        while !self.rest.is_empty() {
            (_, self.rest) = data(self.rest)?;
            count += 1;
        }
        Some(count)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((element, rest)) = data(self.rest) else {
            self.rest = &[];
            return Some(None);
        };
        self.rest = rest;
        Some(Some(element))
    }
}

/// A number's 4 or 8 bytes; `None` if it is of another size.
#[inline]
pub fn number(bytes: &[u8]) -> Option<i64> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(i32::from_le_bytes(bytes).into());
    }
    Some(i64::from_le_bytes(bytes.try_into().ok()?))
}

/// An array's numbers: the bytes of each. `None` if they are of no known size or
/// the last one is cut off.
pub fn numbers(bytes: &[u8]) -> Option<std::slice::ChunksExact<'_, u8>> {
    let Some((&size, rest)) = bytes.split_first() else {
        return Some([].chunks_exact(4));
    };
    if rest.is_empty() {
        return Some(rest.chunks_exact(4));
    }
    if size != 4 && size != 8 {
        return None;
    }
    let chunks = rest.chunks_exact(size.into());
    chunks.remainder().is_empty().then_some(chunks)
}

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// It would be larger than [`MAX_SIZE`].
    Size,
    Memory,
}

/// A message that is being written. All methods append to it.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
}

/// A struct that is being written: where it starts, and its records.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    start: usize,
    /// Where the next record goes.
    record: usize,
    /// Where its data starts.
    data: usize,
    next_tag: u16,
}

/// Data that is being written behind its length, which is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    start: usize,
}

/// An array of numbers that is being written.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    length: Length,
    wide: bool,
}

impl Numbers {
    /// What ends the array.
    pub fn length(&self) -> Length {
        self.length
    }
}

impl Output {
    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Whether it has memory that only large messages need.
    pub fn is_large(&self) -> bool {
        self.bytes.capacity() > 64 * 1024
    }

    /// Gives that memory back.
    pub fn trim(&mut self) {
        if self.is_large() {
            self.bytes = Vec::new();
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[cold]
    fn grow(&mut self, size: usize) -> Result<(), Full> {
        if size > MAX_SIZE - self.bytes.len() {
            return Err(Full::Size);
        }
        // Doubles, up to the limit.
        let left = MAX_SIZE - self.bytes.len();
        let more = self.bytes.len().max(2048).min(left).max(size);
        self.bytes.try_reserve_exact(more).map_err(|_| Full::Memory)
    }

    /// Makes room, so that the vector does not take memory by itself.
    #[inline]
    fn reserve(&mut self, size: usize) -> Result<(), Full> {
        if size > self.bytes.capacity().min(MAX_SIZE) - self.bytes.len() {
            self.grow(size)?;
        }
        Ok(())
    }

    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.reserve(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends so many zeros, for the caller to write over.
    pub fn space(&mut self, size: usize) -> Result<&mut [u8], Full> {
        let start = self.bytes.len();
        self.zeros(size)?;
        Ok(self.bytes.get_mut(start..).unwrap_or_default())
    }

    /// Takes the last bytes away.
    pub fn drop_last(&mut self, size: usize) {
        self.bytes.truncate(self.bytes.len().saturating_sub(size));
    }

    fn zeros(&mut self, size: usize) -> Result<(), Full> {
        self.reserve(size)?;
        self.bytes.resize(self.bytes.len() + size, 0);
        Ok(())
    }

    /// Starts a struct with at most so many records.
    #[inline]
    pub fn open(&mut self, records: usize) -> Result<Open, Full> {
        let start = self.bytes.len();
        self.zeros(2 + 2 * records)?;
        Ok(Open {
            start,
            record: start + 2,
            data: start + 2 + 2 * records,
            next_tag: 0,
        })
    }

    /// Writes a field's record. Tags ascend.
    #[inline]
    fn record(&mut self, open: &mut Open, tag: u16, value: u16) {
        let skipped = tag.saturating_sub(open.next_tag);
        if skipped > 0 {
            self.put(open.record, &((skipped - 1) * 2 + 1).to_le_bytes());
            open.record += 2;
        }
        self.put(open.record, &value.to_le_bytes());
        open.record += 2;
        open.next_tag = tag + 1;
    }

    /// Overwrites bytes that are there.
    #[inline]
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Ends a struct: unused room for records is closed.
    #[inline]
    pub fn close(&mut self, open: Open) {
        let count = (open.record - open.start - 2) / 2;
        // As many as `open` was told at most, which a schema's tags keep in 16 bits.
        self.put(open.start, &(count as u16).to_le_bytes());
        if open.record < open.data {
            let end = self.bytes.len();
            self.bytes.copy_within(open.data..end, open.record);
            self.bytes.truncate(end - (open.data - open.record));
        }
    }

    /// An integer or boolean field.
    #[inline]
    pub fn integer(&mut self, open: &mut Open, tag: u16, value: i64) -> Result<(), Full> {
        let mut record = 0;
        if let Ok(value @ 0..0x7fff) = u16::try_from(value) {
            record = (value + 1) * 2;
        } else if let Ok(value) = i32::try_from(value) {
            let mut bytes = [4, 0, 0, 0, 0, 0, 0, 0];
            bytes[4..].copy_from_slice(&value.to_le_bytes());
            self.append(&bytes)?;
        } else {
            self.eight(value)?;
        }
        self.record(open, tag, record);
        Ok(())
    }

    pub fn double(&mut self, open: &mut Open, tag: u16, value: f64) -> Result<(), Full> {
        self.eight(value.to_bits() as i64)?;
        self.record(open, tag, 0);
        Ok(())
    }

    fn eight(&mut self, value: i64) -> Result<(), Full> {
        let mut bytes = [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[4..].copy_from_slice(&value.to_le_bytes());
        self.append(&bytes)
    }

    /// A string field.
    #[inline]
    pub fn string(&mut self, open: &mut Open, tag: u16, value: &[u8]) -> Result<(), Full> {
        self.element(value)?;
        self.record(open, tag, 0);
        Ok(())
    }

    /// A string of an array.
    #[inline]
    pub fn element(&mut self, value: &[u8]) -> Result<(), Full> {
        let length = u32::try_from(value.len()).map_err(|_| Full::Size)?;
        self.append(&length.to_le_bytes())?;
        self.append(value)
    }

    /// Starts the data of a struct or an array.
    #[inline]
    pub fn begin(&mut self) -> Result<Length, Full> {
        let start = self.bytes.len();
        self.zeros(4)?;
        Ok(Length { start })
    }

    /// Ends it.
    #[inline]
    pub fn end(&mut self, length: Length) {
        // No more than MAX_SIZE.
        let size = (self.bytes.len() - length.start - 4) as u32;
        self.put(length.start, &size.to_le_bytes());
    }

    /// Ends it as a field.
    #[inline]
    pub fn end_field(&mut self, length: Length, open: &mut Open, tag: u16) {
        self.end(length);
        self.record(open, tag, 0);
    }

    /// Starts an array of numbers: the byte that says their size is not there
    /// before the first one, as an empty array has none.
    pub fn begin_numbers(&mut self) -> Result<Numbers, Full> {
        Ok(Numbers {
            length: self.begin()?,
            wide: false,
        })
    }

    /// A number of an array. Once one of them needs 8 bytes, all take 8.
    #[inline]
    pub fn number(&mut self, numbers: &mut Numbers, value: i64) -> Result<(), Full> {
        match i32::try_from(value) {
            Ok(value) if !numbers.wide => {
                if self.bytes.len() == numbers.length.start + 4 {
                    self.append(&[4])?;
                }
                self.append(&value.to_le_bytes())
            }
            _ => self.wide_number(numbers, value),
        }
    }

    /// A number of an array whose numbers take 8 bytes each.
    pub fn wide_number(&mut self, numbers: &mut Numbers, value: i64) -> Result<(), Full> {
        if !numbers.wide {
            numbers.wide = true;
            self.widen(numbers.length.start + 4)?;
        }
        self.append(&value.to_le_bytes())
    }

    /// Makes the numbers from `start`, a byte 4 before them, numbers of 8 bytes.
    fn widen(&mut self, start: usize) -> Result<(), Full> {
        if self.bytes.len() == start {
            return self.append(&[8]);
        }
        let first = start + 1;
        let count = (self.bytes.len() - first) / 4;
        self.zeros(count * 4)?;
        self.put(start, &[8]);
        for index in (0..count).rev() {
            let at = first + index * 4;
            let value = self.bytes.get(at..at + 4).and_then(number).unwrap_or(0);
            self.put(first + index * 8, &value.to_le_bytes());
        }
        Ok(())
    }
}
