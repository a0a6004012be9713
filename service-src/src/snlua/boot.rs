//! The start of a Lua service: libraries, globals, then the loader, which finds
//! and runs the service's file.

use super::Snlua;
use super::{embedded, profile};
use crate::context::Context;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering;
use mlua_sys as lua;
use mlua_sys::{lua_CFunction, lua_State};
use skynet_abi::{PTYPE_TEXT, skynet_error, skynet_sendname};

unsafe extern "C-unwind" {
    /// Leaves the module `skynet.codecache` on the stack: what a service may say
    /// about the compiled files that the states of a process share. It comes
    /// with the Lua of any program that runs skynet.
    fn luaopen_cache(state: *mut lua_State) -> c_int;
}

/// What the protected functions below need.
struct Boot<'a> {
    snlua: &'a Snlua,
    node: Context,
    /// The service's name and its arguments.
    arguments: &'a [u8],
}

/// Runs the service's Lua code up to its end, which is where it has set a
/// callback. False if that failed: the log says why, and the launcher knows.
pub(super) fn run(snlua: &Snlua, node: Context, arguments: &[u8]) -> bool {
    let mut boot = Boot {
        snlua,
        node,
        arguments,
    };
    let state = snlua.main.load(Ordering::Relaxed);
    // SAFETY: the thread that runs the service is this one.
    let loaded = unsafe {
        protected(state, prepare, &mut boot, 2)
            && lua::lua_isfunction(state, -2) != 0
            && load(state, node)
            && protected(state, finish, &mut boot, 0)
    };
    if !loaded {
        tell_launcher(node);
    }
    loaded
}

/// Calls a function with the boot's address, so that whatever error it raises,
/// if only for want of memory, is logged. Leaves its results.
unsafe fn protected(
    state: *mut lua_State,
    function: lua_CFunction,
    boot: &mut Boot<'_>,
    results: c_int,
) -> bool {
    // SAFETY: a new state has slots for a function without upvalues and its
    // argument, neither of which allocates. `boot` outlives the call.
    unsafe {
        lua::lua_pushcfunction(state, function);
        lua::lua_pushlightuserdata(state, ptr::from_mut(boot).cast());
        let done = lua::lua_pcall(state, 1, results, 0) == lua::LUA_OK;
        if !done {
            report(boot.node, state);
        }
        done
    }
}

/// Calls the loader, which `prepare` left on the stack above its argument. The
/// call is made from the bottom of the stack: that is what a traceback shows.
unsafe fn load(state: *mut lua_State, node: Context) -> bool {
    // SAFETY: as above; the handler goes below the two values that are there.
    unsafe {
        lua::lua_pushcfunction(state, with_traceback);
        lua::lua_insert(state, 1);
        let done = lua::lua_pcall(state, 1, 0, 1) == lua::LUA_OK;
        if !done {
            report(node, state);
        }
        lua::lua_settop(state, 0);
        done
    }
}

/// Logs the error object on top of the stack.
unsafe fn report(node: Context, state: *mut lua_State) {
    // SAFETY: the text stays on the stack, the format takes one C string.
    unsafe {
        let mut text = lua::lua_tostring(state, -1);
        if text.is_null() {
            text = c"(error object is not a string)".as_ptr();
        }
        skynet_error(node.as_ptr(), c"lua loader error : %s".as_ptr(), text);
    }
}

/// The launcher waits to hear whether a service it launched is up.
fn tell_launcher(node: Context) {
    const NEWS: &[u8] = b"ERROR";
    // SAFETY: without DONTCOPY the core only reads the message.
    unsafe {
        skynet_sendname(
            node.as_ptr(),
            0,
            c".launcher".as_ptr(),
            PTYPE_TEXT,
            0,
            NEWS.as_ptr().cast_mut().cast::<c_void>(),
            NEWS.len(),
        );
    }
}

/// The boot that `protected` passed.
unsafe fn argument<'a>(state: *mut lua_State) -> &'a Boot<'a> {
    // SAFETY: the functions below are called by `protected` alone.
    unsafe { &*lua::lua_touserdata(state, 1).cast::<Boot<'_>>() }
}

/// Makes the state ready and returns the loader and its argument, or nil if
/// there is no loader.
unsafe extern "C-unwind" fn prepare(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with LUA_MINSTACK slots; owns nothing.
    unsafe {
        let boot = argument(state);
        lua::lua_settop(state, 0);
        // Nothing is garbage while the state is being filled.
        lua::lua_gc(state, lua::LUA_GCSTOP);
        open_libraries(state, boot.snlua, boot.node);
        lua::lua_gc(state, lua::LUA_GCGEN);
        set_globals(state, boot.node);

        let path = boot.node.env(c"lualoader");
        let path = path.unwrap_or(c"./lualib/loader.lua");
        if embedded::load_loader(state, path) != lua::LUA_OK {
            skynet_error(
                boot.node.as_ptr(),
                c"Can't load %s : %s".as_ptr(),
                path.as_ptr(),
                lua::lua_tostring(state, -1),
            );
            return 0;
        }
        lua::lua_pushlstring(state, boot.arguments.as_ptr().cast(), boot.arguments.len());
    }
    2
}

