//! `socket_server.h`: socket servers of a program's own. The functions take a
//! server that was created and not released; but for the ones that say otherwise
//! they may be called from any thread.

use super::socket_buffer::{self, unpack_address};
use super::socket_info::list;
use super::{guard, optional};
use crate::error::{Error, Result};
use crate::runtime::node as log;
use crate::socket::{Clock, Event, ObjectInterface, Polled, Priority, Server, What};
use crate::sync::atomic::AtomicU64;
use crate::sync::{Mutex, lock};
use skynet_abi::socket_buffer::socket_sendbuffer;
use skynet_abi::socket_info::socket_info;
use skynet_abi::socket_server::{
    SOCKET_ACCEPT, SOCKET_CLOSE, SOCKET_DATA, SOCKET_ERR, SOCKET_EXIT, SOCKET_OPEN, SOCKET_UDP,
    SOCKET_WARNING, socket_message, socket_object_interface, socket_opaque, socket_server,
    socket_udp_address,
};
use std::ffi::{CString, c_char, c_int};
use std::ptr::null_mut;

/// What a `struct socket_server` is.
struct Owned {
    server: Server,
    /// The text of the latest event.
    text: Mutex<CString>,
}

/// # Safety
/// `ss` must be null or a server that was created and not released.
unsafe fn server<'a>(ss: *mut socket_server) -> Option<&'a Owned> {
    // SAFETY: create made it from an Owned, and gave only shared references out.
    unsafe { ss.cast::<Owned>().as_ref() }
}

/// Asks the server for something. A failure is the caller's to report, who gets
/// it as a result and is no service; but the one that the reference logs is logged.
///
/// # Safety
/// As for [`server`].
unsafe fn request<T>(ss: *mut socket_server, ask: impl FnOnce(&Server) -> Result<T>) -> Option<T> {
    guard(None, || {
        // SAFETY: as the caller says.
        let owned = unsafe { server(ss) }?;
        let report = |error: &Error| {
            if let Error::InvalidHost(_) = error {
                log::log(0, format!("socket-server error: {error}").as_bytes());
            }
        };
        ask(&owned.server).inspect_err(report).ok()
    })
}

/// Makes a server, whose time is `time` (see `socket_server_updatetime`); null if
/// the process is out of descriptors or memory, which is logged.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socket_server_create(time: u64) -> *mut socket_server {
    guard(null_mut(), || {
        match Server::with_clock(Clock::Told(AtomicU64::new(time))) {
            Ok(server) => Box::into_raw(Box::new(Owned {
                server,
                text: Mutex::default(),
            }))
            .cast(),
            Err(error) => {
                log::log(0, format!("socket-server error: {error}").as_bytes());
                null_mut()
            }
        }
    })
}

/// Closes every socket, without events, and frees the server.
///
/// # Safety
/// `ss` must be null or a server, which nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_release(ss: *mut socket_server) {
    guard((), || {
        if !ss.is_null() {
            // SAFETY: create made it from a box, and the caller gives it up.
            drop(unsafe { Box::from_raw(ss.cast::<Owned>()) });
        }
    });
}

/// Tells the server the time that `socket_info` shows. Centiseconds.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_updatetime(ss: *mut socket_server, time: u64) {
    // SAFETY: as the caller says.
    if let Some(owned) = unsafe { server(ss) } {
        owned.server.tell_time(time);
    }
}

