//! The module `skynet.codecache`.
//!
//! Compiled functions are not shared between states, so there is nothing that
//! `clear` could drop. The mode is kept, because programs read back what they set.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use mlua_sys as lua;
use mlua_sys::lua_State;

/// The names of the modes, in the order of their numbers.
const MODES: [&CStr; 3] = [c"OFF", c"EXIST", c"ON"];
const DEFAULT_MODE: usize = 2;

/// Its address is the registry's key for the mode.
static MODE_KEY: u8 = 0;

/// Leaves the module's table on the stack.
pub unsafe extern "C-unwind" fn open(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with LUA_MINSTACK slots, of which it uses two.
    unsafe {
        lua::lua_createtable(state, 0, 3);
        lua::lua_pushcfunction(state, clear);
        lua::lua_setfield(state, -2, c"clear".as_ptr());
        lua::lua_pushcfunction(state, mode);
        lua::lua_setfield(state, -2, c"mode".as_ptr());
        lua::lua_getglobal(state, c"loadfile".as_ptr());
        lua::lua_setfield(state, -2, c"loadfile".as_ptr());
    }
    1
}

unsafe extern "C-unwind" fn clear(_: *mut lua_State) -> c_int {
    0
}

/// `mode()` returns the mode's name, `mode(name)` sets it.
unsafe extern "C-unwind" fn mode(state: *mut lua_State) -> c_int {
    // luaL_checkoption wants a list that ends with a null pointer.
    let names: [*const c_char; 4] = [
        MODES[0].as_ptr(),
        MODES[1].as_ptr(),
        MODES[2].as_ptr(),
        ptr::null(),
    ];
    // SAFETY: called by Lua, uses one slot, owns nothing.
    unsafe {
        if lua::lua_isnoneornil(state, 1) == 0 {
            let chosen = lua::luaL_checkoption(state, 1, ptr::null(), names.as_ptr());
            lua::lua_pushinteger(state, chosen.into());
            lua::lua_rawsetp(state, lua::LUA_REGISTRYINDEX, (&raw const MODE_KEY).cast());
            return 0;
        }
        let kind = lua::lua_rawgetp(state, lua::LUA_REGISTRYINDEX, (&raw const MODE_KEY).cast());
        let current = if kind == lua::LUA_TNUMBER {
            usize::try_from(lua::lua_tointeger(state, -1)).unwrap_or(DEFAULT_MODE)
        } else {
            DEFAULT_MODE
        };
        lua::lua_pushstring(state, names[current]);
    }
    1
}
