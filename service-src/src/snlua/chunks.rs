//! Compiled files, kept for the next state that loads them.
//!
//! The first state that loads a file compiles it, and the result is kept in
//! Lua's binary form. States after it neither read nor compile the file: they
//! are built from that form, and their code, line numbers and long strings stay
//! in it, in one copy for all of them. A file is looked at again after
//! [`clear`].
//!
//! A state uses a chunk's bytes until it is closed, so its instance holds them.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::slice;
use mlua_sys as lua;
use mlua_sys::lua_State;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Lua's binary form of a file. Lua wants it aligned for an `int`, which the
/// counts in front of the bytes make sure of.
pub type Chunk = Arc<[u8]>;

type Chunks = HashMap<Box<[u8]>, Chunk>;

fn chunks() -> MutexGuard<'static, Chunks> {
    static CHUNKS: OnceLock<Mutex<Chunks>> = OnceLock::new();
    let chunks = CHUNKS.get_or_init(Mutex::default);
    chunks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chunk of the file with this path.
pub fn find(path: &CStr) -> Option<Chunk> {
    chunks().get(path.to_bytes()).cloned()
}

/// Forgets all chunks; states that use some go on using them.
pub fn clear() {
    chunks().clear();
}

/// Keeps the function on top of the stack as the chunk of `path`, unless
/// another state was faster.
///
/// # Safety
///
/// As for any function of Lua's API; three slots. The function is a Lua function.
pub unsafe fn keep(state: *mut lua_State, path: &CStr) {
    let mut bytes: Vec<u8> = Vec::new();
    // SAFETY: the call is protected, pushing its arguments allocates nothing,
    // so no error passes this frame while it owns the bytes.
    let done = unsafe {
        lua::lua_pushcfunction(state, dump);
        lua::lua_pushvalue(state, -2);
        lua::lua_pushlightuserdata(state, (&raw mut bytes).cast());
        let status = lua::lua_pcall(state, 2, 0, 0);
        if status != lua::LUA_OK {
            // Out of memory: the function itself is there, and that is enough.
            lua::lua_pop(state, 1);
        }
        status == lua::LUA_OK
    };
    if done {
        chunks()
            .entry(path.to_bytes().into())
            .or_insert_with(|| bytes.into());
    }
}

/// Dumps its first argument into the vector at its second.
unsafe extern "C-unwind" fn dump(state: *mut lua_State) -> c_int {
    // SAFETY: `keep` passes its own vector; lua_dump wants the function on top.
    unsafe {
        let bytes = lua::lua_touserdata(state, 2);
        lua::lua_settop(state, 1);
        lua::lua_dump(state, append, bytes, 0);
    }
    0
}

unsafe extern "C-unwind" fn append(
    _: *mut lua_State,
    piece: *const c_void,
    size: usize,
    bytes: *mut c_void,
) -> c_int {
    if size != 0 {
        // SAFETY: `dump` passes the vector, and Lua as many bytes as it says.
        unsafe {
            let piece = slice::from_raw_parts(piece.cast::<u8>(), size);
            (*bytes.cast::<Vec<u8>>()).extend_from_slice(piece);
        }
    }
    0
}

/// Loads a chunk: the function or the error is left on the stack.
///
/// # Safety
///
/// As for any function of Lua's API; one slot. The bytes must live as long as
/// the state.
pub unsafe fn load(state: *mut lua_State, bytes: *const [u8], name: *const c_char) -> c_int {
    // "B": binary, in memory that stays.
    // SAFETY: the caller's promise.
    unsafe { lua::luaL_loadbufferx(state, bytes.cast(), bytes.len(), name, c"B".as_ptr()) }
}
