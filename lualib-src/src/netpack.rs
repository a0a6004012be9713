//! `skynet.netpack`: frames of two bytes of size and as many bytes of content,
//! as `snax.gateserver` reads them from its sockets.
//!
//! `filter` takes the place of a socket protocol's `unpack` and owns the block
//! of each message that it is given. The frames that it and `pop` return are
//! blocks of the caller's, which a message takes along, or `tostring` or
//! `skynet.trash` frees. The queue is a userdata and frees what it holds when
//! Lua collects it.

mod frames;

use std::ffi::{CStr, c_char, c_int};

use mlua_sys::*;
use skynet_abi::malloc::{skynet_free, skynet_malloc};
use skynet_abi::socket::{
    SKYNET_SOCKET_TYPE_ACCEPT, SKYNET_SOCKET_TYPE_CLOSE, SKYNET_SOCKET_TYPE_CONNECT,
    SKYNET_SOCKET_TYPE_DATA, SKYNET_SOCKET_TYPE_ERROR, SKYNET_SOCKET_TYPE_WARNING,
    skynet_socket_message,
};

use crate::block::Block;
use crate::library;
use crate::object::{self, Object};
use frames::{Frame, Frames, OutOfMemory, Read, Storage};

const FUNCTIONS: [(&CStr, lua_CFunction); 4] = [
    (c"pop", pop),
    (c"pack", pack),
    (c"clear", clear),
    (c"tostring", tostring),
];

/// What `filter` calls the kinds of events. They are its upvalues, in this order.
const KINDS: [&CStr; 7] = [
    c"data", c"more", c"error", c"open", c"close", c"warning", c"init",
];

/// Positions in [`KINDS`], from 1.
const DATA: c_int = 1;
const MORE: c_int = 2;
const ERROR: c_int = 3;
const OPEN: c_int = 4;
const CLOSE: c_int = 5;
const WARNING: c_int = 6;
const INIT: c_int = 7;

/// Opens `skynet.netpack`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_netpack(L: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a valid state and LUA_MINSTACK free slots, of
    // which eight are used. Nothing on this frame has a destructor.
    unsafe {
        library::push(L, &FUNCTIONS);
        for kind in KINDS {
            lua_pushstring(L, kind.as_ptr());
        }
        lua_pushcclosure(L, filter, KINDS.len() as c_int);
        lua_setfield(L, -2, c"filter".as_ptr());
    }
    1
}

impl Storage for Block {
    fn allocate(size: usize) -> Option<Self> {
        Block::new(size)
    }

    fn append(&mut self, bytes: &[u8]) {
        Block::append(self, bytes);
    }
}

type Queue = Frames<Block>;

impl Object for Queue {
    const NAME: &'static CStr = c"skynet.netpack.queue";
}

/// Makes a queue.
unsafe extern "C-unwind" fn new_queue(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { object::push::<Queue>(L) };
    1
}

/// The queue in argument 1, if it is one.
///
/// # Safety
/// As [`object::test`].
unsafe fn queue<'a>(L: *mut lua_State) -> Option<&'a mut Queue> {
    // SAFETY: the caller's promise.
    unsafe { object::test(L, 1) }
}

/// As [`queue`]; a Lua error if the argument is anything else but nil.
///
/// # Safety
/// As [`queue`]; nothing on the caller's frames has a destructor.
unsafe fn check_queue<'a>(L: *mut lua_State) -> Option<&'a mut Queue> {
    // SAFETY: the caller's promise.
    unsafe {
        let queue = queue(L);
        if queue.is_none() && lua_isnoneornil(L, 1) == 0 {
            luaL_argerror(L, 1, c"netpack queue expected".as_ptr());
        }
        queue
    }
}

/// Pushes a frame's socket, block and size, and gives the block away. Three
/// slots; nothing here allocates, so the block cannot be lost on the way.
///
/// # Safety
/// Called from a C function of `L`.
unsafe fn push_frame(L: *mut lua_State, frame: Frame<Block>) {
    let Frame { id, content, size } = frame;
    // SAFETY: the caller's promise.
    unsafe {
        lua_pushinteger(L, id.into());
        lua_pushlightuserdata(L, content.into_raw());
        lua_pushinteger(L, size as lua_Integer);
    }
}

