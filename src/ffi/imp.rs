//! `skynet_imp.h`.

use super::{guard, optional};
use crate::runtime::message::Payload;
use crate::runtime::start::{self, Config};
use skynet_abi::imp::skynet_config;
use std::ffi::c_char;
use std::process;
use std::ptr;

/// Starts a node and returns when its last service is gone. A node that cannot
/// start, or cannot stop, ends the process with code 1.
///
/// # Safety
/// `config` and its strings must be valid; `daemon` and `logger` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_start(config: *mut skynet_config) {
    crate::exports::keep();
    // SAFETY: as the caller says.
    let Some(config) = (unsafe { config.as_ref() }) else {
        return;
    };
    let ended = guard(None, || {
        // SAFETY: as the caller says.
        let config = unsafe {
            Config {
                threads: usize::try_from(config.thread).unwrap_or(1).max(1),
                harbor: config.harbor as u32,
                profile: config.profile != 0,
                daemon: optional(config.daemon),
                module_path: optional(config.module_path).unwrap_or_default(),
                bootstrap: optional(config.bootstrap).unwrap_or_default(),
                logger: optional(config.logger),
                log_service: optional(config.logservice).unwrap_or_default(),
            }
        };
        Some(start::start(&config))
    });
    match ended {
        Some(Ok(())) => return,
        Some(Err(failure)) => eprintln!("{failure}"),
        // The panic has been reported.
        None => eprintln!("the node ended by a panic"),
    }
    process::exit(1);
}

/// A copy of a C string, which `skynet_free` frees; null without memory.
///
/// # Safety
/// `str` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_strdup(str: *const c_char) -> *mut c_char {
    // SAFETY: as the caller says.
    guard(ptr::null_mut(), || unsafe {
        let text = optional(str).unwrap_or_default();
        let copy = Payload::copy_of(text.as_ptr().cast(), text.count_bytes());
        copy.map_or(ptr::null_mut(), |copy| copy.into_raw().0.cast())
    })
}
