//! Schemas: the types and protocols of a bundle, as `sprotoparser` writes it.
//!
//! A bundle is itself a message of sproto. Its field 0 is the array of types, its
//! field 1 the array of protocols. A type has a name (0) and fields (1), a field:
//!
//! | tag | |
//! |---|---|
//! | 0 | name |
//! | 1 | number of a built-in type |
//! | 2 | index of a struct; of an integer its decimal digits; of a string 1 for binary |
//! | 3 | tag |
//! | 4 | whether it is an array |
//! | 5 | tag of the element's field that is its key |
//! | 6 | whether the elements are pairs of a map |
//!
//! A protocol has a name, a tag, a request, a response (indices of types), and
//! whether it is confirmed without content.
#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};

use super::wire::{Elements, Message, Part, Step};

/// What a field, or each element of it, holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer, or with a scale other than 0 a decimal: the number times that.
    Integer {
        scale: i32,
    },
    Boolean,
    String {
        binary: bool,
    },
    Double,
    /// The index of a type.
    Struct(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// No container: one value.
    One,
    List,
    /// Structs in a table under the value of their field of this tag.
    Keyed(u16),
    /// Structs of two fields, the keys and values of a table. The tag is the key's.
    Map(u16),
}

#[derive(Debug)]
pub struct Field {
    pub name: CString,
    pub tag: u16,
    pub kind: Kind,
    pub container: Container,
}

#[derive(Debug)]
pub struct Type {
    pub name: CString,
    /// By ascending tag.
    pub fields: Vec<Field>,
    /// The first field's tag, if no tag is left out after it.
    base: Option<u16>,
    /// How many records the head of a message has at most.
    pub max_records: usize,
}

#[derive(Debug)]
pub struct Protocol {
    pub name: CString,
    pub tag: u16,
    pub request: Option<usize>,
    pub response: Option<usize>,
    /// Answered without content.
    pub confirm: bool,
}

/// A bundle's content. Every index of a type that occurs in it is one of `types`.
#[derive(Debug)]
pub struct Schema {
    pub types: Vec<Type>,
    pub protocols: Vec<Protocol>,
}

/// A record of a bundle's message: its tag and what follows from it.
type Record<'a> = (u32, Part<'a>);

impl Schema {
    /// Reads a bundle. `None` if it is none.
    pub fn parse(bundle: &[u8]) -> Option<Self> {
        let mut types = Vec::new();
        let mut protocols = Vec::new();
        let records = records(bundle)?;
        if records.len() > 2 {
            return None;
        }
        for (index, record) in records.iter().enumerate() {
            let Part::Data(array) = record.as_ref()?.1 else {
                return None;
            };
            let count = Elements::new(array).count_all()?;
            if index == 0 {
                for element in Elements::new(array) {
                    types.push(read_type(element?, count)?);
                }
            } else {
                for element in Elements::new(array) {
                    protocols.push(read_protocol(element?, types.len())?);
                }
            }
        }
        let pairs = |index: usize| types.get(index).is_some_and(|t: &Type| t.fields.len() >= 2);
        for field in types.iter().flat_map(|t| &t.fields) {
            if matches!(field.container, Container::Map(_))
                && !matches!(field.kind, Kind::Struct(index) if pairs(index))
            {
                return None;
            }
        }
        Some(Self { types, protocols })
    }

    /// The index of a type.
    pub fn find_type(&self, name: &CStr) -> Option<usize> {
        self.types
            .iter()
            .position(|kind| kind.name.as_c_str() == name)
    }

    /// A protocol by its tag.
    pub fn protocol(&self, tag: u16) -> Option<&Protocol> {
        let index = self.protocols.binary_search_by_key(&tag, |p| p.tag).ok()?;
        self.protocols.get(index)
    }

    /// A protocol by its name.
    pub fn find_protocol(&self, name: &CStr) -> Option<&Protocol> {
        self.protocols.iter().find(|p| p.name.as_c_str() == name)
    }
}

impl Type {
    /// The position of the field of a tag.
    pub fn find(&self, tag: u32) -> Option<usize> {
        match self.base {
            Some(base) => {
                let position = tag.checked_sub(base.into())? as usize;
                (position < self.fields.len()).then_some(position)
            }
            None => self
                .fields
                .binary_search_by_key(&tag, |field| field.tag.into())
                .ok(),
        }
    }
}

