//! `skynet.core`: the table that the Lua API is built on.

use std::ffi::{CStr, c_int, c_void};

use mlua_sys::*;
use skynet_abi::malloc::skynet_free;
use skynet_abi::{skynet_context, skynet_now};

use crate::library;
use crate::{callback, command, send, seri, trace};

/// Where snlua leaves the service, in the registry of its Lua state.
const CONTEXT_KEY: &CStr = c"skynet_context";

/// Functions that act for a service; it is their upvalue.
const SERVICE_FUNCTIONS: [(&CStr, lua_CFunction); 10] = [
    (c"send", send::send),
    (c"redirect", send::redirect),
    (c"genid", send::genid),
    (c"harbor", send::harbor),
    (c"command", command::command),
    (c"intcommand", command::intcommand),
    (c"addresscommand", command::addresscommand),
    (c"error", trace::error),
    (c"trace", trace::trace),
    (c"callback", callback::callback),
];

/// Functions that need the serialiser's upvalue.
const PACK_FUNCTIONS: [(&CStr, lua_CFunction); 2] =
    [(c"pack", seri::pack), (c"packstring", seri::packstring)];

const PLAIN_FUNCTIONS: [(&CStr, lua_CFunction); 5] = [
    (c"unpack", seri::unpack),
    (c"tostring", tostring),
    (c"trash", trash),
    (c"now", now),
    (c"hpc", hpc),
];

/// Opens `skynet.core`.
///
/// # Safety
/// Called by Lua, in a state whose registry holds the service as light userdata
/// under `skynet_context`; without it a Lua error is raised.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_core(L: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a valid state and LUA_MINSTACK free slots, of
    // which three are used. Nothing on this frame has a destructor.
    unsafe {
        library::push(L, &PLAIN_FUNCTIONS);
        library::add_for_service(L, &SERVICE_FUNCTIONS);
        for (name, function) in PACK_FUNCTIONS {
            lua_pushstring(L, seri::PAIRS_KEY.as_ptr());
            lua_pushcclosure(L, function, 1);
            lua_setfield(L, -2, name.as_ptr());
        }
    }
    1
}

/// Pushes the service that the state belongs to, for functions to have as
/// upvalue; a Lua error if it has none. One slot is used.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
pub(crate) unsafe fn push_context(L: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        lua_getfield(L, LUA_REGISTRYINDEX, CONTEXT_KEY.as_ptr());
        if lua_touserdata(L, -1).is_null() {
            luaL_error(L, c"Init skynet context first".as_ptr());
        }
    }
}

/// The service that the running function acts for.
///
/// # Safety
/// The running function has what [`push_context`] pushed as its first upvalue.
#[inline(always)]
pub(crate) unsafe fn context(L: *mut lua_State) -> *mut skynet_context {
    // SAFETY: the caller's promise.
    unsafe { lua_touserdata(L, lua_upvalueindex(1)).cast() }
}

/// Raises the error for a size that is negative or that no message can have.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
#[cold]
pub(crate) unsafe fn size_error(L: *mut lua_State, arg: c_int, size: lua_Integer) -> c_int {
    // SAFETY: the caller's promise; one slot is used.
    unsafe {
        let text = lua_pushfstring(L, c"message size out of range (%I)".as_ptr(), size);
        luaL_argerror(L, arg, text)
    }
}

/// `tostring(msg, size)`: the bytes of a message as a string.
unsafe extern "C-unwind" fn tostring(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a message that Lua holds as light userdata has the
    // size that came with it, which is the contract of this function.
    unsafe {
        if lua_isnoneornil(L, 1) != 0 {
            return 0;
        }
        let message = lua_touserdata(L, 1);
        let size = luaL_checkinteger(L, 2);
        if size < 0 || size > c_int::MAX.into() {
            return size_error(L, 2, size);
        }
        if message.is_null() && size != 0 {
            return luaL_argerror(L, 1, c"message expected".as_ptr());
        }
        lua_pushlstring(L, message.cast(), size as usize);
    }
    1
}

/// `trash(msg, size)`: frees a message that nobody will handle. A string needs no
/// freeing, and is accepted so that callers need not look.
unsafe extern "C-unwind" fn trash(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. A light userdata given here is a message that the
    // caller owns, which is the contract of this function.
    unsafe {
        match lua_type(L, 1) {
            LUA_TSTRING => {}
            LUA_TLIGHTUSERDATA => {
                let message: *mut c_void = lua_touserdata(L, 1);
                luaL_checkinteger(L, 2);
                skynet_free(message);
            }
            other => {
                return luaL_error(
                    L,
                    c"skynet.trash invalid param %s".as_ptr(),
                    lua_typename(L, other),
                );
            }
        }
    }
    0
}

/// `now()`: centiseconds since the node started.
unsafe extern "C-unwind" fn now(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(L, skynet_now() as lua_Integer) };
    1
}

/// `hpc()`: the monotonic clock in nanoseconds.
unsafe extern "C-unwind" fn hpc(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(L, monotonic_nanoseconds()) };
    1
}

pub(crate) fn monotonic_nanoseconds() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the write; this clock exists everywhere.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
