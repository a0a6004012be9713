//! `sproto.core`: messages of a schema, and Lua tables.
//!
//! A schema is light userdata that any state of the process may use, until
//! `deleteproto` frees it; so is each of its types, which lives as long as it does.
//! Schemas never change. The modules [`schema`], [`wire`] and [`zero`] know nothing
//! of Lua.

mod decode;
mod dump;
mod encode;
mod schema;
mod wire;
mod zero;

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};

use mlua_sys::*;

use crate::library;
use decode::{Decoder, Malformed, Target};
use encode::Encoder;
use schema::{Container, Kind, Schema, Type};
use wire::{Full, MAX_SIZE, Output};
use zero::Fault;

/// How deep structs are nested at most.
const MAX_DEPTH: c_int = 64;

/// The name of the metatable of [`Buffer`]s.
const BUFFER: &CStr = c"sproto.core.buffer";

const FUNCTIONS: [(&CStr, lua_CFunction); 9] = [
    (c"newproto", newproto),
    (c"deleteproto", deleteproto),
    (c"dumpproto", dumpproto),
    (c"querytype", querytype),
    (c"protocol", protocol),
    (c"decode", decode),
    (c"default", default),
    (c"saveproto", saveproto),
    (c"loadproto", loadproto),
];

/// Functions that write, each with a [`Buffer`] as upvalue.
const WRITERS: [(&CStr, lua_CFunction); 3] =
    [(c"encode", encode), (c"pack", pack), (c"unpack", unpack)];

/// A schema and what Lua has for its types.
struct Proto {
    schema: Schema,
    types: Box<[TypeHandle]>,
}

/// What light userdata of a type points to.
struct TypeHandle {
    proto: *const Proto,
    index: usize,
}

/// The schemas that `saveproto` shares between the states of the process.
static SAVED: [AtomicPtr<Proto>; 16] = [const { AtomicPtr::new(ptr::null_mut()) }; 16];

/// Memory for messages, in a full userdata.
#[derive(Default)]
struct Buffer {
    out: Output,
    /// An `encode` writes to it, or failed while it did.
    busy: bool,
}

/// Opens `sproto.core`.
///
/// # Safety
/// Called by Lua; it needs no service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_sproto_core(L: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a valid state and LUA_MINSTACK free slots, of
    // which four are used. Nothing on this frame has a destructor.
    unsafe {
        luaL_newmetatable(L, BUFFER.as_ptr());
        lua_pushcclosure(L, free_buffer, 0);
        lua_setfield(L, -2, c"__gc".as_ptr());
        library::push(L, &FUNCTIONS);
        for (name, function) in WRITERS {
            push_buffer(L);
            lua_pushcclosure(L, function, 1);
            lua_setfield(L, -2, name.as_ptr());
        }
    }
    1
}

/// Pushes a new buffer. Three slots are used.
///
/// # Safety
/// Called from a C function of `L` after `luaopen_sproto_core` made the metatable;
/// nothing on the caller's frames has a destructor.
unsafe fn push_buffer(L: *mut lua_State) -> *mut Buffer {
    // SAFETY: the userdata is large enough and aligned as malloc's memory. It gets
    // its metatable, and with it `free_buffer`, after it is filled.
    unsafe {
        let buffer = lua_newuserdatauv(L, size_of::<Buffer>(), 0).cast::<Buffer>();
        buffer.write(Buffer::default());
        luaL_setmetatable(L, BUFFER.as_ptr());
        buffer
    }
}

unsafe extern "C-unwind" fn free_buffer(L: *mut lua_State) -> c_int {
    // SAFETY: Lua finalizes a userdata of this metatable. It stays usable if a
    // program calls this by hand.
    unsafe {
        let buffer = luaL_checkudata(L, 1, BUFFER.as_ptr()).cast::<Buffer>();
        (*buffer).out = Output::default();
    }
    0
}

/// The buffer of a writer.
unsafe fn upvalue_buffer(L: *mut lua_State) -> *mut Buffer {
    // SAFETY: luaopen_sproto_core gave the function that runs a buffer.
    unsafe { lua_touserdata(L, lua_upvalueindex(1)).cast() }
}

/// Raises that a message cannot be written.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a
/// destructor.
#[cold]
unsafe fn raise_full(L: *mut lua_State, full: Full) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        match full {
            Full::Size => luaL_error(L, c"object is too large (>%d)".as_ptr(), MAX_SIZE as c_int),
            Full::Memory => luaL_error(L, c"not enough memory for a message".as_ptr()),
        };
        // luaL_error does not return; this says so.
        lua_error(L)
    }
}

