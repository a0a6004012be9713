//! The module `skynet.profile`: how much CPU time a coroutine takes.
//!
//! `start` and `stop` measure a coroutine while it runs, not while it waits. For
//! that the module brings its own `resume` and `wrap`, which replace the ones in
//! Lua's `coroutine`. They are also where a service says which coroutine runs,
//! so that a signal can interrupt it.
//!
//! A coroutine that is measured has a clock, a userdata in a table with weak
//! keys. The table is the functions' first upvalue, the instance the second.

use super::Snlua;
use core::ffi::{CStr, c_int};
use core::sync::atomic::Ordering;
use mlua_sys as lua;
use mlua_sys::{lua_CFunction, lua_State};

const CLOCKS: c_int = lua::lua_upvalueindex(1);
const INSTANCE: c_int = lua::lua_upvalueindex(2);
/// The coroutine, for functions that `wrap` makes.
const WRAPPED: c_int = lua::lua_upvalueindex(3);

const FUNCTIONS: [(&CStr, lua_CFunction); 4] = [
    (c"start", start),
    (c"stop", stop),
    (c"resume", resume),
    (c"wrap", wrap),
];

/// Nanoseconds of CPU time.
struct Clock {
    /// The thread's reading when the coroutine was last resumed.
    since: u64,
    /// What it took before that.
    total: u64,
}

impl Clock {
    fn begin(&mut self) {
        self.since = cpu_time();
    }

    fn end(&mut self) {
        // A service is on one thread from resume to yield, whose clock does
        // not go back.
        self.total += cpu_time().saturating_sub(self.since);
    }
}

/// CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    // Both are never negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Leaves the module's table on the stack.
pub unsafe extern "C-unwind" fn open(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with LUA_MINSTACK slots, of which it uses five.
    unsafe {
        let instance = core::ptr::from_ref(Snlua::of(state)).cast_mut();
        lua::lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        lua::lua_newtable(state);
        lua::lua_createtable(state, 0, 1);
        lua::lua_pushliteral(state, c"k");
        lua::lua_setfield(state, -2, c"__mode".as_ptr());
        lua::lua_setmetatable(state, -2);
        for (name, function) in FUNCTIONS {
            lua::lua_pushvalue(state, -1);
            lua::lua_pushlightuserdata(state, instance.cast());
            lua::lua_pushcclosure(state, function, 2);
            lua::lua_setfield(state, -3, name.as_ptr());
        }
        lua::lua_pop(state, 1);
    }
    1
}

/// The instance, from the running function's upvalue.
unsafe fn instance<'a>(state: *mut lua_State) -> &'a Snlua {
    // SAFETY: `open` and `wrap` put it there; it outlives the state.
    unsafe { &*lua::lua_touserdata(state, INSTANCE).cast::<Snlua>() }
}

/// The clock of the coroutine at `index`, if it is measured. Two slots. It
/// lives as long as it is in the table.
unsafe fn clock<'a>(state: *mut lua_State, index: c_int) -> Option<&'a mut Clock> {
    // SAFETY: the table holds nothing but clocks. A coroutine is used by one
    // thread, and no reference is kept while Lua code runs.
    unsafe {
        lua::lua_pushvalue(state, index);
        lua::lua_rawget(state, CLOCKS);
        let clock = lua::lua_touserdata(state, -1).cast::<Clock>();
        lua::lua_pop(state, 1);
        clock.as_mut()
    }
}

/// Reduces the arguments to one coroutine, by default the running one.
unsafe fn coroutine_argument(state: *mut lua_State) {
    // SAFETY: called first thing in a function that Lua calls.
    unsafe {
        if lua::lua_gettop(state) == 0 {
            lua::lua_pushthread(state);
        } else {
            lua::lua_settop(state, 1);
            lua::luaL_checktype(state, 1, lua::LUA_TTHREAD);
        }
    }
}

unsafe extern "C-unwind" fn start(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; five slots at most; owns nothing.
    unsafe {
        coroutine_argument(state);
        if clock(state, 1).is_some() {
            return lua::luaL_error(
                state,
                c"Thread %p start profile more than once".as_ptr(),
                lua::lua_topointer(state, 1),
            );
        }
        lua::lua_pushvalue(state, 1);
        let block = lua::lua_newuserdatauv(state, size_of::<Clock>(), 0);
        block.cast::<Clock>().write(Clock {
            since: cpu_time(),
            total: 0,
        });
        lua::lua_rawset(state, CLOCKS);
        instance(state).profiled.fetch_add(1, Ordering::Relaxed);
    }
    0
}

