//! `skynet_monitor.h`: one watch for each worker, against endless loops.

use core::marker::{PhantomData, PhantomPinned};

/// Opaque.
#[repr(C)]
pub struct skynet_monitor {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_monitor_new() -> *mut skynet_monitor;
    pub fn skynet_monitor_delete(monitor: *mut skynet_monitor);
    pub fn skynet_monitor_trigger(monitor: *mut skynet_monitor, source: u32, destination: u32);
    pub fn skynet_monitor_check(monitor: *mut skynet_monitor);
}
