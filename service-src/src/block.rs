//! Blocks of the malloc family, in which messages come and go.

use core::ffi::c_void;
use core::{mem, ptr, slice};
use skynet_abi::malloc::{skynet_free, skynet_malloc, skynet_realloc};

/// A block that is owned, and freed with this value.
#[derive(Debug)]
pub struct Block {
    start: *mut c_void,
    size: usize,
}

impl Block {
    /// # Safety
    ///
    /// `start` is null or a block of the malloc family with `size` bytes, which
    /// the caller hands over.
    pub unsafe fn from_raw(start: *mut c_void, size: usize) -> Self {
        Self { start, size }
    }

    /// No block.
    pub fn empty() -> Self {
        Self {
            start: ptr::null_mut(),
            size: 0,
        }
    }

    /// Gives the block away, and says how many bytes are in it.
    pub fn into_raw(self) -> (*mut c_void, usize) {
        let block = mem::ManuallyDrop::new(self);
        (block.start, block.size)
    }

    pub fn len(&self) -> usize {
        self.size
    }

    pub fn bytes(&self) -> &[u8] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: there are so many bytes, as `from_raw` was promised.
        unsafe { slice::from_raw_parts(self.start.cast(), self.size) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is ours; a null pointer may be freed too.
        unsafe { skynet_free(self.start) }
    }
}

/// A block that is being filled.
#[derive(Debug)]
pub struct Filling {
    block: Block,
    room: usize,
}

impl Filling {
    /// An empty one with room for so many bytes; nothing if there is no memory.
    pub fn with_room(room: usize) -> Option<Self> {
        // SAFETY: any size may be asked for.
        let start = unsafe { skynet_malloc(room.max(1)) };
        (!start.is_null()).then_some(Self {
            block: Block { start, size: 0 },
            room: room.max(1),
        })
    }

    pub fn len(&self) -> usize {
        self.block.size
    }

    pub fn room(&self) -> usize {
        self.room
    }

    /// Makes room for so many bytes in all. False if there is no memory; what is
    /// in the block stays.
    #[must_use]
    pub fn grow(&mut self, room: usize) -> bool {
        if room <= self.room {
            return true;
        }
        // SAFETY: the block is ours; if it moves, the old one is not used again.
        let start = unsafe { skynet_realloc(self.block.start, room) };
        if start.is_null() {
            return false;
        }
        self.block.start = start;
        self.room = room;
        true
    }

    /// Adds bytes, for which there must be room.
    pub fn add(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.room - self.block.size);
        // SAFETY: there is room behind what is in the block, which nobody else
        // can see.
        unsafe {
            let end = self.block.start.cast::<u8>().add(self.block.size);
            ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
        }
        self.block.size += bytes.len();
    }

    /// What is in it, without the last bytes.
    pub fn finish(mut self, left_out: usize) -> Block {
        self.block.size -= left_out;
        self.block
    }

    pub fn bytes(&self) -> &[u8] {
        self.block.bytes()
    }
}
