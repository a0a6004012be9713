//! `bson`: the documents of MongoDB.

mod decode;
mod encode;
pub(crate) mod format;
mod index;
mod kinds;
pub(crate) mod output;

use std::ffi::{CStr, c_int};
use std::slice;

use mlua_sys::*;

use crate::library;
use crate::object;
use crate::strings::push_bytes;
use format::{MIN_SIZE, Reader};
use output::Output;

const FUNCTIONS: [(&CStr, lua_CFunction); 11] = [
    (c"encode", encode),
    (c"encode_order", encode_order),
    (c"decode", decode),
    (c"date", kinds::date),
    (c"timestamp", kinds::timestamp),
    (c"regex", kinds::regex),
    (c"binary", kinds::binary),
    (c"objectid", kinds::objectid),
    (c"int64", kinds::int64),
    (c"type", kinds::type_of),
    (c"to_lightuserdata", to_lightuserdata),
];

/// Values without anything in them, as strings.
const CONSTANTS: [(&CStr, u8); 3] = [
    (c"null", format::NULL),
    (c"minkey", format::MINKEY),
    (c"maxkey", format::MAXKEY),
];

/// The metatable of documents.
const DOCUMENT: &CStr = c"bson";

const METHODS: [(&CStr, lua_CFunction); 2] =
    [(c"decode", decode), (c"makeindex", index::makeindex)];

const META_METHODS: [(&CStr, lua_CFunction); 3] = [
    (c"__tostring", tostring),
    (c"__len", length),
    (c"__newindex", index::replace),
];

/// Opens `bson`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_bson(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots are used.
    unsafe {
        library::push(L, &FUNCTIONS);
        kinds::identify(L);
        for (name, kind) in CONSTANTS {
            push_bytes(L, &[0, kind]);
            lua_setfield(L, -2, name.as_ptr());
        }
    }
    1
}

/// What `bson.type` calls a kind of special strings.
fn kind_name(kind: u8) -> &'static CStr {
    match kind {
        format::BINARY => c"binary",
        format::OBJECTID => c"objectid",
        format::TIMESTAMP => c"timestamp",
        format::DATE => c"date",
        format::REGEX => c"regex",
        format::MINKEY => c"minkey",
        format::MAXKEY => c"maxkey",
        format::NULL => c"nil",
        format::INT64 => c"int64",
        _ => c"unsupported",
    }
}

/// The bytes of the document in a userdata, or at the address that a light one is;
/// none if its size cannot be true.
///
/// # Safety
/// Called from a C function of `L`. A light userdata is a document, which is the
/// contract of all functions that take one. The slice lives as long as the userdata
/// is on the stack, and the program keeps what a light one points to.
pub(crate) unsafe fn document<'a>(L: *mut lua_State, at: c_int) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise. A full userdata is read up to its own size.
    unsafe {
        let start = lua_touserdata(L, at).cast::<u8>();
        let room = match lua_type(L, at) {
            LUA_TLIGHTUSERDATA => i32::MAX as usize,
            _ => lua_rawlen(L, at) as usize,
        };
        if start.is_null() || room < MIN_SIZE {
            return None;
        }
        let size = i32::from_le_bytes(start.cast::<[u8; 4]>().read());
        let size = usize::try_from(size).ok()?;
        (MIN_SIZE..=room)
            .contains(&size)
            .then(|| slice::from_raw_parts(start, size))
    }
}

/// Makes a document of what was written, and frees that.
///
/// # Safety
/// Called from a C function of `L`, with the output on the stack; nothing on the
/// caller's frames has a destructor. Three slots are used.
unsafe fn push_document(L: *mut lua_State, output: *mut Output) -> c_int {
    // SAFETY: the caller's promise; the userdata has room for all bytes, and nothing
    // is called while they are borrowed.
    unsafe {
        let size = (*output).bytes().len();
        let place = lua_newuserdatauv(L, size, 1).cast::<u8>();
        place.copy_from_nonoverlapping((*output).bytes().as_ptr(), size);
        std::mem::take(&mut *output);
        if luaL_newmetatable(L, DOCUMENT.as_ptr()) != 0 {
            library::add(L, &META_METHODS);
            lua_createtable(L, 0, METHODS.len() as c_int);
            library::add(L, &METHODS);
            lua_setfield(L, -2, c"__index".as_ptr());
        }
        lua_setmetatable(L, -2);
    }
    1
}

/// `encode(table)`: a document.
unsafe extern "C-unwind" fn encode(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The output stays on the stack, below the table.
    unsafe {
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        let output = object::push::<Output>(L);
        lua_pushvalue(L, 1);
        encode::table(L, output);
        push_document(L, output)
    }
}

/// `encode_order(key, value, ...)`: a document whose elements have an order.
unsafe extern "C-unwind" fn encode_order(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The output stays on the stack, above the arguments.
    unsafe {
        let count = lua_gettop(L);
        if count % 2 != 0 {
            return luaL_error(L, c"Invalid ordered dict".as_ptr());
        }
        luaL_checkstack(L, 16, std::ptr::null());
        let output = object::push::<Output>(L);
        encode::ordered(L, output, count);
        push_document(L, output)
    }
}

/// `decode(document)`: its table; nothing for what is no userdata.
unsafe extern "C-unwind" fn decode(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the document stays on the stack.
    unsafe {
        if lua_touserdata(L, 1).is_null() {
            return 0;
        }
        let Some(bytes) = document(L, 1) else {
            return luaL_argerror(L, 1, c"Invalid bson block : size".as_ptr());
        };
        match Reader::document(bytes) {
            Ok(reader) => decode::push(L, reader, false, 0),
            Err(fault) => return decode::raise(L, fault),
        }
    }
    1
}

/// `to_lightuserdata(document)`: its address, for functions that take one.
unsafe extern "C-unwind" fn to_lightuserdata(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushlightuserdata(L, lua_touserdata(L, 1)) };
    1
}

/// `tostring(document)`: its bytes.
unsafe extern "C-unwind" fn tostring(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a userdata has as many bytes as Lua says.
    unsafe {
        let size = lua_rawlen(L, 1) as usize;
        let bytes = luaL_checkudata(L, 1, DOCUMENT.as_ptr());
        lua_pushlstring(L, bytes.cast(), size);
    }
    1
}

/// `#document`: its size in bytes.
unsafe extern "C-unwind" fn length(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(L, lua_rawlen(L, 1) as lua_Integer) };
    1
}
