//! `skynet_socket.h`: the sockets of a node's services.

use crate::skynet::skynet_context;
use crate::socket_buffer::socket_sendbuffer;
use crate::socket_info::socket_info;
use core::ffi::{c_char, c_int};

pub const SKYNET_SOCKET_TYPE_DATA: c_int = 1;
pub const SKYNET_SOCKET_TYPE_CONNECT: c_int = 2;
pub const SKYNET_SOCKET_TYPE_CLOSE: c_int = 3;
pub const SKYNET_SOCKET_TYPE_ACCEPT: c_int = 4;
pub const SKYNET_SOCKET_TYPE_ERROR: c_int = 5;
pub const SKYNET_SOCKET_TYPE_UDP: c_int = 6;
pub const SKYNET_SOCKET_TYPE_WARNING: c_int = 7;

/// What a service receives as a PTYPE_SOCKET message. `ud` is the size of the
/// data, the id of an accepted connection, the port of a new listening socket, or
/// the KiB of a warning. `buffer` belongs to the receiver, who frees it with
/// `skynet_free`; where it is null, a string follows the struct.
///
/// cbindgen:field-names=[type, id, ud, buffer]
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
    pub fn skynet_socket_nodelay(context: *mut skynet_context, id: c_int);
    pub fn skynet_socket_sendbuffer(
        context: *mut skynet_context,
        buffer: *mut socket_sendbuffer,
    ) -> c_int;
    pub fn skynet_socket_sendbuffer_lowpriority(
        context: *mut skynet_context,
        buffer: *mut socket_sendbuffer,
    ) -> c_int;
    pub fn skynet_socket_listen(
        context: *mut skynet_context,
        host: *const c_char,
        port: c_int,
        backlog: c_int,
    ) -> c_int;
    pub fn skynet_socket_connect(
        context: *mut skynet_context,
        host: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn skynet_socket_udp(
        context: *mut skynet_context,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn skynet_socket_udp_connect(
        context: *mut skynet_context,
        id: c_int,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn skynet_socket_udp_dial(
        context: *mut skynet_context,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn skynet_socket_udp_listen(
        context: *mut skynet_context,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn skynet_socket_udp_sendbuffer(
        context: *mut skynet_context,
        address: *const c_char,
        buffer: *mut socket_sendbuffer,
    ) -> c_int;
    pub fn skynet_socket_udp_address(
        message: *mut skynet_socket_message,
        addrsz: *mut c_int,
    ) -> *const c_char;
    pub fn skynet_socket_info() -> *mut socket_info;
}
