//! New sockets: connections, listening sockets, sockets for datagrams.
//!
//! A host comes with a port as the argument after it, or both in one text. What
//! cannot be begun is a Lua error; what fails later, such as a name that nobody
//! knows, comes as an error event.

use std::ffi::{c_char, c_int};
use std::ptr;

use mlua_sys::*;
use skynet_abi::socket::{
    skynet_socket_connect, skynet_socket_listen, skynet_socket_udp, skynet_socket_udp_connect,
    skynet_socket_udp_dial, skynet_socket_udp_listen,
};

use super::address::{self, Malformed};
use super::check_int;
use crate::core::context;

/// How many connections wait to be accepted, where `listen` is not told.
const BACKLOG: c_int = 32;

/// Room for a host that is taken out of a longer text. The longest name has 253
/// bytes; a zero follows it.
type HostRoom = [u8; 256];
const NO_HOST: HostRoom = [0; 256];

/// The host in argument `arg` and the port in the next one, which is left out or
/// nil if the text has it. A Lua error if there is neither.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. The host is good as long as both the argument and `room` are.
unsafe fn check_address(
    L: *mut lua_State,
    arg: c_int,
    room: &mut HostRoom,
) -> (*const c_char, c_int) {
    // SAFETY: the caller's promise; two slots are used before an error.
    unsafe {
        let mut length = 0;
        let text = luaL_checklstring(L, arg, &mut length);
        if lua_isnoneornil(L, arg + 1) == 0 {
            return (text, check_int(L, arg + 1, c"port"));
        }
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length);
        match address::split(bytes) {
            // The last byte of the room stays zero.
            Ok((host, port)) if host.len() < room.len() => {
                room[..host.len()].copy_from_slice(host);
                (room.as_ptr().cast(), port.into())
            }
            Err(Malformed::Port) => {
                luaL_error(L, c"Invalid port in address %s.".as_ptr(), text);
                (ptr::null(), 0)
            }
            Ok(_) | Err(Malformed::Address) => {
                luaL_error(L, c"Invalid address %s.".as_ptr(), text);
                (ptr::null(), 0)
            }
        }
    }
}

/// `connect(host [, port])`: asks for a connection; the socket's id. An event
/// tells when it is there, or why it is not.
pub(super) unsafe extern "C-unwind" fn connect(L: *mut lua_State) -> c_int {
    let mut room = NO_HOST;
    // SAFETY: called by Lua, with the service as upvalue. The host is on the
    // stack or in the room for as long as it is used.
    unsafe {
        let (host, port) = check_address(L, 1, &mut room);
        if port == 0 {
            return luaL_error(L, c"Invalid port".as_ptr());
        }
        let id = skynet_socket_connect(context(L), host, port);
        if id < 0 {
            return luaL_error(L, c"connect to %s failed".as_ptr(), host);
        }
        lua_pushinteger(L, id.into());
    }
    1
}

/// `listen(host [, port [, backlog]])`: the id of a listening socket. An event
/// tells its address and port, or why a name cannot be listened at.
pub(super) unsafe extern "C-unwind" fn listen(L: *mut lua_State) -> c_int {
    let mut room = NO_HOST;
    // SAFETY: as in connect.
    unsafe {
        let (host, port) = check_address(L, 1, &mut room);
        let backlog = if lua_isnoneornil(L, 3) != 0 {
            BACKLOG
        } else {
            check_int(L, 3, c"backlog")
        };
        let id = skynet_socket_listen(context(L), host, port, backlog);
        if id < 0 {
            return luaL_error(L, c"Listen error".as_ptr());
        }
        lua_pushinteger(L, id.into());
    }
    1
}

/// `udp([host [, port]])`: the id of a socket for datagrams, without a host at
/// any port of IPv4.
pub(super) unsafe extern "C-unwind" fn udp(L: *mut lua_State) -> c_int {
    let mut room = NO_HOST;
    // SAFETY: as in connect.
    unsafe {
        let (host, port) = if lua_isnoneornil(L, 1) != 0 {
            (ptr::null(), 0)
        } else {
            check_address(L, 1, &mut room)
        };
        let id = skynet_socket_udp(context(L), host, port);
        if id < 0 {
            return luaL_error(L, c"udp init failed".as_ptr());
        }
        lua_pushinteger(L, id.into());
    }
    1
}

/// `udp_connect(id, host [, port])`: where `send` sends datagrams.
pub(super) unsafe extern "C-unwind" fn udp_connect(L: *mut lua_State) -> c_int {
    let mut room = NO_HOST;
    // SAFETY: as in connect.
    unsafe {
        let id = check_int(L, 1, c"socket id");
        let (host, port) = check_address(L, 2, &mut room);
        if skynet_socket_udp_connect(context(L), id, host, port) != 0 {
            return luaL_error(L, c"udp connect failed".as_ptr());
        }
    }
    0
}

/// `udp_dial(host [, port])`: the id of a socket for datagrams to one address.
pub(super) unsafe extern "C-unwind" fn udp_dial(L: *mut lua_State) -> c_int {
    let mut room = NO_HOST;
    // SAFETY: as in connect.
    unsafe {
        let (host, port) = check_address(L, 1, &mut room);
        let id = skynet_socket_udp_dial(context(L), host, port);
        if id < 0 {
            return luaL_error(L, c"udp dial host failed".as_ptr());
        }
        lua_pushinteger(L, id.into());
    }
    1
}

/// `udp_listen(host [, port])`: the id of a socket for datagrams to this machine.
pub(super) unsafe extern "C-unwind" fn udp_listen(L: *mut lua_State) -> c_int {
    let mut room = NO_HOST;
    // SAFETY: as in connect.
    unsafe {
        let (host, port) = check_address(L, 1, &mut room);
        let id = skynet_socket_udp_listen(context(L), host, port);
        if id < 0 {
            return luaL_error(L, c"udp listen host failed".as_ptr());
        }
        lua_pushinteger(L, id.into());
    }
    1
}