/// Waits for an event and returns its type, SOCKET_EXIT when the thread is to
/// end. `more` may be null; it becomes 0 if the thread went to the operating
/// system's poller on the way. One thread at a time.
///
/// # Safety
/// `ss` must be a server, `result` writable, `more` null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_poll(
    ss: *mut socket_server,
    result: *mut socket_message,
    more: *mut c_int,
) -> c_int {
    guard(SOCKET_EXIT, || {
        let exit = socket_message {
            id: 0,
            opaque: 0,
            ud: 0,
            data: null_mut(),
        };
        // SAFETY: as the caller says.
        let Some(owned) = (unsafe { server(ss) }) else {
            return SOCKET_EXIT;
        };
        let (type_, message) = loop {
            match owned.server.poll() {
                Ok(Polled::Event { event, slept }) => {
                    // SAFETY: as the caller says.
                    if let (true, Some(more)) = (slept, unsafe { more.as_mut() }) {
                        *more = 0;
                    }
                    break convert(owned, event);
                }
                Ok(Polled::Interrupted) => {}
                Ok(Polled::Exit) => break (SOCKET_EXIT, exit),
                Err(error) => {
                    log::log(0, format!("socket-server error: {error}").as_bytes());
                    break (SOCKET_EXIT, exit);
                }
            }
        };
        if !result.is_null() {
            // SAFETY: as the caller says.
            unsafe { result.write(message) };
        }
        type_
    })
}

fn convert(owned: &Owned, event: Event) -> (c_int, socket_message) {
    let mut message = socket_message {
        id: event.id,
        opaque: event.owner,
        ud: 0,
        data: null_mut(),
    };
    let text = |text: &str| {
        // No text of the system has a zero in it.
        let text = CString::new(text).unwrap_or_default();
        let mut kept = lock(&owned.text);
        *kept = text;
        kept.as_ptr().cast_mut()
    };
    let type_ = match event.what {
        What::Open { text: words, port } => {
            message.ud = port.into();
            message.data = text(&words);
            SOCKET_OPEN
        }
        What::Accept { new, text: words } => {
            message.ud = new;
            message.data = text(&words);
            SOCKET_ACCEPT
        }
        What::Error(words) => {
            message.data = text(&words);
            SOCKET_ERR
        }
        What::Data(block) => {
            // What one read brings is far below c_int's end.
            message.ud = block.len() as c_int;
            message.data = block.into_raw().as_ptr().cast();
            SOCKET_DATA
        }
        What::Datagram { block, len } => {
            message.ud = len as c_int;
            message.data = block.into_raw().as_ptr().cast();
            SOCKET_UDP
        }
        What::Close => SOCKET_CLOSE,
        What::Warning(kib) => {
            message.ud = kib.try_into().unwrap_or(c_int::MAX);
            SOCKET_WARNING
        }
    };
    (type_, message)
}

/// Has `socket_server_poll` return SOCKET_EXIT, once all requests made before are
/// done.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_exit(ss: *mut socket_server) {
    // SAFETY: as the caller says.
    unsafe { request(ss, Server::exit) };
}

/// Closes a socket after everything written to it is sent. SOCKET_CLOSE follows,
/// unless it came before. `opaque` does not matter.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_close(
    ss: *mut socket_server,
    opaque: socket_opaque,
    id: c_int,
) {
    let _ = opaque;
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.close(id)) };
}

/// Closes a socket at once, whatever is still to be sent.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_shutdown(
    ss: *mut socket_server,
    opaque: socket_opaque,
    id: c_int,
) {
    let _ = opaque;
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.shutdown(id)) };
}

/// Reads from a socket, or accepts, for the first time or after a pause. A
/// listening or connected socket is `opaque`'s from now on, and SOCKET_OPEN comes
/// with the text `start` the first time, then `transfer`. SOCKET_ERR goes to
/// `opaque` if it cannot be read any more.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_start(
    ss: *mut socket_server,
    opaque: socket_opaque,
    id: c_int,
) {
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.start(opaque, id)) };
}

/// Stops reading from a socket until it is started again.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_pause(
    ss: *mut socket_server,
    opaque: socket_opaque,
    id: c_int,
) {
    let _ = opaque;
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.pause(id)) };
}

