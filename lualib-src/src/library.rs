//! The tables that `require` returns.

use std::ffi::{CStr, c_int};

use mlua_sys::*;

use crate::core::push_context;

/// A function and its name in a module's table.
pub(crate) type Entry = (&'static CStr, lua_CFunction);

/// Pushes a new table with functions; a Lua error in a Lua of another version. Two
/// slots are used.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
pub(crate) unsafe fn push(L: *mut lua_State, functions: &[Entry]) {
    // SAFETY: the caller's promise.
    unsafe {
        check_version(L);
        lua_createtable(L, 0, functions.len() as c_int);
        add(L, functions);
    }
}

/// Adds functions to the table on top of the stack. One slot is used.
///
/// # Safety
/// As [`push`].
pub(crate) unsafe fn add(L: *mut lua_State, functions: &[Entry]) {
    for &(name, function) in functions {
        // SAFETY: the caller's promise.
        unsafe {
            lua_pushcclosure(L, function, 0);
            lua_setfield(L, -2, name.as_ptr());
        }
    }
}

/// Adds functions to the table on top of the stack that act for the service whose
/// state this is: it is their upvalue. A Lua error in a state that has none. Three
/// slots are used.
///
/// # Safety
/// As [`push`].
pub(crate) unsafe fn add_for_service(L: *mut lua_State, functions: &[Entry]) {
    // SAFETY: the caller's promise.
    unsafe {
        push_context(L);
        for &(name, function) in functions {
            lua_pushvalue(L, -1);
            lua_pushcclosure(L, function, 1);
            lua_setfield(L, -3, name.as_ptr());
        }
        lua_settop(L, -2);
    }
}

/// What `luaL_checkversion` compares: the version of the declarations, 5.5, and the
/// widths of an integer and of a float.
const LUA_VERSION: lua_Number = 505.0;
const LUAL_NUMSIZES: usize = size_of::<lua_Integer>() * 16 + size_of::<lua_Number>();

/// Raises a Lua error if this is a Lua of another version or build.
///
/// # Safety
/// As [`push`].
unsafe fn check_version(L: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe { luaL_checkversion_(L, LUA_VERSION, LUAL_NUMSIZES) }
}
