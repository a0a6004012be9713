//! `socket_info.h`.

use crate::socket::{Info, Kind};
use skynet_abi::socket_info::{
    SOCKET_INFO_BIND, SOCKET_INFO_CLOSING, SOCKET_INFO_LISTEN, SOCKET_INFO_TCP, SOCKET_INFO_UDP,
    socket_info,
};
use std::ffi::c_char;
use std::ptr::null_mut;

/// A list in C's form, the last of `all` first. Ends early when memory is out.
pub fn list(all: &[Info]) -> *mut socket_info {
    let mut first = null_mut();
    for info in all {
        let entry = socket_info_create(first);
        // SAFETY: it is null or a new entry of zeros, which is nobody else's.
        let Some(entry) = (unsafe { entry.as_mut() }) else {
            break;
        };
        fill(entry, info);
        first = entry;
    }
    first
}

fn fill(entry: &mut socket_info, info: &Info) {
    let statistics = &info.statistics;
    entry.id = info.id;
    entry.type_ = match info.kind {
        Kind::Listener => SOCKET_INFO_LISTEN,
        Kind::Stream => SOCKET_INFO_TCP,
        Kind::Datagram => SOCKET_INFO_UDP,
        Kind::Foreign => SOCKET_INFO_BIND,
        Kind::Closing => SOCKET_INFO_CLOSING,
    };
    entry.opaque = statistics.owner as u64;
    entry.read = statistics.read;
    entry.write = statistics.written;
    entry.rtime = statistics.read_time;
    entry.wtime = statistics.write_time;
    entry.wbuffer = statistics.waiting as i64;
    entry.reading = statistics.reading.into();
    entry.writing = (statistics.waiting > 0).into();
    // A zero stays at the end.
    let room = entry.name.len() - 1;
    for (to, from) in entry.name[..room].iter_mut().zip(info.name.bytes()) {
        *to = from as c_char;
    }
}

/// A new entry of zeros whose `next` is `last`; null when memory is out.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn socket_info_create(last: *mut socket_info) -> *mut socket_info {
    // SAFETY: calloc takes any count and size.
    let entry: *mut socket_info = unsafe { libc::calloc(1, size_of::<socket_info>()) }.cast();
    // SAFETY: it is null, or a block as large as the struct, for which zeros are
    // a value.
    if let Some(entry) = unsafe { entry.as_mut() } {
        entry.next = last;
    }
    entry
}

/// Frees a list.
///
/// # Safety
/// `si` must be null or the first of a list of entries that `socket_info_create`
/// has made.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn socket_info_release(si: *mut socket_info) {
    let mut next = si;
    // SAFETY: as the caller says.
    while let Some(entry) = unsafe { next.as_mut() } {
        next = entry.next;
        // SAFETY: the entry is a block of the malloc family, and not used again.
        unsafe { libc::free((&raw mut *entry).cast()) };
    }
}
