//! The buffer that values are packed into.

use std::mem::MaybeUninit;
use std::ptr;

use skynet_abi::malloc::{skynet_free, skynet_malloc, skynet_realloc};

use super::Fail;
use super::format::{Head, MAX_SIZE};

/// Space on the packing function's own frame, enough for most messages, so that
/// they take one allocation of the right size. A power of two.
pub(super) const LOCAL: usize = 4096;

pub(super) type Local = [MaybeUninit<u8>; LOCAL];

/// Bytes that grow: first in a [`Local`], then in a block of skynet_malloc.
///
/// It has no destructor, because Lua errors pass over the frame that holds it:
/// [`finish`](Self::finish) or [`discard`](Self::discard) is its end.
pub(super) struct Output {
    data: *mut u8,
    len: usize,
    capacity: usize,
    local: *mut u8,
}

impl Output {
    /// # Safety
    /// `local` outlives the value.
    pub(super) unsafe fn new(local: &mut Local) -> Self {
        let local = local.as_mut_ptr().cast();
        Self {
            data: local,
            len: 0,
            capacity: LOCAL,
            local,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The bytes, `len` of them, valid until the next call that writes.
    pub(super) fn data(&self) -> *const u8 {
        self.data
    }

    pub(super) fn is_local(&self) -> bool {
        ptr::eq(self.data, self.local)
    }

    /// Takes back what was written after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[inline(always)]
    pub(super) fn head(&mut self, head: Head) -> Result<(), Fail> {
        self.reserve(Head::MAX)?;
        // SAFETY: that much is free.
        unsafe { write(head, self.data.add(self.len)) };
        self.len += head.len;
        Ok(())
    }

    /// Writes a string's head and bytes.
    ///
    /// # Safety
    /// `bytes` is valid for reads of `len` bytes.
    #[inline(always)]
    pub(super) unsafe fn string(&mut self, bytes: *const u8, len: usize) -> Result<(), Fail> {
        if len > MAX_SIZE {
            return Err(Fail::Size);
        }
        self.reserve(Head::MAX + len)?;
        let head = Head::string(len as u32);
        // SAFETY: that much is free, and a Lua string does not overlap it.
        unsafe {
            let end = self.data.add(self.len);
            write(head, end);
            copy(bytes, end.add(head.len), len);
        }
        self.len += head.len + len;
        Ok(())
    }

    #[inline(always)]
    fn reserve(&mut self, more: usize) -> Result<(), Fail> {
        if self.capacity - self.len < more {
            return self.grow(more);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) -> Result<(), Fail> {
        let needed = self.len + more;
        // The slack of a head is no reason to refuse what fits.
        if needed > MAX_SIZE + Head::MAX {
            return Err(Fail::Size);
        }
        let capacity = needed.max(self.capacity * 2);
        // SAFETY: `data` is this value's block if it is not `local`; a new block
        // has room for all that is copied, and overlaps nothing.
        unsafe {
            let data: *mut u8 = if self.is_local() {
                let block: *mut u8 = skynet_malloc(capacity).cast();
                if !block.is_null() {
                    ptr::copy_nonoverlapping(self.data, block, self.len);
                }
                block
            } else {
                skynet_realloc(self.data.cast(), capacity).cast()
            };
            if data.is_null() {
                return Err(Fail::Memory);
            }
            self.data = data;
            self.capacity = capacity;
        }
        Ok(())
    }

    /// Gives the bytes away as a block of skynet_malloc. After an error the value
    /// is as it was.
    pub(super) fn finish(&mut self) -> Result<*mut u8, Fail> {
        if self.len > MAX_SIZE {
            return Err(Fail::Size);
        }
        // SAFETY: the new block has room for `len` bytes; a block that did not
        // shrink is still this value's, and as good.
        unsafe {
            if self.is_local() {
                let block: *mut u8 = skynet_malloc(self.len).cast();
                if block.is_null() && self.len > 0 {
                    return Err(Fail::Memory);
                }
                ptr::copy_nonoverlapping(self.data, block, self.len);
                return Ok(block);
            }
            let shrunk: *mut u8 = skynet_realloc(self.data.cast(), self.len).cast();
            Ok(if shrunk.is_null() { self.data } else { shrunk })
        }
    }

    /// Frees what was allocated.
    pub(super) fn discard(&mut self) {
        if !self.is_local() {
            // SAFETY: the block is this value's, and not used after this.
            unsafe { skynet_free(self.data.cast()) };
            self.data = self.local;
            self.capacity = LOCAL;
            self.len = 0;
        }
    }
}

/// Writes a head in its full width, whatever its length: what comes next
/// overwrites the rest.
///
/// # Safety
/// `to` is valid for writes of `Head::MAX` bytes.
#[inline(always)]
unsafe fn write(head: Head, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        to.write(head.tag);
        let payload = head.payload.to_le();
        to.add(1).cast::<u64>().write_unaligned(payload);
    }
}

/// Copies a string. Most are names of fields, for which a call of memcpy takes
/// longer than the copy: short ones go in two moves that may overlap.
///
/// # Safety
/// As `ptr::copy_nonoverlapping`.
#[inline(always)]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise; both moves lie within `len` bytes.
    unsafe {
        match len {
            0 => {}
            1..4 => {
                to.write(from.read());
                to.add(len / 2).write(from.add(len / 2).read());
                to.add(len - 1).write(from.add(len - 1).read());
            }
            4..8 => copy_ends::<u32>(from, to, len),
            8..16 => copy_ends::<u64>(from, to, len),
            16..32 => copy_ends::<u128>(from, to, len),
            _ => ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// Copies the first and the last `size_of::<T>()` bytes.
///
/// # Safety
/// As `ptr::copy_nonoverlapping`, and `len` is at least the size of a `T`.
#[inline(always)]
unsafe fn copy_ends<T: Copy>(from: *const u8, to: *mut u8, len: usize) {
    let last = len - size_of::<T>();
    // SAFETY: the caller's promise.
    unsafe {
        let head = from.cast::<T>().read_unaligned();
        let tail = from.add(last).cast::<T>().read_unaligned();
        to.cast::<T>().write_unaligned(head);
        to.add(last).cast::<T>().write_unaligned(tail);
    }
}
