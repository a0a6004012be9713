//! `socket_buffer.h`: what is to be sent.

use core::ffi::{c_int, c_void};

/// A block of the malloc family; the callee frees it.
pub const SOCKET_BUFFER_MEMORY: c_int = 0;
/// A user object, which the callee frees by its interface.
pub const SOCKET_BUFFER_OBJECT: c_int = 1;
/// Memory that stays the caller's, and is copied if it is needed longer.
pub const SOCKET_BUFFER_RAWPOINTER: c_int = 2;

/// Bytes to be sent on the socket `id`. `type` is one of the constants above;
/// for a user object `sz` does not matter.
///
/// cbindgen:field-names=[id, type, buffer, sz]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct socket_sendbuffer {
    pub id: c_int,
    pub type_: c_int,
    pub buffer: *const c_void,
    pub sz: usize,
}
