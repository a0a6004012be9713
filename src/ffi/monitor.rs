//! `skynet_monitor.h`.

use super::guard;
use crate::runtime::monitor::Monitor;
use skynet_abi::monitor::skynet_monitor;

/// A new watch for one worker or driver loop; `skynet_monitor_delete` frees it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_monitor_new() -> *mut skynet_monitor {
    Box::into_raw(Box::new(Monitor::default())).cast()
}

/// Frees a watch.
///
/// # Safety
/// `monitor` must be null or come from `skynet_monitor_new`, and not be used after this.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_monitor_delete(monitor: *mut skynet_monitor) {
    if !monitor.is_null() {
        // SAFETY: as the caller says.
        drop(unsafe { Box::from_raw(monitor.cast::<Monitor>()) });
    }
}

/// Notes that a message from `source` to `destination` begins; zeros for none.
///
/// # Safety
/// `monitor` must come from `skynet_monitor_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_monitor_trigger(
    monitor: *mut skynet_monitor,
    source: u32,
    destination: u32,
) {
    // SAFETY: as the caller says.
    if let Some(monitor) = unsafe { monitor.cast::<Monitor>().as_ref() } {
        monitor.trigger(source, destination);
    }
}

/// Logs a message that is the same as at the last check, and marks its service.
///
/// # Safety
/// `monitor` must come from `skynet_monitor_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_monitor_check(monitor: *mut skynet_monitor) {
    // SAFETY: as the caller says.
    if let Some(monitor) = unsafe { monitor.cast::<Monitor>().as_ref() } {
        guard((), || monitor.check());
    }
}
