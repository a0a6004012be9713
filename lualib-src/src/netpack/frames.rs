//! Frames from the bytes of many sockets: two bytes, big-endian, with the size
//! of what follows.
//!
//! A socket has at most one frame that is not complete, and no more memory is
//! taken for it than its two bytes announce. Complete frames that came together
//! wait in a queue.
#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};

/// The bytes in front of each frame.
const HEADER: usize = 2;

/// After a burst, lists larger than this many entries give their room back.
const KEPT: usize = 64;

/// Memory for one frame.
pub trait Storage: Sized {
    /// Room for `size` bytes, which may be none; nothing if memory is out.
    fn allocate(size: usize) -> Option<Self>;

    /// Adds bytes behind those that are there; never more than there is room.
    fn append(&mut self, bytes: &[u8]);
}

/// A complete frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<S> {
    /// The socket that it came from.
    pub id: i32,
    pub content: S,
    /// Bytes in `content`.
    pub size: usize,
}

/// What the bytes of one read came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<S> {
    /// No frame is complete yet.
    Nothing,
    /// One frame and nothing after it.
    One(Frame<S>),
    /// There is a frame in the queue, and something after it.
    Several,
}

/// Memory is out. What the read had completed before is in the queue, the rest
/// of it is lost.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// The beginning of a frame.
enum Partial<S> {
    Header(u8),
    Content {
        content: S,
        size: usize,
        missing: usize,
    },
}

/// The frames of any number of sockets.
pub struct Frames<S> {
    partial: HashMap<i32, Partial<S>>,
    complete: VecDeque<Frame<S>>,
}

impl<S> Default for Frames<S> {
    fn default() -> Self {
        Self {
            partial: HashMap::new(),
            complete: VecDeque::new(),
        }
    }
}

/// Makes a frame of a read that is exactly one; nothing if it is anything else.
///
/// # Errors
/// Memory is out.
pub fn whole<S: Storage>(id: i32, bytes: &[u8]) -> Result<Option<Frame<S>>, OutOfMemory> {
    match bytes.split_first_chunk::<HEADER>() {
        Some((header, rest)) if size_of_frame(*header) == rest.len() => {
            let mut content = S::allocate(rest.len()).ok_or(OutOfMemory)?;
            content.append(rest);
            Ok(Some(Frame {
                id,
                content,
                size: rest.len(),
            }))
        }
        _ => Ok(None),
    }
}

/// The header of a frame of `size` bytes; nothing if that is too many.
pub fn header(size: usize) -> Option<[u8; HEADER]> {
    Some(u16::try_from(size).ok()?.to_be_bytes())
}

fn size_of_frame(header: [u8; HEADER]) -> usize {
    u16::from_be_bytes(header).into()
}

impl<S: Storage> Frames<S> {
    /// Takes what was read from a socket.
    ///
    /// # Errors
    /// Memory is out; the socket's bytes make no sense from here on.
    pub fn read(&mut self, id: i32, bytes: &[u8]) -> Result<Read<S>, OutOfMemory> {
        let mut rest = bytes;
        let mut first = None;
        while let Some(frame) = self.next(id, &mut rest)? {
            if rest.is_empty() && first.is_none() {
                return Ok(Read::One(frame));
            }
            first = Some(());
            self.complete.try_reserve(1).map_err(|_| OutOfMemory)?;
            self.complete.push_back(frame);
        }
        Ok(match first {
            Some(()) => Read::Several,
            None => Read::Nothing,
        })
    }

    /// The next complete frame. Takes its bytes, or keeps all that are left.
    fn next(&mut self, id: i32, rest: &mut &[u8]) -> Result<Option<Frame<S>>, OutOfMemory> {
        let Some((&byte, after)) = rest.split_first() else {
            return Ok(None);
        };
        let partial = if self.partial.is_empty() {
            None
        } else {
            self.partial.remove(&id)
        };
        let (mut content, size, missing) = match partial {
            Some(Partial::Content {
                content,
                size,
                missing,
            }) => (content, size, missing),
            Some(Partial::Header(high)) => {
                *rest = after;
                let size = size_of_frame([high, byte]);
                (S::allocate(size).ok_or(OutOfMemory)?, size, size)
            }
            None => {
                let Some((header, after)) = rest.split_first_chunk::<HEADER>() else {
                    *rest = after;
                    self.keep(id, Partial::Header(byte))?;
                    return Ok(None);
                };
                *rest = after;
                let size = size_of_frame(*header);
                (S::allocate(size).ok_or(OutOfMemory)?, size, size)
            }
        };
        let (now, later) = rest.split_at(missing.min(rest.len()));
        *rest = later;
        content.append(now);
        let missing = missing - now.len();
        if missing == 0 {
            return Ok(Some(Frame { id, content, size }));
        }
        self.keep(
            id,
            Partial::Content {
                content,
                size,
                missing,
            },
        )?;
        Ok(None)
    }

    fn keep(&mut self, id: i32, partial: Partial<S>) -> Result<(), OutOfMemory> {
        self.partial.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.partial.insert(id, partial);
        Ok(())
    }

    /// Whether a socket's next bytes belong to a frame that has begun.
    pub fn has_begun(&self, id: i32) -> bool {
        !self.partial.is_empty() && self.partial.contains_key(&id)
    }

    /// Takes the oldest complete frame out of the queue.
    pub fn pop(&mut self) -> Option<Frame<S>> {
        let frame = self.complete.pop_front();
        if self.complete.is_empty() {
            self.complete.shrink_to(KEPT);
        }
        frame
    }

    /// Forgets the beginning of a frame: the socket is closed. What it has
    /// completed stays.
    pub fn close(&mut self, id: i32) {
        self.partial.remove(&id);
        if self.partial.is_empty() {
            self.partial.shrink_to(KEPT);
        }
    }
}
