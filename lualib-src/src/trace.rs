//! Lines that Lua writes to the log.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use mlua_sys::*;
use skynet_abi::skynet_error;

use crate::core::{context, monotonic_nanoseconds};

/// How many callers a trace line names.
const CALLERS: c_int = 3;

/// `error(...)`: the arguments as by `tostring`, with blanks between them.
pub(crate) unsafe extern "C-unwind" fn error(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue. luaL_Buffer is C data
    // without a destructor; between its calls the stack is balanced as lauxlib
    // asks for. The text stays on the stack while it is used.
    unsafe {
        let service = context(L);
        let count = lua_gettop(L);
        let mut length = 0;
        let text = if count <= 1 {
            lua_settop(L, 1);
            luaL_tolstring(L, 1, &mut length)
        } else {
            let mut line = MaybeUninit::<luaL_Buffer>::uninit();
            let line = line.as_mut_ptr();
            luaL_buffinit(L, line);
            for index in 1..=count {
                if index > 1 {
                    luaL_addstring(line, c" ".as_ptr());
                }
                luaL_tolstring(L, index, std::ptr::null_mut());
                luaL_addvalue(line);
            }
            luaL_pushresult(line);
            lua_tolstring(L, -1, &mut length)
        };
        // Not "%s": a Lua string may hold zeros.
        let length = c_int::try_from(length).unwrap_or(c_int::MAX);
        skynet_error(service, c"%*s".as_ptr(), length, text);
    }
    0
}

/// `trace(tag, text [, thread] [, level])`: a line with the time and, given a
/// thread or a level, the places in the source that led here.
pub(crate) unsafe extern "C-unwind" fn trace(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue. At most ten slots are
    // used. What lua_getinfo points to lives as long as the functions that run.
    unsafe {
        let service = context(L);
        let tag = luaL_checkstring(L, 1);
        let text = luaL_checkstring(L, 2);
        let (subject, level) = if lua_isnoneornil(L, 3) != 0 {
            (L, None)
        } else if lua_isthread(L, 3) != 0 {
            (lua_tothread(L, 3), Some(luaL_optinteger(L, 4, 1)))
        } else {
            (L, Some(luaL_optinteger(L, 3, 1)))
        };

        let time = monotonic_nanoseconds();
        lua_pushfstring(L, c"<TRACE %s> %I %s".as_ptr(), tag, time, text);
        if let Some(level) = level {
            let callers = push_callers(L, subject, level as c_int);
            lua_concat(L, callers + 1);
        }
        skynet_error(service, c"%s".as_ptr(), lua_tostring(L, -1));
    }
    0
}

/// Pushes one string for each of the next callers of `subject` that has lines:
/// at most [`CALLERS`], from `level` outwards. Returns how many.
///
/// # Safety
/// `L` runs `trace` and has `CALLERS` free slots; `subject` is a live thread of
/// the same state.
unsafe fn push_callers(L: *mut lua_State, subject: *mut lua_State, level: c_int) -> c_int {
    let mut found = 0;
    let mut level = level;
    // SAFETY: the caller's promise. lua_getinfo is called only on a frame that
    // lua_getstack found, and fills the fields that are read.
    unsafe {
        let mut frame = MaybeUninit::<lua_Debug>::uninit();
        let frame = frame.as_mut_ptr();
        while found < CALLERS && lua_getstack(subject, level, frame) != 0 {
            lua_getinfo(subject, c"Sl".as_ptr(), frame);
            let line = (*frame).currentline;
            if line >= 0 {
                let format = if found == 0 { c" : %s:%d" } else { c" %s:%d" };
                lua_pushfstring(L, format.as_ptr(), (*frame).source, line);
                found += 1;
            }
            level = level.saturating_add(1);
        }
    }
    found
}
