//! `socket_buffer.h`: no functions, but the way from its struct to a buffer.

use crate::runtime::node;
use crate::socket::{Buffer, Id, ObjectInterface, packed_size, unpack};
use skynet_abi::socket_buffer::{
    SOCKET_BUFFER_MEMORY, SOCKET_BUFFER_OBJECT, SOCKET_BUFFER_RAWPOINTER, socket_sendbuffer,
};
use std::ffi::{c_char, c_int};
use std::net::SocketAddr;
use std::ptr::null;

/// Takes over what is to be sent, and the id it is to be sent on. `None` for a
/// buffer of no known type, or an object that nobody can read: nothing can be
/// freed then, so this is logged.
///
/// # Safety
/// `raw` is null or readable, and holds what its type says: a block of the malloc
/// family with `sz` bytes, or null; an object for `objects`; memory of `sz` bytes
/// that is there until the result is kept or dropped.
pub unsafe fn take(
    raw: *const socket_sendbuffer,
    objects: Option<ObjectInterface>,
) -> Option<(Id, Buffer)> {
    // SAFETY: as the caller says.
    let raw = unsafe { raw.as_ref() }?;
    let sz = if raw.buffer.is_null() { 0 } else { raw.sz };
    let object = raw.buffer.cast_mut();
    let buffer = match (raw.type_, objects) {
        // SAFETY: as the caller says.
        (SOCKET_BUFFER_MEMORY, _) => unsafe { Buffer::from_block(object, sz) },
        // SAFETY: as the caller says.
        (SOCKET_BUFFER_OBJECT, Some(objects)) => unsafe { Buffer::from_object(object, &objects) },
        // SAFETY: as the caller says.
        (SOCKET_BUFFER_RAWPOINTER, _) => unsafe { Buffer::borrowed(raw.buffer, sz) },
        (type_, _) => {
            let text = format!(
                "error: socket {}: a buffer of type {type_} cannot be sent here",
                raw.id
            );
            node::log(crate::memory::current_handle(), text.as_bytes());
            return None;
        }
    };
    Some((raw.id, buffer))
}

/// These bytes are no packed address.
#[derive(Clone, Copy, Debug)]
pub struct BadAddress;

/// Reads a packed address; null is none.
///
/// # Safety
/// `address` is null or a packed address.
pub unsafe fn unpack_address(address: *const u8) -> Result<Option<SocketAddr>, BadAddress> {
    if address.is_null() {
        return Ok(None);
    }
    // SAFETY: an address has a first byte at least, which says how many more.
    let size = packed_size(unsafe { *address }).ok_or(BadAddress)?;
    // SAFETY: as above.
    let bytes = unsafe { std::slice::from_raw_parts(address, size) };
    unpack(bytes).map(Some).ok_or(BadAddress)
}

/// Where the packed address begins that follows `ud` bytes of data; its size goes
/// to `addrsz`. Null if none does.
///
/// # Safety
/// `data` is null or has `ud` bytes and one more at least; `addrsz` is null or
/// writable.
pub unsafe fn address_behind(data: *const c_char, ud: c_int, addrsz: *mut c_int) -> *const c_char {
    let Ok(offset) = usize::try_from(ud) else {
        return null();
    };
    if data.is_null() {
        return null();
    }
    // SAFETY: as the caller says.
    let (address, first) = unsafe { (data.add(offset), *data.add(offset)) };
    let Some(size) = packed_size(first as u8) else {
        return null();
    };
    // SAFETY: as the caller says.
    if let Some(addrsz) = unsafe { addrsz.as_mut() } {
        *addrsz = size as c_int;
    }
    address
}
