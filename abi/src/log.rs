//! `skynet_log.h`: a file for each service that has its messages logged.

use crate::skynet::skynet_context;
use core::ffi::{c_int, c_void};
use core::marker::{PhantomData, PhantomPinned};

/// The C library's stream.
#[repr(C)]
pub struct FILE {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_log_open(context: *mut skynet_context, handle: u32) -> *mut FILE;
    pub fn skynet_log_close(context: *mut skynet_context, f: *mut FILE, handle: u32);
    pub fn skynet_log_output(
        f: *mut FILE,
        source: u32,
        type_: c_int,
        session: c_int,
        buffer: *mut c_void,
        sz: usize,
    );
}
