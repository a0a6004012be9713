//! What is to be sent: buffers of several kinds, and the queue of those that wait.

use super::source::Source;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ptr::NonNull;

/// Buffers for one call of writev.
const BATCH: usize = 32;
/// How much one flush writes before others have their turn. Bytes.
const MAX_FLUSH: usize = 4 << 20;
/// Room for so many buffers is kept when a queue runs empty.
const KEPT_ROOM: usize = 16;

/// How a user object is read and freed; C functions, to be called from any thread.
#[derive(Clone, Copy, Debug)]
pub struct ObjectInterface {
    pub buffer: unsafe extern "C-unwind" fn(*const c_void) -> *const c_void,
    pub size: unsafe extern "C-unwind" fn(*const c_void) -> usize,
    pub free: unsafe extern "C-unwind" fn(*mut c_void),
}

/// Bytes to be sent, and what has to be freed after that. Dropping it frees it.
#[derive(Debug)]
pub struct Buffer {
    held: Held,
    /// What is left to be sent.
    start: *const u8,
    len: usize,
    partly_sent: bool,
}

#[derive(Debug)]
enum Held {
    /// A block of the malloc family, or null.
    Block(*mut c_void),
    Object(*mut c_void, unsafe extern "C-unwind" fn(*mut c_void)),
    /// Somebody else's, for the duration of a call.
    Borrowed,
}

// SAFETY: what a buffer holds is its own, and its makers vouch that it may be
// freed by any thread; a borrowed one does not leave the call it came with.
unsafe impl Send for Buffer {}

impl Buffer {
    /// A block of the malloc family.
    ///
    /// # Safety
    /// `block` is null with `len` 0, or a block of at least `len` initialised
    /// bytes that nobody else uses or frees.
    pub unsafe fn from_block(block: *mut c_void, len: usize) -> Buffer {
        Buffer {
            held: Held::Block(block),
            start: block.cast(),
            len,
            partly_sent: false,
        }
    }

    /// A user object.
    ///
    /// # Safety
    /// `object` is one that the functions of `interface` take, and nobody else
    /// frees it. What `buffer` returns has as many initialised bytes as `size`
    /// says until `free`.
    pub unsafe fn from_object(object: *mut c_void, interface: &ObjectInterface) -> Buffer {
        // SAFETY: as the caller says.
        let (start, len) = unsafe { ((interface.buffer)(object), (interface.size)(object)) };
        Buffer {
            held: Held::Object(object, interface.free),
            start: start.cast(),
            len,
            partly_sent: false,
        }
    }

    /// Memory that stays its owner's; [`Buffer::keep`] copies it.
    ///
    /// # Safety
    /// `start` is null with `len` 0, or valid for reading `len` bytes until the
    /// buffer is kept or dropped.
    pub unsafe fn borrowed(start: *const c_void, len: usize) -> Buffer {
        Buffer {
            held: Held::Borrowed,
            start: start.cast(),
            len,
            partly_sent: false,
        }
    }

    /// Makes a buffer that outlives the call it came with: copies what is left
    /// of a borrowed one. `None` when memory is out.
    pub fn keep(self) -> Option<Buffer> {
        if !matches!(self.held, Held::Borrowed) {
            return Some(self);
        }
        // SAFETY: malloc takes any size.
        let block = NonNull::new(unsafe { libc::malloc(self.len.max(1)) })?;
        let rest = self.rest();
        // SAFETY: the new block has room for the rest, and is not part of it.
        unsafe { std::ptr::copy_nonoverlapping(rest.as_ptr(), block.as_ptr().cast(), rest.len()) };
        Some(Buffer {
            held: Held::Block(block.as_ptr()),
            start: block.as_ptr().cast(),
            len: self.len,
            partly_sent: self.partly_sent,
        })
    }

    /// What is left to be sent.
    pub fn rest(&self) -> &[u8] {
        if self.len == 0 || self.start.is_null() {
            return &[];
        }
        // SAFETY: start points to len initialised bytes, as the makers vouch, and
        // advance keeps to that.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// How much of it is left. Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether all of it is sent.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Counts bytes of [`Buffer::rest`] as sent.
    pub fn advance(&mut self, sent: usize) {
        let sent = sent.min(self.len);
        // SAFETY: sent is at most the length, so that the pointer stays within
        // the bytes or one behind them.
        self.start = unsafe { self.start.add(sent) };
        self.len -= sent;
        self.partly_sent |= sent > 0;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        match self.held {
            // SAFETY: from_block's caller gave the block away; free takes null.
            Held::Block(block) => unsafe { libc::free(block) },
            // SAFETY: from_object's caller vouches for both.
            Held::Object(object, free) => unsafe { free(object) },
            Held::Borrowed => {}
        }
    }
}

/// Which of a socket's two queues a buffer goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    High,
    /// Sent when nothing of high priority waits.
    Low,
}

