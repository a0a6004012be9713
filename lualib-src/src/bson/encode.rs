//! Lua values as BSON.
//!
//! The document grows in a userdata, so that Lua frees it whatever fails: any call
//! of the Lua API here may raise an error, and no frame has a destructor.

use std::ffi::{CStr, c_int};
use std::slice;

use mlua_sys::*;

use super::format::{ARRAY, DOCUMENT, OBJECTID};
use super::output::{Output, Refusal};
use crate::object::Object;

/// The deepest nesting of tables; deeper ones may contain themselves.
const MAX_DEPTH: usize = 128;

impl Object for Output {
    const NAME: &'static CStr = c"bson.output";
}

/// Goes on if something was written, or raises a Lua error.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
unsafe fn check<T>(L: *mut lua_State, written: Result<T, Refusal>) -> T {
    match written {
        Ok(value) => value,
        // SAFETY: the caller's promise; the formats match their arguments.
        Err(refusal) => unsafe {
            match refusal {
                Refusal::Size => luaL_error(L, c"Bson document too long".as_ptr()),
                Refusal::Text => luaL_error(L, c"Invalid utf8 string".as_ptr()),
                Refusal::Zero => luaL_error(L, c"Bson key contains a zero".as_ptr()),
                Refusal::Kind(kind) => {
                    luaL_error(L, c"Invalid subtype %d".as_ptr(), c_int::from(kind))
                }
                // The string that is none is the value on top of the stack.
                Refusal::Special(OBJECTID) => {
                    let text = lua_tolstring(L, -1, std::ptr::null_mut());
                    luaL_error(L, c"Invalid object id %s".as_ptr(), text.add(2))
                }
                Refusal::Special(kind) => {
                    luaL_error(L, c"Invalid %s".as_ptr(), super::kind_name(kind).as_ptr())
                }
            };
            // luaL_error does not return.
            std::process::abort()
        },
    }
}

/// Writes the table on top of the stack as a document.
///
/// # Safety
/// As [`object::push`]; `out` is what it returned and is still on the stack.
pub(super) unsafe fn table(L: *mut lua_State, out: *mut Output) {
    // SAFETY: the caller's promise.
    unsafe {
        if luaL_getmetafield(L, -1, c"__pairs".as_ptr()) == LUA_TNIL {
            raw_document(L, out, 0);
        } else {
            iterated_document(L, out, 0);
        }
    }
}

/// Writes arguments 1 to `count`, keys and values in turn, as a document.
///
/// # Safety
/// As [`table`].
pub(super) unsafe fn ordered(L: *mut lua_State, out: *mut Output, count: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        let start = check(L, (*out).begin());
        for at in (1..count).step_by(2) {
            let Some(key) = bytes(L, at) else {
                luaL_error(L, c"Argument %d need a string".as_ptr(), at);
                return;
            };
            lua_pushvalue(L, at + 1);
            value(L, out, key, 0);
            lua_settop(L, -2);
        }
        check(L, (*out).end(start));
    }
}

/// The bytes of a string or number, which becomes a string.
///
/// # Safety
/// As [`object::push`]; the slice lives as long as the string is on the stack.
unsafe fn bytes<'a>(L: *mut lua_State, at: c_int) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise; Lua gives a pointer to so many bytes.
    unsafe {
        let mut size = 0;
        let bytes = lua_tolstring(L, at, &mut size);
        (!bytes.is_null()).then(|| slice::from_raw_parts(bytes.cast(), size))
    }
}

/// Writes the value on top of the stack.
///
/// # Safety
/// As [`table`]; the key is on the stack.
unsafe fn value(L: *mut lua_State, out: *mut Output, key: &[u8], depth: usize) {
    // SAFETY: the caller's promise. Lua is not called while the output is borrowed.
    unsafe {
        match lua_type(L, -1) {
            LUA_TNUMBER => {
                let written = if lua_isinteger(L, -1) != 0 {
                    let number = lua_tointegerx(L, -1, std::ptr::null_mut());
                    (*out).integer(key, number)
                } else {
                    let number = lua_tonumberx(L, -1, std::ptr::null_mut());
                    (*out).real(key, number)
                };
                check(L, written);
            }
            LUA_TBOOLEAN => {
                let boolean = lua_toboolean(L, -1) != 0;
                check(L, (*out).boolean(key, boolean));
            }
            LUA_TSTRING => {
                let string = bytes(L, -1).unwrap_or_default();
                check(L, (*out).string(key, string));
            }
            LUA_TTABLE => nested(L, out, key, depth + 1),
            LUA_TUSERDATA | LUA_TLIGHTUSERDATA => {
                let Some(document) = super::document(L, -1) else {
                    luaL_error(L, c"Invalid bson document as a value".as_ptr());
                    return;
                };
                check(L, (*out).head(DOCUMENT, key));
                check(L, (*out).append(document));
            }
            LUA_TNIL => {
                let text = c"Bson array has a hole (nil), Use bson.null instead";
                luaL_error(L, text.as_ptr());
            }
            kind => {
                let name = lua_typename(L, kind);
                luaL_error(L, c"Invalid value type : %s".as_ptr(), name);
            }
        }
    }
}

