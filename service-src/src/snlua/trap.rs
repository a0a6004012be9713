//! Interrupting Lua code from another thread.
//!
//! A signal sets a hook on the coroutine that the service is running; the hook
//! raises an error at the next instruction. `lua_sethook` is the one function of
//! Lua that may be called while another thread runs the state, provided that the
//! coroutine still exists when it does. Hence three states:
//!
//! * `IDLE`: no signal.
//! * `SETTING`: a signalling thread has read which coroutine is active and is
//!   setting its hook. It alone leaves this state, and the service's thread
//!   waits for that before it lets go of a coroutine.
//! * `ARMED`: the hook is set; the error is raised wherever code runs next.

use super::Snlua;
use core::hint;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use mlua_sys as lua;
use mlua_sys::{lua_Debug, lua_State};

const IDLE: u8 = 0;
const SETTING: u8 = 1;
const ARMED: u8 = 2;

pub struct Trap {
    state: AtomicU8,
    /// The coroutine that runs now, or ran last.
    active: AtomicPtr<lua_State>,
}

impl Trap {
    pub const fn new() -> Self {
        Self {
            state: AtomicU8::new(IDLE),
            active: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Says that `coroutine` runs from now on. When it returns, no signalling
    /// thread touches the coroutine that ran before.
    pub fn enter(&self, coroutine: *mut lua_State) {
        // Both are sequentially consistent, and so are their counterparts in
        // `spring`: either that thread reads the new coroutine, or this one
        // sees that it is setting a hook.
        self.active.store(coroutine, Ordering::SeqCst);
        if self.state.load(Ordering::SeqCst) != IDLE {
            self.pass_on(coroutine);
        }
    }

    /// A signal has come for the coroutine that ran before; this one takes it.
    #[cold]
    fn pass_on(&self, coroutine: *mut lua_State) {
        self.wait_for_setter();
        if self.state.load(Ordering::Relaxed) == ARMED {
            // SAFETY: the coroutine is alive, and it is this thread's.
            unsafe { lua::lua_sethook(coroutine, Some(on_instruction), lua::LUA_MASKCOUNT, 1) };
        }
    }

    fn wait_for_setter(&self) {
        // Setting a hook takes a walk over the call stack, no lock and no
        // system call, so the wait is short unless that thread lost its core.
        let mut turns = 0_u32;
        // Acquire pairs with the release at the end of `spring`.
        while self.state.load(Ordering::Acquire) == SETTING {
            turns += 1;
            if turns < 1000 {
                hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Interrupts the service. A signal while another is pending changes nothing.
    pub fn spring(&self) {
        let taken = self
            .state
            .compare_exchange(IDLE, SETTING, Ordering::SeqCst, Ordering::Relaxed);
        if taken.is_err() {
            return;
        }
        let coroutine = self.active.load(Ordering::SeqCst);
        if coroutine.is_null() {
            self.state.store(IDLE, Ordering::Release);
            return;
        }
        // SAFETY: `enter` does not return, and so the coroutine is not let go,
        // while the state is SETTING.
        unsafe { lua::lua_sethook(coroutine, Some(on_instruction), lua::LUA_MASKCOUNT, 1) };
        self.state.store(ARMED, Ordering::Release);
    }

    /// Takes the signal, if there is one.
    fn take(&self) -> bool {
        self.wait_for_setter();
        self.state
            .compare_exchange(ARMED, IDLE, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

unsafe extern "C-unwind" fn on_instruction(state: *mut lua_State, _: *mut lua_Debug) {
    // SAFETY: Lua calls a hook with slots to spare, and nothing here has a
    // destructor that the error would skip.
    unsafe {
        let pending = Snlua::of(state).trap.take();
        // After `take` nobody else sets a hook here. Coroutines that the signal
        // was passed through keep theirs until it fires, with nothing to take.
        lua::lua_sethook(state, None, 0, 0);
        if pending {
            lua::luaL_error(state, c"signal 0".as_ptr());
        }
    }
}
