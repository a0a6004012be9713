//! `skynet_harbor.h`.

use super::{guard, service};
use crate::runtime::{harbor, node};
use skynet_abi::harbor::remote_message;
use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

/// Hands a message for another node to the harbor service. `rmsg` and the
/// message in it are handed over, whatever comes of it.
///
/// # Safety
/// Both must be blocks of the malloc family.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_harbor_send(
    rmsg: *mut remote_message,
    source: u32,
    session: c_int,
) {
    let Some(remote) = NonNull::new(rmsg) else {
        return;
    };
    guard((), || {
        // SAFETY: the caller's block; it is ours until it is sent.
        let to = harbor::address(unsafe { &remote.as_ref().destination });
        // SAFETY: as the caller says.
        if let Err(error) = unsafe { harbor::send_raw(remote, source, session) } {
            node::log(
                source,
                format!("error: message to {to}: {error}").as_bytes(),
            );
        }
    });
}

/// Whether a handle is of another node.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_harbor_message_isremote(handle: u32) -> c_int {
    c_int::from(harbor::is_remote(handle))
}

/// Says which node this is, 0 to 255.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_harbor_init(harbor: c_int) {
    if let Err(error) = harbor::init(harbor as u32) {
        eprintln!("skynet_harbor_init: {error}");
    }
}

/// Makes `ctx` the harbor service; the node keeps a reference of it until
/// `skynet_harbor_exit`.
///
/// # Safety
/// `ctx` must be a service that the caller has a reference of.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_harbor_start(ctx: *mut c_void) {
    // SAFETY: as the caller says.
    let Some(service) = (unsafe { service(ctx.cast()) }) else {
        return;
    };
    guard((), || {
        if let Err(error) = harbor::start(service) {
            node::log(service.handle(), format!("error: {error}").as_bytes());
        }
    });
}

/// Gives the reference of the harbor service back.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_harbor_exit() {
    guard((), harbor::exit);
}
