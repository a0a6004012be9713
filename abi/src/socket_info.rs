//! `socket_info.h`: what sockets are doing.

use core::ffi::{c_char, c_int};

pub const SOCKET_INFO_UNKNOWN: c_int = 0;
pub const SOCKET_INFO_LISTEN: c_int = 1;
pub const SOCKET_INFO_TCP: c_int = 2;
pub const SOCKET_INFO_UDP: c_int = 3;
pub const SOCKET_INFO_BIND: c_int = 4;
pub const SOCKET_INFO_CLOSING: c_int = 5;

/// One socket of a list. `type` is one of the constants above, `opaque` its
/// owner. `read` and `write` count bytes, for a listening socket connections;
/// `rtime` and `wtime` are when that was last, in centiseconds. `wbuffer` bytes
/// wait to be sent. `name` is an address and a port.
///
/// cbindgen:field-names=[id, type, opaque, read, write, rtime, wtime, wbuffer, reading, writing, name, next]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct socket_info {
    pub id: c_int,
    pub type_: c_int,
    pub opaque: u64,
    pub read: u64,
    pub write: u64,
    pub rtime: u64,
    pub wtime: u64,
    pub wbuffer: i64,
    pub reading: u8,
    pub writing: u8,
    pub name: [c_char; 128],
    pub next: *mut socket_info,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn socket_info_create(last: *mut socket_info) -> *mut socket_info;
    pub fn socket_info_release(list: *mut socket_info);
}
