//! What sockets are doing, and what addresses mean.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use mlua_sys::*;
use skynet_abi::socket::skynet_socket_info;
use skynet_abi::socket_info::{
    SOCKET_INFO_BIND, SOCKET_INFO_CLOSING, SOCKET_INFO_LISTEN, SOCKET_INFO_TCP, SOCKET_INFO_UDP,
    socket_info, socket_info_release,
};

unsafe extern "C" {
    fn inet_ntop(
        family: c_int,
        address: *const c_void,
        text: *mut c_char,
        size: libc::socklen_t,
    ) -> *const c_char;
}

/// The longest IPv6 address as text, with the zero behind it.
type AddressText = [c_char; 46];

/// Calls `build` with a list that C has made, in protected mode, and gives the
/// list back by `release` whether that fails or not. Leaves a table on the stack.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. `build` and `release` take `list`.
unsafe fn with_list<T>(
    L: *mut lua_State,
    list: *mut T,
    build: lua_CFunction,
    release: unsafe fn(*mut T),
) {
    // SAFETY: the caller's promise. A function without upvalues and a light
    // userdata need no memory, so nothing fails before the protected call.
    unsafe {
        lua_pushcclosure(L, build, 0);
        lua_pushlightuserdata(L, list.cast());
        let status = lua_pcall(L, 1, 1, 0);
        release(list);
        if status != LUA_OK {
            lua_error(L);
        }
    }
}

/// `info()`: a table for each of the node's sockets, the newest first.
pub(super) unsafe extern "C-unwind" fn info(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The list is new, and ours.
    unsafe { with_list(L, skynet_socket_info(), build_info, release_info) };
    1
}

unsafe fn release_info(list: *mut socket_info) {
    // SAFETY: only info calls this, with the list it was given.
    unsafe { socket_info_release(list) }
}

/// Sets an integer field of the table on the stack's top.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. One slot is used.
unsafe fn set_integer(L: *mut lua_State, name: &CStr, value: lua_Integer) {
    // SAFETY: the caller's promise.
    unsafe {
        lua_pushinteger(L, value);
        lua_setfield(L, -2, name.as_ptr());
    }
}

/// As [`set_integer`], a boolean.
///
/// # Safety
/// As [`set_integer`].
unsafe fn set_boolean(L: *mut lua_State, name: &CStr, value: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        lua_pushboolean(L, value.into());
        lua_setfield(L, -2, name.as_ptr());
    }
}

/// As [`set_integer`], a text. An empty one is left out.
///
/// # Safety
/// As [`set_integer`]; `text` ends with a zero.
unsafe fn set_text(L: *mut lua_State, name: &CStr, text: *const c_char) {
    // SAFETY: the caller's promise.
    unsafe {
        if *text != 0 {
            lua_pushstring(L, text);
            lua_setfield(L, -2, name.as_ptr());
        }
    }
}

unsafe extern "C-unwind" fn build_info(L: *mut lua_State) -> c_int {
    // SAFETY: called by with_list, with a list of entries that ends with null.
    // Three slots are used.
    unsafe {
        let mut entry = lua_touserdata(L, 1).cast::<socket_info>().cast_const();
        lua_createtable(L, 0, 0);
        let mut index = 0;
        while let Some(socket) = entry.as_ref() {
            index += 1;
            lua_createtable(L, 0, 12);
            describe(L, socket);
            lua_seti(L, -2, index);
            entry = socket.next;
        }
    }
    1
}

