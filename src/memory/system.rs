//! The family with the feature `system-malloc`: the system's, and nobody is
//! charged. The functions are those of `allocator.rs`, and do the same.

use core::ffi::{c_int, c_void};
use core::ptr;
use std::alloc::{self, Layout};

use super::pages;

/// A block of `size` bytes. Null with ENOMEM if it is not to be had.
#[inline]
pub fn malloc(size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { libc::malloc(size) }
}

/// A block for `count` things of `size` bytes, all zero.
#[inline]
pub fn calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: any sizes may be asked for.
    unsafe { libc::calloc(count, size) }
}

/// A block aligned to `alignment`. Null with EINVAL if that is not a power of two.
pub fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: any alignment and size may be asked for.
    unsafe { libc::aligned_alloc(alignment, size) }
}

/// A block aligned to the system's pages, of whole pages if `whole`.
pub fn page_alloc(size: usize, whole: bool) -> *mut c_void {
    let size = if whole { pages::round_up(size) } else { size };
    aligned_alloc(pages::page_size(), size)
}

/// A block with the convention of `posix_memalign`.
pub fn posix_memalign(alignment: usize, size: usize) -> Result<*mut c_void, c_int> {
    let mut block = ptr::null_mut();
    // SAFETY: `block` is writable; any alignment and size may be asked for.
    match unsafe { libc::posix_memalign(&mut block, alignment, size) } {
        0 => Ok(block),
        error => Err(error),
    }
}

/// Frees a block. Null is nothing to do.
///
/// # Safety
/// Behavior is undefined unless `block` is null or came from this module and
/// has not been freed. Nobody uses it afterwards.
#[inline]
pub unsafe fn free(block: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { libc::free(block) }
}

/// Gives a block another size. Size 0 gives a block too, which the system's
/// `realloc` would free.
///
/// # Safety
/// As for [`free`], if a block is returned.
#[inline]
pub unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { libc::realloc(block, size.max(1)) }
}

/// How many bytes of the block the caller may use. 0 for null.
///
/// # Safety
/// Behavior is undefined unless `block` is null or came from this module and
/// has not been freed.
pub unsafe fn usable_size(block: *mut c_void) -> usize {
    // SAFETY: the caller's promise.
    unsafe { libc::malloc_usable_size(block) }
}

/// Allocates, resizes or, for size 0, frees a block.
///
/// # Safety
/// As for [`free`], if a block is returned or `size` is 0.
#[inline]
pub unsafe fn lalloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe {
        if size == 0 {
            libc::free(block);
            ptr::null_mut()
        } else {
            libc::realloc(block, size)
        }
    }
}

/// A block of zeroes for account records, or null.
pub(super) fn raw_allocate_zeroed(layout: Layout) -> *mut c_void {
    // SAFETY: a chunk of records is not empty.
    unsafe { alloc::alloc_zeroed(layout) }.cast()
}

/// Frees what `raw_allocate_zeroed` returned.
///
/// # Safety
/// Behavior is undefined unless `block` came from there with this layout and
/// has not been freed.
pub(super) unsafe fn raw_free(block: *mut c_void, layout: Layout) {
    // SAFETY: the caller's promise.
    unsafe { alloc::dealloc(block.cast(), layout) }
}
