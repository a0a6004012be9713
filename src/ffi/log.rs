//! `skynet_log.h`. A stream that `skynet_log_open` returns belongs to the
//! caller, until `skynet_log_close`.

use super::{guard, service};
use crate::runtime::logging::LogFile;
use crate::runtime::service::Service;
use skynet_abi::log::FILE;
use skynet_abi::skynet_context;
use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::{ptr, slice};

/// Opens `HANDLE.log` in the directory that the config's `logpath` names, and
/// logs that it did in the name of `context`. Null if it cannot, or there is no
/// `logpath`.
///
/// # Safety
/// `context` must be null or a service.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_log_open(
    context: *mut skynet_context,
    handle: u32,
) -> *mut FILE {
    // SAFETY: as the caller says.
    let by = unsafe { service(context) }.map_or(0, Service::handle);
    guard(ptr::null_mut(), || {
        let file = LogFile::begin(by, handle);
        file.map_or(ptr::null_mut(), |file| file.into_raw().cast())
    })
}

/// Closes a stream that `skynet_log_open` returned.
///
/// # Safety
/// `context` must be null or a service, `f` null or such a stream, which is
/// gone after the call.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_log_close(
    context: *mut skynet_context,
    f: *mut FILE,
    handle: u32,
) {
    // SAFETY: as the caller says.
    let (by, file) = unsafe { (service(context), LogFile::from_raw(f.cast())) };
    guard((), || {
        if let Some(file) = file {
            file.end(by.map_or(0, Service::handle), handle);
        }
    });
}

/// Writes a message to a stream and flushes it.
///
/// # Safety
/// `f` must be null or an open stream, `buffer` valid for `sz` bytes or null. A
/// message of type PTYPE_SOCKET must be one: its buffer, if it has one, is read.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_log_output(
    f: *mut FILE,
    source: u32,
    type_: c_int,
    session: c_int,
    buffer: *mut c_void,
    sz: usize,
) {
    // SAFETY: as the caller says; the stream stays the caller's, as it is not dropped.
    let file = ManuallyDrop::new(unsafe { LogFile::from_raw(f.cast()) });
    let data = match buffer.is_null() {
        true => &[][..],
        // SAFETY: as the caller says.
        false => unsafe { slice::from_raw_parts(buffer.cast::<u8>(), sz) },
    };
    guard((), || {
        if let Some(file) = &*file {
            // SAFETY: as the caller says.
            unsafe { file.output(source, type_, session, data) };
        }
    });
}
