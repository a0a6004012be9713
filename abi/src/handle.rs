//! `skynet_handle.h`: the registry of services and their local names.

use crate::skynet::skynet_context;
use core::ffi::{c_char, c_int};

/// The part of a handle that numbers services within a node.
pub const HANDLE_MASK: u32 = 0xff_ffff;
/// The harbor is in the bits from here on.
pub const HANDLE_REMOTE_SHIFT: u32 = 24;

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_handle_register(context: *mut skynet_context) -> u32;
    pub fn skynet_handle_retire(handle: u32) -> c_int;
    pub fn skynet_handle_grab(handle: u32) -> *mut skynet_context;
    pub fn skynet_handle_retireall();
    pub fn skynet_handle_findname(name: *const c_char) -> u32;
    pub fn skynet_handle_namehandle(handle: u32, name: *const c_char) -> *const c_char;
    pub fn skynet_handle_init(harbor: c_int, thread: c_int);
    pub fn skynet_handle_register_thread();
}
