//! `socket_server.h`: socket servers apart from the node's own.

use crate::socket_buffer::socket_sendbuffer;
use crate::socket_info::socket_info;
use core::ffi::{c_char, c_int, c_void};
use core::marker::{PhantomData, PhantomPinned};

/// Names a socket's owner; the server only passes it on.
///
/// cbindgen:ignore
pub type socket_opaque = usize;

pub const SOCKET_DATA: c_int = 0;
pub const SOCKET_CLOSE: c_int = 1;
pub const SOCKET_OPEN: c_int = 2;
pub const SOCKET_ACCEPT: c_int = 3;
pub const SOCKET_ERR: c_int = 4;
pub const SOCKET_EXIT: c_int = 5;
pub const SOCKET_UDP: c_int = 6;
pub const SOCKET_WARNING: c_int = 7;

/// A server with its sockets: opaque.
///
/// cbindgen:ignore
#[repr(C)]
pub struct socket_server {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// The packed address of a datagram's sender: 7 or 19 bytes.
///
/// cbindgen:ignore
#[repr(C)]
pub struct socket_udp_address {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// An event of the socket `id`, whose owner is `opaque`. `ud` is the size of the
/// data, the id of an accepted connection, the port of a new listening socket, or
/// the KiB of a warning. `data` of SOCKET_DATA and SOCKET_UDP is the receiver's,
/// to be freed with `skynet_free`; other texts are good until the next poll.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct socket_message {
    pub id: c_int,
    pub opaque: socket_opaque,
    pub ud: c_int,
    pub data: *mut c_char,
}

/// How user objects are read and freed. The functions may be called from any
/// thread that sends or polls.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct socket_object_interface {
    pub buffer: Option<unsafe extern "C-unwind" fn(*const c_void) -> *const c_void>,
    pub size: Option<unsafe extern "C-unwind" fn(*const c_void) -> usize>,
    pub free: Option<unsafe extern "C-unwind" fn(*mut c_void)>,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn socket_server_create(time: u64) -> *mut socket_server;
    pub fn socket_server_release(ss: *mut socket_server);
    pub fn socket_server_updatetime(ss: *mut socket_server, time: u64);
    pub fn socket_server_poll(
        ss: *mut socket_server,
        result: *mut socket_message,
        more: *mut c_int,
    ) -> c_int;
    pub fn socket_server_exit(ss: *mut socket_server);
    pub fn socket_server_close(ss: *mut socket_server, opaque: socket_opaque, id: c_int);
    pub fn socket_server_shutdown(ss: *mut socket_server, opaque: socket_opaque, id: c_int);
    pub fn socket_server_start(ss: *mut socket_server, opaque: socket_opaque, id: c_int);
    pub fn socket_server_pause(ss: *mut socket_server, opaque: socket_opaque, id: c_int);
    pub fn socket_server_send(ss: *mut socket_server, buffer: *mut socket_sendbuffer) -> c_int;
    pub fn socket_server_send_lowpriority(
        ss: *mut socket_server,
        buffer: *mut socket_sendbuffer,
    ) -> c_int;
    pub fn socket_server_listen(
        ss: *mut socket_server,
        opaque: socket_opaque,
        addr: *const c_char,
        port: c_int,
        backlog: c_int,
    ) -> c_int;
    pub fn socket_server_connect(
        ss: *mut socket_server,
        opaque: socket_opaque,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn socket_server_bind(ss: *mut socket_server, opaque: socket_opaque, fd: c_int) -> c_int;
    pub fn socket_server_nodelay(ss: *mut socket_server, id: c_int);
    pub fn socket_server_udp(
        ss: *mut socket_server,
        opaque: socket_opaque,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn socket_server_udp_connect(
        ss: *mut socket_server,
        id: c_int,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn socket_server_udp_dial(
        ss: *mut socket_server,
        opaque: socket_opaque,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn socket_server_udp_listen(
        ss: *mut socket_server,
        opaque: socket_opaque,
        addr: *const c_char,
        port: c_int,
    ) -> c_int;
    pub fn socket_server_udp_send(
        ss: *mut socket_server,
        address: *const socket_udp_address,
        buffer: *mut socket_sendbuffer,
    ) -> c_int;
    pub fn socket_server_udp_address(
        ss: *mut socket_server,
        message: *mut socket_message,
        addrsz: *mut c_int,
    ) -> *const socket_udp_address;
    pub fn socket_server_userobject(ss: *mut socket_server, soi: *mut socket_object_interface);
    pub fn socket_server_info(ss: *mut socket_server) -> *mut socket_info;
}
