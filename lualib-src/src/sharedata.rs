//! `skynet.sharedata.core`: tables in memory that all services read, without a copy
//! in each Lua state.
//!
//! `new` makes an object of a table and of all tables in it. It lives until `delete`,
//! which its owner, the service `sharedatad`, calls when nobody uses it any more: users
//! are counted by `incref` and `decref`, and by the userdata that `box` returns. An
//! object that has been replaced is marked as dirty; a reader that sees this asks its
//! userdata for the new object, which was put there by `update`.
//!
//! As in the reference, objects and the tables in them are light userdata: a program
//! that makes them up, or uses one after `delete`, is on its own.

mod build;
mod tree;

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use mlua_sys::*;

use crate::library::{self, Entry};
use crate::object::{self, Object};
use crate::strings::{check_bytes, push_bytes};
use tree::{Builder, Key, Name, Table, Tree, Value};

const FUNCTIONS: [Entry; 14] = [
    (c"new", new),
    (c"delete", delete),
    (c"getref", getref),
    (c"incref", incref),
    (c"decref", decref),
    (c"markdirty", markdirty),
    (c"isdirty", isdirty),
    (c"box", control),
    (c"update", update),
    (c"needupdate", needupdate),
    (c"index", index),
    (c"nextkey", nextkey),
    (c"len", len),
    (c"hashlen", hashlen),
];

/// What a service has of an object: one count of its users, and the object that takes
/// its place, with a Lua table that keeps that one.
struct Control {
    object: *const Table,
    successor: *mut c_void,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            object: ptr::null(),
            successor: ptr::null_mut(),
        }
    }
}

impl Object for Control {
    const NAME: &'static CStr = c"confctrl";
    const USER_VALUES: c_int = 1;
}

impl Drop for Control {
    fn drop(&mut self) {
        // SAFETY: null, or an object that `control` counted this user of, and that
        // lives as long as it has users.
        unsafe {
            if let Some(object) = self.object.as_ref() {
                (*object.tree).count(-1);
            }
        }
    }
}

/// Opens `skynet.sharedata.core`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_sharedata_core(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe { library::push(L, &FUNCTIONS) };
    1
}

/// The table in argument 1, and the tree it belongs to; a Lua error if it is none.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
/// What is trusted: light userdata is the address of a table that `new` made, or that
/// `index` found in such a one, and its tree lives.
unsafe fn check_table<'a>(L: *mut lua_State) -> (&'a Table, &'a Tree) {
    // SAFETY: the caller's promise. Full userdata is an object of another kind, and
    // not taken for an address.
    unsafe {
        let address = lua_touserdata(L, 1).cast_const().cast::<Table>();
        if address.is_null() || lua_type(L, 1) != LUA_TLIGHTUSERDATA {
            luaL_error(L, c"Need a conf object".as_ptr());
        }
        (&*address, &*(*address).tree)
    }
}

/// `new(table)`: an object that nobody uses yet.
unsafe extern "C-unwind" fn new(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; six slots are used. Pushing an address allocates nothing,
    // so the tree is not lost. It is at its final address when its tables learn it.
    unsafe {
        luaL_checktype(L, 1, LUA_TTABLE);
        let builder = object::push::<Builder>(L);
        lua_pushvalue(L, 1);
        build::table(L, builder, 1);
        let tree = Box::into_raw(Box::new(std::mem::take(&mut *builder).finish()));
        let tables = &mut (*tree).tables;
        for table in tables.iter_mut() {
            table.tree = tree;
        }
        lua_pushlightuserdata(L, tables.as_mut_ptr().cast());
    }
    1
}

/// `delete(object)`: frees it.
unsafe extern "C-unwind" fn delete(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with an object that nobody uses; `new` made it by
    // into_raw. The reference to the tree ends before the tree does.
    unsafe {
        let tree: *const Tree = check_table(L).1;
        drop(Box::from_raw(tree.cast_mut()));
    }
    0
}

/// Counts, and pushes how many use the object then.
///
/// # Safety
/// As [`check_table`].
unsafe fn push_count(L: *mut lua_State, change: i64) -> c_int {
    // SAFETY: the caller's promise; one slot is used.
    unsafe { lua_pushinteger(L, check_table(L).1.count(change)) };
    1
}

/// `incref(object)`: one user more; how many there are.
unsafe extern "C-unwind" fn incref(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push_count(L, 1) }
}

/// `decref(object)`: one user less; how many there are.
unsafe extern "C-unwind" fn decref(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push_count(L, -1) }
}

/// `getref(object)`: how many use it.
unsafe extern "C-unwind" fn getref(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe { lua_pushinteger(L, check_table(L).1.references()) };
    1
}

/// `markdirty(object)`: says that another object has taken its place.
unsafe extern "C-unwind" fn markdirty(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { check_table(L).1.mark() };
    0
}

/// `isdirty(object)`: whether another one has taken its place; also for tables in it.
unsafe extern "C-unwind" fn isdirty(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe { lua_pushboolean(L, check_table(L).1.is_marked().into()) };
    1
}

