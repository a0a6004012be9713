//! A block of the malloc family with an owner.

use std::ffi::c_void;

use skynet_abi::malloc::skynet_free;

/// What a publisher has packed. Dropping it frees the block.
pub(super) struct Payload {
    data: *mut c_void,
    size: usize,
}

// SAFETY: the block belongs to the value alone and is only read while it lives, and
// the malloc family lets any thread free it.
unsafe impl Send for Payload {}

// SAFETY: as above; nothing changes the block.
unsafe impl Sync for Payload {}

impl Payload {
    /// Takes a block over.
    ///
    /// # Safety
    /// `data` is a block of the malloc family that nobody else will free, with `size`
    /// bytes to read, or null and `size` is 0.
    pub(super) unsafe fn from_raw(data: *mut c_void, size: usize) -> Self {
        Self { data, size }
    }

    pub(super) fn data(&self) -> *mut c_void {
        self.data
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Gives the block to the caller, who frees it.
    pub(super) fn into_raw(self) -> (*mut c_void, usize) {
        let parts = (self.data, self.size);
        std::mem::forget(self);
        parts
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        // SAFETY: the value owned the block; free takes null.
        unsafe { skynet_free(self.data) };
    }
}