/// # Safety
/// `ss` must be a server, `buffer` as [`socket_buffer::take`] wants it.
unsafe fn send(
    ss: *mut socket_server,
    buffer: *mut socket_sendbuffer,
    priority: Priority,
) -> c_int {
    guard(-1, || {
        // SAFETY: as the caller says.
        let Some(owned) = (unsafe { server(ss) }) else {
            return -1;
        };
        // SAFETY: as the caller says; an object is for the interface that was set.
        match unsafe { socket_buffer::take(buffer, owned.server.objects()) } {
            Some((id, buffer)) => owned.server.send(id, buffer, priority).map_or(-1, |()| 0),
            None => -1,
        }
    })
}

/// Sends: at once if nothing waits, else behind what waits. Returns 0, or -1 if
/// the socket is gone or closed. The buffer is the callee's in either case, unless
/// it is of type SOCKET_BUFFER_RAWPOINTER. On a socket for datagrams it goes to
/// the default address, as one.
///
/// # Safety
/// `ss` must be a server; `buffer` must be readable, and hold what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_send(
    ss: *mut socket_server,
    buffer: *mut socket_sendbuffer,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe { send(ss, buffer, Priority::High) }
}

/// As `socket_server_send`, but what waits of high priority goes first. A buffer
/// that was sent in part is finished first. Returns -1 only if the socket is gone.
///
/// # Safety
/// As `socket_server_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_send_lowpriority(
    ss: *mut socket_server,
    buffer: *mut socket_sendbuffer,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe { send(ss, buffer, Priority::Low) }
}

/// Listens at an address (null or empty: 0.0.0.0) and port (0: any). Returns the
/// socket's id; SOCKET_OPEN follows, with the address as text and the port as
/// `ud`. SOCKET_ACCEPT comes after `socket_server_start`. Returns -1 if it is an
/// address in numbers that cannot be listened at; a name is looked up later, and
/// SOCKET_ERR comes if it is none or cannot be listened at.
///
/// # Safety
/// `ss` must be a server, `addr` null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_listen(
    ss: *mut socket_server,
    opaque: socket_opaque,
    addr: *const c_char,
    port: c_int,
    backlog: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) };
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.listen(opaque, host, port, backlog)) }.unwrap_or(-1)
}

/// Connects to the first address of `addr` that answers. Returns the socket's id,
/// or -1 for a host that cannot be one. SOCKET_OPEN with the peer's address
/// follows, or SOCKET_ERR with the last cause. What is sent before waits.
///
/// # Safety
/// `ss` must be a server, `addr` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_connect(
    ss: *mut socket_server,
    opaque: socket_opaque,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) }.unwrap_or(c"");
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.connect(opaque, host, port)) }.unwrap_or(-1)
}

/// Takes a descriptor in that is open already, and reads from it. Returns the
/// socket's id, -1 if there is none to be had; SOCKET_OPEN follows, or SOCKET_ERR.
/// The descriptor stays the caller's, who keeps it open until SOCKET_CLOSE.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_bind(
    ss: *mut socket_server,
    opaque: socket_opaque,
    fd: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.bind(opaque, fd)) }.unwrap_or(-1)
}

/// Has the system send small segments at once (TCP_NODELAY).
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_nodelay(ss: *mut socket_server, id: c_int) {
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.nodelay(id)) };
}

/// A socket for datagrams, at an address and port; null and 0: at any port of
/// IPv4, to send from. It is read at once: SOCKET_UDP comes, and no SOCKET_OPEN.
/// Returns its id, or -1 if it cannot be had; of a name that cannot, SOCKET_ERR
/// tells later.
///
/// # Safety
/// `ss` must be a server, `addr` null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_udp(
    ss: *mut socket_server,
    opaque: socket_opaque,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) };
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.udp(opaque, host, port)) }.unwrap_or(-1)
}

/// Sets where datagrams go that are sent without an address. Returns 0, or -1 if
/// there is no such socket or the address is malformed. SOCKET_ERR comes if it is
/// not of the socket's family, or is a name that nobody knows; until a name is
/// looked up, what is sent waits.
///
/// # Safety
/// `ss` must be a server, `addr` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_udp_connect(
    ss: *mut socket_server,
    id: c_int,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) }.unwrap_or(c"");
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.udp_connect(id, host, port)) }.map_or(-1, |()| 0)
}

