//! `skynet.h`.

use super::server::is_globally_initialised;
use super::{guard, optional, service};
use crate::memory;
use crate::runtime::send::{self, Outgoing};
use crate::runtime::{command, harbor, timer};
use skynet_abi::handle::HANDLE_REMOTE_SHIFT;
use skynet_abi::imp::THREAD_MAIN;
use skynet_abi::{skynet_cb, skynet_context};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// Runs a text command for `context`. The result is null, or a string that the
/// context's next command overwrites; values of GETENV and names stay. Commands
/// that neither are about the context nor leave a result in it work without one.
///
/// # Safety
/// `context` must be null, or a service that this thread runs or is starting; `cmd`
/// a C string, `parm` null or one.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_command(
    context: *mut skynet_context,
    cmd: *const c_char,
    parm: *const c_char,
) -> *const c_char {
    // SAFETY: as the caller says.
    let (service, name, parm) = unsafe { (service(context), optional(cmd), optional(parm)) };
    name.map_or(ptr::null(), |name| {
        guard(ptr::null(), || command::command(service, name, parm))
    })
}

/// The handle that `:hex` or `.name` stands for; 0 if there is none.
///
/// # Safety
/// `context` must be a service, `name` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_queryname(
    context: *mut skynet_context,
    name: *const c_char,
) -> u32 {
    // SAFETY: as the caller says.
    let (service, name) = unsafe { (service(context), optional(name)) };
    match (service, name) {
        (Some(service), Some(name)) => guard(0, || send::query_name(service, name).unwrap_or(0)),
        _ => 0,
    }
}

/// Sends a message to a handle. Returns the session; -1 when there is no such
/// service, -2 when the message is larger than 2^56 - 1 bytes.
///
/// With PTYPE_TAG_DONTCOPY the runtime takes `msg`, whatever the result; without
/// it, it copies, and puts a zero behind the copy. With PTYPE_TAG_ALLOCSESSION
/// the session is the context's next one. From any thread.
///
/// # Safety
/// `context` must be a service, or null if `source` is given and no session is
/// to be allotted. `msg` must be null, or valid for `sz` bytes, or, with
/// PTYPE_TAG_DONTCOPY, a block of the malloc family.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_send(
    context: *mut skynet_context,
    source: u32,
    destination: u32,
    type_: c_int,
    session: c_int,
    msg: *mut c_void,
    sz: usize,
) -> c_int {
    let out = Outgoing {
        source,
        kind: type_,
        session,
        data: msg,
        size: sz,
    };
    // SAFETY: as the caller says.
    guard(-1, || unsafe {
        send::send(service(context), destination, out).unwrap_or_else(|e| e.to_session())
    })
}

/// As `skynet_send`, to `:hex`, `.name`, or a global name of at most 16 bytes.
///
/// # Safety
/// As `skynet_send`; `destination` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_sendname(
    context: *mut skynet_context,
    source: u32,
    destination: *const c_char,
    type_: c_int,
    session: c_int,
    msg: *mut c_void,
    sz: usize,
) -> c_int {
    let out = Outgoing {
        source,
        kind: type_,
        session,
        data: msg,
        size: sz,
    };
    // SAFETY: as the caller says; a null name is an empty one, which nobody has.
    guard(-1, || unsafe {
        let name = optional(destination).unwrap_or(c".");
        send::send_name(service(context), name, out).unwrap_or_else(|e| e.to_session())
    })
}

/// Whether `handle` is of another node; its harbor goes to `harbor` unless that
/// is null. From any thread.
///
/// # Safety
/// `harbor` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_isremote(
    _context: *mut skynet_context,
    handle: u32,
    harbor: *mut c_int,
) -> c_int {
    if !harbor.is_null() {
        // SAFETY: as the caller says.
        unsafe { *harbor = (handle >> HANDLE_REMOTE_SHIFT) as c_int };
    }
    c_int::from(harbor::is_remote(handle))
}

/// Sets what handles the context's messages; without a callback they are
/// dropped. `ud` is passed on as it is.
///
/// # Safety
/// `context` must be a service that this thread runs or is starting. `cb` must
/// be callable with `ud` by any thread, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_callback(
    context: *mut skynet_context,
    ud: *mut c_void,
    cb: skynet_cb,
) {
    // SAFETY: as the caller says.
    if let Some(service) = unsafe { service(context) } {
        service.set_callback(ud, cb);
    }
}

/// The service that this thread runs; `-THREAD_x` on a thread of the node that
/// runs none, and on every thread before `skynet_globalinit`; 0 on one that nobody
/// has initialised.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_current_handle() -> u32 {
    const MAIN: u32 = (-THREAD_MAIN) as u32;
    match memory::current_handle() {
        MAIN if is_globally_initialised() && !memory::is_initialised() => 0,
        handle => handle,
    }
}

/// Centiseconds since the node's start second began; 0 before the timer is
/// initialised. From any thread.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_now() -> u64 {
    timer::timer().map_or(0, timer::Timer::now)
}

/// Prints the memory charged to this thread's service to the standard error.
///
/// # Safety
/// `info` must be a C string or null.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_debug_memory(info: *const c_char) {
    // SAFETY: as the caller says.
    let info = unsafe { optional(info) }.unwrap_or_default();
    guard((), || {
        eprintln!("{}", memory::debug_line(&info.to_string_lossy()));
    });
}