/// Writes the table on top of the stack as an array or a document.
///
/// # Safety
/// As [`value`].
unsafe fn nested(L: *mut lua_State, out: *mut Output, key: &[u8], depth: usize) {
    // SAFETY: the caller's promise; no more than 16 slots are used at each depth.
    unsafe {
        if depth > MAX_DEPTH {
            luaL_error(L, c"Too depth while encoding bson".as_ptr());
        }
        luaL_checkstack(L, 16, std::ptr::null());
        if luaL_getmetafield(L, -1, c"__len".as_ptr()) != LUA_TNIL {
            lua_pushvalue(L, -2);
            lua_callk(L, 1, 1, 0, None);
            if lua_isinteger(L, -1) == 0 {
                luaL_error(L, c"__len should return integer".as_ptr());
            }
            let length = lua_tointegerx(L, -1, std::ptr::null_mut());
            if length < 0 {
                luaL_error(L, c"__len should not be negative".as_ptr());
            }
            lua_settop(L, -2);
            check(L, (*out).head(ARRAY, key));
            array(L, out, depth, length);
        } else if luaL_getmetafield(L, -1, c"__pairs".as_ptr()) != LUA_TNIL {
            check(L, (*out).head(DOCUMENT, key));
            iterated_document(L, out, depth);
        } else if is_array(L) {
            check(L, (*out).head(ARRAY, key));
            let length = lua_rawlen(L, -1) as lua_Integer;
            array(L, out, depth, length);
        } else {
            check(L, (*out).head(DOCUMENT, key));
            raw_document(L, out, depth);
        }
    }
}

/// Whether the first key that the table on top of the stack gives is one of its
/// array's, which makes it an array.
///
/// # Safety
/// As [`value`].
unsafe fn is_array(L: *mut lua_State) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        lua_pushnil(L);
        if lua_next(L, -2) == 0 {
            return false;
        }
        let first = if lua_isinteger(L, -2) != 0 {
            lua_tointegerx(L, -2, std::ptr::null_mut())
        } else {
            0
        };
        lua_settop(L, -3);
        first == 1 || first > 1 && first <= lua_rawlen(L, -1) as lua_Integer
    }
}

/// # Safety
/// As [`value`].
unsafe fn array(L: *mut lua_State, out: *mut Output, depth: usize, length: lua_Integer) {
    // SAFETY: the caller's promise.
    unsafe {
        let start = check(L, (*out).begin());
        for index in 1..=length {
            let mut digits = [0; 20];
            let key = decimal(index - 1, &mut digits);
            lua_geti(L, -1, index);
            value(L, out, key, depth);
            lua_settop(L, -2);
        }
        check(L, (*out).end(start));
    }
}

/// A number, which is not negative, in decimal.
fn decimal(number: lua_Integer, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    let mut at = digits.len();
    while at > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    &digits[at..]
}

/// Writes the value on top of the stack, and pops it; the key is below.
///
/// # Safety
/// As [`value`].
unsafe fn field(L: *mut lua_State, out: *mut Output, depth: usize) {
    // SAFETY: the caller's promise; the key is a string, which is not changed.
    unsafe {
        match lua_type(L, -2) {
            LUA_TSTRING => {
                let key = bytes(L, -2).unwrap_or_default();
                value(L, out, key, depth);
                lua_settop(L, -2);
            }
            LUA_TNUMBER => {
                luaL_error(L, c"Bson dictionary's key can't be number".as_ptr());
            }
            kind => {
                let name = lua_typename(L, kind);
                luaL_error(L, c"Invalid key type : %s".as_ptr(), name);
            }
        }
    }
}

/// # Safety
/// As [`value`].
unsafe fn raw_document(L: *mut lua_State, out: *mut Output, depth: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let start = check(L, (*out).begin());
        lua_pushnil(L);
        while lua_next(L, -2) != 0 {
            field(L, out, depth);
        }
        check(L, (*out).end(start));
    }
}

/// Writes what the `__pairs` on top of the stack, which is popped, makes of the
/// table below.
///
/// # Safety
/// As [`value`].
unsafe fn iterated_document(L: *mut lua_State, out: *mut Output, depth: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let start = check(L, (*out).begin());
        lua_pushvalue(L, -2);
        lua_callk(L, 1, 3, 0, None);
        // The iterator, its state and the last key; the next call's above them.
        loop {
            lua_pushvalue(L, -3);
            lua_pushvalue(L, -3);
            lua_rotate(L, -3, -1);
            lua_callk(L, 2, 2, 0, None);
            if lua_type(L, -2) == LUA_TNIL {
                lua_settop(L, -5);
                break;
            }
            field(L, out, depth);
        }
        check(L, (*out).end(start));
    }
}
