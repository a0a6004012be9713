//! `mem_info.h`: counts of what was allocated and freed. The core counts otherwise
//! (`memory`); these are for programs that keep such counts themselves.
//!
//! The functions are `extern "C"`, not `"C-unwind"`: nothing below them panics.
//! Sums wrap around.

use skynet_abi::mem_info::{AtomicCount, AtomicMemInfo, MemInfo};
use std::sync::atomic::Ordering::{Acquire, Release};

/// Sets the counts to 0.
///
/// # Safety
/// Behavior is undefined unless `info` is writable and nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_init(info: *mut MemInfo) {
    // SAFETY: as the caller says.
    unsafe { info.write(MemInfo::default()) }
}

/// Sets the counts to 0.
///
/// # Safety
/// Behavior is undefined unless `info` is writable and nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_init(info: *mut AtomicMemInfo) {
    // SAFETY: as the caller says.
    unsafe { info.write(AtomicMemInfo::default()) }
}

/// Counts one block of `size` bytes that was allocated.
///
/// # Safety
/// Behavior is undefined unless `info` is initialised and nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_alloc(info: *mut MemInfo, size: usize) {
    // SAFETY: as the caller says.
    let info = unsafe { &mut *info };
    info.alloc = info.alloc.wrapping_add(size);
    info.alloc_count = info.alloc_count.wrapping_add(1);
}

/// Counts one block of `size` bytes that was allocated, on any thread.
///
/// # Safety
/// Behavior is undefined unless `info` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_alloc(info: *mut AtomicMemInfo, size: usize) {
    // SAFETY: as the caller says.
    count(unsafe { &(*info).alloc }, size);
}

/// Counts one block of `size` bytes that was freed.
///
/// # Safety
/// Behavior is undefined unless `info` is initialised and nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_free(info: *mut MemInfo, size: usize) {
    // SAFETY: as the caller says.
    let info = unsafe { &mut *info };
    info.free = info.free.wrapping_add(size);
    info.free_count = info.free_count.wrapping_add(1);
}

/// Counts one block of `size` bytes that was freed, on any thread.
///
/// # Safety
/// Behavior is undefined unless `info` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_free(info: *mut AtomicMemInfo, size: usize) {
    // SAFETY: as the caller says.
    count(unsafe { &(*info).free }, size);
}

/// Adds the counts of `src` to those of `dest`.
///
/// # Safety
/// Behavior is undefined unless both are initialised and nobody else uses `dest`
/// or writes to `src`. They may be the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_merge(dest: *mut MemInfo, src: *const MemInfo) {
    // SAFETY: as the caller says.
    unsafe { merge(dest, src.read()) }
}

/// Adds the counts of `src`, as they are at some moment of the call, to those of
/// `dest`. A block that was allocated before it was freed, as others see it, is
/// not missing from `alloc` if it is in `free`.
///
/// # Safety
/// Behavior is undefined unless both are initialised and nobody else uses `dest`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_merge(dest: *mut MemInfo, src: *const AtomicMemInfo) {
    // SAFETY: as the caller says.
    let src = unsafe { &*src };
    // Freed first: see above. Acquire keeps the order, and pairs with the release
    // in `count`.
    let free_count = src.free.count.load(Acquire);
    let free = src.free.bytes.load(Acquire);
    let alloc_count = src.alloc.count.load(Acquire);
    let alloc = src.alloc.bytes.load(Acquire);
    let now = MemInfo {
        alloc,
        alloc_count,
        free,
        free_count,
    };
    // SAFETY: as the caller says.
    unsafe { merge(dest, now) }
}

fn count(counts: &AtomicCount, size: usize) {
    counts.bytes.fetch_add(size, Release);
    counts.count.fetch_add(1, Release);
}

/// # Safety
/// `dest` must be initialised, and the caller's alone.
unsafe fn merge(dest: *mut MemInfo, src: MemInfo) {
    // SAFETY: as the caller says.
    let dest = unsafe { &mut *dest };
    dest.alloc = dest.alloc.wrapping_add(src.alloc);
    dest.alloc_count = dest.alloc_count.wrapping_add(src.alloc_count);
    dest.free = dest.free.wrapping_add(src.free);
    dest.free_count = dest.free_count.wrapping_add(src.free_count);
}
