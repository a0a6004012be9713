//! `skynet.json`: JSON (RFC 8259) as Lua values and back.
//!
//! | JSON | Lua |
//! |---|---|
//! | object | table with strings as keys; of a name that comes twice, the last |
//! | array | table with the keys 1 to n, marked as an array |
//! | integer that a Lua integer can be | integer |
//! | another number | float |
//! | `null` | `json.null` |
//!
//! What is parsed, and what is written, lies in a userdata while Lua is called, so that
//! Lua frees it whatever fails: any call of the Lua API here may raise an error, and
//! no frame has a destructor.

pub(crate) mod format;

use std::ffi::{CStr, c_int};

use mlua_sys::*;
use serde_json::{Map, Value};

use crate::library::{self, Entry};
use crate::object::{self, Object};
use crate::strings::{check_bytes, push_bytes, raise};
use format::{MAX_DEPTH, Output, Refusal};

const FUNCTIONS: [Entry; 3] = [(c"encode", encode), (c"decode", decode), (c"array", array)];

/// The metatable that marks arrays.
const ARRAY: &CStr = c"skynet.json.array";

/// Stack slots that one level of a table uses, at most.
const SLOTS: c_int = 8;

/// Opens `skynet.json`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_json(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots are used.
    unsafe {
        library::push(L, &FUNCTIONS);
        push_null(L);
        lua_setfield(L, -2, c"null".as_ptr());
    }
    1
}

/// Pushes what stands for null, which no other value equals.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn push_null(L: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe { lua_pushlightuserdata(L, std::ptr::null_mut()) };
}

/// Marks the table on top of the stack as an array. Two slots are used.
///
/// # Safety
/// As [`push_null`].
unsafe fn mark(L: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        luaL_newmetatable(L, ARRAY.as_ptr());
        lua_setmetatable(L, -2);
    }
}

/// `array([table])`: the table, or a new one, marked as an array.
unsafe extern "C-unwind" fn array(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if lua_type(L, 1) <= LUA_TNIL {
            lua_createtable(L, 0, 0);
        } else {
            luaL_checktype(L, 1, LUA_TTABLE);
            lua_settop(L, 1);
        }
        mark(L);
    }
    1
}

//------------------------------------------------------------------------------
// Reading

/// What was parsed, or why it could not be.
#[derive(Default)]
struct Parsed {
    value: Value,
    fault: Option<String>,
}

impl Object for Parsed {
    const NAME: &'static CStr = c"skynet.json.parsed";
}

/// `decode(text)`: its value.
unsafe extern "C-unwind" fn decode(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The userdata stays on the stack while its content is
    // borrowed, and nobody else knows it.
    unsafe {
        let text = check_bytes(L, 1);
        let parsed = object::push::<Parsed>(L);
        match format::parse(text) {
            Ok(value) => (*parsed).value = value,
            Err(fault) => (*parsed).fault = Some(fault),
        }
        if let Some(fault) = &(*parsed).fault {
            raise(L, fault.as_bytes());
        }
        push_value(L, &(*parsed).value);
        std::mem::take(&mut *parsed);
    }
    1
}

