//! `skynet.sharetable.core`: Lua tables that all states read in place.
//!
//! `matrix` runs a program in a Lua state of its own and shares the table that it
//! returns. The state, in a userdata, owns the table and everything in it; it is closed
//! by `close` and nothing else, not even by the collector, since other states may still
//! read the table: the service `sharetable`, which counts them, decides. `clone` makes
//! the address that `getptr` gives a table again, in any state.
//!
//! As in the reference, addresses are light userdata: a program that makes them up, or
//! uses one or what it took out of the table after `close`, is on its own.

mod extension;

use std::ffi::{CStr, c_int};
use std::ptr;

use mlua_sys::*;

use crate::library::{self, Entry};
use crate::object::{self, Object};
use crate::strings::{check_bytes, push_bytes};
use extension::{Extension, extension};

const FUNCTIONS: [Entry; 4] = [
    (c"clone", clone),
    (c"matrix", matrix),
    (c"is_sharedtable", is_sharedtable),
    (c"stackvalues", stackvalues),
];

/// A state with the shared table in its first slot, or null after `close`.
struct Matrix(*mut lua_State);

impl Default for Matrix {
    fn default() -> Self {
        Self(ptr::null_mut())
    }
}

impl Object for Matrix {
    const NAME: &'static CStr = c"BOXMATRIXSTATE";
    const METHODS: &'static [Entry] = &[(c"close", close), (c"getptr", getptr), (c"size", size)];
}

/// Opens `skynet.sharetable.core`; a Lua error in a Lua that does not share tables.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_sharetable_core(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe {
        check_extension(L);
        library::push(L, &FUNCTIONS);
    }
    1
}

/// The functions of a Lua that shares tables; a Lua error if this one does not.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn check_extension(L: *mut lua_State) -> Extension {
    match extension() {
        Some(extension) => extension,
        // SAFETY: the caller's promise.
        None => unsafe {
            lua_pushstring(L, c"No share string table support".as_ptr());
            lua_error(L)
        },
    }
}

/// `clone(pointer)`: the shared table at an address.
unsafe extern "C-unwind" fn clone(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used. What is trusted: the address is that of
    // a shared table whose state is open.
    unsafe {
        let table = lua_touserdata(L, 1);
        if table.is_null() || lua_type(L, 1) != LUA_TLIGHTUSERDATA {
            return luaL_argerror(L, 1, c"the pointer of a shared table expected".as_ptr());
        }
        (check_extension(L).clone)(L, table);
    }
    1
}

/// `is_sharedtable(value)`: whether it is one.
unsafe extern "C-unwind" fn is_sharedtable(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe {
        let shared = lua_type(L, 1) == LUA_TTABLE && (check_extension(L).is_shared)(L, 1) != 0;
        lua_pushboolean(L, shared.into());
    }
    1
}

/// `stackvalues(thread, table)`: puts what is on the stack of another coroutine's
/// innermost function into the table, from 1 on; how many values there are. Of the
/// running coroutine there are none.
unsafe extern "C-unwind" fn stackvalues(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used. The other coroutine does not run, and
    // its stack is as it was after each step, in which no error can come up: the value
    // is moved off it before it is stored, which may raise one.
    unsafe {
        let thread = lua_tothread(L, 1);
        if thread.is_null() {
            return luaL_argerror(L, 1, c"thread expected".as_ptr());
        }
        let mut count = 0;
        if thread != L {
            luaL_checktype(L, 2, LUA_TTABLE);
            if lua_checkstack(thread, 1) == 0 {
                return luaL_error(L, c"stack overflow".as_ptr());
            }
            count = lua_gettop(thread);
            for at in 1..=count {
                lua_pushvalue(thread, at);
                lua_xmove(thread, L, 1);
                lua_rawseti(L, 2, at.into());
            }
        }
        lua_pushinteger(L, count.into());
    }
    1
}

/// `matrix(source, ...)`: runs a program, whose arguments follow, and shares the table
/// that it returns. The source is a text, or `@` and the name of a file. Arguments are
/// booleans, numbers, light userdata and C functions without upvalues.
unsafe extern "C-unwind" fn matrix(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The new state is used by this thread alone, and in
    // protected mode where that can fail. It is in the userdata as soon as it is there.
    unsafe {
        check_extension(L);
        check_bytes(L, 1);
        let arguments = lua_gettop(L);
        for arg in 2..=arguments {
            check_argument(L, arg);
        }
        let matrix = object::push::<Matrix>(L);
        let state = luaL_newstate();
        if state.is_null() {
            return luaL_error(L, c"luaL_newstate failed".as_ptr());
        }
        (*matrix).0 = state;
        lua_pushcclosure(state, build, 0);
        if lua_checkstack(state, arguments + 1) == 0 {
            (*matrix).0 = ptr::null_mut();
            lua_close(state);
            return luaL_error(L, c"Too many argument %d".as_ptr(), arguments);
        }
        for arg in 1..=arguments {
            pass(L, state, arg);
        }
        if lua_pcall(state, arguments, 1, 0) != LUA_OK {
            fail(L, matrix);
        }
    }
    1
}

