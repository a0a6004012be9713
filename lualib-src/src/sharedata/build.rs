//! Trees from Lua tables.
//!
//! The builder is in a userdata, so that Lua frees it whatever fails: any call of the
//! Lua API here may raise an error, and no frame has a destructor.

use std::ffi::{CStr, c_int};
use std::slice;

use mlua_sys::*;

use super::tree::{Builder, Name, Text, TooLarge, Value};
use crate::object::Object;

/// The deepest nesting of tables; deeper ones may contain themselves.
const MAX_DEPTH: usize = 192;

impl Object for Builder {
    const NAME: &'static CStr = c"skynet.sharedata.builder";
}

/// Raises a Lua error that has this text and no place: the place would be that of a
/// service, not of the program whose data it is.
macro_rules! refuse {
    ($L:expr, $text:expr $(, $argument:expr)*) => {{
        lua_pushfstring($L, $text.as_ptr() $(, $argument)*);
        lua_error($L)
    }};
}

/// Goes on if it fits, or raises a Lua error.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn fits<T>(L: *mut lua_State, result: Result<T, TooLarge>) -> T {
    match result {
        Ok(value) => value,
        // SAFETY: the caller's promise.
        Err(TooLarge) => unsafe { refuse!(L, c"Too much data for one object") },
    }
}

/// Adds the table on top of the stack, and all tables in it; its index.
///
/// # Safety
/// As [`fits`]; `builder` is in a userdata on the stack.
pub(super) unsafe fn table(L: *mut lua_State, builder: *mut Builder, depth: usize) -> u32 {
    // SAFETY: the caller's promise. The stack is as it was after each step.
    unsafe {
        if depth > MAX_DEPTH {
            refuse!(L, c"Tables are nested too deeply, or contain themselves");
        }
        luaL_checkstack(L, 6, std::ptr::null());
        let length = lua_rawlen(L, -1);
        let index = fits(L, (*builder).begin(length));
        for at in 0..length {
            lua_rawgeti(L, -1, at as lua_Integer + 1);
            let value = value(L, builder, depth);
            (*builder).set(index, at, value);
            lua_settop(L, -2);
        }
        lua_pushnil(L);
        while lua_next(L, -2) != 0 {
            if let Some(name) = name(L, builder, length) {
                let value = value(L, builder, depth);
                fits(L, (*builder).add(index, name, value));
            }
            lua_settop(L, -2);
        }
        index
    }
}

/// The key below the top of the stack, unless it is one of the array's.
///
/// # Safety
/// As [`table`].
unsafe fn name(L: *mut lua_State, builder: *mut Builder, length: usize) -> Option<Name> {
    const KEY: c_int = -2;
    // SAFETY: the caller's promise; %f and %s match their arguments.
    unsafe {
        match lua_type(L, KEY) {
            LUA_TNUMBER if lua_isinteger(L, KEY) != 0 => {
                let number = lua_tointegerx(L, KEY, std::ptr::null_mut());
                let in_array = usize::try_from(number).is_ok_and(|at| at >= 1 && at <= length);
                (!in_array).then_some(Name::Integer(number))
            }
            LUA_TNUMBER => {
                let number = lua_tonumberx(L, KEY, std::ptr::null_mut());
                refuse!(L, c"Invalid key %f", number)
            }
            LUA_TSTRING => Some(Name::String(text(L, builder, KEY))),
            kind => refuse!(L, c"Invalid key type %s", lua_typename(L, kind)),
        }
    }
}

/// The value on top of the stack.
///
/// # Safety
/// As [`table`].
unsafe fn value(L: *mut lua_State, builder: *mut Builder, depth: usize) -> Value {
    // SAFETY: the caller's promise; %s matches its argument.
    unsafe {
        match lua_type(L, -1) {
            LUA_TNIL => Value::Nil,
            LUA_TBOOLEAN => Value::Boolean(lua_toboolean(L, -1) != 0),
            LUA_TNUMBER if lua_isinteger(L, -1) != 0 => {
                Value::Integer(lua_tointegerx(L, -1, std::ptr::null_mut()))
            }
            LUA_TNUMBER => Value::Real(lua_tonumberx(L, -1, std::ptr::null_mut())),
            LUA_TSTRING => Value::String(text(L, builder, -1)),
            LUA_TTABLE => Value::Table(table(L, builder, depth + 1)),
            kind => refuse!(L, c"Unsupport value type %s", lua_typename(L, kind)),
        }
    }
}

/// A string on the stack.
///
/// # Safety
/// As [`table`]; there is a string.
unsafe fn text(L: *mut lua_State, builder: *mut Builder, at: c_int) -> Text {
    // SAFETY: the caller's promise; the bytes live as long as the string, which is on
    // the stack.
    unsafe {
        let mut size = 0;
        let bytes = lua_tolstring(L, at, &mut size);
        let bytes = slice::from_raw_parts(bytes.cast(), size);
        fits(L, (*builder).text(bytes))
    }
}
