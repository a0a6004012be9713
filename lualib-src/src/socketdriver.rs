//! `skynet.socketdriver`: sockets for `skynet.socket`, and the buffers in which
//! it keeps what they read.
//!
//! A message about a socket carries a block of memory that belongs to whoever
//! unpacks it: `unpack` gives it to Lua as a light userdata, from which `push`
//! takes it into a buffer, or `drop` frees it. A buffer is a userdata and frees
//! what it holds when Lua collects it.
//!
//! Where a function takes `pool`, it is a table of the caller's, as ever; the
//! buffers here need none. Only `readline` looks at it.

mod address;
mod buffer;
mod info;
mod open;
mod send;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::hint::unreachable_unchecked;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use mlua_sys::*;
use skynet_abi::malloc::{skynet_free, skynet_malloc};
use skynet_abi::skynet_context;
use skynet_abi::socket::{
    SKYNET_SOCKET_TYPE_UDP, skynet_socket_bind, skynet_socket_close, skynet_socket_message,
    skynet_socket_nodelay, skynet_socket_pause, skynet_socket_shutdown, skynet_socket_start,
};

use crate::core::context;
use crate::library;
use crate::object::{self, Object};
use buffer::{Block, Buffer};

/// Functions that act for a service; it is their upvalue.
const SERVICE_FUNCTIONS: [(&CStr, lua_CFunction); 16] = [
    (c"connect", open::connect),
    (c"listen", open::listen),
    (c"bind", bind),
    (c"start", start),
    (c"pause", pause),
    (c"nodelay", nodelay),
    (c"keepalive", keepalive),
    (c"send", send::send),
    (c"lsend", send::lsend),
    (c"close", close),
    (c"shutdown", shutdown),
    (c"udp", open::udp),
    (c"udp_connect", open::udp_connect),
    (c"udp_dial", open::udp_dial),
    (c"udp_listen", open::udp_listen),
    (c"udp_send", send::udp_send),
];

const PLAIN_FUNCTIONS: [(&CStr, lua_CFunction); 13] = [
    (c"buffer", new_buffer),
    (c"push", push),
    (c"pop", pop),
    (c"readall", readall),
    (c"readline", readline),
    (c"clear", clear),
    (c"drop", drop_block),
    (c"unpack", unpack),
    (c"str2p", str2p),
    (c"header", header),
    (c"info", info::info),
    (c"resolve", info::resolve),
    (c"udp_address", info::udp_address),
];

/// Opens `skynet.socketdriver`.
///
/// # Safety
/// Called by Lua, in a state whose registry holds the service as light userdata
/// under `skynet_context`; without it a Lua error is raised.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_socketdriver(L: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a valid state and LUA_MINSTACK free slots, of
    // which three are used. Nothing on this frame has a destructor.
    unsafe {
        library::push(L, &PLAIN_FUNCTIONS);
        library::add_for_service(L, &SERVICE_FUNCTIONS);
    }
    1
}

/// How many bytes a packed address has that begins with `kind`: the kind of
/// address, a port, and the address itself. `None` if there is no such kind.
fn packed_size(kind: c_char) -> Option<usize> {
    match kind {
        1 => Some(1 + 2 + 4),
        2 => Some(1 + 2 + 16),
        _ => None,
    }
}

/// Argument `arg` as a C int; a Lua error, which calls it `what`, if it is none.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. Two slots are used before the error.
unsafe fn check_int(L: *mut lua_State, arg: c_int, what: &CStr) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let number = luaL_checkinteger(L, arg);
        match c_int::try_from(number) {
            Ok(number) => number,
            Err(_) => {
                let text =
                    lua_pushfstring(L, c"%s out of range (%I)".as_ptr(), what.as_ptr(), number);
                luaL_argerror(L, arg, text)
            }
        }
    }
}

/// Argument `arg` as a size; a Lua error if it is negative.
///
/// # Safety
/// As [`check_int`].
unsafe fn check_size(L: *mut lua_State, arg: c_int) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let size = luaL_checkinteger(L, arg);
        match usize::try_from(size) {
            Ok(size) => size,
            Err(_) => luaL_argerror(L, arg, c"size is negative".as_ptr()) as usize,
        }
    }
}

/// `bind(fd)`: takes a descriptor in that is open already; the socket's id.
unsafe extern "C-unwind" fn bind(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe {
        let fd = check_int(L, 1, c"descriptor");
        let id = skynet_socket_bind(context(L), fd);
        lua_pushinteger(L, id.into());
    }
    1
}

/// Asks the socket server for something about the socket in argument 1.
///
/// # Safety
/// The running function is one of [`SERVICE_FUNCTIONS`].
unsafe fn request(
    L: *mut lua_State,
    ask: unsafe extern "C-unwind" fn(*mut skynet_context, c_int),
) -> c_int {
    // SAFETY: the upvalue is the service, and any number is a valid id to ask about.
    unsafe { ask(context(L), check_int(L, 1, c"socket id")) };
    0
}

