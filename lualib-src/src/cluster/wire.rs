//! What two nodes of a cluster say to each other: frames of two bytes of size,
//! big-endian, and a content whose numbers are little-endian.
//!
//! A request begins with its kind:
//!
//! | kind | | |
//! |---|---|---|
//! | `00` | address, session, payload | a whole request; session 0: nobody waits for an answer |
//! | `01`, `41` | address, session, size | the beginning of a long one; `41`: without an answer |
//! | `80`, `81`, `c1` | length, name, session, … | the same, to a name |
//! | `02`, `03` | session, bytes | a part of a long one, and its last one |
//! | `04` | tag | the next request is traced |
//!
//! A response is a session, a kind (0 error, 1 whole, 2 beginning, 3 part, 4 last
//! part), and its bytes, or its size if it is a beginning.
#![forbid(unsafe_code)]

use std::fmt::{self, Display, Formatter};
use std::io::Write;

/// Bytes of payload in a frame at most.
pub const PART: usize = 0x8000;

/// The longest name of a service.
pub const LONGEST_NAME: usize = 255;

/// The longest head: size, kind, name, session and size.
const HEAD: usize = 2 + 1 + 1 + LONGEST_NAME + 4 + 4;

const LONG: u8 = 0x01;
const PUSH: u8 = 0x40;
const LONG_PUSH: u8 = LONG | PUSH;
const NAMED: u8 = 0x80;
const PART_OF_REQUEST: u8 = 2;
const LAST_OF_REQUEST: u8 = 3;
const TRACE: u8 = 4;

const ERROR: u8 = 0;
const WHOLE: u8 = 1;
const BEGIN: u8 = 2;
const PART_OF_RESPONSE: u8 = 3;
const LAST_OF_RESPONSE: u8 = 4;

/// What stands in front of a payload, with the frame's size.
pub struct Head {
    bytes: [u8; HEAD],
    length: usize,
}

impl Head {
    fn new() -> Self {
        Self {
            bytes: [0; HEAD],
            length: 2,
        }
    }

    /// Adds bytes. There is room for the longest head.
    fn add(mut self, bytes: &[u8]) -> Self {
        let end = self.length + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
        self
    }

    fn number(self, number: u32) -> Self {
        self.add(&number.to_le_bytes())
    }

    /// Sets the frame's size, now that it is known.
    fn before(mut self, payload: usize) -> Self {
        // At most PART bytes follow a head, so that two bytes are enough.
        let size = (self.length - 2 + payload) as u16;
        self.bytes[..2].copy_from_slice(&size.to_be_bytes());
        self
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A service on the other node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    Handle(u32),
    /// At most [`LONGEST_NAME`] bytes.
    Name(&'a [u8]),
}

/// Whether a request of so many bytes goes in parts.
pub fn is_long_request(size: usize) -> bool {
    size >= PART
}

/// Whether a response of so many bytes goes in parts.
pub fn is_long_response(size: usize) -> bool {
    size > PART
}

/// The head of a whole request, or, if [`is_long_request`], the frame before its
/// parts.
pub fn request(address: Address, session: u32, size: u32, push: bool) -> Head {
    let long = is_long_request(size as usize);
    let kind = match (long, push) {
        (false, _) => 0,
        (true, false) => LONG,
        (true, true) => LONG_PUSH,
    };
    let head = match address {
        Address::Handle(handle) => Head::new().add(&[kind]).number(handle),
        Address::Name(name) => Head::new().add(&[kind | NAMED, name.len() as u8]).add(name),
    };
    if long {
        // The parts are told from others by the session, so a push has one, too.
        head.number(session).number(size).before(0)
    } else {
        head.number(if push { 0 } else { session })
            .before(size as usize)
    }
}

/// The head of a part of a request.
pub fn part_of_request(session: u32, size: usize, last: bool) -> Head {
    let kind = if last {
        LAST_OF_REQUEST
    } else {
        PART_OF_REQUEST
    };
    Head::new().add(&[kind]).number(session).before(size)
}

/// The head of a trace's tag of so many bytes.
pub fn trace(size: usize) -> Head {
    Head::new().add(&[TRACE]).before(size)
}

/// The head of a whole response, or of an error of at most [`PART`] bytes.
pub fn response(session: u32, ok: bool, size: usize) -> Head {
    let kind = if ok { WHOLE } else { ERROR };
    Head::new().number(session).add(&[kind]).before(size)
}

/// The frame before a response's parts.
pub fn long_response(session: u32, size: u32) -> Head {
    Head::new()
        .number(session)
        .add(&[BEGIN])
        .number(size)
        .before(0)
}

/// The head of a part of a response.
pub fn part_of_response(session: u32, size: usize, last: bool) -> Head {
    let kind = if last {
        LAST_OF_RESPONSE
    } else {
        PART_OF_RESPONSE
    };
    Head::new().number(session).add(&[kind]).before(size)
}

/// A frame of a request, without its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// With session 0 nobody waits for an answer.
    Whole {
        address: Address<'a>,
        session: u32,
        payload: &'a [u8],
    },
    Begin {
        address: Address<'a>,
        session: u32,
        size: u32,
        push: bool,
    },
    Part {
        session: u32,
        payload: &'a [u8],
        last: bool,
    },
    Trace(&'a [u8]),
}

/// Why a frame is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Empty,
    /// It has too few bytes.
    Size(usize),
    /// The beginning of a long request to a handle has another size.
    Begin(usize),
    Part,
    Kind(u8),
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "Invalid req package. size == 0"),
            Self::Size(size) => write!(f, "Invalid cluster message (size={size})"),
            Self::Begin(size) => write!(
                f,
                "Invalid cluster message size {size} (multi req must be 13)"
            ),
            Self::Part => write!(f, "Invalid cluster multi part message"),
            Self::Kind(kind) => write!(f, "Invalid req package type {}", kind as i8),
        }
    }
}

