//! `malloc_hook.h`, as far as it is there: what the node's memory adds up to.

use super::guard;
use crate::memory;

/// Bytes of the malloc family that are alive, whoever allocated them.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn malloc_used_memory() -> usize {
    guard(0, || memory::total_usage().bytes)
}

/// Blocks of the malloc family that are alive, whoever allocated them.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn malloc_memory_block() -> usize {
    guard(0, || memory::total_usage().blocks)
}

/// Bytes that are charged to the calling thread's service.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn malloc_current_memory() -> usize {
    guard(0, || memory::current_usage().bytes)
}
