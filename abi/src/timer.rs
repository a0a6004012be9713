//! `skynet_timer.h`: timeouts in centiseconds, and clocks.

use core::ffi::c_int;

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_timeout(handle: u32, time: c_int, session: c_int) -> c_int;
    pub fn skynet_updatetime();
    pub fn skynet_starttime() -> u32;
    pub fn skynet_thread_time() -> u64;
    pub fn skynet_timer_init();
}
