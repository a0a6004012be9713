//! `skynet_server.h`: services seen from inside the node.

use crate::monitor::skynet_monitor;
use crate::mq::{message_queue, skynet_message};
use crate::skynet::skynet_context;
use core::ffi::{c_char, c_int, c_void};

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_context_new(name: *const c_char, parm: *const c_char) -> u32;
    pub fn skynet_context_grab(context: *mut skynet_context);
    pub fn skynet_context_reserve(context: *mut skynet_context);
    pub fn skynet_context_release(context: *mut skynet_context);
    pub fn skynet_context_handle(context: *mut skynet_context) -> u32;
    pub fn skynet_context_push(handle: u32, message: *mut skynet_message) -> c_int;
    pub fn skynet_context_send(
        context: *mut skynet_context,
        msg: *mut c_void,
        sz: usize,
        source: u32,
        type_: c_int,
        session: c_int,
    );
    pub fn skynet_context_newsession(context: *mut skynet_context) -> c_int;
    pub fn skynet_context_message_dispatch(
        monitor: *mut skynet_monitor,
        queue: *mut message_queue,
        weight: c_int,
    ) -> *mut message_queue;
    pub fn skynet_context_total() -> c_int;
    pub fn skynet_context_dispatchall(context: *mut skynet_context);
    pub fn skynet_context_endless(handle: u32);
    pub fn skynet_globalinit();
    pub fn skynet_globalexit();
    pub fn skynet_initthread(m: c_int);
    pub fn skynet_profile_enable(enable: c_int);
}
