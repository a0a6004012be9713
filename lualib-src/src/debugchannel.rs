//! `skynet.debugchannel`: what a debugger in one service and the program that it
//! looks into, in another one, need between them.
//!
//! A channel is shared by two services, each with a userdata that counts as one of
//! its ends; the last one that Lua collects, or that is released, frees it. The
//! address that `create` gives is for a message, and means nothing but to
//! `connect`.

mod channel;
mod hook;

use std::ffi::{CStr, c_int};
use std::sync::Arc;
use std::time::Duration;

use mlua_sys::*;

use crate::library;
use crate::object::{self, Object};
use crate::strings::{check_bytes, push_bytes};
use channel::{Channel, Full};

const FUNCTIONS: [(&CStr, lua_CFunction); 4] = [
    (c"create", create),
    (c"connect", connect),
    (c"release", release),
    (c"sethook", hook::sethook),
];

const METHODS: [(&CStr, lua_CFunction); 2] = [(c"read", read), (c"write", write)];

/// The unit of `read`'s timeout, in microseconds.
const TIMEOUT_UNIT: f64 = 100_000.0;

/// The longest timeout in microseconds: what fits into a C int.
const LONGEST: f64 = i32::MAX as f64;

/// One end of a channel.
#[derive(Default)]
struct End {
    channel: Option<Arc<Channel>>,
    /// The line that is being read. It is here while Lua makes a string of it, so
    /// that it is freed also when that fails.
    line: Vec<u8>,
}

impl Object for End {
    const NAME: &'static CStr = c"debugchannel";
}

/// Opens `skynet.debugchannel`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_debugchannel(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe { library::push(L, &FUNCTIONS) };
    1
}

/// Pushes an end without a channel. Four slots are used.
///
/// # Safety
/// As [`object::push`].
unsafe fn push_end(L: *mut lua_State) -> *mut End {
    // SAFETY: the caller's promise; the metatable is there once push has returned.
    unsafe {
        let end = object::push::<End>(L);
        lua_getmetatable(L, -1);
        if lua_getfield(L, -1, c"__index".as_ptr()) != LUA_TTABLE {
            library::push(L, &METHODS);
            lua_setfield(L, -3, c"__index".as_ptr());
        }
        lua_settop(L, -3);
        end
    }
}

/// `create()`: a channel, and its address for [`connect`].
unsafe extern "C-unwind" fn create(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; at most six slots are used. The end is on the stack, and
    // owns the channel before anything else can fail.
    unsafe {
        let end = push_end(L);
        let channel = channel::create();
        let address = Arc::as_ptr(&channel);
        (*end).channel = Some(channel);
        lua_pushlightuserdata(L, address.cast_mut().cast());
    }
    2
}

/// `connect(address)`: the other end of a channel; a Lua error if there is no such
/// channel, or if somebody has connected to it already.
unsafe extern "C-unwind" fn connect(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; at most six slots are used. The address is compared and
    // not followed.
    unsafe {
        let address = lua_touserdata(L, 1);
        if address.is_null() {
            return luaL_error(L, c"Invalid channel pointer".as_ptr());
        }
        let end = push_end(L);
        (*end).channel = channel::connect(address.cast());
        if (*end).channel.is_none() {
            return luaL_error(L, c"new channel failed".as_ptr());
        }
    }
    1
}

/// `release(channel)`: gives this end up. What is no channel is left alone.
unsafe extern "C-unwind" fn release(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference is used for this statement only.
    unsafe {
        if let Some(end) = object::test::<End>(L, 1) {
            std::mem::take(end);
        }
    }
    0
}

/// The end in the first argument, and its channel; a Lua error if it is none, or was
/// released.
///
/// # Safety
/// As [`object::test`]; nothing on the caller's frames has a destructor.
unsafe fn check<'a>(L: *mut lua_State) -> Option<(&'a Channel, &'a mut Vec<u8>)> {
    // SAFETY: the caller's promise.
    unsafe {
        luaL_checkudata(L, 1, End::NAME.as_ptr());
        let end = object::test::<End>(L, 1)?;
        match &end.channel {
            Some(channel) => Some((channel, &mut end.line)),
            None => {
                luaL_argerror(L, 1, c"the channel is released".as_ptr());
                None
            }
        }
    }
}

/// `channel:read(timeout)`: the next line, or nothing if there is none within the
/// timeout, in tenths of a second. The service waits for it.
unsafe extern "C-unwind" fn read(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used. The end stays on the stack, at 1, and
    // keeps what was read until Lua has its copy.
    unsafe {
        let timeout = luaL_optnumber(L, 2, 0.0);
        let Some((channel, kept)) = check(L) else {
            return 0;
        };
        // A NaN becomes zero.
        let microseconds = (timeout * TIMEOUT_UNIT).clamp(0.0, LONGEST) as u64;
        let Some(line) = channel.read(Duration::from_micros(microseconds)) else {
            return 0;
        };
        *kept = line;
        push_bytes(L, kept);
        *kept = Vec::new();
    }
    1
}

/// `channel:write(line)`: sends a line; a Lua error if too much waits to be read.
unsafe extern "C-unwind" fn write(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string and the end stay on the stack. The error is
    // raised when nothing is held any more.
    unsafe {
        let line = check_bytes(L, 2);
        let Some((channel, _)) = check(L) else {
            return 0;
        };
        if let Err(Full) = channel.write(line) {
            return luaL_error(L, c"the debug channel is full".as_ptr());
        }
    }
    0
}
