//! The service that runs Lua: one Lua state for each instance.
//!
//! `create` makes an empty state. `init` only sends the parameter to the
//! service itself, so that the Lua code starts as the service's first message,
//! on a worker, and not inside whoever launched it. That message opens the
//! libraries and calls the loader; the Lua code then sets a callback of its own
//! and this module is out of the way until `release` closes the state.
//!
//! Every function that Lua calls here may be left by a Lua error, which jumps:
//! such functions own nothing that has a destructor.

mod boot;
pub mod embedded;
mod memory;
mod profile;
mod search;
mod trap;

use crate::context::Context;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use memory::Memory;
use mlua_sys as lua;
use mlua_sys::lua_State;
use skynet_abi::{
    PTYPE_ERROR, PTYPE_TAG_DONTCOPY, PTYPE_TEXT, skynet_callback, skynet_context, skynet_error,
    skynet_send,
};
use std::sync::OnceLock;
use trap::Trap;

/// The signal that interrupts what the service is running.
const SIGNAL_INTERRUPT: c_int = 0;
/// The signal that makes the service report its memory.
const SIGNAL_MEMORY: c_int = 1;

/// An instance. The thread that runs the service and threads that signal it
/// share it, so everything that changes is atomic; only `trap` needs more than
/// that, and says what.
struct Snlua {
    /// The main thread of the state; null only while the state is being made.
    main: AtomicPtr<lua_State>,
    /// Null until `init`.
    context: AtomicPtr<skynet_context>,
    memory: Memory,
    trap: Trap,
    /// Coroutines that `skynet.profile` measures. While there are none,
    /// resuming a coroutine looks at nothing else.
    profiled: AtomicUsize,
}

/// Its address is the registry's key for the instance.
static INSTANCE_KEY: u8 = 0;

impl Snlua {
    /// Writes the instance's address into the state's registry. One slot.
    unsafe fn remember(&self, state: *mut lua_State) {
        // SAFETY: a running Lua function has a free slot.
        unsafe {
            lua::lua_pushlightuserdata(state, ptr::from_ref(self).cast_mut().cast());
            lua::lua_rawsetp(
                state,
                lua::LUA_REGISTRYINDEX,
                (&raw const INSTANCE_KEY).cast(),
            );
        }
    }

    /// The instance that a state belongs to. One slot.
    unsafe fn of<'a>(state: *mut lua_State) -> &'a Self {
        // SAFETY: `remember` has run before any function of this module was
        // reachable from Lua, and the instance outlives its state.
        unsafe {
            lua::lua_rawgetp(
                state,
                lua::LUA_REGISTRYINDEX,
                (&raw const INSTANCE_KEY).cast(),
            );
            let instance = lua::lua_touserdata(state, -1).cast::<Self>();
            lua::lua_pop(state, 1);
            &*instance
        }
    }
}

/// The seed of every state's string hashes. States that share one can share
/// strings' hashes too.
fn seed() -> u32 {
    static SEED: OnceLock<u32> = OnceLock::new();
    *SEED.get_or_init(|| {
        // SAFETY: the function mixes clocks and addresses; it needs no state.
        let seed = unsafe { lua::luaL_makeseed_(ptr::null_mut()) };
        seed.max(1)
    })
}

/// Makes an instance with an empty Lua state; null if there is no memory for it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn snlua_create() -> *mut c_void {
    let instance = Box::into_raw(Box::new(Snlua {
        main: AtomicPtr::new(ptr::null_mut()),
        context: AtomicPtr::new(ptr::null_mut()),
        memory: Memory::new(),
        trap: Trap::new(),
        profiled: AtomicUsize::new(0),
    }));
    // SAFETY: the allocator's argument is the instance, which outlives the state.
    let state = unsafe { lua::lua_newstate(memory::allocate, instance.cast(), seed()) };
    // SAFETY: just made, and nobody else has it.
    let snlua = unsafe { &*instance };
    if state.is_null() {
        // SAFETY: Box made it, and no state refers to it.
        drop(unsafe { Box::from_raw(instance) });
        return ptr::null_mut();
    }
    snlua.main.store(state, Ordering::Relaxed);
    snlua.trap.enter(state);
    instance.cast()
}