/// The records of a message; `None` in place of those that skip tags.
fn records(bytes: &[u8]) -> Option<Vec<Option<Record<'_>>>> {
    let mut message = Message::new(bytes)?;
    let mut records = Vec::with_capacity(message.record_count());
    loop {
        match message.step() {
            Step::Field(tag, part) => records.push(Some((tag, part))),
            Step::Skip => records.push(None),
            Step::End => return Some(records),
            Step::Cut => return None,
        }
    }
}

/// A name's bytes, which end at a zero if there is one.
fn name(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|&byte| byte == 0);
    CString::new(&bytes[..end.unwrap_or(bytes.len())]).unwrap_or_default()
}

fn read_type(bytes: &[u8], types: usize) -> Option<Type> {
    let records = records(bytes)?;
    let (name, array) = match records.as_slice() {
        [Some((_, Part::Data(title)))] => (name(title), &[][..]),
        [Some((_, Part::Data(title))), Some((_, Part::Data(array)))] => (name(title), *array),
        _ => return None,
    };
    let mut fields: Vec<Field> = Vec::new();
    let mut gaps = 0;
    for element in Elements::new(array) {
        let field = read_field(element?, types)?;
        let expected = match fields.last() {
            Some(last) if field.tag <= last.tag => return None,
            Some(last) => last.tag + 1,
            None => 0,
        };
        gaps += usize::from(field.tag > expected);
        fields.push(field);
    }
    let base = fields.first().map_or(0, |field| field.tag);
    let last = fields.last().map_or(0, |field| field.tag);
    let dense = usize::from(last - base) + 1 == fields.len() || fields.is_empty();
    Some(Type {
        name,
        base: dense.then_some(base),
        max_records: fields.len() + gaps,
        fields,
    })
}

fn read_field(bytes: &[u8], types: usize) -> Option<Field> {
    let mut title = None;
    let mut kind = None;
    let mut tag = None;
    let mut array = false;
    let mut key = None;
    let mut map = false;
    for (number, part) in records(bytes)?.into_iter().flatten() {
        let value = match part {
            Part::Data(bytes) if number == 0 => {
                title = Some(name(bytes));
                continue;
            }
            Part::Small(value) if number > 0 => value,
            _ => return None,
        };
        match number {
            1 => {
                kind = Some(match value {
                    0 => Kind::Integer { scale: 0 },
                    1 => Kind::Boolean,
                    2 => Kind::String { binary: false },
                    3 => Kind::Double,
                    _ => return None,
                });
            }
            2 => {
                kind = Some(match kind {
                    // Too many digits wrap around, as in a C int.
                    Some(Kind::Integer { .. }) => Kind::Integer {
                        scale: 10_i32.wrapping_pow(value.into()),
                    },
                    Some(Kind::String { .. }) => Kind::String { binary: value == 1 },
                    None if usize::from(value) < types => Kind::Struct(value.into()),
                    _ => return None,
                });
            }
            3 => tag = Some(value),
            4 => array = value != 0,
            5 => key = Some(value),
            6 => map = value != 0,
            _ => return None,
        }
    }
    let container = match (array, key) {
        (false, _) => Container::One,
        (true, None) => Container::List,
        (true, Some(key)) if map => Container::Map(key),
        (true, Some(key)) => Container::Keyed(key),
    };
    Some(Field {
        name: title?,
        tag: tag?,
        kind: kind?,
        container,
    })
}

fn read_protocol(bytes: &[u8], types: usize) -> Option<Protocol> {
    let mut title = None;
    let mut tag = None;
    let mut request = None;
    let mut response = None;
    let mut confirm = false;
    let index = |value: u16| (usize::from(value) < types).then_some(usize::from(value));
    // By position: a record that skips takes the place of one field.
    for (position, record) in records(bytes)?.into_iter().enumerate() {
        let Some((_, part)) = record else { continue };
        match (position, part) {
            (0, Part::Data(bytes)) => title = Some(name(bytes)),
            (1, Part::Small(value)) => tag = Some(value),
            (2, Part::Small(value)) => request = Some(index(value)?),
            (3, Part::Small(value)) => response = Some(index(value)?),
            (4, Part::Small(value)) => confirm = value != 0,
            (4, Part::Data(_)) => confirm = true,
            _ => return None,
        }
    }
    Some(Protocol {
        name: title?,
        tag: tag?,
        request,
        response,
        confirm,
    })
}
