//! Memory that a message carries to its receiver.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A block from the malloc family, whose first `len` bytes are initialised.
/// Dropping it frees it; [`Block::into_raw`] makes it the receiver's.
#[derive(Debug)]
pub struct Block {
    start: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: the block is plain memory that nothing else points to, and the malloc
// family lets any thread free what another one allocated.
unsafe impl Send for Block {}

impl Block {
    /// An empty block for `capacity` bytes; `None` when memory is out.
    pub fn new(capacity: usize) -> Option<Block> {
        // SAFETY: malloc takes any size; a size of at least 1 keeps null for failure.
        let start = unsafe { libc::malloc(capacity.max(1)) };
        Some(Block {
            start: NonNull::new(start.cast())?,
            capacity,
            len: 0,
        })
    }

    /// The part that is still to be written.
    pub fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: start has capacity bytes, of which len (never more than
        // capacity) are taken, and &mut self lends them to nobody else.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.start.as_ptr().add(self.len).cast(),
                self.capacity - self.len,
            )
        }
    }

    /// Counts `more` bytes of [`Block::spare`] as written.
    ///
    /// # Safety
    /// The first `more` bytes of the spare part are initialised.
    pub unsafe fn advance(&mut self, more: usize) {
        debug_assert!(more <= self.capacity - self.len);
        self.len += more;
    }

    /// Appends bytes; they must fit.
    pub fn extend(&mut self, bytes: &[u8]) {
        let spare = &mut self.spare()[..bytes.len()];
        for (to, from) in spare.iter_mut().zip(bytes) {
            to.write(*from);
        }
        // SAFETY: the loop has written exactly these bytes.
        unsafe { self.advance(bytes.len()) }
    }

    #[cfg(test)]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the first len bytes are initialised, by this type's invariant.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The number of initialised bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Gives the memory away: its start, to be freed with `skynet_free`.
    pub fn into_raw(self) -> NonNull<u8> {
        let start = self.start;
        std::mem::forget(self);
        start
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: start came from malloc, and whoever took it with into_raw
        // forgot this value.
        unsafe { libc::free(self.start.as_ptr().cast()) }
    }
}
