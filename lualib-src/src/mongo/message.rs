//! The messages of MongoDB's protocol, of which only OP_MSG is spoken: a header, a
//! byte for the kind of section, and one document.
//!
//! The header is five little-endian numbers of 32 bits: the message's length,
//! counting itself, its own identifier, the one that it answers, the operation, and
//! flags.
#![forbid(unsafe_code)]

const OP_MSG: i32 = 2013;
const CHECKSUM_PRESENT: i32 = 1 << 0;
const MORE_TO_COME: i32 = 1 << 1;

/// The section that is the message's body.
const BODY: u8 = 0;

/// Bytes in front of a document.
pub const HEAD: usize = 5 * 4 + 1;

/// Most bytes of a message; servers neither send nor take more.
pub const MAX_LENGTH: i32 = 48_000_000;

/// The head of a message with a document of so many bytes; none if it is too long.
pub fn head(id: i32, flags: i32, document: usize) -> Option<[u8; HEAD]> {
    let length = i32::try_from(HEAD + document).ok()?;
    let mut head = [BODY; HEAD];
    let numbers = [length, id, 0, OP_MSG, flags];
    for (place, number) in head.chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    Some(head)
}

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Opcode(i32),
    Checksum,
    Flags(i32),
    Section(u8),
    /// The document is not all that follows.
    Size,
}

/// What a message without its length says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The identifier of the message that this one answers.
    pub id: i32,
    /// A document; only its size was looked at, and is true.
    pub document: &'a [u8],
}

/// Takes a message without its length apart; none if it has no whole header.
pub fn reply(message: &[u8]) -> Result<Option<Reply<'_>>, Fault> {
    let Some((header, body)) = message.split_first_chunk::<16>() else {
        return Ok(None);
    };
    let number = |at: usize| i32::from_le_bytes(std::array::from_fn(|i| header[at * 4 + i]));
    let (id, opcode, flags) = (number(1), number(2), number(3));
    if opcode != OP_MSG {
        return Err(Fault::Opcode(opcode));
    }
    if flags & CHECKSUM_PRESENT != 0 {
        return Err(Fault::Checksum);
    }
    if flags != 0 && flags != MORE_TO_COME {
        return Err(Fault::Flags(flags));
    }
    let (section, document) = body.split_first().ok_or(Fault::Size)?;
    if *section != BODY {
        return Err(Fault::Section(*section));
    }
    let size = document.first_chunk::<4>().ok_or(Fault::Size)?;
    if usize::try_from(i32::from_le_bytes(*size)) != Ok(document.len()) {
        return Err(Fault::Size);
    }
    Ok(Some(Reply { id, document }))
}

/// How many bytes follow a message's length; none for a length that no message has.
pub fn rest(length: [u8; 4]) -> Option<i32> {
    let length = i32::from_le_bytes(length);
    (4..=MAX_LENGTH).contains(&length).then(|| length - 4)
}