/// Returns the seconds of CPU time since `start`.
unsafe extern "C-unwind" fn stop(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots at most; owns nothing.
    unsafe {
        coroutine_argument(state);
        let Some(clock) = clock(state, 1) else {
            return lua::luaL_error(
                state,
                c"Call profile.start() before profile.stop()".as_ptr(),
            );
        };
        clock.end();
        let seconds = clock.total as f64 / 1e9;
        lua::lua_pushvalue(state, 1);
        lua::lua_pushnil(state);
        lua::lua_rawset(state, CLOCKS);
        // A coroutine that dies measured keeps its place in the count. That
        // costs the others a look into the table, no more.
        instance(state).profiled.fetch_sub(1, Ordering::Relaxed);
        lua::lua_pushnumber(state, seconds);
    }
    1
}

/// Resumes the coroutine at `index` with the top `arguments` values, which it
/// takes. Leaves the results and returns how many, or leaves an error object
/// and returns nothing.
unsafe fn resume_measured(state: *mut lua_State, index: c_int, arguments: c_int) -> Option<c_int> {
    // SAFETY: the caller is a function that Lua called, with the coroutine at
    // `index`. A clock's reference is dropped before the coroutine runs, which
    // may start or stop the measuring.
    unsafe {
        let snlua = instance(state);
        let coroutine = lua::lua_tothread(state, index);
        if lua::lua_checkstack(coroutine, arguments) == 0 {
            lua::lua_pushliteral(state, c"too many arguments to resume");
            return None;
        }
        lua::lua_xmove(state, coroutine, arguments);

        if snlua.profiled.load(Ordering::Relaxed) != 0
            && let Some(clock) = clock(state, index)
        {
            clock.begin();
        }
        let mut results = 0;
        snlua.trap.enter(coroutine);
        let status = lua::lua_resume(coroutine, state, arguments, &mut results);
        snlua.trap.enter(state);
        if snlua.profiled.load(Ordering::Relaxed) != 0
            && let Some(clock) = clock(state, index)
        {
            clock.end();
        }

        if status != lua::LUA_OK && status != lua::LUA_YIELD {
            lua::lua_xmove(coroutine, state, 1);
            return None;
        }
        if lua::lua_checkstack(state, results + 1) == 0 {
            lua::lua_pop(coroutine, results);
            lua::lua_pushliteral(state, c"too many results to resume");
            return None;
        }
        lua::lua_xmove(coroutine, state, results);
        Some(results)
    }
}

/// `coroutine.resume`.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; there is room for the flag, see above.
    unsafe {
        lua::luaL_checktype(state, 1, lua::LUA_TTHREAD);
        let arguments = lua::lua_gettop(state) - 1;
        let outcome = resume_measured(state, 1, arguments);
        lua::lua_pushboolean(state, c_int::from(outcome.is_some()));
        let results = outcome.unwrap_or(1);
        lua::lua_insert(state, -(results + 1));
        results + 1
    }
}

/// `coroutine.wrap`.
unsafe extern "C-unwind" fn wrap(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, uses four slots.
    unsafe {
        lua::luaL_checktype(state, 1, lua::LUA_TFUNCTION);
        lua::lua_pushvalue(state, CLOCKS);
        lua::lua_pushvalue(state, INSTANCE);
        let coroutine = lua::lua_newthread(state);
        lua::lua_pushvalue(state, 1);
        lua::lua_xmove(state, coroutine, 1);
        lua::lua_pushcclosure(state, call_wrapped, 3);
    }
    1
}

/// What `wrap` returns: resumes its coroutine and passes errors on.
unsafe extern "C-unwind" fn call_wrapped(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; three slots; owns nothing that the error skips.
    unsafe {
        let arguments = lua::lua_gettop(state);
        if let Some(results) = resume_measured(state, WRAPPED, arguments) {
            return results;
        }
        let coroutine = lua::lua_tothread(state, WRAPPED);
        let mut status = lua::lua_status(coroutine);
        if status != lua::LUA_OK && status != lua::LUA_YIELD {
            // It died of the error: its variables are to be closed, which may
            // put another error in place of the first.
            lua::lua_pop(state, 1);
            status = lua::lua_closethread(coroutine, state);
            lua::lua_xmove(coroutine, state, 1);
        }
        if status != lua::LUA_ERRMEM && lua::lua_type(state, -1) == lua::LUA_TSTRING {
            lua::luaL_where(state, 1);
            lua::lua_insert(state, -2);
            lua::lua_concat(state, 2);
        }
        lua::lua_error(state)
    }
}
