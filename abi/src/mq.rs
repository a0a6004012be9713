//! `skynet_mq.h`: mailboxes and the queue of runnable ones.

use core::ffi::{c_int, c_void};
use core::marker::{PhantomData, PhantomPinned};

/// One message on its way. The type is in the high byte of `sz`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct skynet_message {
    pub source: u32,
    pub session: c_int,
    pub data: *mut c_void,
    pub sz: usize,
}

/// What of `skynet_message::sz` is the size.
pub const MESSAGE_TYPE_MASK: usize = usize::MAX >> 8;
/// Where in `skynet_message::sz` the type begins.
pub const MESSAGE_TYPE_SHIFT: u32 = (size_of::<usize>() as u32 - 1) * 8;

/// A mailbox: opaque.
#[repr(C)]
pub struct message_queue {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// Called for every message that is left when a mailbox is released.
pub type message_drop =
    Option<unsafe extern "C-unwind" fn(message: *mut skynet_message, ud: *mut c_void)>;

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_globalmq_push(queue: *mut message_queue);
    pub fn skynet_globalmq_pop() -> *mut message_queue;
    pub fn skynet_mq_create(handle: u32) -> *mut message_queue;
    pub fn skynet_mq_mark_release(queue: *mut message_queue);
    pub fn skynet_mq_release(queue: *mut message_queue, drop_func: message_drop, ud: *mut c_void);
    pub fn skynet_mq_handle(queue: *mut message_queue) -> u32;
    pub fn skynet_mq_pop(queue: *mut message_queue, message: *mut skynet_message) -> c_int;
    pub fn skynet_mq_push(queue: *mut message_queue, message: *mut skynet_message);
    pub fn skynet_mq_length(queue: *mut message_queue) -> c_int;
    pub fn skynet_mq_overload(queue: *mut message_queue) -> c_int;
    pub fn skynet_mq_init();
}
