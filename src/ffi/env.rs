//! `skynet_env.h`.

use super::{guard, optional};
use crate::error::{Error, Result};
use crate::runtime::{env, node};
use std::ffi::{CStr, c_char};
use std::ptr;

/// The value of a key of the config, null if it has none. The string stays for
/// as long as the process lives. From any thread.
///
/// # Safety
/// `key` must be null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_getenv(key: *const c_char) -> *const c_char {
    // SAFETY: as the caller says.
    let key = unsafe { optional(key) };
    let value = || env::env().ok()?.get(key?);
    guard(ptr::null(), || value().map_or(ptr::null(), CStr::as_ptr))
}

/// Sets a key; both strings are copied. A key is set once: for one that has a
/// value there is a line in the log instead. From any thread.
///
/// # Safety
/// `key` and `value` must be null or C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_setenv(key: *const c_char, value: *const c_char) {
    // SAFETY: as the caller says.
    let (key, value) = unsafe { (optional(key), optional(value)) };
    guard((), || {
        if let Err(error) = set(key, value) {
            node::log(0, format!("error: setenv: {error}").as_bytes());
        }
    });
}

fn set(key: Option<&CStr>, value: Option<&CStr>) -> Result<()> {
    let key = key.ok_or_else(|| Error::bad_argument("setenv", "no key"))?;
    let value = value
        .ok_or_else(|| Error::bad_argument("setenv", format!("no value for the key {key:?}")))?;
    env::env()?.set(key, value)
}

/// Creates the environment, before anything else of the node. A second call
/// changes nothing.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_env_init() {
    // The reference's would begin anew; what is set is never unset here.
    guard((), || env::init().unwrap_or_default());
}
