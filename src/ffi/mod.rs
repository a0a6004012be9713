//! The exported functions, one file for each header: convert, call one safe
//! function, convert back.
//!
//! Who owns what: a `struct skynet_context` is a service; a pointer to one is
//! borrowed unless it comes from `skynet_handle_grab`, which counts a reference
//! that `skynet_context_release` gives back. A `struct message_queue` is a
//! mailbox together with the one right to run it, where the text says so.

mod daemon;
mod env;
mod error;
mod handle;
mod harbor;
mod imp;
mod log;
mod lua;
mod malloc;
mod malloc_hook;
mod mem_info;
mod module;
mod monitor;
mod mq;
mod server;
mod skynet;
mod socket;
mod socket_buffer;
mod socket_info;
mod socket_server;
mod timer;

use crate::runtime::node;
use crate::runtime::service::Service;
use skynet_abi::skynet_context;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`; a panic in it is logged and becomes `otherwise`, since C could not
/// unwind it.
#[inline]
fn guard<R>(otherwise: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| {
        let handle = crate::memory::current_handle();
        let text = format!("error: a panic in the core, called by :{handle:08x}");
        node::log(handle, text.as_bytes());
        otherwise
    })
}

/// # Safety
/// `text` must be null or a C string that outlives the result.
unsafe fn optional<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller vouches for a text that is not null.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// # Safety
/// `context` must be null or a service that outlives the result.
unsafe fn service<'a>(context: *mut skynet_context) -> Option<&'a Service> {
    // SAFETY: as the caller says.
    unsafe { Service::from_context(context) }
}