/// `start(id)`: reads from a socket, or goes on after a pause.
unsafe extern "C-unwind" fn start(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe { request(L, skynet_socket_start) }
}

/// `pause(id)`: stops reading.
unsafe extern "C-unwind" fn pause(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe { request(L, skynet_socket_pause) }
}

/// `nodelay(id)`: has the system send small segments at once.
unsafe extern "C-unwind" fn nodelay(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe { request(L, skynet_socket_nodelay) }
}

/// `keepalive(id, seconds)`: ends the connection when nothing comes from its peer for so
/// long, not even an acknowledgement. Returns false on a core that cannot do this.
unsafe extern "C-unwind" fn keepalive(L: *mut lua_State) -> c_int {
    type Keepalive = unsafe extern "C-unwind" fn(*mut skynet_context, c_int, c_int);
    // SAFETY: called by Lua, with the service as upvalue. The name is a C string; what has
    // it is this project's core, and of this type. Another core loads this module, too, so
    // that it cannot be linked with.
    unsafe {
        let id = check_int(L, 1, c"socket id");
        let seconds = check_int(L, 2, c"time");
        let found = libc::dlsym(libc::RTLD_DEFAULT, c"skynet_socket_keepalive".as_ptr());
        if !found.is_null() {
            std::mem::transmute::<*mut libc::c_void, Keepalive>(found)(context(L), id, seconds);
        }
        lua_pushboolean(L, (!found.is_null()).into());
    }
    1
}

/// `close(id)`: closes a socket when everything is sent.
unsafe extern "C-unwind" fn close(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe { request(L, skynet_socket_close) }
}

/// `shutdown(id)`: closes a socket at once.
unsafe extern "C-unwind" fn shutdown(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the service as upvalue.
    unsafe { request(L, skynet_socket_shutdown) }
}

impl Object for Buffer {
    const NAME: &'static CStr = c"skynet.socketdriver.buffer";
}

/// `buffer()`: an empty buffer.
unsafe extern "C-unwind" fn new_buffer(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { object::push::<Buffer>(L) };
    1
}

/// The buffer in argument 1; a Lua error if it is none.
///
/// # Safety
/// As [`object::test`]; nothing on the caller's frames has a destructor.
unsafe fn check_buffer<'a>(L: *mut lua_State) -> &'a mut Buffer {
    // SAFETY: the caller's promise; luaL_error does not return.
    unsafe {
        match object::test(L, 1) {
            Some(buffer) => buffer,
            None => {
                luaL_error(L, c"need buffer object at param 1".as_ptr());
                unreachable_unchecked()
            }
        }
    }
}

/// `push(buffer, pool, msg, size)`: appends a block, which the buffer owns from
/// then on; the number of bytes in the buffer.
unsafe extern "C-unwind" fn push(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. A light userdata given here is a block that the
    // caller owns and has the size that came with it, which is the contract of
    // this function. The arguments are checked before the block is owned, and it
    // is in the buffer, or freed, before Lua is called again.
    unsafe {
        let buffer = check_buffer(L);
        let block = lua_touserdata(L, 3);
        let size = check_size(L, 4);
        let Some(block) = NonNull::new(block).filter(|_| lua_islightuserdata(L, 3) != 0) else {
            return luaL_error(L, c"need message block at param 3".as_ptr());
        };
        if buffer.push(Block::from_raw(block, size)).is_err() {
            return luaL_error(L, c"not enough memory for the socket's buffer".as_ptr());
        }
        lua_pushinteger(L, buffer.size() as lua_Integer);
    }
    1
}

/// Moves `size` bytes, of which there are as many, from the buffer's front to a
/// string on the stack, and drops `extra` bytes that follow them.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor. Two slots are used.
unsafe fn push_string(L: *mut lua_State, buffer: &mut Buffer, size: usize, extra: usize) {
    // SAFETY: the caller's promise. The bytes leave the buffer only when the
    // string is there, so a failure to make it loses nothing.
    unsafe {
        match buffer.in_one_piece(size) {
            Some(piece) => {
                lua_pushlstring(L, piece.as_ptr().cast(), size);
            }
            None => push_pieces(L, buffer, size),
        }
    }
    buffer.consume(size + extra);
}

/// As [`push_string`], from more than one block, and leaves them there. Lua's
/// buffer is large, so it has a frame of its own.
///
/// # Safety
/// As [`push_string`].
#[inline(never)]
unsafe fn push_pieces(L: *mut lua_State, buffer: &Buffer, size: usize) {
    let mut string = MaybeUninit::<luaL_Buffer>::uninit();
    // SAFETY: Lua initialises string, which has no destructor and stays where
    // it is, and gives room for size bytes, of which as many as copy says are
    // written: fewer than there were before, if a finaliser has taken some.
    unsafe {
        let room = luaL_buffinitsize(L, string.as_mut_ptr(), size);
        let copied = buffer.copy(std::slice::from_raw_parts_mut(room.cast(), size));
        luaL_pushresultsize(string.as_mut_ptr(), copied);
    }
}