/// `filter(queue, msg, size)`: takes a message about a socket. Returns the
/// queue, which a nil one becomes when it is needed, and what has happened:
/// nothing more, or a kind and its values.
unsafe extern "C-unwind" fn filter(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a message of type PTYPE_SOCKET, which the
    // runtime keeps until the service has handled it. Six slots are used. The
    // block of data is freed in front of every error.
    unsafe {
        let size = luaL_checkinteger(L, 3);
        let message = lua_touserdata(L, 2).cast::<skynet_socket_message>();
        if message.is_null() {
            return luaL_argerror(L, 2, c"socket message expected".as_ptr());
        }
        let text = usize::try_from(size)
            .ok()
            .and_then(|size| size.checked_sub(size_of::<skynet_socket_message>()));
        let Some(text) = text else {
            return luaL_argerror(L, 3, c"too small for a socket message".as_ptr());
        };
        let skynet_socket_message {
            type_,
            id,
            ud,
            buffer,
        } = message.read();
        if lua_isnoneornil(L, 1) == 0 && queue(L).is_none() {
            skynet_free(buffer.cast());
            return luaL_argerror(L, 1, c"netpack queue expected".as_ptr());
        }
        lua_settop(L, 2);
        // The message stays in slot 2, because a text may be part of it.
        lua_pushvalue(L, 1);
        if type_ == SKYNET_SOCKET_TYPE_DATA {
            return data(L, id, buffer, ud);
        }
        // Only data, and datagrams, which are none of ours, come in a block.
        skynet_free(buffer.cast());
        let text_start: *const c_char = message.add(1).cast();
        let text = if buffer.is_null() { text } else { 0 };
        match type_ {
            SKYNET_SOCKET_TYPE_CONNECT => {
                lua_pushvalue(L, lua_upvalueindex(INIT));
                lua_pushinteger(L, id.into());
                lua_pushlstring(L, text_start, text);
                lua_pushinteger(L, ud.into());
                5
            }
            SKYNET_SOCKET_TYPE_CLOSE => {
                forget(L, id);
                lua_pushvalue(L, lua_upvalueindex(CLOSE));
                lua_pushinteger(L, id.into());
                3
            }
            SKYNET_SOCKET_TYPE_ACCEPT => {
                lua_pushvalue(L, lua_upvalueindex(OPEN));
                lua_pushinteger(L, ud.into());
                lua_pushlstring(L, text_start, text);
                4
            }
            SKYNET_SOCKET_TYPE_ERROR => {
                forget(L, id);
                lua_pushvalue(L, lua_upvalueindex(ERROR));
                lua_pushinteger(L, id.into());
                lua_pushlstring(L, text_start, text);
                4
            }
            SKYNET_SOCKET_TYPE_WARNING => {
                lua_pushvalue(L, lua_upvalueindex(WARNING));
                lua_pushinteger(L, id.into());
                lua_pushinteger(L, ud.into());
                4
            }
            _ => 1,
        }
    }
}

/// Forgets what has begun on a socket that is gone.
///
/// # Safety
/// As [`queue`].
unsafe fn forget(L: *mut lua_State, id: c_int) {
    // SAFETY: the caller's promise; the reference is gone with this statement.
    unsafe {
        if let Some(queue) = queue(L) {
            queue.close(id);
        }
    }
}

/// The part of [`filter`] for data: a block with `size` bytes, which is freed.
/// The results are above the queue, which is on top and in slot 1.
///
/// # Safety
/// The running function is `filter`; `block` is null or a block of the caller's.
unsafe fn data(L: *mut lua_State, id: c_int, block: *mut c_char, size: c_int) -> c_int {
    // SAFETY: the caller's promise. Rust's values are gone, or given away,
    // before Lua is called with what may raise an error.
    unsafe {
        let Ok(length) = usize::try_from(size) else {
            skynet_free(block.cast());
            return luaL_error(L, c"invalid size of data : %d".as_ptr(), size);
        };
        if block.is_null() {
            return luaL_error(L, c"socket message without data".as_ptr());
        }
        let bytes = std::slice::from_raw_parts(block.cast::<u8>(), length);
        let begun = queue(L).is_some_and(|queue| queue.has_begun(id));
        let read = if begun {
            Ok(None)
        } else {
            frames::whole(id, bytes)
        };
        let read = match read {
            Ok(Some(frame)) => Ok(Read::One(frame)),
            Err(OutOfMemory) => Err(OutOfMemory),
            Ok(None) => {
                if queue(L).is_none() && !make_queue(L) {
                    skynet_free(block.cast());
                    lua_error(L);
                }
                match queue(L) {
                    Some(queue) => queue.read(id, bytes),
                    None => Err(OutOfMemory),
                }
            }
        };
        skynet_free(block.cast());
        match read {
            Ok(Read::Nothing) => 1,
            Ok(Read::One(frame)) => {
                lua_pushvalue(L, lua_upvalueindex(DATA));
                push_frame(L, frame);
                5
            }
            Ok(Read::Several) => {
                lua_pushvalue(L, lua_upvalueindex(MORE));
                2
            }
            Err(OutOfMemory) => luaL_error(L, c"not enough memory for a frame".as_ptr()),
        }
    }
}

