//! The entry of messages into Lua.
//!
//! `callback(f)` makes a Lua thread whose stack holds the error handler and `f`
//! and nothing else, and registers it with the core: the thread is the callback's
//! `ud`. The registry keeps it. A service may change its callback while the
//! current one runs, so the new thread holds on to the old one until its first
//! message: by then nothing of the old thread's is on the C stack any more.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use mlua_sys::*;
use skynet_abi::{skynet_callback, skynet_command, skynet_context, skynet_error};

use crate::core::context;

/// Where the registry keeps the thread.
const THREAD_KEY: &CStr = c"callback_context";

// What lies where on the thread's stack.
const HANDLER: c_int = 1;
const FUNCTION: c_int = 2;
/// The previous thread or nil; only before the first message.
const PREVIOUS: c_int = 3;

/// `callback(f [, forward])`: every message calls
/// `f(type, msg, size, session, source)`. With `forward` the message is kept:
/// freeing it, or sending it on, becomes Lua's business.
pub(crate) unsafe extern "C-unwind" fn callback(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue. The thread is anchored
    // in the registry before the core learns of it. No destructors here.
    unsafe {
        let service = context(L);
        luaL_checktype(L, 1, LUA_TFUNCTION);
        let forward = lua_toboolean(L, 2) != 0;
        lua_settop(L, 1);

        let thread = lua_newthread(L);
        lua_pushcclosure(thread, traceback, 0);
        lua_pushvalue(L, 1);
        lua_getfield(L, LUA_REGISTRYINDEX, THREAD_KEY.as_ptr());
        lua_xmove(L, thread, PREVIOUS - HANDLER);
        lua_setfield(L, LUA_REGISTRYINDEX, THREAD_KEY.as_ptr());

        let entry = if forward {
            first_forwarded
        } else {
            first_message
        };
        skynet_callback(service, thread.cast(), Some(entry));
    }
    0
}

/// The first message: lets go of the previous thread, and stands aside.
unsafe extern "C-unwind" fn first_message(
    service: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    message: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: `ud` is the thread that `callback` registered, and PREVIOUS is
    // still on its stack: nobody else changes it.
    unsafe {
        lua_settop(ud.cast(), FUNCTION);
        skynet_callback(service, ud, Some(next_message));
        next_message(service, ud, kind, session, source, message, size)
    }
}

unsafe extern "C-unwind" fn first_forwarded(
    service: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    message: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: as in first_message.
    unsafe {
        lua_settop(ud.cast(), FUNCTION);
        skynet_callback(service, ud, Some(next_forwarded));
        next_forwarded(service, ud, kind, session, source, message, size)
    }
}

/// The core frees the message afterwards.
unsafe extern "C-unwind" fn next_message(
    service: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    message: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: the core passes on what `callback` registered, one call at a time.
    unsafe { dispatch(service, ud.cast(), kind, session, source, message, size) };
    0
}

/// The message stays with Lua.
unsafe extern "C-unwind" fn next_forwarded(
    service: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    message: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: as in next_message.
    unsafe { dispatch(service, ud.cast(), kind, session, source, message, size) };
    1
}

/// Calls the Lua function; an error ends in the log. Every message of a Lua
/// service comes through here.
///
/// # Safety
/// `thread` is the one that `callback` made, with HANDLER and FUNCTION on its
/// stack, and no other thread of the process uses its Lua state now.
#[inline(always)]
unsafe fn dispatch(
    service: *mut skynet_context,
    thread: *mut lua_State,
    kind: c_int,
    session: c_int,
    source: u32,
    message: *const c_void,
    size: usize,
) {
    // SAFETY: the caller's promise; a new thread has LUA_MINSTACK slots, of
    // which eight are used. Pushing values that are no objects cannot raise.
    unsafe {
        lua_pushvalue(thread, FUNCTION);
        lua_pushinteger(thread, kind.into());
        lua_pushlightuserdata(thread, message.cast_mut());
        lua_pushinteger(thread, size as lua_Integer);
        lua_pushinteger(thread, session.into());
        lua_pushinteger(thread, source.into());
        let status = lua_pcall(thread, 5, 0, HANDLER);
        if status != LUA_OK {
            report(service, thread, status, session, source, size);
        }
    }
}

/// Writes the error on top of the stack to the log, and pops it.
///
/// # Safety
/// As for [`dispatch`], after a call that failed.
#[cold]
unsafe fn report(
    service: *mut skynet_context,
    thread: *mut lua_State,
    status: c_int,
    session: c_int,
    source: u32,
    size: usize,
) {
    // SAFETY: the caller's promise. The handler made the error a string, so that
    // reading it allocates nothing; the formats match their arguments.
    unsafe {
        let address = skynet_command(service, c"REG".as_ptr(), ptr::null());
        match status {
            LUA_ERRRUN => skynet_error(
                service,
                c"lua call [%x to %s : %d msgsz = %d] error : \x1b[31m%s\x1b[0m".as_ptr(),
                source,
                address,
                session,
                c_int::try_from(size).unwrap_or(c_int::MAX),
                lua_tostring(thread, -1),
            ),
            LUA_ERRMEM => skynet_error(
                service,
                c"lua memory error : [%x to %s : %d]".as_ptr(),
                source,
                address,
                session,
            ),
            _ => skynet_error(
                service,
                c"lua error in error : [%x to %s : %d]".as_ptr(),
                source,
                address,
                session,
            ),
        }
        lua_settop(thread, FUNCTION);
    }
}

/// Adds the call stack to an error message.
unsafe extern "C-unwind" fn traceback(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua as a message handler, with the error as argument 1.
    unsafe {
        let text = lua_tostring(L, 1);
        if text.is_null() {
            lua_pushstring(L, c"(no error message)".as_ptr());
        } else {
            luaL_traceback(L, L, text, 1);
        }
    }
    1
}