/// `pop(buffer, pool, size)`: so many bytes, or nil if there are fewer or none
/// is asked for; and the number of bytes left.
unsafe extern "C-unwind" fn pop(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots are used.
    unsafe {
        let buffer = check_buffer(L);
        let size = check_size(L, 3);
        if size == 0 || size > buffer.size() {
            lua_pushnil(L);
        } else {
            push_string(L, buffer, size, 0);
        }
        lua_pushinteger(L, buffer.size() as lua_Integer);
    }
    2
}

/// `readall(buffer, pool)`: everything; the buffer is empty then.
unsafe extern "C-unwind" fn readall(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe {
        let buffer = check_buffer(L);
        push_string(L, buffer, buffer.size(), 0);
    }
    1
}

/// `readline(buffer, pool, separator)`: what is in front of the next separator,
/// both of which leave the buffer; nothing if there is none. Without a table for
/// `pool` the buffer stays as it is, and the result is true instead.
unsafe extern "C-unwind" fn readline(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used. The separator's string is on
    // the stack as long as it is looked at.
    unsafe {
        let buffer = check_buffer(L);
        let mut length = 0;
        let separator = luaL_checklstring(L, 3, &mut length);
        let separator = std::slice::from_raw_parts(separator.cast::<u8>(), length);
        let Some(at) = buffer.find(separator) else {
            return 0;
        };
        if lua_istable(L, 2) != 0 {
            push_string(L, buffer, at, length);
        } else {
            lua_pushboolean(L, 1);
        }
    }
    1
}

/// `clear(buffer, pool)`: forgets what is in the buffer. nil is a buffer without
/// anything in it.
unsafe extern "C-unwind" fn clear(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if lua_isnil(L, 1) == 0 {
            let buffer = check_buffer(L);
            buffer.consume(buffer.size());
        }
    }
    0
}

/// `drop(msg, size)`: frees a block that no buffer has taken.
unsafe extern "C-unwind" fn drop_block(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. A light userdata given here is a block that the
    // caller owns, which is the contract of this function.
    unsafe {
        luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
        luaL_checkinteger(L, 2);
        skynet_free(lua_touserdata(L, 1));
    }
    0
}

/// `unpack(msg, size)`: the parts of a message about a socket: its type, the
/// socket's id, a number, then a block of memory, which is the caller's, or a
/// text. A UDP message has its sender's packed address as a fifth.
unsafe extern "C-unwind" fn unpack(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a message of type PTYPE_SOCKET, which the
    // runtime keeps until the service has handled it. Five slots are used.
    unsafe {
        let size = check_size(L, 2);
        let message = lua_touserdata(L, 1).cast::<skynet_socket_message>();
        let Some(text) = size.checked_sub(size_of::<skynet_socket_message>()) else {
            return luaL_argerror(L, 2, c"too small for a socket message".as_ptr());
        };
        if message.is_null() {
            return luaL_argerror(L, 1, c"socket message expected".as_ptr());
        }
        let skynet_socket_message {
            type_,
            id,
            ud,
            buffer,
        } = message.read();
        lua_pushinteger(L, type_.into());
        lua_pushinteger(L, id.into());
        lua_pushinteger(L, ud.into());
        if buffer.is_null() {
            lua_pushlstring(L, message.add(1).cast(), text);
            return 4;
        }
        lua_pushlightuserdata(L, buffer.cast());
        if type_ == SKYNET_SOCKET_TYPE_UDP {
            let address: *const c_char = buffer.add(ud as usize);
            if let Some(size) = packed_size(*address) {
                lua_pushlstring(L, address, size);
                return 5;
            }
        }
    }
    4
}

/// `str2p(string)`: a block with the string's bytes, which is the caller's, and
/// its size.
unsafe extern "C-unwind" fn str2p(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used. Pushing a light userdata and an
    // integer allocates nothing, so the block cannot be lost on the way.
    unsafe {
        let mut size = 0;
        let string = luaL_checklstring(L, 1, &mut size);
        let block: *mut c_void = skynet_malloc(size.max(1));
        if block.is_null() {
            return luaL_error(L, c"not enough memory".as_ptr());
        }
        block
            .cast::<c_char>()
            .copy_from_nonoverlapping(string, size);
        lua_pushlightuserdata(L, block);
        lua_pushinteger(L, size as lua_Integer);
    }
    2
}

/// `header(string)`: its one to four bytes as a big-endian number.
unsafe extern "C-unwind" fn header(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string is on the stack while it is looked at.
    unsafe {
        let mut size = 0;
        let string = luaL_checklstring(L, 1, &mut size);
        if !(1..=4).contains(&size) {
            return luaL_error(L, c"Invalid read %s".as_ptr(), string);
        }
        let bytes = std::slice::from_raw_parts(string.cast::<u8>(), size);
        let number = bytes
            .iter()
            .fold(0, |number, byte| number << 8 | lua_Integer::from(*byte));
        lua_pushinteger(L, number);
    }
    1
}
