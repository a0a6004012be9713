//! `skynet_imp.h`: starting a node.

use core::ffi::{c_char, c_int};

pub const THREAD_WORKER: c_int = 0;
pub const THREAD_MAIN: c_int = 1;
pub const THREAD_SOCKET: c_int = 2;
pub const THREAD_TIMER: c_int = 3;
pub const THREAD_MONITOR: c_int = 4;

/// What `skynet_start` needs to know. The strings live at least as long as the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct skynet_config {
    pub thread: c_int,
    pub harbor: c_int,
    pub profile: c_int,
    pub daemon: *const c_char,
    pub module_path: *const c_char,
    pub bootstrap: *const c_char,
    pub logger: *const c_char,
    pub logservice: *const c_char,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_start(config: *mut skynet_config);
    pub fn skynet_strdup(str: *const c_char) -> *mut c_char;
}