/// The schema at argument 1.
///
/// # Safety
/// As [`raise_full`]. Userdata at the argument is a schema, not freed yet: the
/// contract of the module's functions.
unsafe fn check_proto<'a>(L: *mut lua_State, what: &CStr) -> &'a Proto {
    // SAFETY: the caller's promise.
    unsafe {
        let proto = lua_touserdata(L, 1).cast::<Proto>();
        if proto.is_null() {
            luaL_argerror(L, 1, what.as_ptr());
        }
        &*proto
    }
}

/// The type at argument 1, and its schema; none for anything but userdata, and for
/// the null that stands for a response without content.
///
/// # Safety
/// Userdata at the argument is a type of a schema that is not freed.
unsafe fn type_argument<'a>(L: *mut lua_State) -> Option<(&'a Schema, &'a Type)> {
    // SAFETY: the caller's promise; a handle's schema holds the handle.
    unsafe {
        let handle = lua_touserdata(L, 1).cast::<TypeHandle>().as_ref()?;
        let schema = &(*handle.proto).schema;
        Some((schema, schema.types.get(handle.index)?))
    }
}

/// The bytes at argument `arg`: a string, or userdata with its size after it.
///
/// # Safety
/// As [`raise_full`]; light userdata points to as many bytes as the size says,
/// the contract of the module's functions.
unsafe fn bytes_argument<'a>(L: *mut lua_State, arg: c_int) -> &'a [u8] {
    // SAFETY: the caller's promise. A string stays in its slot during the call.
    unsafe {
        let kind = lua_type(L, arg);
        if kind == LUA_TSTRING {
            let mut size = 0;
            let start = lua_tolstring(L, arg, &mut size);
            return slice::from_raw_parts(start.cast(), size);
        }
        if kind != LUA_TUSERDATA && kind != LUA_TLIGHTUSERDATA {
            luaL_argerror(L, arg, c"Need a string or userdata".as_ptr());
        }
        let start = lua_touserdata(L, arg).cast::<u8>();
        let size = luaL_checkinteger(L, arg + 1);
        // A message's size is a C int.
        if c_int::try_from(size).is_err() || size < 0 {
            luaL_argerror(L, arg + 1, c"size out of range".as_ptr());
        }
        let size = size as usize;
        if kind == LUA_TUSERDATA && size > lua_rawlen(L, arg) {
            luaL_argerror(L, arg + 1, c"more than the userdata holds".as_ptr());
        }
        if size == 0 {
            return &[];
        }
        if start.is_null() {
            luaL_argerror(L, arg, c"null pointer".as_ptr());
        }
        slice::from_raw_parts(start, size)
    }
}

/// `newproto(bundle)`: the schema, or nothing if the bundle is none.
unsafe extern "C-unwind" fn newproto(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. No error can be raised once the schema is there:
    // light userdata takes no memory.
    unsafe {
        let mut size = 0;
        let start = luaL_checklstring(L, 1, &mut size);
        let proto = new_proto(slice::from_raw_parts(start.cast(), size));
        if proto.is_null() {
            return 0;
        }
        lua_pushlightuserdata(L, proto.cast());
    }
    1
}

/// A bundle's schema; null if it is none.
fn new_proto(bundle: &[u8]) -> *mut Proto {
    let Some(schema) = Schema::parse(bundle) else {
        return ptr::null_mut();
    };
    let count = schema.types.len();
    let proto = Box::into_raw(Box::new(Proto {
        schema,
        types: Box::default(),
    }));
    let types = (0..count).map(|index| TypeHandle { proto, index });
    // SAFETY: it was made above, and nobody else has it.
    unsafe { (*proto).types = types.collect() };
    proto
}

/// `deleteproto(schema)`: frees it, with its types.
unsafe extern "C-unwind" fn deleteproto(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. That it is a schema of newproto, which nobody uses
    // any more, is the contract of this function.
    unsafe {
        let proto = ptr::from_ref(check_proto(L, c"Need a sproto object"));
        drop(Box::from_raw(proto.cast_mut()));
    }
    0
}

/// `querytype(schema, name)`: the type, or nothing.
unsafe extern "C-unwind" fn querytype(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let proto = check_proto(L, c"Need a sproto object");
        let name = CStr::from_ptr(luaL_checkstring(L, 2));
        match proto.schema.find_type(name) {
            Some(index) => push_type(L, proto, Some(index)),
            None => return 0,
        }
    }
    1
}

