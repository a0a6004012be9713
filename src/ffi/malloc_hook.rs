//! `malloc_hook.h`: what the node's memory adds up to, and jemalloc's settings by
//! the names of its manual.

use super::{guard, lua, optional};
use crate::memory;
use crate::runtime::heap;
use skynet_abi::malloc_hook::lua_State;
use std::ffi::{c_char, c_int};

/// Bytes of the malloc family that are alive, whoever allocated them. A block counts
/// with the 16 bytes (more where a larger alignment was asked for) in front of it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn malloc_used_memory() -> usize {
    guard(0, || memory::total_usage().bytes)
}

/// Blocks of the malloc family that are alive, whoever allocated them.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn malloc_memory_block() -> usize {
    guard(0, || memory::total_usage().blocks)
}

/// Writes jemalloc's statistics to the standard error. `opts` leaves parts out, one
/// letter for each; see `malloc_stats_print` in its manual.
///
/// # Safety
/// `opts` must be null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn memory_info_dump(opts: *const c_char) {
    // SAFETY: as the caller says.
    let options = unsafe { optional(opts) };
    guard((), || heap::print_statistics(options));
}

/// Reads a number of jemalloc's, of 64 bits or less, and replaces it if `newval` is
/// not null, which takes exactly 64. Returns what it was before; 0 for a name that
/// is not there.
///
/// # Safety
/// `name` must be a C string, `newval` null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn mallctl_int64(name: *const c_char, newval: *mut usize) -> usize {
    // SAFETY: as the caller says.
    let (name, new) = unsafe { (optional(name).unwrap_or_default(), newval.as_ref()) };
    guard(0, || heap::number(name, new.copied()))
}

/// As `mallctl_int64`, for a number of 32 bits; logs whether it was replaced.
///
/// # Safety
/// `name` must be a C string, `newval` null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn mallctl_opt(name: *const c_char, newval: *mut c_int) -> c_int {
    // SAFETY: as the caller says.
    let (name, new) = unsafe { (optional(name).unwrap_or_default(), newval.as_ref()) };
    guard(0, || heap::option(name, new.copied()))
}

/// As `mallctl_int64`, for a setting that is true or false.
///
/// # Safety
/// `name` must be a C string, `newval` null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn mallctl_bool(name: *const c_char, newval: *mut bool) -> bool {
    // SAFETY: as the caller says.
    let (name, new) = unsafe { (optional(name).unwrap_or_default(), newval.as_ref()) };
    guard(false, || heap::switch(name, new.copied()))
}

/// Has jemalloc carry out a command. Returns 0, or an error's number.
///
/// # Safety
/// `name` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn mallctl_cmd(name: *const c_char) -> c_int {
    // SAFETY: as the caller says.
    let name = unsafe { optional(name) }.unwrap_or_default();
    guard(0, || heap::run(name))
}

/// Logs the bytes charged under each handle, and their sum.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn dump_c_mem() {
    guard((), heap::dump);
}

/// A Lua function: returns a table of the bytes charged under each handle. Like any
/// function of Lua's that allocates, it leaves by a jump if Lua has no memory.
///
/// # Safety
/// `L` must be a Lua state with room for four values on its stack.
#[unsafe(no_mangle)]
#[expect(non_snake_case, reason = "what everybody calls it")]
pub unsafe extern "C-unwind" fn dump_mem_lua(L: *mut lua_State) -> c_int {
    // Not under `guard`, over which Lua must not jump; nothing here panics.
    let mut accounts = 0;
    memory::for_each_usage(|_, _| accounts += 1);
    // SAFETY: as the caller says. Only plain data is on the stack when Lua jumps.
    unsafe {
        let Some(mut table) = lua::SumTable::push(L, accounts) else {
            return 0;
        };
        memory::for_each_usage(|handle, usage| table.add(handle, usage.bytes));
    }
    1
}

/// Bytes that are charged to the calling thread's service.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn malloc_current_memory() -> usize {
    guard(0, || memory::current_usage().bytes)
}