/// Pushes a value.
///
/// # Safety
/// As [`push_null`].
unsafe fn push_value(L: *mut lua_State, value: &Value) {
    // SAFETY: the caller's promise. A value is as deep as the parser goes, which the
    // C stack has room for.
    unsafe {
        luaL_checkstack(L, SLOTS, c"too many nested values".as_ptr());
        match value {
            Value::Null => push_null(L),
            Value::Bool(boolean) => lua_pushboolean(L, (*boolean).into()),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => lua_pushinteger(L, integer),
                None => lua_pushnumber(L, number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => push_bytes(L, text.as_bytes()),
            Value::Array(elements) => push_array(L, elements),
            Value::Object(members) => push_object(L, members),
        }
    }
}

/// The length as a hint for a table's size.
fn hint(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(0)
}

/// # Safety
/// As [`push_null`].
unsafe fn push_array(L: *mut lua_State, elements: &[Value]) {
    // SAFETY: the caller's promise.
    unsafe {
        lua_createtable(L, hint(elements.len()), 0);
        for (index, element) in (1..).zip(elements) {
            push_value(L, element);
            lua_rawseti(L, -2, index);
        }
        mark(L);
    }
}

/// # Safety
/// As [`push_null`].
unsafe fn push_object(L: *mut lua_State, members: &Map<String, Value>) {
    // SAFETY: the caller's promise.
    unsafe {
        lua_createtable(L, 0, hint(members.len()));
        for (name, member) in members {
            push_bytes(L, name.as_bytes());
            push_value(L, member);
            lua_rawset(L, -3);
        }
    }
}

//------------------------------------------------------------------------------
// Writing

impl Object for Output {
    const NAME: &'static CStr = c"skynet.json.output";
}

/// `encode(value)`: its text, without spaces.
unsafe extern "C-unwind" fn encode(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The output stays on the stack, below the value; nothing
    // is written to it while its bytes are borrowed.
    unsafe {
        luaL_checkany(L, 1);
        lua_settop(L, 1);
        let output = object::push::<Output>(L);
        lua_pushvalue(L, 1);
        write_value(L, output, 0);
        push_bytes(L, (*output).bytes());
        std::mem::take(&mut *output);
    }
    1
}

/// Goes on if something was written, or raises a Lua error.
///
/// # Safety
/// As [`push_null`].
unsafe fn check(L: *mut lua_State, written: Result<(), Refusal>) {
    let Err(refusal) = written else { return };
    let text: &[u8] = match refusal {
        Refusal::Size => b"json: not enough memory",
        Refusal::Text => b"json: a string is not UTF-8",
        Refusal::Number => b"json: a number is not finite",
    };
    // SAFETY: the caller's promise.
    unsafe { raise(L, text) }
}

/// Writes the value on top of the stack, and leaves it there.
///
/// # Safety
/// As [`push_null`]; `out` is what [`object::push`] returned and is still on the
/// stack.
unsafe fn write_value(L: *mut lua_State, out: *mut Output, depth: usize) {
    // SAFETY: the caller's promise. Lua is not called while the output is borrowed.
    unsafe {
        match lua_type(L, -1) {
            LUA_TSTRING => check(L, (*out).string(check_bytes(L, -1))),
            LUA_TNUMBER if lua_isinteger(L, -1) != 0 => {
                let number = lua_tointegerx(L, -1, std::ptr::null_mut());
                check(L, (*out).integer(number));
            }
            LUA_TNUMBER => {
                let number = lua_tonumberx(L, -1, std::ptr::null_mut());
                check(L, (*out).real(number));
            }
            LUA_TBOOLEAN if lua_toboolean(L, -1) != 0 => check(L, (*out).raw(b"true")),
            LUA_TBOOLEAN => check(L, (*out).raw(b"false")),
            LUA_TNIL => check(L, (*out).raw(b"null")),
            LUA_TLIGHTUSERDATA if lua_touserdata(L, -1).is_null() => {
                check(L, (*out).raw(b"null"));
            }
            LUA_TTABLE => write_table(L, out, depth + 1),
            kind => {
                let name = lua_typename(L, kind);
                luaL_error(L, c"json: a %s cannot be encoded".as_ptr(), name);
            }
        }
    }
}

/// Writes the table on top of the stack.
///
/// # Safety
/// As [`write_value`].
unsafe fn write_table(L: *mut lua_State, out: *mut Output, depth: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if depth > MAX_DEPTH {
            raise(
                L,
                b"json: tables are too deep in one another, or in themselves",
            );
        }
        luaL_checkstack(L, SLOTS, c"too many nested tables".as_ptr());
        if is_marked(L) || has_numbers(L) {
            write_array(L, out, depth);
        } else {
            write_object(L, out, depth);
        }
    }
}

/// Whether the table on top of the stack is marked as an array.
///
/// # Safety
/// As [`write_value`].
unsafe fn is_marked(L: *mut lua_State) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if lua_getmetatable(L, -1) == 0 {
            return false;
        }
        lua_getfield(L, LUA_REGISTRYINDEX, ARRAY.as_ptr());
        let marked = lua_rawequal(L, -1, -2) != 0;
        lua_settop(L, -3);
        marked
    }
}

const NOT_A_LIST: &[u8] = b"json: a table's numbers are not 1 to its length";

/// Whether the table on top of the stack has a number as its first key. A Lua error
/// if then not all of its keys are 1 to its length.
///
/// # Safety
/// As [`write_value`].
unsafe fn has_numbers(L: *mut lua_State) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let length = lua_rawlen(L, -1);
        let mut count = 0;
        lua_pushnil(L);
        while lua_next(L, -2) != 0 {
            lua_settop(L, -2);
            if lua_type(L, -1) == LUA_TNUMBER {
                let index = lua_tointegerx(L, -1, std::ptr::null_mut());
                // Behind a length there may be more, and before it gaps.
                if lua_isinteger(L, -1) == 0 || index < 1 || index as u64 > length as u64 {
                    raise(L, NOT_A_LIST);
                }
                count += 1;
            } else if count == 0 {
                lua_settop(L, -2);
                return false;
            } else {
                raise(L, b"json: a table has numbers and other keys");
            }
        }
        if count != length {
            raise(L, NOT_A_LIST);
        }
        count > 0
    }
}

/// # Safety
/// As [`write_value`].
unsafe fn write_array(L: *mut lua_State, out: *mut Output, depth: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        check(L, (*out).raw(b"["));
        for index in 1..=lua_rawlen(L, -1) as lua_Integer {
            if index > 1 {
                check(L, (*out).raw(b","));
            }
            lua_rawgeti(L, -1, index);
            write_value(L, out, depth);
            lua_settop(L, -2);
        }
        check(L, (*out).raw(b"]"));
    }
}

/// # Safety
/// As [`write_value`].
unsafe fn write_object(L: *mut lua_State, out: *mut Output, depth: usize) {
    // SAFETY: the caller's promise. A key is a string, which is not changed.
    unsafe {
        check(L, (*out).raw(b"{"));
        let mut between: &[u8] = b"";
        lua_pushnil(L);
        while lua_next(L, -2) != 0 {
            if lua_type(L, -2) != LUA_TSTRING {
                raise(L, b"json: an object's key is no string");
            }
            check(L, (*out).raw(between));
            check(L, (*out).string(check_bytes(L, -2)));
            check(L, (*out).raw(b":"));
            write_value(L, out, depth);
            lua_settop(L, -2);
            between = b",";
        }
        check(L, (*out).raw(b"}"));
    }
}