/// Pushes a type, or nil.
///
/// # Safety
/// One slot is free.
unsafe fn push_type(L: *mut lua_State, proto: &Proto, index: Option<usize>) {
    let handle = index.and_then(|index| proto.types.get(index));
    // SAFETY: the caller's promise.
    unsafe {
        match handle {
            Some(handle) => {
                lua_pushlightuserdata(L, ptr::from_ref(handle).cast_mut().cast::<c_void>());
            }
            None => lua_pushnil(L),
        }
    }
}

/// `protocol(schema, name or tag)`: its tag or name, the type of its request, and
/// of its response: null if it is answered without content, nil if not at all.
unsafe extern "C-unwind" fn protocol(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The names are C strings of the schema.
    unsafe {
        let proto = check_proto(L, c"Need a sproto_type object");
        let found;
        if lua_type(L, 2) == LUA_TNUMBER {
            // Nothing else stands for a tag: programs note a protocol under what found it,
            // and a peer says what that is.
            let tag = u16::try_from(lua_tointeger(L, 2)).ok();
            found = tag.and_then(|tag| proto.schema.protocol(tag));
            if let Some(protocol) = found {
                lua_pushstring(L, protocol.name.as_ptr());
            }
        } else {
            let name = lua_tostring(L, 2);
            if name.is_null() {
                return luaL_argerror(L, 2, c"Should be number or string".as_ptr());
            }
            found = proto.schema.find_protocol(CStr::from_ptr(name));
            if let Some(protocol) = found {
                lua_pushinteger(L, protocol.tag.into());
            }
        }
        let Some(protocol) = found else { return 0 };
        push_type(L, proto, protocol.request);
        if protocol.response.is_none() && protocol.confirm {
            lua_pushlightuserdata(L, ptr::null_mut());
        } else {
            push_type(L, proto, protocol.response);
        }
    }
    3
}

/// `encode(type, table)`: the message. Without a type the table must be nil, and
/// the message is empty.
unsafe extern "C-unwind" fn encode(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. Metamethods may call this function again: it then
    // finds the buffer busy and takes a new one, while this call keeps its own
    // alive on the stack. An error leaves the buffer busy, and so to be collected.
    unsafe {
        let Some((schema, of)) = type_argument(L) else {
            luaL_checktype(L, 2, LUA_TNIL);
            lua_pushstring(L, c"".as_ptr());
            return 1;
        };
        lua_settop(L, 2);
        let mut buffer = upvalue_buffer(L);
        if (*buffer).busy {
            let large = (*buffer).out.is_large();
            buffer = push_buffer(L);
            lua_pushvalue(L, -1);
            lua_replace(L, lua_upvalueindex(1));
            if large {
                // The collector does not know how large it is, and would let many
                // of them pile up.
                lua_gc(L, LUA_GCCOLLECT);
            }
        } else {
            lua_pushvalue(L, lua_upvalueindex(1));
        }
        (*buffer).busy = true;
        (*buffer).out.clear();
        let encoder = Encoder {
            L,
            schema,
            out: &raw mut (*buffer).out,
        };
        encoder.structure(of, 2, 0);
        let bytes = (*buffer).out.bytes();
        lua_pushlstring(L, bytes.as_ptr().cast(), bytes.len());
        (*buffer).out.trim();
        (*buffer).busy = false;
    }
    1
}

/// `decode(type, string [, table])`, `decode(type, msg, size [, table])`: the
/// fields in the table, which is new if none is given, and how many bytes the
/// message has. Nothing without a type.
unsafe extern "C-unwind" fn decode(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let Some((schema, of)) = type_argument(L) else {
            return 0;
        };
        let bytes = bytes_argument(L, 2);
        let decoder = Decoder { L, schema };
        if lua_type(L, -1) != LUA_TTABLE {
            decoder.room(of, bytes);
        }
        let table = lua_gettop(L);
        match decoder.structure(of, bytes, Target::Table(table), 0) {
            Ok(size) => {
                lua_pushinteger(L, size as lua_Integer);
                2
            }
            Err(Malformed) => luaL_error(L, c"decode error".as_ptr()),
        }
    }
}

/// `pack(string)`, `pack(msg, size)`: the bytes with their zeros packed.
unsafe extern "C-unwind" fn pack(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a buffer that nothing else uses: no Lua code
    // runs before the string is made.
    unsafe {
        let bytes = bytes_argument(L, 1);
        let buffer = upvalue_buffer(L);
        (*buffer).out.clear();
        if let Err(full) = zero::pack(bytes, &mut (*buffer).out) {
            raise_full(L, full);
        }
        push_written(L, buffer)
    }
}

