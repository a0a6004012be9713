//! `skynet_socket.h`.

use super::socket_buffer::{self, unpack_address};
use super::socket_info::list;
use super::{guard, optional, service};
use crate::error::{Error, Result};
use crate::runtime::node as log;
use crate::runtime::service::Service;
use crate::socket::Priority;
use crate::socket::node::{self, Progress};
use skynet_abi::skynet_context;
use skynet_abi::socket::{SKYNET_SOCKET_TYPE_UDP, skynet_socket_message};
use skynet_abi::socket_buffer::socket_sendbuffer;
use skynet_abi::socket_info::socket_info;
use std::ffi::{CStr, c_char, c_int};
use std::ptr::{null, null_mut};
use std::time::Duration;

/// Logs what went wrong, in the name of the service that asked; what the reference
/// logs, in its words.
fn report<T>(handle: u32, result: Result<T>) -> Option<T> {
    let complain = |error: &Error| match error {
        Error::InvalidHost(_) => log::log(0, format!("socket-server error: {error}").as_bytes()),
        _ => log::log(handle, format!("error: socket: {error}").as_bytes()),
    };
    result.inspect_err(complain).ok()
}

/// Runs `ask` for the service that `context` is.
///
/// # Safety
/// `context` must be a service or null.
unsafe fn request<T>(
    context: *mut skynet_context,
    ask: impl FnOnce(u32) -> Result<T>,
) -> Option<T> {
    // SAFETY: as the caller says.
    let handle = unsafe { service(context) }.map_or(0, Service::handle);
    guard(None, || report(handle, ask(handle)))
}

/// As [`request`], about an address, which must not be null.
///
/// # Safety
/// `context` must be a service or null, `host` null or a C string.
unsafe fn request_at<T>(
    context: *mut skynet_context,
    function: &'static str,
    host: *const c_char,
    ask: impl FnOnce(u32, &CStr) -> Result<T>,
) -> Option<T> {
    // SAFETY: as the caller says.
    let host = unsafe { optional(host) };
    let missing = || Error::bad_argument(function, "no address");
    // SAFETY: as the caller says.
    unsafe { request(context, |handle| ask(handle, host.ok_or_else(missing)?)) }
}

/// # Safety
/// `buffer` must be null or as `skynet_socket_sendbuffer` wants it.
unsafe fn send(buffer: *const socket_sendbuffer, priority: Priority) -> c_int {
    guard(-1, || {
        // The node has no user objects.
        // SAFETY: as the caller says.
        match unsafe { socket_buffer::take(buffer, None) } {
            Some((id, buffer)) => node::send(id, buffer, priority).map_or(-1, |()| 0),
            None => -1,
        }
    })
}

/// Makes the node's socket server.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_socket_init() {
    guard((), || {
        if let Err(error) = node::init() {
            // There is no logger yet.
            eprintln!("skynet_socket_init: {error}");
        }
    });
}

/// Has `skynet_socket_poll` return 0, once all requests made before are done.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_socket_exit() {
    guard(None, || report(0, node::exit()));
}

/// Closes every socket, without messages, and lets the server go.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_socket_free() {
    guard((), node::free);
}

/// Waits for an event and sends it to the service whose socket it is about.
/// One thread at a time. Returns 0 when the thread is to end, 1 after an event
/// for which it went to the operating system's poller, and -1 when it is to call
/// again: there may be more events already, or a signal came.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_socket_poll() -> c_int {
    match guard(None, || report(0, node::poll())) {
        Some(Progress::Delivered) => 1,
        Some(Progress::More) => -1,
        // Without a server, or with one that fails, calling again leads nowhere.
        Some(Progress::Exit) | None => 0,
    }
}

/// Nothing needs to be told the time: the server looks at the node's clock
/// when it wants to know. Callers from C keep their call.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_socket_updatetime() {}

/// Takes a descriptor in that is open already, and reads from it. Returns the
/// socket's id, -1 if there is none to be had; a CONNECT message follows, or an
/// ERROR. The descriptor stays the caller's, who keeps it open until the CLOSE.
///
/// # Safety
/// `ctx` must be a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_bind(ctx: *mut skynet_context, fd: c_int) -> c_int {
    // SAFETY: as the caller says.
    unsafe { request(ctx, |handle| node::bind(handle, fd)) }.unwrap_or(-1)
}

