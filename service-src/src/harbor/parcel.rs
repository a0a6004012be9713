//! A message on its way, without its destination.

use crate::block::Block;
use core::ffi::c_int;
use skynet_abi::{
    PTYPE_ERROR, PTYPE_HARBOR, PTYPE_MULTICAST, PTYPE_RESPONSE, PTYPE_SOCKET, PTYPE_SYSTEM,
};

/// Skynet's Lua layer sends a trace's tag in messages of this type.
const PTYPE_TRACE: c_int = 12;

pub struct Parcel {
    pub source: u32,
    pub kind: c_int,
    pub session: c_int,
    pub payload: Block,
}

impl Parcel {
    /// Whether the sender is told that this cannot be delivered. The sessions of
    /// answers are the other side's, and those of multicast are channels: the
    /// sender would take them for requests of its own.
    pub fn wants_error(&self) -> bool {
        !matches!(self.kind, PTYPE_RESPONSE | PTYPE_ERROR | PTYPE_MULTICAST)
    }

    /// Whether an answer is to come.
    pub fn is_request(&self) -> bool {
        self.session != 0 && self.kind != PTYPE_TRACE && self.wants_error()
    }
}

/// Whether a message of this type ends a request of its receiver's.
pub fn is_answer(kind: c_int) -> bool {
    matches!(kind, PTYPE_RESPONSE | PTYPE_ERROR)
}

/// Whether messages of this type stay within a node: they carry pointers.
pub fn is_internal(kind: c_int) -> bool {
    matches!(kind, PTYPE_SYSTEM | PTYPE_HARBOR | PTYPE_SOCKET)
}
