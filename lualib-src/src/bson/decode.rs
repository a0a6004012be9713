//! BSON as Lua values.

use std::convert::Infallible;
use std::ffi::c_int;

use mlua_sys::*;

use super::format::*;
use crate::strings::{push_bytes, push_filled};

/// The deepest nesting of documents that is read. More than is written, because
/// documents may be put into documents.
const MAX_DEPTH: usize = 512;

/// Raises the Lua error for bytes that are no document.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
#[cold]
pub(super) unsafe fn raise(L: *mut lua_State, fault: Fault) -> c_int {
    // SAFETY: the caller's promise; each format matches its arguments.
    unsafe {
        match fault {
            Fault::Block { left, need } => luaL_error(
                L,
                c"Invalid bson block (%I:%I)".as_ptr(),
                left as lua_Integer,
                need as lua_Integer,
            ),
            Fault::Key => luaL_error(L, c"Invalid bson block : cstring".as_ptr()),
            Fault::Text { length } => {
                luaL_error(L, c"Invalid bson string , length = %d".as_ptr(), length)
            }
            Fault::Kind(kind) => {
                luaL_error(L, c"Invalid bson type : %d".as_ptr(), c_int::from(kind))
            }
            Fault::End => luaL_error(L, c"Invalid document end".as_ptr()),
        }
    }
}

/// Pushes a table with the elements of a document.
///
/// # Safety
/// As [`raise`].
pub(super) unsafe fn push(L: *mut lua_State, reader: Reader<'_>, is_array: bool, depth: usize) {
    let mut reader = reader;
    // SAFETY: the caller's promise; five slots are used at each depth.
    unsafe {
        if depth > MAX_DEPTH {
            luaL_error(L, c"Too depth while decoding bson".as_ptr());
        }
        luaL_checkstack(L, 8, std::ptr::null());
        lua_createtable(L, 0, 0);
        loop {
            let element = match reader.next() {
                Ok(Some(element)) => element,
                Ok(None) => return,
                Err(fault) => {
                    raise(L, fault);
                    return;
                }
            };
            if is_array {
                lua_pushinteger(L, array_index(element.key));
            } else {
                push_bytes(L, element.key);
            }
            match element.value {
                Value::Real(number) => lua_pushnumber(L, number),
                Value::Integer(number) => lua_pushinteger(L, number),
                Value::Boolean(boolean) => lua_pushboolean(L, boolean.into()),
                Value::Text(text) => push_bytes(L, text),
                Value::Document(nested) => push(L, nested, false, depth + 1),
                Value::Array(nested) => push(L, nested, true, depth + 1),
                Value::Date(milliseconds) => {
                    let seconds = (milliseconds / 1000) as u32;
                    push_special(L, DATE, &seconds.to_le_bytes());
                }
                Value::Other(bytes) => push_special(L, element.kind, bytes),
            }
            lua_rawset(L, -3);
        }
    }
}

/// Pushes a string that stands for a value of a kind that Lua has no type for.
///
/// # Safety
/// As [`raise`]. Two slots are used.
pub(super) unsafe fn push_special(L: *mut lua_State, kind: u8, value: &[u8]) {
    // SAFETY: the caller's promise; the closure owns nothing.
    unsafe {
        let Ok(()) = push_filled(L, 2 + value.len(), |out| {
            out[1] = kind;
            out[2..].copy_from_slice(value);
            Ok::<_, Infallible>(out.len())
        });
    }
}