/// A fault as a text in `space`, as much of it as there is room for.
pub fn text(space: &mut [u8], fault: impl Display) -> &[u8] {
    let room = space.len();
    let mut rest = &mut space[..];
    // All that can go wrong is that the room ends.
    let _ = write!(rest, "{fault}");
    let used = room - rest.len();
    &space[..used]
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// Address and session at the start of `bytes`, and what follows them.
fn destination(bytes: &[u8], named: bool) -> Option<(Address<'_>, u32, &[u8])> {
    let (address, rest) = if named {
        let (length, rest) = bytes.split_first()?;
        let (name, rest) = rest.split_at_checked((*length).into())?;
        (Address::Name(name), rest)
    } else {
        let (handle, rest) = number(bytes)?;
        (Address::Handle(handle), rest)
    };
    let (session, rest) = number(rest)?;
    Some((address, session, rest))
}

impl<'a> Request<'a> {
    /// Reads a frame.
    pub fn read(frame: &'a [u8]) -> Result<Self, Fault> {
        let (&kind, rest) = frame.split_first().ok_or(Fault::Empty)?;
        let too_small = Fault::Size(frame.len());
        let named = kind & NAMED != 0;
        match kind & !NAMED {
            0 => {
                let (address, session, payload) = destination(rest, named).ok_or(too_small)?;
                Ok(Self::Whole {
                    address,
                    session,
                    payload,
                })
            }
            LONG | LONG_PUSH => {
                // With a name in it, more may follow.
                if !named && rest.len() != 3 * 4 {
                    return Err(Fault::Begin(frame.len()));
                }
                let (address, session, rest) = destination(rest, named).ok_or(too_small)?;
                let (size, _) = number(rest).ok_or(too_small)?;
                Ok(Self::Begin {
                    address,
                    session,
                    size,
                    push: kind & PUSH != 0,
                })
            }
            PART_OF_REQUEST | LAST_OF_REQUEST if !named => {
                let (session, payload) = number(rest).ok_or(Fault::Part)?;
                Ok(Self::Part {
                    session,
                    payload,
                    last: kind == LAST_OF_REQUEST,
                })
            }
            TRACE if !named => Ok(Self::Trace(rest)),
            _ => Err(Fault::Kind(kind)),
        }
    }
}

/// What a frame of a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    Error(&'a [u8]),
    Whole(&'a [u8]),
    Begin(u32),
    Part(&'a [u8]),
    Last(&'a [u8]),
}

/// Bytes in front of a whole response's payload.
pub const RESPONSE_HEAD: usize = 4 + 1;

/// Reads a frame of a response, without its size: its session and what it says.
/// None if it is no response.
pub fn read_response(frame: &[u8]) -> Option<(u32, Answer<'_>)> {
    let (session, rest) = number(frame)?;
    let (&kind, bytes) = rest.split_first()?;
    let answer = match kind {
        ERROR => Answer::Error(bytes),
        WHOLE => Answer::Whole(bytes),
        BEGIN => Answer::Begin(u32::from_le_bytes(bytes.try_into().ok()?)),
        PART_OF_RESPONSE => Answer::Part(bytes),
        LAST_OF_RESPONSE => Answer::Last(bytes),
        _ => return None,
    };
    Some((session, answer))
}
