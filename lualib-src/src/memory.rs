//! `skynet.memory`: what the node's allocator knows.

use std::ffi::{CStr, c_int};
use std::ptr::{null, null_mut};

use mlua_sys::*;
use skynet_abi::malloc_hook::{
    dump_c_mem, dump_mem_lua, mallctl_bool, mallctl_cmd, mallctl_int64, malloc_current_memory,
    malloc_memory_block, malloc_used_memory, memory_info_dump,
};

use crate::library;

const FUNCTIONS: [(&CStr, lua_CFunction); 10] = [
    (c"total", total),
    (c"block", block),
    (c"current", current),
    (c"info", info),
    (c"dump", dump),
    (c"dumpinfo", dumpinfo),
    (c"dumpheap", dumpheap),
    (c"jestat", jestat),
    (c"mallctl", mallctl),
    (c"profactive", profactive),
];

/// The figures of jemalloc that `jestat` reports.
const STATISTICS: [&CStr; 5] = [
    c"stats.active",
    c"stats.allocated",
    c"stats.mapped",
    c"stats.resident",
    c"stats.retained",
];

/// Opens `skynet.memory`.
///
/// # Safety
/// Called by Lua.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_memory(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used.
    unsafe {
        library::push(L, &FUNCTIONS);
    }
    1
}

/// `total()`: bytes that are allocated in the node.
unsafe extern "C-unwind" fn total(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(L, malloc_used_memory() as lua_Integer) };
    1
}

/// `block()`: blocks that are allocated in the node.
unsafe extern "C-unwind" fn block(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(L, malloc_memory_block() as lua_Integer) };
    1
}

/// `current()`: bytes that this service has allocated outside Lua.
unsafe extern "C-unwind" fn current(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(L, malloc_current_memory() as lua_Integer) };
    1
}

/// `info()`: a table from services' handles to the bytes that they have allocated.
unsafe extern "C-unwind" fn info(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; dump_mem_lua pushes a table onto this very state, whose
    // type has two declarations.
    unsafe { dump_mem_lua(L.cast()) }
}

/// `dump()`: writes to the log what each service has allocated.
unsafe extern "C-unwind" fn dump(_: *mut lua_State) -> c_int {
    // SAFETY: nothing is asked of the caller.
    unsafe { dump_c_mem() };
    0
}

/// `dumpinfo(options)`: writes jemalloc's statistics to the standard error.
unsafe extern "C-unwind" fn dumpinfo(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string stays on the stack while it is looked at.
    unsafe {
        let options = if lua_isstring(L, 1) != 0 {
            lua_tolstring(L, 1, null_mut())
        } else {
            null()
        };
        memory_info_dump(options);
    }
    0
}

/// `dumpheap()`: writes jemalloc's profile of the heap to a file.
unsafe extern "C-unwind" fn dumpheap(_: *mut lua_State) -> c_int {
    // SAFETY: the name is a C string.
    unsafe { mallctl_cmd(c"prof.dump".as_ptr()) };
    0
}

/// `jestat()`: a table of jemalloc's main figures, in bytes.
unsafe extern "C-unwind" fn jestat(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; two slots are used, and the names are C strings. A
    // new epoch makes jemalloc bring its figures up to date.
    unsafe {
        let mut epoch = 1;
        mallctl_int64(c"epoch".as_ptr(), &mut epoch);
        lua_createtable(L, 0, STATISTICS.len() as c_int);
        for name in STATISTICS {
            let figure = mallctl_int64(name.as_ptr(), null_mut());
            lua_pushinteger(L, figure as lua_Integer);
            lua_setfield(L, -2, name.as_ptr());
        }
    }
    1
}

/// `mallctl(name)`: a number of jemalloc's; 0 for a name that it does not know.
unsafe extern "C-unwind" fn mallctl(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string stays on the stack while it is looked at.
    unsafe {
        let name = luaL_checklstring(L, 1, null_mut());
        lua_pushinteger(L, mallctl_int64(name, null_mut()) as lua_Integer);
    }
    1
}

/// `profactive(on)`: whether jemalloc takes samples for its profile; with an
/// argument, that is changed, and the result is what it was before.
unsafe extern "C-unwind" fn profactive(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the name is a C string, and the value is readable.
    unsafe {
        let mut on = lua_toboolean(L, 1) != 0;
        let new = if lua_type(L, 1) == LUA_TNONE {
            null_mut()
        } else {
            &raw mut on
        };
        let was = mallctl_bool(c"prof.active".as_ptr(), new);
        lua_pushboolean(L, was.into());
    }
    1
}
