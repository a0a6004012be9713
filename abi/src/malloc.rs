//! `skynet_malloc.h`. In C the `skynet_` names are macros for the process's
//! malloc family; so it is here, which lets modules built on this crate load
//! into any core.

use core::ffi::{c_int, c_void};

/// cbindgen:ignore
unsafe extern "C" {
    #[link_name = "malloc"]
    pub fn skynet_malloc(sz: usize) -> *mut c_void;
    #[link_name = "calloc"]
    pub fn skynet_calloc(nmemb: usize, size: usize) -> *mut c_void;
    #[link_name = "realloc"]
    pub fn skynet_realloc(ptr: *mut c_void, size: usize) -> *mut c_void;
    #[link_name = "free"]
    pub fn skynet_free(ptr: *mut c_void);
    #[link_name = "memalign"]
    pub fn skynet_memalign(alignment: usize, size: usize) -> *mut c_void;
    #[link_name = "aligned_alloc"]
    pub fn skynet_aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    #[link_name = "posix_memalign"]
    pub fn skynet_posix_memalign(memptr: *mut *mut c_void, alignment: usize, size: usize) -> c_int;
    /// Raw and charged to nobody: a Lua allocator that counts by itself.
    pub fn skynet_lalloc(ptr: *mut c_void, osize: usize, nsize: usize) -> *mut c_void;
}
