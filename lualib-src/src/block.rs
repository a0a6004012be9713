//! Blocks of the malloc family, as messages are made of.

use std::ffi::c_void;

use mlua_sys::*;
use skynet_abi::malloc::skynet_malloc;

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
