//! `skynet_socket.h`, as far as it is there: events of sockets, and the calls
//! that take a foreign descriptor into the node.

use crate::skynet::skynet_context;
use core::ffi::{c_char, c_int};

pub const SKYNET_SOCKET_TYPE_DATA: c_int = 1;
pub const SKYNET_SOCKET_TYPE_CONNECT: c_int = 2;
pub const SKYNET_SOCKET_TYPE_CLOSE: c_int = 3;
pub const SKYNET_SOCKET_TYPE_ACCEPT: c_int = 4;
pub const SKYNET_SOCKET_TYPE_ERROR: c_int = 5;
pub const SKYNET_SOCKET_TYPE_UDP: c_int = 6;
pub const SKYNET_SOCKET_TYPE_WARNING: c_int = 7;

/// What a service receives as a PTYPE_SOCKET message. `buffer` belongs to the
/// receiver; where it is null, a string follows the struct.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct skynet_socket_message {
    pub type_: c_int,
    pub id: c_int,
    pub ud: c_int,
    pub buffer: *mut c_char,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_socket_init();
    pub fn skynet_socket_exit();
    pub fn skynet_socket_free();
    pub fn skynet_socket_poll() -> c_int;
    pub fn skynet_socket_updatetime();
    pub fn skynet_socket_bind(context: *mut skynet_context, fd: c_int) -> c_int;
    pub fn skynet_socket_close(context: *mut skynet_context, id: c_int);
    pub fn skynet_socket_shutdown(context: *mut skynet_context, id: c_int);
    pub fn skynet_socket_start(context: *mut skynet_context, id: c_int);
    pub fn skynet_socket_pause(context: *mut skynet_context, id: c_int);
}
