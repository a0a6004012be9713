//! Blocks of the malloc family, as messages are made of.

use std::ffi::c_void;
use std::ptr::NonNull;

use mlua_sys::*;
use skynet_abi::malloc::{skynet_free, skynet_malloc, skynet_realloc};

/// A block for so many bytes; a Lua error if there is no memory. Also one for none,
/// so that every message is freed in one way.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
pub(crate) unsafe fn allocate(L: *mut lua_State, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise; malloc takes any size.
    unsafe {
        let block = skynet_malloc(size.max(1));
        if block.is_null() {
            luaL_error(L, c"not enough memory".as_ptr());
        }
        block
    }
}

/// A block that is filled from its start on, and freed with this value.
pub(crate) struct Block {
    start: NonNull<u8>,
    filled: usize,
    capacity: usize,
}

impl Block {
    /// Room for `size` bytes, which may be none; nothing if memory is out.
    pub(crate) fn new(size: usize) -> Option<Self> {
        // SAFETY: malloc takes any size. What has no content is a block as well, so
        // that every message is freed in one way.
        let start = unsafe { skynet_malloc(size.max(1)) };
        Some(Self {
            start: NonNull::new(start)?.cast(),
            filled: 0,
            capacity: size,
        })
    }

    /// Makes room for `size` bytes in all; false if memory is out. It never gets
    /// smaller.
    pub(crate) fn grow(&mut self, size: usize) -> bool {
        if size <= self.capacity {
            return true;
        }
        // SAFETY: new got the block from skynet_malloc, and it is ours. If realloc
        // fails, it is still there.
        let start = unsafe { skynet_realloc(self.start.as_ptr().cast(), size) };
        let Some(start) = NonNull::new(start) else {
            return false;
        };
        self.start = start.cast();
        self.capacity = size;
        true
    }

    /// Adds bytes behind those that are there, as many as there is room for.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(self.capacity - self.filled);
        // SAFETY: there is room for capacity bytes, of which filled are taken, and
        // nobody else has the block.
        unsafe {
            self.start
                .as_ptr()
                .add(self.filled)
                .copy_from_nonoverlapping(bytes.as_ptr(), count);
        }
        self.filled += count;
    }

    /// Gives the block away; its new owner frees it with `skynet_free`.
    pub(crate) fn into_raw(self) -> *mut c_void {
        let start = self.start.as_ptr().cast();
        std::mem::forget(self);
        start
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: new got it from skynet_malloc, and it was not given away.
        unsafe { skynet_free(self.start.as_ptr().cast()) }
    }
}
