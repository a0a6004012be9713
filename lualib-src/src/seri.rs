//! `skynet.pack` and its relatives: Lua values as the bytes of a message.

pub(crate) mod format;
mod names;
mod output;
mod pack;
mod unpack;

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;
use std::slice;

use mlua_sys::*;

use crate::core::size_error;
use format::{Fault, MAX_SIZE};
use output::{LOCAL, Output};

/// The metamethod that decides what a table's keys and values are. `pack` and
/// `packstring` have it as their upvalue, so that looking for it makes no string.
pub(crate) const PAIRS_KEY: &CStr = c"__pairs";

/// Why values could not be packed or unpacked. It becomes a Lua error once
/// everything is freed.
enum Fail {
    /// Tables nested too deep to pack.
    Depth,
    /// A type of Lua values that has no form as bytes.
    Type(c_int),
    /// More bytes, or values, than a `c_int` counts.
    Size,
    Memory,
    /// The Lua stack cannot grow any more.
    Stack,
    /// A metamethod failed; its error is on top of the Lua stack.
    Raised,
    Stream(Fault),
}

/// Raises a failure as a Lua error.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
#[cold]
unsafe fn raise(L: *mut lua_State, fail: Fail) -> c_int {
    // SAFETY: the caller's promise; each format matches its arguments.
    unsafe {
        match fail {
            Fail::Depth => luaL_error(L, c"serialize can't pack too depth table".as_ptr()),
            Fail::Type(kind) => luaL_error(
                L,
                c"Unsupport type %s to serialize".as_ptr(),
                lua_typename(L, kind),
            ),
            Fail::Size => luaL_error(
                L,
                c"serialize can't handle more than %I bytes".as_ptr(),
                MAX_SIZE as lua_Integer,
            ),
            Fail::Memory => luaL_error(L, c"not enough memory to serialize".as_ptr()),
            Fail::Stack => luaL_error(L, c"stack overflow (serialize)".as_ptr()),
            Fail::Raised => lua_error(L),
            Fail::Stream(fault) => luaL_error(
                L,
                c"Invalid serialize stream %I (%s)".as_ptr(),
                fault.remaining as lua_Integer,
                fault.reason.as_ptr(),
            ),
        }
    }
}

/// `pack(...)`: a block that holds the values, and its size. Whoever gets it
/// sends it, which gives it away, or frees it with `trash`.
pub(crate) unsafe extern "C-unwind" fn pack(L: *mut lua_State) -> c_int {
    let mut local = [MaybeUninit::uninit(); LOCAL];
    // SAFETY: called by Lua, with PAIRS_KEY as upvalue. The output ends before
    // anything can raise an error, and LUA_MINSTACK slots are enough for the two
    // results.
    unsafe {
        let mut out = Output::new(&mut local);
        let packed = pack::arguments(L, &mut out, lua_gettop(L));
        match packed.and_then(|()| out.finish()) {
            Ok(block) => {
                lua_pushlightuserdata(L, block.cast());
                lua_pushinteger(L, out.len() as lua_Integer);
                2
            }
            Err(fail) => {
                out.discard();
                raise(L, fail)
            }
        }
    }
}

/// `packstring(...)`: the same bytes as a string.
pub(crate) unsafe extern "C-unwind" fn packstring(L: *mut lua_State) -> c_int {
    let mut local = [MaybeUninit::uninit(); LOCAL];
    // SAFETY: as in pack. A string that is not local is made in a protected call,
    // because a memory error must not pass over the block.
    unsafe {
        let mut out = Output::new(&mut local);
        if let Err(fail) = pack::arguments(L, &mut out, lua_gettop(L)) {
            out.discard();
            return raise(L, fail);
        }
        if out.is_local() {
            lua_pushlstring(L, out.data().cast(), out.len());
            return 1;
        }
        lua_pushcclosure(L, make_string, 0);
        lua_pushlightuserdata(L, out.data().cast_mut().cast());
        lua_pushinteger(L, out.len() as lua_Integer);
        let status = lua_pcall(L, 2, 1, 0);
        out.discard();
        if status == LUA_OK { 1 } else { lua_error(L) }
    }
}

/// The bytes at argument 1, as many as argument 2 says, as a string.
unsafe extern "C-unwind" fn make_string(L: *mut lua_State) -> c_int {
    // SAFETY: packstring calls it with bytes that it owns and their number.
    unsafe { lua_pushlstring(L, lua_touserdata(L, 1).cast(), lua_tointeger(L, 2) as usize) };
    1
}

/// `unpack(msg, size)` or `unpack(string)`: the values. The block is not freed.
pub(crate) unsafe extern "C-unwind" fn unpack(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. Light userdata is a message of the size that came
    // with it, which is the contract of this function; a string stays in its
    // slot until the values are returned.
    unsafe {
        let mut size = 0;
        let data: *const u8;
        match lua_type(L, 1) {
            LUA_TNONE | LUA_TNIL => return 0,
            LUA_TSTRING => data = lua_tolstring(L, 1, &mut size).cast(),
            _ => {
                data = lua_touserdata(L, 1).cast();
                let given = luaL_checkinteger(L, 2);
                let Ok(given) = c_int::try_from(given) else {
                    return size_error(L, 2, given);
                };
                let Ok(given) = usize::try_from(given) else {
                    return size_error(L, 2, given.into());
                };
                size = given;
            }
        }
        if size == 0 {
            return 0;
        }
        if data.is_null() {
            return luaL_error(L, c"deserialize null pointer".as_ptr());
        }
        lua_settop(L, 1);
        match unpack::values(L, slice::from_raw_parts(data, size)) {
            Ok(count) => count,
            Err(fail) => raise(L, fail),
        }
    }
}
