//! Long payloads that come in parts, several at a time, each told by its session.
//!
//! Nobody is believed what they announce: memory is taken when something comes, and not
//! much more than for that, up to a limit for all that is not complete.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

/// Memory for a payload.
pub trait Storage: Sized {
    /// Room for so many bytes; none if memory is out.
    fn allocate(size: usize) -> Option<Self>;

    /// Makes room for so many bytes in all; false if memory is out.
    fn grow(&mut self, size: usize) -> bool;

    /// Adds bytes behind those that are there; never more than there is room for.
    fn append(&mut self, bytes: &[u8]);
}

/// What is taken for a payload with its first part at most. Bytes.
const FIRST: usize = 0x10_0000;

/// What keeping account of a payload counts as. Bytes.
const ENTRY: usize = 256;

/// Why parts make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A session that has begun begins again.
    Twice(u32),
    /// A part of a session that has not begun.
    Unknown(u32),
    /// More than so many bytes are not complete.
    Limit(usize),
    OutOfMemory,
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Twice(session) => write!(f, "session {session} begins twice"),
            Self::Unknown(session) => write!(f, "part of unknown session {session}"),
            Self::Limit(limit) => write!(f, "more than {limit} bytes of incomplete messages"),
            Self::OutOfMemory => write!(f, "not enough memory"),
        }
    }
}

struct Begun<M, S> {
    meta: M,
    announced: usize,
    received: usize,
    room: usize,
    /// None before the first part, and when more has come than was announced.
    content: Option<S>,
    /// Without its room.
    counted: usize,
}

/// A payload whose last part has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined<M, S> {
    pub meta: M,
    /// What was announced, in bytes.
    pub size: usize,
    /// None if it is not as long as was announced.
    pub content: Option<S>,
}

/// Payloads that have begun, with what else is known of each.
pub struct Parts<M, S> {
    begun: HashMap<u32, Begun<M, S>>,
    held: usize,
    limit: usize,
}

impl<M, S> Default for Parts<M, S> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<M, S> Parts<M, S> {
    /// At most `limit` bytes are kept.
    pub fn new(limit: usize) -> Self {
        Self {
            begun: HashMap::new(),
            held: 0,
            limit,
        }
    }
}

impl<M, S: Storage> Parts<M, S> {
    /// Begins a payload of `announced` bytes; `extra` is how many bytes of memory
    /// `meta` holds on to.
    pub fn begin(
        &mut self,
        session: u32,
        announced: u32,
        meta: M,
        extra: usize,
    ) -> Result<(), Fault> {
        if self.begun.contains_key(&session) {
            return Err(Fault::Twice(session));
        }
        let counted = ENTRY + extra;
        let announced = announced as usize;
        if announced.saturating_add(counted) > self.limit {
            return Err(Fault::Limit(self.limit));
        }
        self.count(counted)?;
        self.begun.try_reserve(1).map_err(|_| Fault::OutOfMemory)?;
        let begun = Begun {
            meta,
            announced,
            received: 0,
            room: 0,
            content: None,
            counted,
        };
        self.begun.insert(session, begun);
        Ok(())
    }

    fn count(&mut self, size: usize) -> Result<(), Fault> {
        self.held += size;
        if self.held > self.limit {
            return Err(Fault::Limit(self.limit));
        }
        Ok(())
    }

    /// Adds a part. Returns the payload if it was the last one. After a fault no more
    /// can be added.
    pub fn add(
        &mut self,
        session: u32,
        part: &[u8],
        last: bool,
    ) -> Result<Option<Joined<M, S>>, Fault> {
        let begun = self
            .begun
            .get_mut(&session)
            .ok_or(Fault::Unknown(session))?;
        begun.received += part.len();
        if begun.received > begun.announced {
            begun.content = None;
        } else {
            let before = begun.room;
            if begun.received > before {
                let room = (2 * before).max(FIRST).max(begun.received);
                begun.room = room.min(begun.announced);
            }
            let more = begun.room - before;
            if self.held + more > self.limit {
                return Err(Fault::Limit(self.limit));
            }
            self.held += more;
            begun.append(part).ok_or(Fault::OutOfMemory)?;
        }
        if !last {
            return Ok(None);
        }
        let Some(begun) = self.begun.remove(&session) else {
            return Ok(None);
        };
        self.held -= begun.counted + begun.room;
        Ok(Some(Joined {
            meta: begun.meta,
            size: begun.announced,
            content: begun.content.filter(|_| begun.received == begun.announced),
        }))
    }
}

impl<M, S: Storage> Begun<M, S> {
    /// Adds a part to the content, which has this room from here on. None if memory is
    /// out.
    fn append(&mut self, part: &[u8]) -> Option<()> {
        let content = match &mut self.content {
            Some(content) => content,
            nothing => nothing.insert(S::allocate(self.room)?),
        };
        if !content.grow(self.room) {
            return None;
        }
        content.append(part);
        Some(())
    }
}