/// Raises a Lua error if an argument cannot be passed to another state.
///
/// # Safety
/// As [`check_extension`].
unsafe fn check_argument(L: *mut lua_State, arg: c_int) {
    // SAFETY: the caller's promise; one slot is used.
    unsafe {
        match lua_type(L, arg) {
            LUA_TBOOLEAN | LUA_TNUMBER | LUA_TLIGHTUSERDATA => (),
            LUA_TFUNCTION => {
                if lua_iscfunction(L, arg) == 0 || !lua_getupvalue(L, arg, 1).is_null() {
                    luaL_argerror(L, arg, c"Only support light C function".as_ptr());
                }
            }
            _ => {
                luaL_argerror(L, arg, c"Type invalid".as_ptr());
            }
        }
    }
}

/// Pushes an argument of one state to another one: in place of the source, where it is,
/// the address of the state that has it; the others as they are. Nothing is allocated.
///
/// # Safety
/// As [`check_extension`], for arguments that [`check_argument`] has seen; the other
/// state has a free slot.
unsafe fn pass(L: *mut lua_State, to: *mut lua_State, arg: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        match lua_type(L, arg) {
            LUA_TBOOLEAN => lua_pushboolean(to, lua_toboolean(L, arg)),
            LUA_TNUMBER if lua_isinteger(L, arg) != 0 => {
                lua_pushinteger(to, lua_tointegerx(L, arg, ptr::null_mut()));
            }
            LUA_TNUMBER => lua_pushnumber(to, lua_tonumberx(L, arg, ptr::null_mut())),
            LUA_TFUNCTION => {
                if let Some(function) = lua_tocfunction(L, arg) {
                    lua_pushcclosure(to, function, 0);
                }
            }
            LUA_TSTRING => lua_pushlightuserdata(to, L.cast()),
            _ => lua_pushlightuserdata(to, lua_touserdata(L, arg)),
        }
    }
}

/// Raises the error of a matrix's state, which is closed.
///
/// # Safety
/// As [`check_extension`]; the matrix is on the stack, and the error on top of its
/// state's.
unsafe fn fail(L: *mut lua_State, matrix: *mut Matrix) -> ! {
    // SAFETY: the caller's promise; one slot is used. If there is no memory for the
    // text, the state is lost.
    unsafe {
        let state = (*matrix).0;
        let mut size = 0;
        let text = match lua_type(state, -1) {
            LUA_TSTRING | LUA_TNUMBER => lua_tolstring(state, -1, &mut size),
            _ => ptr::null(),
        };
        if text.is_null() {
            lua_pushstring(L, c"(error object is not a string)".as_ptr());
        } else {
            push_bytes(L, std::slice::from_raw_parts(text.cast(), size));
        }
        (*matrix).0 = ptr::null_mut();
        lua_close(state);
        lua_error(L)
    }
}

/// Makes the table, in the new state: runs the program and shares what it returns.
unsafe extern "C-unwind" fn build(L: *mut lua_State) -> c_int {
    // SAFETY: called by `matrix`, whose state is in argument 1 and has the source as its
    // argument 1.
    unsafe {
        luaL_openlibs(L);
        let maker = lua_touserdata(L, 1).cast::<lua_State>();
        let mut size = 0;
        let source = lua_tolstring(maker, 1, &mut size);
        let extension = check_extension(L);
        let loaded = if source.cast::<u8>().read() == b'@' {
            (extension.load_file)(L, source.add(1), ptr::null())
        } else {
            luaL_loadbufferx(L, source, size, source, ptr::null())
        };
        if loaded != LUA_OK {
            lua_error(L);
        }
        lua_replace(L, 1);
        lua_callk(L, lua_gettop(L) - 1, 1, 0, None);
        (extension.share)(L, -1);
    }
    1
}

/// The matrix in argument 1; a Lua error if it is none.
///
/// # Safety
/// As [`object::test`]; nothing on the caller's frames has a destructor.
unsafe fn check_matrix(L: *mut lua_State) -> *mut Matrix {
    // SAFETY: the caller's promise.
    unsafe { luaL_checkudata(L, 1, Matrix::NAME.as_ptr()).cast() }
}

/// `matrix:close()`: frees the table and everything in it.
unsafe extern "C-unwind" fn close(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. What is trusted: no state uses the table any more.
    unsafe {
        let state = std::mem::take(&mut *check_matrix(L)).0;
        if !state.is_null() {
            lua_close(state);
        }
    }
    0
}

/// `matrix:getptr()`: the table's address; nothing after `close`.
unsafe extern "C-unwind" fn getptr(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used. The state has the table in its first slot.
    unsafe {
        let state = (*check_matrix(L)).0;
        if state.is_null() {
            return 0;
        }
        lua_pushlightuserdata(L, lua_topointer(state, 1).cast_mut());
    }
    1
}

/// `matrix:size()`: the bytes of its state; 0 after `close`.
unsafe extern "C-unwind" fn size(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe {
        let state = (*check_matrix(L)).0;
        let bytes = if state.is_null() {
            0
        } else {
            let whole = lua_Integer::from(lua_gc(state, LUA_GCCOUNT));
            (whole << 10) + lua_Integer::from(lua_gc(state, LUA_GCCOUNTB))
        };
        lua_pushinteger(L, bytes);
    }
    1
}
