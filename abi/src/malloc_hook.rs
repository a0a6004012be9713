//! `malloc_hook.h`: what the process's memory adds up to, and jemalloc's settings.

use core::ffi::{c_char, c_int};
use core::marker::{PhantomData, PhantomPinned};

/// A Lua state, as its own header declares it.
#[repr(C)]
pub struct lua_State {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn malloc_used_memory() -> usize;
    pub fn malloc_memory_block() -> usize;
    pub fn malloc_current_memory() -> usize;
    pub fn memory_info_dump(opts: *const c_char);
    pub fn mallctl_int64(name: *const c_char, newval: *mut usize) -> usize;
    pub fn mallctl_opt(name: *const c_char, newval: *mut c_int) -> c_int;
    pub fn mallctl_bool(name: *const c_char, newval: *mut bool) -> bool;
    pub fn mallctl_cmd(name: *const c_char) -> c_int;
    pub fn dump_c_mem();
    /// A Lua function.
    pub fn dump_mem_lua(L: *mut lua_State) -> c_int;
}
