//! `skynet_daemon.h`: a node in the background.

use core::ffi::{c_char, c_int};

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn daemon_init(pidfile: *const c_char) -> c_int;
    pub fn daemon_exit(pidfile: *const c_char) -> c_int;
}