/// `box(object)`: a userdata that is one of its users until it is collected.
unsafe extern "C-unwind" fn control(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; five slots are used. The user is counted when the
    // userdata is there to count it off.
    unsafe {
        check_table(L);
        let control = object::push::<Control>(L);
        let (object, tree) = check_table(L);
        tree.count(1);
        (*control).object = object;
    }
    1
}

/// `update(box, object, keeper)`: the object of a box is replaced by this one. The
/// keeper is a table that keeps it.
unsafe extern "C-unwind" fn update(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the box stays on the stack, and its reference is gone
    // before Lua is called again.
    unsafe {
        luaL_checktype(L, 1, LUA_TUSERDATA);
        luaL_checktype(L, 2, LUA_TLIGHTUSERDATA);
        luaL_checktype(L, 3, LUA_TTABLE);
        let object = lua_touserdata(L, 2);
        let Some(control) = object::test::<Control>(L, 1) else {
            return luaL_argerror(L, 1, c"confctrl expected".as_ptr());
        };
        if control.object.cast() == object.cast_const() {
            return luaL_error(L, c"You should update a new object".as_ptr());
        }
        control.successor = object;
        lua_settop(L, 3);
        lua_setiuservalue(L, 1, 1);
    }
    0
}

/// `needupdate(box)`: the object that replaces the box's, and its keeper, or nothing.
unsafe extern "C-unwind" fn needupdate(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used, and the box stays on the stack.
    unsafe {
        let Some(control) = object::test::<Control>(L, 1) else {
            return luaL_argerror(L, 1, c"confctrl expected".as_ptr());
        };
        if control.successor.is_null() {
            return 0;
        }
        lua_pushlightuserdata(L, control.successor);
        lua_getiuservalue(L, 1, 1);
    }
    2
}

/// Pushes a value. One slot is used.
///
/// # Safety
/// As [`check_table`].
unsafe fn push_value(L: *mut lua_State, tree: &Tree, value: Value) {
    // SAFETY: the caller's promise. The tree outlives the call, and its tables are
    // not written to by who gets their addresses.
    unsafe {
        match value {
            Value::Nil => lua_pushnil(L),
            Value::Integer(number) => lua_pushinteger(L, number),
            Value::Real(number) => lua_pushnumber(L, number),
            Value::Boolean(flag) => lua_pushboolean(L, flag.into()),
            Value::String(text) => push_bytes(L, tree.text(text)),
            Value::Table(at) => match tree.tables.get(at as usize) {
                Some(table) => lua_pushlightuserdata(L, ptr::from_ref(table).cast_mut().cast()),
                None => lua_pushnil(L),
            },
        }
    }
}

/// The key in argument 2, which is no integer; a Lua error if it is no string either.
///
/// # Safety
/// As [`check_bytes`].
unsafe fn check_key<'a>(L: *mut lua_State) -> Key<'a> {
    // SAFETY: the caller's promise. A number is not converted to a string here.
    unsafe {
        if lua_isinteger(L, 2) != 0 {
            Key::Integer(lua_tointegerx(L, 2, ptr::null_mut()))
        } else {
            Key::String(check_bytes(L, 2))
        }
    }
}

/// `index(object, key)`: a value: of a table its address.
unsafe extern "C-unwind" fn index(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used, and the key stays on the stack.
    unsafe {
        let (table, tree) = check_table(L);
        match lua_type(L, 2) {
            LUA_TNIL => return 0,
            LUA_TNUMBER if lua_isinteger(L, 2) == 0 => {
                let number = lua_tonumberx(L, 2, ptr::null_mut());
                return luaL_error(L, c"Invalid key %f".as_ptr(), number);
            }
            _ => (),
        }
        match table.get(tree, check_key(L)) {
            Value::Nil => 0,
            value => {
                push_value(L, tree, value);
                1
            }
        }
    }
}

/// `nextkey(object, key)`: the key after this one, or the first one; nothing after the
/// last one, and after what is no key.
unsafe extern "C-unwind" fn nextkey(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used, and the key stays on the stack.
    unsafe {
        let (table, tree) = check_table(L);
        let key = match lua_type(L, 2) {
            LUA_TNIL | LUA_TNONE => None,
            LUA_TNUMBER if lua_isinteger(L, 2) == 0 => return 0,
            _ => Some(check_key(L)),
        };
        match table.next(tree, key) {
            None => return 0,
            Some(Name::Integer(number)) => lua_pushinteger(L, number),
            Some(Name::String(text)) => push_bytes(L, tree.text(text)),
        }
    }
    1
}

/// `len(object)`: how many values it has under 1, 2, 3, …
unsafe extern "C-unwind" fn len(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe { lua_pushinteger(L, check_table(L).0.array_len() as lua_Integer) };
    1
}

/// `hashlen(object)`: how many others it has.
unsafe extern "C-unwind" fn hashlen(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; one slot is used.
    unsafe { lua_pushinteger(L, check_table(L).0.hash_len() as lua_Integer) };
    1
}