/// A socket for datagrams to one address. Returns its id or -1, as
/// `socket_server_udp`.
///
/// # Safety
/// `ss` must be a server, `addr` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_udp_dial(
    ss: *mut socket_server,
    opaque: socket_opaque,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) }.unwrap_or(c"");
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.udp_dial(opaque, host, port)) }.unwrap_or(-1)
}

/// A socket for datagrams that come to an address (null or empty: 0.0.0.0) and a
/// port other than 0. Returns its id or -1, as `socket_server_udp`.
///
/// # Safety
/// `ss` must be a server, `addr` null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_udp_listen(
    ss: *mut socket_server,
    opaque: socket_opaque,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    // SAFETY: as the caller says.
    let host = unsafe { optional(addr) };
    // SAFETY: as the caller says.
    unsafe { request(ss, |server| server.udp_listen(opaque, host, port)) }.unwrap_or(-1)
}

/// Sends one datagram to a packed address (null: to the default one). Returns 0,
/// or -1 if the socket is gone or the address is not of its family. The buffer
/// goes as with `socket_server_send`.
///
/// # Safety
/// `ss` must be a server, `address` null or a packed address, `buffer` as there.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_udp_send(
    ss: *mut socket_server,
    address: *const socket_udp_address,
    buffer: *mut socket_sendbuffer,
) -> c_int {
    guard(-1, || {
        // SAFETY: as the caller says.
        let Some(owned) = (unsafe { server(ss) }) else {
            return -1;
        };
        let objects = owned.server.objects();
        // SAFETY: as the caller says; an object is for the interface that was set.
        let Some((id, buffer)) = (unsafe { socket_buffer::take(buffer, objects) }) else {
            return -1;
        };
        // SAFETY: as the caller says.
        match unsafe { unpack_address(address.cast()) } {
            Ok(to) => owned.server.udp_send(id, to, buffer).map_or(-1, |()| 0),
            Err(_) => -1,
        }
    })
}

/// The packed address of the sender of a SOCKET_UDP, which lies behind its data
/// and is as long as `addrsz` says then; null if there is none.
///
/// # Safety
/// `message` must be one of SOCKET_UDP, `addrsz` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_udp_address(
    ss: *mut socket_server,
    message: *mut socket_message,
    addrsz: *mut c_int,
) -> *const socket_udp_address {
    let _ = ss;
    // SAFETY: as the caller says.
    let Some(message) = (unsafe { message.as_ref() }) else {
        return std::ptr::null();
    };
    // SAFETY: the address follows the ud bytes of data.
    unsafe { socket_buffer::address_behind(message.data, message.ud, addrsz) }.cast()
}

/// Sets how buffers of type SOCKET_BUFFER_OBJECT are read and freed. Until then
/// they cannot be sent, nor be freed by the server.
///
/// # Safety
/// `ss` must be a server, `soi` readable, its functions good for every object
/// that is sent, from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_userobject(
    ss: *mut socket_server,
    soi: *mut socket_object_interface,
) {
    // SAFETY: as the caller says.
    let (Some(owned), Some(soi)) = (unsafe { (server(ss), soi.as_ref()) }) else {
        return;
    };
    let (Some(buffer), Some(size), Some(free)) = (soi.buffer, soi.size, soi.free) else {
        log::log(
            0,
            b"error: socket: an object interface without all its functions",
        );
        return;
    };
    guard((), || {
        owned
            .server
            .set_objects(ObjectInterface { buffer, size, free });
    });
}

/// What the sockets are doing: a list, the newest first, to be freed with
/// `socket_info_release`; null if there are none.
///
/// # Safety
/// `ss` must be a server.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_server_info(ss: *mut socket_server) -> *mut socket_info {
    guard(null_mut(), || {
        // SAFETY: as the caller says.
        let owned = unsafe { server(ss) };
        owned.map_or(null_mut(), |owned| list(&owned.server.info()))
    })
}
