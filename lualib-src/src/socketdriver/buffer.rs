//! What has been read from a socket and not been taken by Lua yet: the blocks
//! as they came, in order.

use core::ffi::c_void;
use core::ptr::NonNull;
use std::collections::{TryReserveError, VecDeque};

use skynet_abi::malloc::skynet_free;

/// Separators up to this length are remembered between searches. Bytes.
const REMEMBERED: usize = 8;

/// A block of a message, which is freed with this value.
pub struct Block {
    start: NonNull<u8>,
    size: usize,
}

impl Block {
    /// Takes a block over.
    ///
    /// # Safety
    /// `start` came from `skynet_malloc`, has at least `size` initialised bytes
    /// and belongs to nobody else.
    pub unsafe fn from_raw(start: NonNull<c_void>, size: usize) -> Block {
        Block {
            start: start.cast(),
            size,
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: from_raw's caller vouched for size initialised bytes, which
        // are ours until the drop.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.size) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is from skynet_malloc and ours, by from_raw's contract.
        unsafe { skynet_free(self.start.as_ptr().cast()) }
    }
}

/// Bytes in the order they arrived.
#[derive(Default)]
pub struct Buffer {
    blocks: VecDeque<Block>,
    /// How much of the first block has been taken.
    taken: usize,
    /// What is left in all blocks.
    size: usize,
    search: Search,
}

/// Where the last search ended, so that a line that arrives in many pieces is
/// not looked through from its beginning each time.
#[derive(Clone, Copy, Default)]
struct Search {
    separator: [u8; REMEMBERED],
    length: usize,
    /// No separator begins before this position.
    from: usize,
}

impl Search {
    fn is_for(&self, separator: &[u8]) -> bool {
        self.length == separator.len() && self.separator[..self.length] == *separator
    }

    fn remember(&mut self, separator: &[u8], from: usize) {
        if let Some(place) = self.separator.get_mut(..separator.len()) {
            place.copy_from_slice(separator);
            self.length = separator.len();
            self.from = from;
        }
    }
}

impl Buffer {
    /// The number of bytes that can be taken.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Appends a block.
    ///
    /// # Errors
    /// Memory is out; the block is freed then.
    pub fn push(&mut self, block: Block) -> Result<(), TryReserveError> {
        if block.size > 0 {
            self.blocks.try_reserve(1)?;
            self.size += block.size;
            self.blocks.push_back(block);
        }
        Ok(())
    }

    /// What is left of each block, in order. No piece is empty.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut taken = self.taken;
        self.blocks
            .iter()
            .map(move |block| &block.bytes()[core::mem::take(&mut taken)..])
    }

    /// The first `size` bytes, if they lie in one block.
    pub fn in_one_piece(&self, size: usize) -> Option<&[u8]> {
        match self.pieces().next() {
            Some(piece) => piece.get(..size),
            None => (size == 0).then_some(&[]),
        }
    }

    /// Copies bytes from the front to `to`, as many as fit or there are: so many.
    pub fn copy(&self, mut to: &mut [core::mem::MaybeUninit<u8>]) -> usize {
        let room = to.len();
        for piece in self.pieces() {
            let count = piece.len().min(to.len());
            let (now, later) = to.split_at_mut(count);
            for (to, from) in now.iter_mut().zip(piece) {
                to.write(*from);
            }
            to = later;
            if to.is_empty() {
                break;
            }
        }
        room - to.len()
    }

    /// Takes `size` bytes, or all if there are fewer, from the front away.
    pub fn consume(&mut self, size: usize) {
        let size = size.min(self.size);
        self.size -= size;
        self.search.from = self.search.from.saturating_sub(size);
        self.taken += size;
        while let Some(first) = self.blocks.front()
            && self.taken >= first.size
        {
            self.taken -= first.size;
            self.blocks.pop_front();
        }
        if self.blocks.is_empty() {
            // After a burst the list need not keep its room.
            self.blocks.shrink_to(REMEMBERED);
        }
    }

    /// Where the first separator begins. An empty one is found in front of the
    /// first byte.
    pub fn find(&mut self, separator: &[u8]) -> Option<usize> {
        let end = (self.size + 1).checked_sub(separator.len())?;
        let Some(&head) = separator.first() else {
            return (self.size > 0).then_some(0);
        };
        let from = if self.search.is_for(separator) {
            self.search.from
        } else {
            0
        };
        let found = self.scan(from, end, head, separator);
        self.search.remember(separator, found.unwrap_or(end));
        found
    }

    /// Looks for a separator that begins at `from` or later, and before `end`.
    fn scan(&self, from: usize, end: usize, head: u8, separator: &[u8]) -> Option<usize> {
        let mut base = 0;
        for (index, piece) in self.pieces().enumerate() {
            let mut at = from.saturating_sub(base);
            while let Some(rest) = piece.get(at..)
                && let Some(ahead) = rest.iter().position(|byte| *byte == head)
            {
                at += ahead;
                if base + at >= end {
                    return None;
                }
                if self.matches(index, at, separator) {
                    return Some(base + at);
                }
                at += 1;
            }
            base += piece.len();
        }
        None
    }

    /// Whether the separator stands at `at` in the piece with the index, and on
    /// into the pieces after it.
    fn matches(&self, index: usize, at: usize, separator: &[u8]) -> bool {
        let mut rest = separator;
        let mut skip = at;
        for piece in self.pieces().skip(index) {
            let piece = &piece[core::mem::take(&mut skip)..];
            let (now, later) = rest.split_at(rest.len().min(piece.len()));
            if !piece.starts_with(now) {
                return false;
            }
            rest = later;
            if rest.is_empty() {
                return true;
            }
        }
        false
    }
}
