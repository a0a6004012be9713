//! `skynet_socket.h`.

use super::{guard, service};
use crate::error::{Error, Result};
use crate::runtime::node as log;
use crate::runtime::service::Service;
use crate::socket::node::{self, Progress};
use skynet_abi::skynet_context;
use std::ffi::c_int;

/// Logs what went wrong, in the name of the service that asked.
fn report<T>(handle: u32, result: Result<T>) -> Option<T> {
    let complain = |error: &Error| log::log(handle, format!("error: socket: {error}").as_bytes());
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
