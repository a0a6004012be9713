//! `mem_info.h`: counts of what was allocated and freed.

use core::sync::atomic::AtomicUsize;

/// What was allocated and what was freed since the beginning, in bytes and in
/// number.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemInfo {
    pub alloc: usize,
    pub alloc_count: usize,
    pub free: usize,
    pub free_count: usize,
}

/// One half of [`AtomicMemInfo`], on a cache line of its own.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct AtomicCount {
    pub bytes: AtomicUsize,
    pub count: AtomicUsize,
}

/// As [`MemInfo`], for any number of threads: `alloc` and `alloc_count`, then,
/// 64 bytes on, `free` and `free_count`.
#[repr(C)]
#[derive(Debug, Default)]
pub struct AtomicMemInfo {
    pub alloc: AtomicCount,
    pub free: AtomicCount,
}

/// cbindgen:ignore
unsafe extern "C" {
    pub fn meminfo_init(info: *mut MemInfo);
    pub fn atomic_meminfo_init(info: *mut AtomicMemInfo);
    pub fn meminfo_alloc(info: *mut MemInfo, size: usize);
    pub fn atomic_meminfo_alloc(info: *mut AtomicMemInfo, size: usize);
    pub fn meminfo_free(info: *mut MemInfo, size: usize);
    pub fn atomic_meminfo_free(info: *mut AtomicMemInfo, size: usize);
    pub fn meminfo_merge(dest: *mut MemInfo, src: *const MemInfo);
    pub fn atomic_meminfo_merge(dest: *mut MemInfo, src: *const AtomicMemInfo);
}
