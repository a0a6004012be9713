//! `skynet.datasheet.core`: tables that are read from a document of
//! `skynet.datasheet.dump` when they are needed.
//!
//! A proxy is an empty table with a metatable. The first time that it is read, it gets
//! the values of its table in the document, those that are tables as further proxies,
//! and is a plain table from then on. `update` empties all proxies of one document and
//! makes them proxies of another one, by their tables' numbers.
//!
//! A document is a Lua string of the service that made it, which keeps it as long as
//! others have its address. `stringpointer` checks it; after that, as in the reference,
//! addresses are light userdata, and a program that makes them up is on its own.

mod document;

use std::ffi::{CStr, c_char, c_int, c_void};

use mlua_sys::*;

use crate::library::{self, Entry};
use crate::strings::check_bytes;
use document::{
    BOOLEAN, Fault, GONE, HEADER, INTEGER, REAL, STRING, TABLE, TABLE_HEADER, WORD, values_at,
};

const FUNCTIONS: [Entry; 2] = [(c"new", new), (c"update", update)];
const METAMETHODS: [Entry; 3] = [(c"__index", index), (c"__pairs", pairs), (c"__len", len)];

/// Upvalues of all functions that see proxies: their metatable.
const METATABLE: c_int = 1;
/// The address of a table in a document -> its proxy, as long as somebody has that.
const PROXIES: c_int = 2;
/// A proxy -> what it stands for, a userdata.
const ORIGINS: c_int = 3;

/// A document. Its address is that of a checked one, which lives.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sheet(*const u8);

/// What a proxy stands for: a table by its number.
#[derive(Clone, Copy)]
struct Origin {
    sheet: Sheet,
    number: u32,
}

impl Sheet {
    /// # Safety
    /// The offset is inside the document.
    unsafe fn word(self, at: usize) -> u32 {
        // SAFETY: the caller's promise; it need not be aligned.
        unsafe { u32::from_le_bytes(self.0.add(at).cast::<[u8; WORD]>().read()) }
    }

    /// Where a table is; nothing if the document has none of this number any more.
    ///
    /// # Safety
    /// The document lives.
    unsafe fn table(self, number: u32) -> Option<usize> {
        // SAFETY: the caller's promise; `check` has seen all numbers below the second
        // word, and that they are those of tables.
        unsafe {
            let tables = self.word(WORD);
            if number >= tables {
                return None;
            }
            let start = self.word(HEADER + number as usize * WORD);
            (start != GONE).then(|| HEADER + tables as usize * WORD + start as usize)
        }
    }
}

/// Opens `skynet.datasheet.core`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_datasheet_core(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; eight slots are used. The metatable, and the two tables
    // that do not keep what is in them, are in each function's upvalues.
    unsafe {
        library::push(L, &[(c"stringpointer", stringpointer)]);
        lua_createtable(L, 0, METAMETHODS.len() as c_int);
        push_weak(L, c"kv");
        push_weak(L, c"k");
        let shared = lua_gettop(L) - 2;
        add(L, shared - 1, shared, &FUNCTIONS);
        add(L, shared, shared, &METAMETHODS);
        lua_settop(L, shared - 1);
    }
    1
}

/// Adds functions with the three upvalues, which are on the stack from `shared` on, to
/// a table. Four slots are used.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn add(L: *mut lua_State, table: c_int, shared: c_int, functions: &[Entry]) {
    for &(name, function) in functions {
        // SAFETY: the caller's promise.
        unsafe {
            for value in 0..3 {
                lua_pushvalue(L, shared + value);
            }
            lua_pushcclosure(L, function, 3);
            lua_setfield(L, table, name.as_ptr());
        }
    }
}

/// Pushes a table with weak keys or values. Three slots are used.
///
/// # Safety
/// As [`add`].
unsafe fn push_weak(L: *mut lua_State, mode: &CStr) {
    // SAFETY: the caller's promise.
    unsafe {
        lua_createtable(L, 0, 0);
        lua_createtable(L, 0, 1);
        lua_pushstring(L, mode.as_ptr());
        lua_setfield(L, -2, c"__mode".as_ptr());
        lua_setmetatable(L, -2);
    }
}

