//! `skynet.h`: what a service uses to talk to the node.

pub use crate::context::skynet_context;
use core::ffi::{c_char, c_int, c_void};

pub const PTYPE_TEXT: c_int = 0;
pub const PTYPE_RESPONSE: c_int = 1;
pub const PTYPE_MULTICAST: c_int = 2;
pub const PTYPE_CLIENT: c_int = 3;
pub const PTYPE_SYSTEM: c_int = 4;
pub const PTYPE_HARBOR: c_int = 5;
pub const PTYPE_SOCKET: c_int = 6;
pub const PTYPE_ERROR: c_int = 7;
pub const PTYPE_RESERVED_QUEUE: c_int = 8;
pub const PTYPE_RESERVED_DEBUG: c_int = 9;
pub const PTYPE_RESERVED_LUA: c_int = 10;
pub const PTYPE_RESERVED_SNAX: c_int = 11;

/// The message already belongs to the runtime; it is not copied.
pub const PTYPE_TAG_DONTCOPY: c_int = 0x10000;
/// The runtime allots the sender's next session.
pub const PTYPE_TAG_ALLOCSESSION: c_int = 0x20000;

/// Handles one message. Returns 0 when the runtime is to free `msg`, anything
/// else when the callback keeps it.
pub type skynet_cb = Option<
    unsafe extern "C-unwind" fn(
        context: *mut skynet_context,
        ud: *mut c_void,
        type_: c_int,
        session: c_int,
        source: u32,
        msg: *const c_void,
        sz: usize,
    ) -> c_int,
>;

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_error(context: *mut skynet_context, msg: *const c_char, ...);
    pub fn skynet_command(
        context: *mut skynet_context,
        cmd: *const c_char,
        parm: *const c_char,
    ) -> *const c_char;
    pub fn skynet_queryname(context: *mut skynet_context, name: *const c_char) -> u32;
    pub fn skynet_send(
        context: *mut skynet_context,
        source: u32,
        destination: u32,
        type_: c_int,
        session: c_int,
        msg: *mut c_void,
        sz: usize,
    ) -> c_int;
    pub fn skynet_sendname(
        context: *mut skynet_context,
        source: u32,
        destination: *const c_char,
        type_: c_int,
        session: c_int,
        msg: *mut c_void,
        sz: usize,
    ) -> c_int;
    pub fn skynet_isremote(context: *mut skynet_context, handle: u32, harbor: *mut c_int) -> c_int;
    pub fn skynet_callback(context: *mut skynet_context, ud: *mut c_void, cb: skynet_cb);
    pub fn skynet_current_handle() -> u32;
    pub fn skynet_now() -> u64;
    pub fn skynet_debug_memory(info: *const c_char);
}