/// After the service's own code.
unsafe extern "C-unwind" fn finish(state: *mut lua_State) -> c_int {
    // SAFETY: as for `prepare`.
    unsafe {
        let boot = argument(state);
        take_memory_limit(state, boot.snlua, boot.node);
        lua::lua_gc(state, lua::LUA_GCRESTART);
    }
    0
}

/// The standard libraries, and this service's own modules. Four slots.
unsafe fn open_libraries(state: *mut lua_State, snlua: &Snlua, node: Context) {
    // SAFETY: called by `prepare`, whose stack is empty.
    unsafe {
        // Libraries are not to read LUA_PATH and the like from the process's
        // environment.
        lua::lua_pushboolean(state, 1);
        lua::lua_setfield(state, lua::LUA_REGISTRYINDEX, c"LUA_NOENV".as_ptr());
        lua::luaL_openlibs(state);

        snlua.remember(state);
        // Where Lua modules find the service that they are in.
        lua::lua_pushlightuserdata(state, node.as_ptr().cast());
        lua::lua_setfield(state, lua::LUA_REGISTRYINDEX, c"skynet_context".as_ptr());

        lua::luaL_requiref(state, c"skynet.profile".as_ptr(), profile::open, 0);
        lua::lua_getglobal(state, c"coroutine".as_ptr());
        for name in [c"resume", c"wrap"] {
            lua::lua_getfield(state, -2, name.as_ptr());
            lua::lua_setfield(state, -2, name.as_ptr());
        }
        lua::lua_pop(state, 2);

        embedded::install(state, node);
        lua::luaL_requiref(state, c"skynet.codecache".as_ptr(), luaopen_cache, 0);
        lua::lua_pop(state, 1);
    }
}

/// What the loader reads. Two slots.
unsafe fn set_globals(state: *mut lua_State, node: Context) {
    let configured = |key: &CStr, default: &'static CStr| node.env(key).unwrap_or(default).as_ptr();
    // SAFETY: called by `prepare`; the environment's values are C strings.
    unsafe {
        let path = configured(c"lua_path", c"./lualib/?.lua;./lualib/?/init.lua");
        embedded::push_lua_path(state, path);
        lua::lua_setglobal(state, c"LUA_PATH".as_ptr());
        lua::lua_pushstring(state, configured(c"lua_cpath", c"./luaclib/?.so"));
        lua::lua_setglobal(state, c"LUA_CPATH".as_ptr());
        embedded::push_service_path(state, configured(c"luaservice", c"./service/?.lua"));
        lua::lua_setglobal(state, c"LUA_SERVICE".as_ptr());
        // Null, when there is none, pushes nil.
        let preload: *const c_char = node.env(c"preload").map_or(ptr::null(), CStr::as_ptr);
        lua::lua_pushstring(state, preload);
        lua::lua_setglobal(state, c"LUA_PRELOAD".as_ptr());
    }
}

/// Takes the limit that the service's code has left in the registry.
unsafe fn take_memory_limit(state: *mut lua_State, snlua: &Snlua, node: Context) {
    // SAFETY: called by `finish`; the format takes a double.
    unsafe {
        let kind = lua::lua_getfield(state, lua::LUA_REGISTRYINDEX, c"memlimit".as_ptr());
        if kind == lua::LUA_TNUMBER {
            let limit = usize::try_from(lua::lua_tointeger(state, -1)).unwrap_or(0);
            snlua.memory.set_limit(limit);
            let megabytes = limit as f32 / (1024.0 * 1024.0);
            skynet_error(
                node.as_ptr(),
                c"Set memory limit to %.2f M".as_ptr(),
                f64::from(megabytes),
            );
            lua::lua_pushnil(state);
            lua::lua_setfield(state, lua::LUA_REGISTRYINDEX, c"memlimit".as_ptr());
        }
        lua::lua_pop(state, 1);
    }
}

/// The message handler: adds the call stack to an error's text.
unsafe extern "C-unwind" fn with_traceback(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the error object.
    unsafe {
        let text = lua::lua_tostring(state, 1);
        if text.is_null() {
            lua::lua_pushliteral(state, c"(no error message)");
        } else {
            lua::luaL_traceback(state, state, text, 1);
        }
    }
    1
}
