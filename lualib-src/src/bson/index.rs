//! Documents whose values are replaced in place: those of a size that does not
//! change.

use std::ffi::c_int;
use std::ptr::null_mut;

use mlua_sys::*;

use super::format::*;
use super::output::date;
use super::{DOCUMENT as DOCUMENT_NAME, decode, document};
use crate::strings::{check_bytes, push_bytes};

/// An entry of the index: the value's kind in the low bits, and above them where it
/// is in the document.
const KIND_BITS: u32 = 5;

/// `document:makeindex()`: notes where the values are. Only values of the outermost
/// level are.
pub(super) unsafe extern "C-unwind" fn makeindex(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the document stays on the stack.
    unsafe {
        luaL_checkudata(L, 1, DOCUMENT_NAME.as_ptr());
        lua_settop(L, 1);
        let bytes = document(L, 1).unwrap_or_default();
        let mut reader = match Reader::document(bytes) {
            Ok(reader) => reader,
            Err(fault) => return decode::raise(L, fault),
        };
        lua_createtable(L, 0, 0);
        loop {
            let element = match reader.next() {
                Ok(Some(element)) => element,
                Ok(None) => break,
                Err(fault) => return decode::raise(L, fault),
            };
            if size(element.kind).is_some() {
                let at = (4 + element.offset) as lua_Integer;
                push_bytes(L, element.key);
                lua_pushinteger(L, at << KIND_BITS | lua_Integer::from(element.kind));
                lua_rawset(L, -3);
            }
        }
        lua_setiuservalue(L, 1, 1);
    }
    1
}

/// The size of values of a kind whose size is always the same.
fn size(kind: u8) -> Option<usize> {
    match kind {
        BOOLEAN => Some(1),
        INT32 => Some(4),
        REAL | DATE | TIMESTAMP | INT64 => Some(8),
        OBJECTID => Some(12),
        _ => None,
    }
}

/// `document[key] = value`: replaces a value by another of its kind.
pub(super) unsafe extern "C-unwind" fn replace(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the document stays on the stack. The bytes that are
    // written are in it, whatever the index says.
    unsafe {
        let place = luaL_checkudata(L, 1, DOCUMENT_NAME.as_ptr()).cast::<u8>();
        lua_settop(L, 3);
        if lua_getiuservalue(L, 1, 1) != LUA_TTABLE {
            return luaL_error(L, c"call makeindex first".as_ptr());
        }
        lua_pushvalue(L, 2);
        if lua_rawget(L, -2) != LUA_TNUMBER {
            let key = luaL_tolstring(L, 2, null_mut());
            return luaL_error(L, c"Can't replace key : %s".as_ptr(), key);
        }
        let entry = lua_tointegerx(L, -1, null_mut());
        let kind = (entry & ((1 << KIND_BITS) - 1)) as u8;
        let mut value = [0; 12];
        write_value(L, kind, &mut value);
        let at = usize::try_from(entry >> KIND_BITS).unwrap_or(usize::MAX);
        let size = size(kind).unwrap_or(0);
        let end = at.checked_add(size);
        if end.is_none_or(|end| end > lua_rawlen(L, 1) as usize) {
            return luaL_error(L, c"call makeindex first".as_ptr());
        }
        place.add(at).copy_from_nonoverlapping(value.as_ptr(), size);
    }
    0
}

/// Argument 3 as a value of a kind that has a size; a Lua error if it is none.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
unsafe fn write_value(L: *mut lua_State, kind: u8, value: &mut [u8; 12]) {
    // SAFETY: the caller's promise; the formats match their arguments.
    unsafe {
        match kind {
            REAL => value[..8].copy_from_slice(&luaL_checknumber(L, 3).to_le_bytes()),
            BOOLEAN => value[0] = (lua_toboolean(L, 3) != 0).into(),
            INT64 => value[..8].copy_from_slice(&check_integer(L, c"64bit").to_le_bytes()),
            INT32 => match i32::try_from(check_integer(L, c"32bit")) {
                Ok(number) => value[..4].copy_from_slice(&number.to_le_bytes()),
                Err(_) => {
                    luaL_error(L, c"value must be a 32bit integer".as_ptr());
                }
            },
            _ => {
                let string = check_bytes(L, 3);
                let given = string.strip_prefix(&[0, kind]);
                match (kind, given) {
                    (OBJECTID, Some(given)) if given.len() == 12 => value.copy_from_slice(given),
                    (TIMESTAMP, Some(given)) if given.len() == 8 => {
                        value[..8].copy_from_slice(given);
                    }
                    (DATE, Some(given)) => match date(given) {
                        Some(date) => value[..8].copy_from_slice(&date),
                        None => {
                            luaL_error(L, c"Invalid date".as_ptr());
                        }
                    },
                    _ => {
                        let text = c"Type mismatch, need bson type %d";
                        luaL_error(L, text.as_ptr(), c_int::from(kind));
                    }
                }
            }
        }
    }
}

/// # Safety
/// As [`write_value`].
unsafe fn check_integer(L: *mut lua_State, size: &std::ffi::CStr) -> i64 {
    // SAFETY: the caller's promise; the format matches its arguments.
    unsafe {
        if lua_isinteger(L, 3) == 0 {
            let given = luaL_tolstring(L, 3, null_mut());
            luaL_error(
                L,
                c"%s must be a %s integer ".as_ptr(),
                given,
                size.as_ptr(),
            );
        }
        lua_tointegerx(L, 3, null_mut())
    }
}