/// Arranges for `args`, the Lua service's name and its arguments, to be run as
/// the service's first message. Always returns 0: what fails, fails then.
///
/// # Safety
///
/// `inst` comes from [`snlua_create`], `context` from the core, and `args` is
/// null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn snlua_init(
    inst: *mut c_void,
    context: *mut skynet_context,
    args: *const c_char,
) -> c_int {
    // SAFETY: the core passes what `create` made.
    let snlua = unsafe { &*inst.cast::<Snlua>() };
    snlua.context.store(context, Ordering::Release);
    // SAFETY: the core's promise about `context`.
    let own = unsafe { Context::new(context) }.handle();
    let args = if args.is_null() {
        c""
    } else {
        // SAFETY: not null, so a C string.
        unsafe { CStr::from_ptr(args) }
    };
    // SAFETY: the copy is the size of its source, then it belongs to the core.
    // The instance outlives the callback.
    unsafe {
        let size = args.count_bytes();
        let message = skynet_abi::malloc::skynet_malloc(size + 1);
        ptr::copy_nonoverlapping(args.as_ptr().cast::<u8>(), message.cast(), size + 1);
        skynet_callback(context, inst, Some(on_launch));
        skynet_send(
            context,
            0,
            own,
            PTYPE_TEXT | PTYPE_TAG_DONTCOPY,
            0,
            message,
            size,
        );
    }
    0
}

/// Closes the state, which runs the finalizers of its objects.
///
/// # Safety
///
/// `inst` comes from [`snlua_create`] and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn snlua_release(inst: *mut c_void) {
    // SAFETY: Box made it in `create`, and the core releases it once, when
    // nobody runs or signals it. Closing the state still uses the instance.
    unsafe {
        let snlua = inst.cast::<Snlua>();
        lua::lua_close((*snlua).main.load(Ordering::Relaxed));
        drop(Box::from_raw(snlua));
    }
}

/// Signal 0 makes the Lua code that is running raise an error, 1 logs the
/// memory in use; others are only logged.
///
/// # Safety
///
/// `inst` comes from [`snlua_create`] and is not released meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn snlua_signal(inst: *mut c_void, signal: c_int) {
    // SAFETY: the caller's promise; threads share it by atomics alone.
    let snlua = unsafe { &*inst.cast::<Snlua>() };
    let context = snlua.context.load(Ordering::Acquire);
    if context.is_null() {
        return;
    }
    // SAFETY: the core holds the context while it signals; each format fits its argument.
    unsafe {
        skynet_error(context, c"recv a signal %d".as_ptr(), signal);
        match signal {
            SIGNAL_INTERRUPT => snlua.trap.spring(),
            SIGNAL_MEMORY => {
                let kilobytes = snlua.memory.used() as f32 / 1024.0;
                skynet_error(
                    context,
                    c"Current Memory %.3fK".as_ptr(),
                    f64::from(kilobytes),
                );
            }
            _ => {}
        }
    }
}

/// The first callback: takes the message that `init` sent.
unsafe extern "C-unwind" fn on_launch(
    context: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: the callback's own context and instance.
    let (node, snlua) = unsafe { (Context::new(context), &*ud.cast::<Snlua>()) };
    if kind != PTYPE_TEXT || session != 0 || source != node.handle() {
        // Somebody who guessed the handle was faster. There is nothing here
        // yet that could answer.
        if session != 0 && kind != PTYPE_ERROR {
            node.send_error(0, source, session);
        }
        return 0;
    }
    // SAFETY: the core keeps the message until the callback returns. No
    // callback is set from here on until the Lua code sets its own.
    let started = unsafe {
        skynet_callback(context, ptr::null_mut(), None);
        let arguments = slice::from_raw_parts(msg.cast::<u8>(), size);
        boot::run(snlua, node, arguments)
    };
    if !started {
        node.command(c"EXIT", None);
    }
    0
}