/// Closes a socket after everything written to it is sent. A CLOSE message
/// follows, unless there was one.
///
/// # Safety
/// `ctx` must be a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_close(ctx: *mut skynet_context, id: c_int) {
    // SAFETY: as the caller says.
    unsafe { request(ctx, |_| node::close(id)) };
}

/// Closes a socket at once, whatever is still to be sent.
///
/// # Safety
/// `ctx` must be a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_shutdown(ctx: *mut skynet_context, id: c_int) {
    // SAFETY: as the caller says.
    unsafe { request(ctx, |_| node::shutdown(id)) };
}

/// Reads from a socket, again after a pause. An ERROR message follows if it
/// cannot be read any more.
///
/// # Safety
/// `ctx` must be a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_start(ctx: *mut skynet_context, id: c_int) {
    // SAFETY: as the caller says.
    unsafe { request(ctx, |handle| node::start(handle, id)) };
}

/// Stops reading from a socket until it is started again.
///
/// # Safety
/// `ctx` must be a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_pause(ctx: *mut skynet_context, id: c_int) {
    // SAFETY: as the caller says.
    unsafe { request(ctx, |_| node::pause(id)) };
}

/// Has the system send small segments at once (TCP_NODELAY).
///
/// # Safety
/// `ctx` must be a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_nodelay(ctx: *mut skynet_context, id: c_int) {
    // SAFETY: as the caller says.
    unsafe { request(ctx, |_| node::nodelay(id)) };
}

/// Ends a connection, or an attempt to connect, when nothing comes from its peer for some
/// seconds, not even an acknowledgement; an ERROR message and a CLOSE message follow. An idle
/// peer is asked every second. It is for connections whose peers may vanish without a word,
/// and asks nothing of them but TCP. A number below 2 is taken for 2.
///
/// # Safety
/// `ctx` must be a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_keepalive(
    ctx: *mut skynet_context,
    id: c_int,
    seconds: c_int,
) {
    let seconds = u64::try_from(seconds).unwrap_or(0).max(2);
    let duration = Duration::from_secs(seconds);
    // SAFETY: as the caller says.
    unsafe { request(ctx, |_| node::keepalive(id, duration)) };
}

/// Sends: at once if nothing waits, else behind what waits. From any thread.
/// Returns 0, or -1 if the socket is gone or closed. The buffer is the callee's
/// in either case, unless it is of type SOCKET_BUFFER_RAWPOINTER. On a socket for
/// datagrams it goes to the default address, as one.
///
/// # Safety
/// `buffer` must be readable, and hold what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_sendbuffer(
    ctx: *mut skynet_context,
    buffer: *mut socket_sendbuffer,
) -> c_int {
    let _ = ctx;
    // SAFETY: as the caller says.
    unsafe { send(buffer, Priority::High) }
}

/// As `skynet_socket_sendbuffer`, but what waits of high priority goes first. A
/// buffer that was sent in part is finished first. Returns -1 only if the socket
/// is gone.
///
/// # Safety
/// As `skynet_socket_sendbuffer`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_sendbuffer_lowpriority(
    ctx: *mut skynet_context,
    buffer: *mut socket_sendbuffer,
) -> c_int {
    let _ = ctx;
    // SAFETY: as the caller says.
    unsafe { send(buffer, Priority::Low) }
}

/// Listens at an address (null or empty: 0.0.0.0) and port (0: any). Returns the
/// socket's id; a CONNECT message follows, with the address as text and the port
/// as `ud`. ACCEPT messages come after `skynet_socket_start`. Returns -1 if it is
/// an address in numbers that cannot be listened at; a name is looked up later,
/// and an ERROR message comes if it is none or cannot be listened at.
///
/// # Safety
/// `ctx` must be a service, `host` null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_listen(
    ctx: *mut skynet_context,
    host: *const c_char,
    port: c_int,
    backlog: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(host) };
    // SAFETY: as the caller says.
    unsafe { request(ctx, |handle| node::listen(handle, host, port, backlog)) }.unwrap_or(-1)
}