/// A buffer that waits, and for a datagram its destination; without one it goes
/// to the socket's default.
#[derive(Debug)]
struct Waiting {
    buffer: Buffer,
    to: Option<SocketAddr>,
}

/// How an attempt to send what waits ended.
#[derive(Debug)]
pub enum Flushed {
    /// Nothing waits any more.
    All,
    /// The descriptor takes no more; the poller will say when it does.
    Blocked,
    /// It could go on, but others are to have their turn.
    Enough,
    Failed(io::Error),
}

/// What waits to be sent on one socket.
#[derive(Debug, Default)]
pub struct Queue {
    high: VecDeque<Waiting>,
    low: VecDeque<Waiting>,
    bytes: usize,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.high.is_empty() && self.low.is_empty()
    }

    /// How much waits. Bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a buffer, which must not be a borrowed one.
    pub fn push(&mut self, buffer: Buffer, to: Option<SocketAddr>, priority: Priority) {
        debug_assert!(!matches!(buffer.held, Held::Borrowed));
        self.bytes += buffer.len();
        match priority {
            Priority::High => self.high.push_back(Waiting { buffer, to }),
            Priority::Low => self.low.push_back(Waiting { buffer, to }),
        }
    }

    /// Takes everything out; the caller drops it where no lock is held.
    pub fn take(&mut self, freed: &mut Vec<Buffer>) {
        self.bytes = 0;
        freed.extend(self.high.drain(..).map(|waiting| waiting.buffer));
        freed.extend(self.low.drain(..).map(|waiting| waiting.buffer));
        self.shrink();
    }

    /// Writes to a stream until it takes no more: high priority first. A buffer
    /// of low priority of which a part was sent goes to the front of high
    /// priority, so that nothing gets in between. `written` counts the bytes;
    /// what is done with goes to `freed`, to be dropped where no lock is held.
    pub fn flush_stream(
        &mut self,
        source: &Source,
        written: &mut u64,
        freed: &mut Vec<Buffer>,
    ) -> Flushed {
        let mut total = 0;
        while !self.is_empty() {
            if total >= MAX_FLUSH {
                return Flushed::Enough;
            }
            let mut slices = [IoSlice::new(&[]); BATCH];
            let mut offered = 0;
            let waiting = self.high.iter().chain(&self.low);
            let mut count = 0;
            for (slice, waiting) in slices.iter_mut().zip(waiting) {
                *slice = IoSlice::new(waiting.buffer.rest());
                offered += waiting.buffer.len();
                count += 1;
            }
            match source.write(&slices[..count], offered) {
                Ok(sent) => {
                    *written += sent as u64;
                    total += sent;
                    self.sent(sent, freed);
                    if sent < offered && source.short_write_means_full() {
                        return Flushed::Blocked;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Flushed::Blocked,
                    _ => return Flushed::Failed(error),
                },
            }
        }
        self.shrink();
        Flushed::All
    }

    /// Takes out what was sent.
    fn sent(&mut self, mut count: usize, freed: &mut Vec<Buffer>) {
        self.bytes -= count;
        loop {
            let from_low = self.high.is_empty();
            let queue = if from_low {
                &mut self.low
            } else {
                &mut self.high
            };
            let Some(first) = queue.front_mut() else {
                return;
            };
            if count < first.buffer.len() {
                first.buffer.advance(count);
                if from_low && first.buffer.partly_sent {
                    self.high.extend(self.low.pop_front());
                }
                return;
            }
            count -= first.buffer.len();
            freed.extend(queue.pop_front().map(|waiting| waiting.buffer));
        }
    }

    /// Sends datagrams until the socket takes no more. One that cannot be sent is
    /// dropped, and `complain` hears why.
    pub fn flush_datagrams(
        &mut self,
        source: &Source,
        default: Option<SocketAddr>,
        written: &mut u64,
        freed: &mut Vec<Buffer>,
        complain: &mut dyn FnMut(&str),
    ) -> Flushed {
        loop {
            let queue = if self.high.is_empty() {
                &mut self.low
            } else {
                &mut self.high
            };
            let Some(first) = queue.front() else {
                break;
            };
            let sent = match first.to.or(default) {
                Some(to) if source.can_send_to(to) => source.send_to(first.buffer.rest(), to),
                _ => {
                    complain("error: type mismatch.");
                    Ok(0)
                }
            };
            match sent {
                Ok(sent) => *written += sent as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flushed::Blocked,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => complain(&format!("sendto error {}.", super::event::text(&error))),
            }
            if let Some(waiting) = queue.pop_front() {
                self.bytes -= waiting.buffer.len();
                freed.push(waiting.buffer);
            }
        }
        self.shrink();
        Flushed::All
    }

    fn shrink(&mut self) {
        for queue in [&mut self.high, &mut self.low] {
            if queue.capacity() > KEPT_ROOM {
                *queue = VecDeque::new();
            }
        }
    }
}

