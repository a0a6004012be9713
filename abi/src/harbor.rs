//! `skynet_harbor.h`: messages to other nodes.

use core::ffi::{c_char, c_int, c_void};

/// Bytes of a global name; one that fills them all has no zero at its end.
pub const GLOBALNAME_LENGTH: usize = 16;
/// Harbors are numbered below this.
pub const REMOTE_MAX: usize = 256;

/// Where a remote message goes: a handle, or a name when the handle is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct remote_name {
    pub name: [c_char; GLOBALNAME_LENGTH],
    pub handle: u32,
}

/// What the harbor service receives, as a PTYPE_SYSTEM message, for every
/// message to another node. It frees `message`.
///
/// cbindgen:field-names=[destination, message, sz, type]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct remote_message {
    pub destination: remote_name,
    pub message: *const c_void,
    pub sz: usize,
    pub type_: c_int,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_harbor_send(rmsg: *mut remote_message, source: u32, session: c_int);
    pub fn skynet_harbor_message_isremote(handle: u32) -> c_int;
    pub fn skynet_harbor_init(harbor: c_int);
    pub fn skynet_harbor_start(context: *mut c_void);
    pub fn skynet_harbor_exit();
}