/// Connects to the first address of `host` that answers. Returns the socket's id,
/// or -1 for a host that cannot be one. A CONNECT message with the peer's address
/// follows, or an ERROR with the last cause. What is sent before waits.
///
/// # Safety
/// `ctx` must be a service, `host` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_connect(
    ctx: *mut skynet_context,
    host: *const c_char,
    port: c_int,
) -> c_int {
    let connect = |handle, host: &CStr| node::connect(handle, host, port);
    // SAFETY: as the caller says.
    unsafe { request_at(ctx, "connect", host, connect) }.unwrap_or(-1)
}

/// A socket for datagrams, at an address and port; null and 0: at any port of
/// IPv4, to send from. It is read at once: UDP messages come, and no CONNECT.
/// Returns its id, or -1 if it cannot be had; of a name that cannot, an ERROR
/// message tells later.
///
/// # Safety
/// `ctx` must be a service, `addr` null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_udp(
    ctx: *mut skynet_context,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) };
    // SAFETY: as the caller says.
    unsafe { request(ctx, |handle| node::udp(handle, host, port)) }.unwrap_or(-1)
}

/// Sets where datagrams go that are sent without an address. Returns 0, or -1 if
/// there is no such socket or the address is malformed. An ERROR message comes if
/// it is not of the socket's family, or is a name that nobody knows; until a name
/// is looked up, what is sent waits.
///
/// # Safety
/// `ctx` must be a service, `addr` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_udp_connect(
    ctx: *mut skynet_context,
    id: c_int,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    let connect = |_, host: &CStr| node::udp_connect(id, host, port);
    // SAFETY: as the caller says.
    unsafe { request_at(ctx, "udp_connect", addr, connect) }.map_or(-1, |()| 0)
}

/// A socket for datagrams to one address. Returns its id or -1, as
/// `skynet_socket_udp`.
///
/// # Safety
/// `ctx` must be a service, `addr` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_udp_dial(
    ctx: *mut skynet_context,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    let dial = |handle, host: &CStr| node::udp_dial(handle, host, port);
    // SAFETY: as the caller says.
    unsafe { request_at(ctx, "udp_dial", addr, dial) }.unwrap_or(-1)
}

/// A socket for datagrams that come to an address (null or empty: 0.0.0.0) and a
/// port other than 0. Returns its id or -1, as `skynet_socket_udp`.
///
/// # Safety
/// `ctx` must be a service, `addr` null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_udp_listen(
    ctx: *mut skynet_context,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) };
    // SAFETY: as the caller says.
    unsafe { request(ctx, |handle| node::udp_listen(handle, host, port)) }.unwrap_or(-1)
}

/// Sends one datagram to a packed address (null: to the default one). Returns 0,
/// or -1 if the socket is gone or the address is not of its family. The buffer
/// goes as with `skynet_socket_sendbuffer`.
///
/// # Safety
/// `address` must be null or a packed address; `buffer` as there.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_udp_sendbuffer(
    ctx: *mut skynet_context,
    address: *const c_char,
    buffer: *mut socket_sendbuffer,
) -> c_int {
    let _ = ctx;
    guard(-1, || {
        // SAFETY: as the caller says.
        let Some((id, buffer)) = (unsafe { socket_buffer::take(buffer, None) }) else {
            return -1;
        };
        // SAFETY: as the caller says.
        match unsafe { unpack_address(address.cast()) } {
            Ok(to) => node::udp_send(id, to, buffer).map_or(-1, |()| 0),
            Err(_) => -1,
        }
    })
}

/// The packed address of a UDP message's sender, which lies behind its data and
/// is as long as `addrsz` says then; null for any other message.
///
/// # Safety
/// `msg` must be a message as a service receives it, `addrsz` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_socket_udp_address(
    msg: *mut skynet_socket_message,
    addrsz: *mut c_int,
) -> *const c_char {
    // SAFETY: as the caller says.
    let Some(message) = (unsafe { msg.as_ref() }) else {
        return null();
    };
    if message.type_ != SKYNET_SOCKET_TYPE_UDP {
        return null();
    }
    // SAFETY: in a UDP message the address follows the ud bytes of data.
    unsafe { socket_buffer::address_behind(message.buffer, message.ud, addrsz) }
}

/// What the node's sockets are doing: a list, the newest first, to be freed with
/// `socket_info_release`; null if there are none.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_socket_info() -> *mut socket_info {
    guard(null_mut(), || {
        report(0, node::info()).map_or(null_mut(), |all| list(&all))
    })
}