/// `unpack(string)`, `unpack(msg, size)`: what they were packed from, and zeros up
/// to a multiple of 8 bytes.
unsafe extern "C-unwind" fn unpack(L: *mut lua_State) -> c_int {
    // SAFETY: as in pack.
    unsafe {
        let bytes = bytes_argument(L, 1);
        let buffer = upvalue_buffer(L);
        (*buffer).out.clear();
        let result = zero::unpack(bytes, &mut (*buffer).out);
        if result.is_err() {
            (*buffer).out.trim();
        }
        match result {
            Ok(()) => push_written(L, buffer),
            Err(Fault::Full(full)) => raise_full(L, full),
            Err(Fault::Truncated) => luaL_error(L, c"Invalid unpack stream".as_ptr()),
        }
    }
}

/// Returns what is in a buffer as a string.
///
/// # Safety
/// As [`raise_full`].
unsafe fn push_written(L: *mut lua_State, buffer: *mut Buffer) -> c_int {
    // SAFETY: Lua copies the bytes before it may collect and so run other code;
    // the function that runs keeps the buffer alive.
    unsafe {
        let bytes = (*buffer).out.bytes();
        lua_pushlstring(L, bytes.as_ptr().cast(), bytes.len());
        (*buffer).out.trim();
    }
    1
}

/// Argument `arg` as a slot of [`SAVED`]; the first one without it.
///
/// # Safety
/// As [`raise_full`].
unsafe fn slot_argument(L: *mut lua_State, arg: c_int) -> (lua_Integer, &'static AtomicPtr<Proto>) {
    // SAFETY: the caller's promise.
    unsafe {
        let index = luaL_optinteger(L, arg, 0);
        match usize::try_from(index).ok().and_then(|i| SAVED.get(i)) {
            Some(slot) => (index, slot),
            None => {
                luaL_error(L, c"Invalid global slot index %I".as_ptr(), index);
                lua_error(L)
            }
        }
    }
}

/// `saveproto(schema [, index])`: shares it. What was there stays alive: other
/// states may use it.
unsafe extern "C-unwind" fn saveproto(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let proto = lua_touserdata(L, 1).cast::<Proto>();
        let (_, slot) = slot_argument(L, 2);
        // Pairs with the load in loadproto: the schema is complete there.
        slot.store(proto, Ordering::Release);
    }
    0
}

/// `loadproto([index])`: the schema that was shared.
unsafe extern "C-unwind" fn loadproto(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (index, slot) = slot_argument(L, 1);
        let proto = slot.load(Ordering::Acquire);
        if proto.is_null() {
            return luaL_error(L, c"nil sproto at index %I".as_ptr(), index);
        }
        lua_pushlightuserdata(L, proto.cast());
    }
    1
}

/// `default(type)`: a table of the fields' default values. In place of a struct
/// is a table whose `__type` names it, in place of an array one whose `__array` is
/// its elements' default value or type.
unsafe extern "C-unwind" fn default(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; at most four slots are used.
    unsafe {
        let Some((schema, of)) = type_argument(L) else {
            return luaL_argerror(L, 1, c"Need a sproto_type object".as_ptr());
        };
        lua_createtable(L, 0, of.fields.len() as c_int);
        for field in &of.fields {
            let one = field.container == Container::One;
            lua_pushstring(L, field.name.as_ptr());
            if !one {
                lua_createtable(L, 0, 1);
            }
            match field.kind {
                Kind::Integer { scale: 0 } => lua_pushinteger(L, 0),
                Kind::Integer { .. } | Kind::Double => lua_pushnumber(L, 0.0),
                Kind::Boolean => lua_pushboolean(L, 0),
                Kind::String { .. } => {
                    lua_pushstring(L, c"".as_ptr());
                }
                Kind::Struct(index) => {
                    if one {
                        lua_createtable(L, 0, 1);
                    }
                    let name = schema.types.get(index).map_or(c"", |t| t.name.as_c_str());
                    lua_pushstring(L, name.as_ptr());
                    if one {
                        lua_setfield(L, -2, c"__type".as_ptr());
                    }
                }
            }
            if !one {
                lua_setfield(L, -2, c"__array".as_ptr());
            }
            lua_rawset(L, -3);
        }
    }
    1
}

/// `dumpproto(schema)`: prints it.
unsafe extern "C-unwind" fn dumpproto(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. Printed as Lua's print does, so that the lines of both
    // keep their order.
    unsafe {
        let text = check_proto(L, c"Need a sproto_type object")
            .schema
            .to_string();
        let length = c_int::try_from(text.len()).unwrap_or(c_int::MAX);
        libc::printf(c"%.*s".as_ptr(), length, text.as_ptr());
    }
    0
}
