//! Hooks that may stop a coroutine: as `debug.sethook`, but the coroutine yields
//! when its hook returns true.

use std::ffi::{CStr, c_int, c_void};

use mlua_sys::*;

/// Its address is the registry's key of the table from threads to hooks.
static HOOKS: u8 = 0;

/// What a hook is told, by the event's number.
const EVENTS: [&CStr; 5] = [c"call", c"return", c"line", c"count", c"tail call"];

fn key() -> *const c_void {
    (&raw const HOOKS).cast()
}

/// `sethook([thread,] [hook, mask [, count]])`: sets the thread's hook, or removes
/// it. The mask is of `c`, `r` and `l`, as for `debug.sethook`.
pub(super) unsafe extern "C-unwind" fn sethook(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; at most ten slots are used, and nothing here has a
    // destructor. The thread stays on the stack, at 1, while it is used.
    unsafe {
        let (thread, first) = if lua_isthread(L, 1) != 0 {
            (lua_tothread(L, 1), 2)
        } else {
            (L, 1)
        };
        let removed = lua_isnoneornil(L, first) != 0;
        let (mut mask, mut count) = (0, 0);
        if removed {
            lua_settop(L, first);
        } else {
            mask = mask_of(CStr::from_ptr(luaL_checkstring(L, first + 1)));
            luaL_checktype(L, first, LUA_TFUNCTION);
            let interval = luaL_optinteger(L, first + 2, 0);
            count = interval.clamp(0, c_int::MAX.into()) as c_int;
            if count > 0 {
                mask |= LUA_MASKCOUNT;
            }
        }

        push_hooks(L);
        lua_pushthread(thread);
        lua_xmove(thread, L, 1);
        lua_pushvalue(L, first);
        lua_rawset(L, -3);
        lua_sethook(thread, if removed { None } else { Some(run) }, mask, count);
    }
    0
}

fn mask_of(text: &CStr) -> c_int {
    let letters = [
        (b'c', LUA_MASKCALL),
        (b'r', LUA_MASKRET),
        (b'l', LUA_MASKLINE),
    ];
    letters.into_iter().fold(0, |mask, (letter, bit)| {
        let named = text.to_bytes().contains(&letter);
        if named { mask | bit } else { mask }
    })
}

/// Pushes the table of hooks. Its keys are weak. Three slots are used.
///
/// # Safety
/// Called from a C function of `L`; nothing on the caller's frames has a destructor.
unsafe fn push_hooks(L: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        if lua_rawgetp(L, LUA_REGISTRYINDEX, key()) == LUA_TTABLE {
            return;
        }
        lua_settop(L, -2);
        lua_createtable(L, 0, 2);
        lua_pushstring(L, c"k".as_ptr());
        lua_setfield(L, -2, c"__mode".as_ptr());
        lua_pushvalue(L, -1);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, key());
    }
}

/// Calls the running thread's hook with the event's name, its line or nil, and
/// whether the thread can yield here. If it cannot, it runs on whatever the hook says.
unsafe extern "C-unwind" fn run(L: *mut lua_State, event: *mut lua_Debug) {
    // SAFETY: Lua calls this with an event and LUA_MINSTACK free slots, of which
    // six are used, and lets a hook leave by an error or a yield; nothing here has
    // a destructor.
    unsafe {
        let kind = (*event).event;
        let Some(name) = usize::try_from(kind).ok().and_then(|kind| EVENTS.get(kind)) else {
            return;
        };
        if lua_rawgetp(L, LUA_REGISTRYINDEX, key()) != LUA_TTABLE {
            return;
        }
        lua_pushthread(L);
        if lua_rawget(L, -2) != LUA_TFUNCTION {
            return;
        }
        lua_pushstring(L, name.as_ptr());
        match (*event).currentline {
            line @ 0.. => lua_pushinteger(L, line.into()),
            _ => lua_pushnil(L),
        }
        // Lua allows it in these events alone, and where no C function is in the way:
        // a comparison that sorts, for one.
        let may = matches!(kind, LUA_HOOKLINE | LUA_HOOKCOUNT) && lua_isyieldable(L) != 0;
        lua_pushboolean(L, may.into());
        lua_call(L, 3, 1);
        let stop = lua_toboolean(L, -1) != 0;
        lua_settop(L, -2);
        if may && stop {
            lua_yield(L, 0);
        }
    }
}