/// `stringpointer(document)`: its address, which is valid as long as the string is.
unsafe extern "C-unwind" fn stringpointer(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used, and the string is on the stack.
    unsafe {
        let bytes = check_bytes(L, 1);
        let wrong = match document::check(bytes) {
            Ok(()) => {
                lua_pushlightuserdata(L, bytes.as_ptr().cast_mut().cast());
                return 1;
            }
            Err(Fault::Short) => c"Invalid datasheet, something is outside of it",
            Err(Fault::Overlap) => c"Invalid datasheet, its tables overlap",
            Err(Fault::Type) => c"Invalid datasheet, it has values of an unknown type",
        };
        luaL_error(L, wrong.as_ptr())
    }
}

/// The document in an argument; a Lua error if it is no address.
///
/// # Safety
/// As [`add`]. What is trusted: light userdata comes from `stringpointer`, and the
/// string lives.
unsafe fn check_sheet(L: *mut lua_State, arg: c_int) -> Sheet {
    // SAFETY: the caller's promise.
    unsafe {
        luaL_checktype(L, arg, LUA_TLIGHTUSERDATA);
        let address = lua_touserdata(L, arg);
        if address.is_null() {
            luaL_argerror(L, arg, c"a datasheet expected".as_ptr());
        }
        Sheet(address.cast_const().cast())
    }
}

/// Pushes the proxy of a table, a new one if nobody has it. Five slots are used.
///
/// # Safety
/// As [`add`]; the running function has the upvalues, and the document lives.
unsafe fn push_proxy(L: *mut lua_State, origin: Origin) {
    // SAFETY: the caller's promise. The userdata is large enough, and aligned.
    unsafe {
        let Some(start) = origin.sheet.table(origin.number) else {
            let number = lua_Integer::from(origin.number);
            luaL_error(L, c"Invalid index %I".as_ptr(), number);
            return;
        };
        let address: *const c_void = origin.sheet.0.add(start).cast();
        if lua_rawgetp(L, lua_upvalueindex(PROXIES), address) == LUA_TTABLE {
            return;
        }
        lua_settop(L, -2);
        lua_createtable(L, 0, 0);
        lua_pushvalue(L, -1);
        let place = lua_newuserdatauv(L, size_of::<Origin>(), 0);
        place.cast::<Origin>().write(origin);
        lua_rawset(L, lua_upvalueindex(ORIGINS));
        lua_pushvalue(L, lua_upvalueindex(METATABLE));
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, lua_upvalueindex(PROXIES), address);
    }
}

/// What the proxy in argument 1 stands for; a Lua error if it is none. Two slots are
/// used.
///
/// # Safety
/// As [`push_proxy`].
unsafe fn check_origin(L: *mut lua_State) -> Origin {
    // SAFETY: the caller's promise; what the table of origins has as userdata is one.
    unsafe {
        lua_settop(L, lua_gettop(L).max(1));
        lua_pushvalue(L, 1);
        if lua_rawget(L, lua_upvalueindex(ORIGINS)) != LUA_TUSERDATA {
            luaL_error(L, c"Invalid proxy table %p".as_ptr(), lua_topointer(L, 1));
        }
        let origin = lua_touserdata(L, -1).cast::<Origin>().read();
        lua_settop(L, -2);
        origin
    }
}

/// Pushes a value of a document. Five slots are used.
///
/// # Safety
/// As [`push_proxy`]; the value is inside the document.
unsafe fn push_value(L: *mut lua_State, sheet: Sheet, kind: u8, at: usize) {
    // SAFETY: the caller's promise; a string ends with a zero, at the latest behind
    // the document.
    unsafe {
        let word = sheet.word(at);
        match kind {
            INTEGER => lua_pushinteger(L, word.cast_signed().into()),
            REAL => lua_pushnumber(L, f32::from_bits(word).into()),
            BOOLEAN => lua_pushboolean(L, (word != 0).into()),
            TABLE => {
                let number = word;
                push_proxy(L, Origin { sheet, number });
            }
            STRING => {
                let start = sheet.word(0) as usize + word as usize;
                lua_pushstring(L, sheet.0.add(start).cast::<c_char>());
            }
            _ => lua_pushnil(L),
        }
    }
}