/// Puts a new queue into slot 1 and on top, where nil was. False if that failed:
/// the error is on top then, and was not raised, because the caller has a block.
///
/// # Safety
/// As [`data`]; one slot is used.
unsafe fn make_queue(L: *mut lua_State) -> bool {
    // SAFETY: the caller's promise. A function without upvalues is pushed
    // without an allocation.
    unsafe {
        lua_settop(L, 2);
        lua_pushcclosure(L, new_queue, 0);
        if lua_pcall(L, 0, 1, 0) != LUA_OK {
            return false;
        }
        lua_pushvalue(L, -1);
        lua_replace(L, 1);
        true
    }
}

/// `pop(queue)`: a frame that came together with others: its socket, block and
/// size, or nothing.
unsafe extern "C-unwind" fn pop(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; check_queue comes before a frame is owned.
    unsafe {
        match check_queue(L).and_then(Frames::pop) {
            Some(frame) => {
                push_frame(L, frame);
                3
            }
            None => 0,
        }
    }
}

/// `clear(queue)`: frees everything in a queue.
unsafe extern "C-unwind" fn clear(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference is used for one statement.
    unsafe {
        if let Some(queue) = check_queue(L) {
            std::mem::take(queue);
        }
    }
    0
}

/// `pack(string)` or `pack(msg, size)`: a block, which is the caller's, with a
/// frame in it, and its size. What was given stays as it is.
unsafe extern "C-unwind" fn pack(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. A userdata given here is memory of the size that
    // came with it, which is the contract of this function; a string is on the
    // stack meanwhile. Pushing the results allocates nothing.
    unsafe {
        let mut size = 0;
        let content: *const u8 = if lua_isuserdata(L, 1) != 0 {
            let number = luaL_checkinteger(L, 2);
            size = match usize::try_from(number) {
                Ok(size) => size,
                Err(_) => return luaL_argerror(L, 2, c"size is negative".as_ptr()),
            };
            lua_touserdata(L, 1).cast::<u8>()
        } else {
            luaL_checklstring(L, 1, &mut size).cast()
        };
        let Some(header) = frames::header(size) else {
            return luaL_error(
                L,
                c"Invalid size (too long) of data : %I".as_ptr(),
                size as lua_Integer,
            );
        };
        if content.is_null() && size != 0 {
            return luaL_argerror(L, 1, c"message expected".as_ptr());
        }
        let block = skynet_malloc(header.len() + size).cast::<u8>();
        if block.is_null() {
            return luaL_error(L, c"not enough memory".as_ptr());
        }
        block.copy_from_nonoverlapping(header.as_ptr(), header.len());
        if size != 0 {
            block
                .add(header.len())
                .copy_from_nonoverlapping(content, size);
        }
        lua_pushlightuserdata(L, block.cast());
        lua_pushinteger(L, (header.len() + size) as lua_Integer);
    }
    2
}

/// `tostring(msg, size)`: the bytes of a block, which is freed. Anything that is
/// no block has none. After an error the block is still the caller's.
unsafe extern "C-unwind" fn tostring(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. A light userdata given here is a block that the
    // caller owns and has the size that came with it, which is the contract of
    // this function.
    unsafe {
        let number = luaL_checkinteger(L, 2);
        let Ok(size) = usize::try_from(number) else {
            return luaL_argerror(L, 2, c"size is negative".as_ptr());
        };
        if lua_type(L, 1) == LUA_TUSERDATA {
            return luaL_argerror(L, 1, c"message expected".as_ptr());
        }
        let block = lua_touserdata(L, 1);
        if block.is_null() {
            lua_pushlstring(L, c"".as_ptr(), 0);
        } else {
            lua_pushlstring(L, block.cast(), size);
            skynet_free(block);
        }
    }
    1
}
