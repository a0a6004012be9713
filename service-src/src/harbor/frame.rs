//! Frames on the link between two harbors: four bytes, big-endian, with the size
//! of what follows; the content of a message; the [`Cookie`].
#![forbid(unsafe_code)]

use crate::block::{Block, Filling};

/// Bytes of a frame's size.
pub const HEAD: usize = 4;

/// A frame's size is below this: its first byte is zero.
pub const LIMIT: usize = 0x100_0000;

/// As much is taken for a frame that has just begun. Bytes.
const FIRST: usize = 64 * 1024;

/// How much faster a frame's memory grows than it comes in.
const AHEAD: usize = 4;

/// What is said of a message at the end of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub source: u32,
    /// The handle of the service at the other end, without its harbor; the
    /// message's type is in the place of that.
    pub destination: u32,
    pub session: u32,
}

impl Cookie {
    /// Bytes.
    pub const SIZE: usize = 12;

    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        for (field, value) in
            bytes
                .chunks_exact_mut(4)
                .zip([self.source, self.destination, self.session])
        {
            field.copy_from_slice(&value.to_be_bytes());
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let field = |at: usize| {
            let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            u32::from_be_bytes(bytes)
        };
        Self {
            source: field(0),
            destination: field(4),
            session: field(8),
        }
    }
}

/// Why a link cannot be read any further.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// A frame is to have [`LIMIT`] bytes or more.
    TooLong,
    /// A frame is to have no room for a cookie.
    TooShort,
    OutOfMemory,
}

/// Where in a frame a link is. No more memory is taken for a frame than
/// [`FIRST`] or [`AHEAD`] times what has come of it.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; HEAD],
    /// How much of the head is there.
    known: usize,
    /// The content once the head is complete, and its size when it is.
    content: Option<(Filling, usize)>,
}

impl Frames {
    /// Takes what was read, and gives each message that it completes to `each`,
    /// until that returns false.
    ///
    /// # Errors
    /// The link is to be closed; what it has completed before is out.
    pub fn read(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Cookie, Block) -> bool,
    ) -> Result<(), Broken> {
        let mut rest = bytes;
        loop {
            if self.content.is_none() {
                let missing = HEAD - self.known;
                let (now, later) = rest.split_at(missing.min(rest.len()));
                rest = later;
                self.head[self.known..][..now.len()].copy_from_slice(now);
                self.known += now.len();
                if now.len() < missing {
                    return Ok(());
                }
                self.known = 0;
                let size = u32::from_be_bytes(self.head) as usize;
                if size >= LIMIT {
                    return Err(Broken::TooLong);
                }
                if size < Cookie::SIZE {
                    return Err(Broken::TooShort);
                }
                let room = size.min(FIRST.max(rest.len()));
                let filling = Filling::with_room(room).ok_or(Broken::OutOfMemory)?;
                self.content = Some((filling, size));
            }
            let Some((filling, size)) = &mut self.content else {
                return Ok(());
            };
            let missing = *size - filling.len();
            let (now, later) = rest.split_at(missing.min(rest.len()));
            rest = later;
            let wanted = filling.len() + now.len();
            if wanted > filling.room() && !filling.grow((wanted * AHEAD).min(*size)) {
                return Err(Broken::OutOfMemory);
            }
            filling.add(now);
            if now.len() < missing {
                return Ok(());
            }
            let Some((filling, _)) = self.content.take() else {
                return Ok(());
            };
            let Some(cookie) = filling.bytes().last_chunk::<{ Cookie::SIZE }>() else {
                return Err(Broken::TooShort);
            };
            let cookie = Cookie::from_bytes(cookie);
            if !each(cookie, filling.finish(Cookie::SIZE)) {
                return Ok(());
            }
        }
    }
}
