//! What Lua sends: strings, tables of strings, and memory.

use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;

use mlua_sys::*;
use skynet_abi::socket::{
    skynet_socket_sendbuffer, skynet_socket_sendbuffer_lowpriority, skynet_socket_udp_sendbuffer,
};
use skynet_abi::socket_buffer::{
    SOCKET_BUFFER_MEMORY, SOCKET_BUFFER_OBJECT, SOCKET_BUFFER_RAWPOINTER, socket_sendbuffer,
};

use super::check_int;
use crate::core::context;

/// Concatenates the table in argument `arg` into a string, which takes the
/// table's place on the stack.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. Lua's buffer uses slots of its own.
unsafe fn concatenate(L: *mut lua_State, arg: c_int) {
    let mut string = MaybeUninit::<luaL_Buffer>::uninit();
    // SAFETY: Lua initialises string, which has no destructor and stays where it
    // is. Each value is on the stack's top when Lua's buffer takes it from there.
    unsafe {
        luaL_buffinit(L, string.as_mut_ptr());
        let mut index = 1;
        loop {
            match lua_geti(L, arg, index) {
                LUA_TNIL => break,
                LUA_TSTRING | LUA_TNUMBER => luaL_addvalue(string.as_mut_ptr()),
                other => {
                    let kind = lua_typename(L, other);
                    let text = c"Invalid strings table: %s at index %I".as_ptr();
                    luaL_error(L, text, kind, index);
                }
            }
            index += 1;
        }
        lua_settop(L, -2);
        luaL_pushresult(string.as_mut_ptr());
        lua_copy(L, -1, arg);
        lua_settop(L, -2);
    }
}

/// What is to be sent to the socket in argument 1: argument `arg`, and its size
/// in the next one if it is memory. A light userdata with a size belongs to the
/// core from the send on; anything else stays Lua's.
///
/// # Safety
/// As [`concatenate`]. The result is good while the argument is on the stack.
unsafe fn check_data(L: *mut lua_State, arg: c_int) -> socket_sendbuffer {
    // SAFETY: the caller's promise.
    unsafe {
        let id = check_int(L, 1, c"socket id");
        let mut sized = 0;
        let size = lua_tointegerx(L, arg + 1, &mut sized);
        let size = (sized != 0).then_some(size);
        let (type_, buffer, sz) = match lua_type(L, arg) {
            LUA_TUSERDATA => {
                let whole = lua_rawlen(L, arg) as usize;
                let sz = size.map_or(whole, |size| usize::try_from(size).unwrap_or(usize::MAX));
                if sz > whole {
                    luaL_argerror(L, arg + 1, c"size is not within the userdata".as_ptr());
                }
                (
                    SOCKET_BUFFER_RAWPOINTER,
                    lua_touserdata(L, arg).cast_const(),
                    sz,
                )
            }
            LUA_TLIGHTUSERDATA => {
                let block = lua_touserdata(L, arg).cast_const();
                match size.and_then(|size| usize::try_from(size).ok()) {
                    Some(sz) => (SOCKET_BUFFER_MEMORY, block, sz),
                    None => (SOCKET_BUFFER_OBJECT, block, 0),
                }
            }
            kind => {
                if kind == LUA_TTABLE {
                    concatenate(L, arg);
                }
                let mut sz = 0;
                let string = luaL_checklstring(L, arg, &mut sz);
                (SOCKET_BUFFER_RAWPOINTER, string.cast(), sz)
            }
        };
        socket_sendbuffer {
            id,
            type_,
            buffer,
            sz,
        }
    }
}

/// `send(id, data [, size])`: sends; whether the socket takes it.
pub(super) unsafe extern "C-unwind" fn send(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue. A light userdata given
    // here is a block that the caller owns and has the size that comes with it,
    // which is the contract of this function.
    unsafe {
        let mut data = check_data(L, 2);
        let failed = skynet_socket_sendbuffer(context(L), &mut data);
        lua_pushboolean(L, (failed == 0).into());
    }
    1
}

/// `lsend(id, data [, size])`: as `send`, behind everything that `send` sends.
pub(super) unsafe extern "C-unwind" fn lsend(L: *mut lua_State) -> c_int {
    // SAFETY: as in send.
    unsafe {
        let mut data = check_data(L, 2);
        let failed = skynet_socket_sendbuffer_lowpriority(context(L), &mut data);
        lua_pushboolean(L, (failed == 0).into());
    }
    1
}

/// `udp_send(id, address, data [, size])`: sends one datagram to a packed address;
/// whether the socket takes it.
pub(super) unsafe extern "C-unwind" fn udp_send(L: *mut lua_State) -> c_int {
    // SAFETY: as in send. The core reads as many bytes of the address as its
    // first one says, and nothing behind one of no known kind; the string on the
    // stack has so many.
    unsafe {
        let mut length = 0;
        let mut address: *const c_char = luaL_checklstring(L, 2, &mut length);
        let whole = super::packed_size(*address).is_some_and(|size| size <= length);
        if !whole {
            address = c"".as_ptr();
        }
        let mut data = check_data(L, 3);
        let failed = skynet_socket_udp_sendbuffer(context(L), address, &mut data);
        lua_pushboolean(L, (failed == 0).into());
    }
    1
}
