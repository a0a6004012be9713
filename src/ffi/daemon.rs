//! `skynet_daemon.h`.

use super::{guard, optional};
use crate::runtime::daemon;
use std::ffi::{c_char, c_int};

/// Goes on in the background, with the process's id in the file `pidfile`: 0 in a new
/// process, which leads a session of its own and whose standard streams are
/// /dev/null, while the calling process ends with code 0. 1, with a line on the
/// standard error, if that cannot be, or if a node that runs has the file. To be
/// called before there are other threads.
///
/// # Safety
/// `pidfile` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn daemon_init(pidfile: *const c_char) -> c_int {
    // SAFETY: as the caller says.
    let path = unsafe { optional(pidfile) }.unwrap_or_default();
    guard(1, || {
        let begun =
            daemon::begin(path).and_then(|starting| starting.detach().map(|()| starting.succeed()));
        match begun {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("{error}");
                1
            }
        }
    })
}

/// Removes the file that was given to `daemon_init`. 0, or -1 if it cannot be removed
/// or has become another process's.
///
/// # Safety
/// `pidfile` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn daemon_exit(pidfile: *const c_char) -> c_int {
    // SAFETY: as the caller says.
    let path = unsafe { optional(pidfile) }.unwrap_or_default();
    guard(-1, || daemon::end(path).map_or(-1, |()| 0))
}