#[cfg(test)]
impl Buffer {
    pub fn copy_of(bytes: &[u8]) -> Buffer {
        // SAFETY: the bytes are there until keep has copied them.
        let borrowed = unsafe { Buffer::borrowed(bytes.as_ptr().cast(), bytes.len()) };
        borrowed.keep().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(high: &[&[u8]], low: &[&[u8]]) -> Queue {
        let mut queue = Queue::default();
        for bytes in high {
            queue.push(Buffer::copy_of(bytes), None, Priority::High);
        }
        for bytes in low {
            queue.push(Buffer::copy_of(bytes), None, Priority::Low);
        }
        queue
    }

    /// What waits, a space between buffers.
    fn left(queue: &Queue) -> [String; 2] {
        [&queue.high, &queue.low].map(|waiting| {
            let texts: Vec<&str> = waiting
                .iter()
                .map(|waiting| std::str::from_utf8(waiting.buffer.rest()).unwrap())
                .collect();
            texts.join(" ")
        })
    }

    #[test]
    fn half_sent_low_priority_goes_first() {
        let mut queue = queue(&[b"ab"], &[b"cdef", b"g"]);
        let mut freed = Vec::new();
        queue.sent(2, &mut freed);
        assert_eq!(left(&queue), ["", "cdef g"]);
        queue.sent(3, &mut freed);
        assert_eq!(left(&queue), ["f", "g"]);
        queue.push(Buffer::copy_of(b"h"), None, Priority::High);
        assert_eq!(left(&queue), ["f h", "g"]);
        assert_eq!(queue.bytes(), 3);
        queue.sent(3, &mut freed);
        assert!(queue.is_empty());
        assert_eq!(queue.bytes(), 0);
        assert_eq!(freed.len(), 4);
    }

    #[test]
    fn batches_reach_from_high_into_low() {
        let mut queue = queue(&[b"ab", b"cd"], &[b"ef", b"gh"]);
        let mut freed = Vec::new();
        queue.sent(5, &mut freed);
        assert_eq!(left(&queue), ["f", "gh"]);
        assert_eq!(freed.len(), 2);
    }

    #[test]
    fn empty_buffers_are_done_with_at_once() {
        let mut queue = queue(&[b"", b"a", b""], &[b""]);
        let mut freed = Vec::new();
        queue.sent(1, &mut freed);
        assert!(queue.is_empty());
        assert_eq!(freed.len(), 4);
    }

    #[test]
    fn borrowed_memory_is_copied_when_kept() {
        let bytes = *b"abc";
        // SAFETY: the array outlives the buffer.
        let mut buffer = unsafe { Buffer::borrowed(bytes.as_ptr().cast(), bytes.len()) };
        buffer.advance(1);
        let kept = buffer.keep().unwrap();
        assert_eq!(kept.rest(), b"bc");
        assert_ne!(kept.rest().as_ptr(), bytes[1..].as_ptr());
    }

    #[test]
    fn objects_are_freed_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static FREED: AtomicUsize = AtomicUsize::new(0);
        unsafe extern "C-unwind" fn buffer(object: *const c_void) -> *const c_void {
            object
        }
        unsafe extern "C-unwind" fn size(_: *const c_void) -> usize {
            3
        }
        unsafe extern "C-unwind" fn free(_: *mut c_void) {
            FREED.fetch_add(1, Ordering::Relaxed);
        }
        let interface = ObjectInterface { buffer, size, free };
        let bytes = *b"abc";
        let object = bytes.as_ptr().cast_mut().cast();
        // SAFETY: buffer and size say that the array is the buffer.
        let buffer = unsafe { Buffer::from_object(object, &interface) }
            .keep()
            .unwrap();
        assert_eq!(buffer.rest(), b"abc");
        assert_eq!(FREED.load(Ordering::Relaxed), 0);
        drop(buffer);
        assert_eq!(FREED.load(Ordering::Relaxed), 1);
    }
}
