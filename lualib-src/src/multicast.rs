//! `skynet.multicast.core`: one payload that all subscribers of a channel share.
//!
//! There are two ways to share it.
//!
//! * [`delivery`] is what this project's `skynet.multicast` and `multicastd` stand
//!   on. A publisher *deposits* its payload and sends multicastd the ticket;
//!   multicastd publishes it to the channel's *group*: the package goes into each
//!   subscriber's *inbox*, and an empty message tells the subscriber to take it out.
//!   Whoever ends before its turn gives up what it has: a publisher that gets no
//!   answer withdraws its deposit, multicastd's end frees all deposits, and a
//!   subscriber's inbox ends with its Lua state. A package is counted by those who
//!   have it, and the last of them frees the payload.
//! * [`carrier`] is the reference's interface, for the reference's Lua files: the
//!   messages are pointers, which are lost with a message that is not handled.

mod carrier;
mod delivery;
mod exchange;
mod payload;

use std::ffi::c_int;

use mlua_sys::*;

use crate::library;

/// Opens `skynet.multicast.core`.
///
/// # Safety
/// Called by Lua, in a state whose registry holds the service as light userdata
/// under `skynet_context`; without it a Lua error is raised.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_multicast_core(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; at most four slots are used.
    unsafe {
        library::push(L, &carrier::FUNCTIONS);
        library::add(L, &delivery::FUNCTIONS);
        library::add_for_service(L, &delivery::SERVICE_FUNCTIONS);
    }
    1
}
