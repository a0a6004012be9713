//! The module `skynet.codecache`: what a service may say about the files that
//! are kept compiled, see [`chunks`].
//!
//! `mode` is the service's own: `ON` uses kept files and keeps those that it
//! compiles, `EXIST` only uses them, `OFF` does neither. `clear` is for all
//! services: files that have changed are compiled again.

use super::chunks;
use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use mlua_sys as lua;
use mlua_sys::lua_State;

/// The names of the modes, in the order of their numbers.
const NAMES: [&CStr; 3] = [c"OFF", c"EXIST", c"ON"];

/// What a service makes of the files that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Off,
    Exist,
    On,
}

/// Its address is the registry's key for the mode.
static MODE_KEY: u8 = 0;

impl Mode {
    /// The state's mode. One slot.
    ///
    /// # Safety
    ///
    /// As for any function of Lua's API.
    pub unsafe fn of(state: *mut lua_State) -> Self {
        // SAFETY: the caller's promise.
        let number = unsafe {
            let kind =
                lua::lua_rawgetp(state, lua::LUA_REGISTRYINDEX, (&raw const MODE_KEY).cast());
            let number = lua::lua_tointeger(state, -1);
            lua::lua_pop(state, 1);
            (kind == lua::LUA_TNUMBER).then_some(number)
        };
        match number {
            Some(0) => Self::Off,
            Some(1) => Self::Exist,
            _ => Self::On,
        }
    }
}

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
    chunks::clear();
    0
}

/// `mode()` returns the mode's name, `mode(name)` sets it.
unsafe extern "C-unwind" fn mode(state: *mut lua_State) -> c_int {
    // luaL_checkoption wants a list that ends with a null pointer.
    let names: [*const c_char; 4] = [
        NAMES[0].as_ptr(),
        NAMES[1].as_ptr(),
        NAMES[2].as_ptr(),
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
        lua::lua_pushstring(state, names[Mode::of(state) as usize]);
    }
    1
}