/// Makes the proxy in argument 1 a plain table with the values that it stands for.
///
/// # Safety
/// As [`push_proxy`].
unsafe fn fill(L: *mut lua_State) {
    // SAFETY: the caller's promise; seven slots are used. `check` has seen the table.
    unsafe {
        let Origin { sheet, number } = check_origin(L);
        let Some(start) = sheet.table(number) else {
            let number = lua_Integer::from(number);
            luaL_error(L, c"Invalid proxy (index = %I)".as_ptr(), number);
            return;
        };
        let array = sheet.word(start) as usize;
        let pairs = sheet.word(start + WORD) as usize;
        let types = sheet.0.add(start + TABLE_HEADER);
        let mut at = start + values_at(array + pairs);
        for item in 0..array {
            push_value(L, sheet, types.add(item).read(), at);
            lua_rawseti(L, 1, item as lua_Integer + 1);
            at += WORD;
        }
        for pair in 0..pairs {
            push_value(L, sheet, STRING, at);
            push_value(L, sheet, types.add(array + pair).read(), at + WORD);
            lua_rawset(L, 1);
            at += 2 * WORD;
        }
        lua_pushnil(L);
        lua_setmetatable(L, 1);
    }
}

/// `new(document)`: the proxy of its first table.
unsafe extern "C-unwind" fn new(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the upvalues.
    unsafe {
        let sheet = check_sheet(L, 1);
        push_proxy(L, Origin { sheet, number: 0 });
    }
    1
}

/// `update(proxy, document)`: makes all proxies of a proxy's document those of this
/// one.
unsafe extern "C-unwind" fn update(L: *mut lua_State) -> c_int {
    const PROXY: c_int = -2;
    // SAFETY: called by Lua, with the upvalues; eight slots are used. The table that is
    // gone through is not changed. Both documents live, so that their tables have
    // different addresses.
    unsafe {
        let old = check_origin(L).sheet;
        let sheet = check_sheet(L, 2);
        if old == sheet {
            return 0;
        }
        lua_pushnil(L);
        while lua_next(L, lua_upvalueindex(ORIGINS)) != 0 {
            let origin = lua_touserdata(L, -1).cast::<Origin>();
            if (*origin).sheet == old {
                if let Some(start) = old.table((*origin).number) {
                    lua_pushnil(L);
                    let address = old.0.add(start).cast();
                    lua_rawsetp(L, lua_upvalueindex(PROXIES), address);
                }
                (*origin).sheet = sheet;
                if let Some(start) = sheet.table((*origin).number) {
                    lua_pushvalue(L, PROXY);
                    let address = sheet.0.add(start).cast();
                    lua_rawsetp(L, lua_upvalueindex(PROXIES), address);
                }
                lua_pushvalue(L, PROXY);
                clear(L);
                lua_pushvalue(L, lua_upvalueindex(METATABLE));
                lua_setmetatable(L, -2);
                lua_settop(L, -2);
            }
            lua_settop(L, -2);
        }
    }
    0
}

/// Empties the table on top of the stack. Three slots are used.
///
/// # Safety
/// As [`add`].
unsafe fn clear(L: *mut lua_State) {
    // SAFETY: the caller's promise; fields may be cleared while a table is gone through.
    unsafe {
        lua_pushnil(L);
        while lua_next(L, -2) != 0 {
            lua_settop(L, -2);
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, -4);
        }
    }
}

unsafe extern "C-unwind" fn index(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the upvalues; the key is on top.
    unsafe {
        lua_settop(L, 2);
        fill(L);
        lua_rawget(L, 1);
    }
    1
}

unsafe extern "C-unwind" fn len(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the upvalues.
    unsafe {
        fill(L);
        lua_pushinteger(L, lua_rawlen(L, 1) as lua_Integer);
    }
    1
}

unsafe extern "C-unwind" fn pairs(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with the upvalues.
    unsafe {
        fill(L);
        lua_pushcclosure(L, next, 0);
        lua_pushvalue(L, 1);
        lua_pushnil(L);
    }
    3
}

/// Lua's `next`, for `pairs`.
unsafe extern "C-unwind" fn next(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 2);
        if lua_next(L, 1) != 0 {
            return 2;
        }
        lua_pushnil(L);
    }
    1
}