/// Fills the table on the stack's top.
///
/// # Safety
/// As [`set_integer`].
unsafe fn describe(L: *mut lua_State, socket: &socket_info) {
    let kind = match socket.type_ {
        SOCKET_INFO_LISTEN => c"LISTEN",
        SOCKET_INFO_TCP => c"TCP",
        SOCKET_INFO_UDP => c"UDP",
        SOCKET_INFO_BIND => c"BIND",
        SOCKET_INFO_CLOSING => c"CLOSING",
        _ => c"UNKNOWN",
    };
    // SAFETY: the caller's promise; the core ends names with a zero.
    unsafe {
        set_integer(L, c"id", socket.id.into());
        set_integer(L, c"address", socket.opaque as lua_Integer);
        set_text(L, c"type", kind.as_ptr());
        if kind == c"UNKNOWN" {
            return;
        }
        set_integer(L, c"rtime", socket.rtime as lua_Integer);
        if kind == c"LISTEN" {
            set_integer(L, c"accept", socket.read as lua_Integer);
            set_text(L, c"sock", socket.name.as_ptr());
            return;
        }
        set_integer(L, c"read", socket.read as lua_Integer);
        set_integer(L, c"write", socket.write as lua_Integer);
        set_integer(L, c"wbuffer", socket.wbuffer);
        set_integer(L, c"wtime", socket.wtime as lua_Integer);
        set_boolean(L, c"reading", socket.reading != 0);
        set_boolean(L, c"writing", socket.writing != 0);
        set_text(L, c"peer", socket.name.as_ptr());
    }
}

/// `resolve(name)`: its addresses as texts, as the system's resolver lists them.
/// The service waits for the answer. A Lua error says why there is none.
pub(super) unsafe extern "C-unwind" fn resolve(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The name ends with a zero, and the list is written
    // before it is read.
    unsafe {
        let name = luaL_checkstring(L, 1);
        let mut list = ptr::null_mut();
        let failed = libc::getaddrinfo(name, ptr::null(), ptr::null(), &mut list);
        if failed != 0 {
            return luaL_error(L, c"%s".as_ptr(), libc::gai_strerror(failed));
        }
        with_list(L, list, build_addresses, release_addresses);
    }
    1
}

unsafe fn release_addresses(list: *mut libc::addrinfo) {
    // SAFETY: only resolve calls this, with the list that getaddrinfo has made.
    unsafe { libc::freeaddrinfo(list) }
}

unsafe extern "C-unwind" fn build_addresses(L: *mut lua_State) -> c_int {
    // SAFETY: called by with_list, with getaddrinfo's list, in which a family
    // decides of what type an address is. Two slots are used.
    unsafe {
        let mut entry = lua_touserdata(L, 1).cast::<libc::addrinfo>().cast_const();
        lua_createtable(L, 0, 0);
        let mut index = 0;
        while let Some(found) = entry.as_ref() {
            let ip: *const c_void = match found.ai_family {
                libc::AF_INET => {
                    &raw const (*found.ai_addr.cast::<libc::sockaddr_in>()).sin_addr as _
                }
                libc::AF_INET6 => {
                    &raw const (*found.ai_addr.cast::<libc::sockaddr_in6>()).sin6_addr as _
                }
                _ => ptr::null(),
            };
            if !ip.is_null() {
                let mut text: AddressText = [0; 46];
                let room = text.len() as libc::socklen_t;
                if !inet_ntop(found.ai_family, ip, text.as_mut_ptr(), room).is_null() {
                    index += 1;
                    lua_pushstring(L, text.as_ptr());
                    lua_seti(L, -2, index);
                }
            }
            entry = found.ai_next;
        }
    }
    1
}

/// `udp_address(address)`: host and port of a packed address.
pub(super) unsafe extern "C-unwind" fn udp_address(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The string is on the stack while it is looked at,
    // and as long as inet_ntop wants it for the family; three slots are used.
    unsafe {
        let mut length = 0;
        let packed = luaL_checklstring(L, 1, &mut length);
        let bytes = std::slice::from_raw_parts(packed.cast::<u8>(), length);
        let (family, port, ip) = match *bytes {
            [_, high, low, ref ip @ ..] if ip.len() == 4 => (libc::AF_INET, [high, low], ip),
            [_, high, low, ref ip @ ..] if ip.len() == 16 => (libc::AF_INET6, [high, low], ip),
            _ => return luaL_error(L, c"Invalid udp address".as_ptr()),
        };
        let mut text: AddressText = [0; 46];
        let room = text.len() as libc::socklen_t;
        if inet_ntop(family, ip.as_ptr().cast(), text.as_mut_ptr(), room).is_null() {
            return luaL_error(L, c"Invalid udp address".as_ptr());
        }
        lua_pushstring(L, text.as_ptr());
        lua_pushinteger(L, u16::from_be_bytes(port).into());
    }
    2
}
