//! What `patches/` and `share/` add to Lua's API. docs/lua-patches.md has the
//! contract of each function, and which of them the reference has too.

use mlua_sys::lua_State;
use std::ffi::{c_char, c_int, c_void};

unsafe extern "C-unwind" {
    /// Makes the string at an index usable by other states.
    pub fn lua_sharestring(state: *mut lua_State, index: c_int);
    /// Makes the code of the Lua function at an index usable by other states.
    pub fn lua_sharefunction(state: *mut lua_State, index: c_int);
    /// Pushes a new function with the code of a shared one of any state, which
    /// `lua_topointer` names.
    pub fn lua_clonefunction(state: *mut lua_State, function: *const c_void);
    /// Makes the table at an index, and all that it leads to, usable by other
    /// states and immutable.
    pub fn lua_sharetable(state: *mut lua_State, index: c_int);
    /// Whether the value at an index is a shared table.
    pub fn lua_issharedtable(state: *mut lua_State, index: c_int) -> c_int;
    /// Pushes a shared table of any state, which `lua_topointer` names.
    pub fn lua_clonetable(state: *mut lua_State, table: *const c_void);
    /// Makes the names in Lua and its libraries one for all states made later.
    pub fn luaL_initcodecache();
    /// `luaL_loadfilex` without the code cache.
    pub fn luaL_loadfilex_(
        state: *mut lua_State,
        filename: *const c_char,
        mode: *const c_char,
    ) -> c_int;
    /// `luaL_loadbufferx` with the code cache, under a key of the caller's.
    pub fn luaL_loadcached(
        state: *mut lua_State,
        key: *const c_char,
        text: *const c_char,
        size: usize,
        chunkname: *const c_char,
        mode: *const c_char,
    ) -> c_int;
    /// Leaves the module `skynet.codecache` on the stack.
    pub fn luaopen_cache(state: *mut lua_State) -> c_int;
}
