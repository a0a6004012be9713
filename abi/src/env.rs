//! `skynet_env.h`: the node's environment, the config's keys and values.

use core::ffi::c_char;

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_getenv(key: *const c_char) -> *const c_char;
    pub fn skynet_setenv(key: *const c_char, value: *const c_char);
    pub fn skynet_env_init();
}
