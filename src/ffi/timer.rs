//! `skynet_timer.h`.

use super::guard;
use crate::runtime::{cpu, node, send, timer};
use std::ffi::c_int;

/// Has the service get an empty PTYPE_RESPONSE with `session` after `time`
/// centiseconds; at once if that is 0 or less. Returns the session, or -1 if
/// the service is not there (which only a timeout at once finds out) or the
/// timer is not initialised. From any thread.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_timeout(handle: u32, time: c_int, session: c_int) -> c_int {
    guard(-1, || {
        send::start_timeout(handle, time, session).map_or_else(|e| e.to_session(), |()| session)
    })
}

/// Delivers the timeouts that are due. A running node does so by itself; this
/// is for programs with a loop of their own.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_updatetime() {
    guard((), || match timer::timer() {
        Ok(timer) => timer.update(&mut |handle, session| {
            // A service that is gone needs no answer.
            let _ = send::deliver_timeout(handle, session);
        }),
        Err(error) => node::log(0, format!("error: updatetime: {error}").as_bytes()),
    });
}

/// The second of the wall clock in which the timer was initialised; 0 before.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_starttime() -> u32 {
    guard(0, || timer::timer().map_or(0, |timer| timer.starttime()))
}

/// The CPU time of the calling thread. Microseconds.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_thread_time() -> u64 {
    guard(0, || cpu::thread_ns() / 1000)
}

/// Creates the timer; its time starts now. A second call changes nothing.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_timer_init() {
    guard((), || timer::init().unwrap_or_default());
}
