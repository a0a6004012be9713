//! `skynet_handle.h`.

use super::{guard, optional, service};
use crate::runtime::service::Service;
use crate::runtime::{node, registry};
use skynet_abi::skynet_context;
use std::ffi::{c_char, c_int};
use std::ptr;

/// Registers a service under one more handle, which lookups do not find: a
/// service answers to the handle of its launch. 0 when all handles are in use.
///
/// # Safety
/// `context` must be a service that the caller has a reference of.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_handle_register(context: *mut skynet_context) -> u32 {
    // SAFETY: as the caller says.
    let service = unsafe { service(context) };
    let registered = |service: &Service| registry::get()?.register_again(service);
    guard(0, || service.and_then(|s| registered(s).ok()).unwrap_or(0))
}

/// Takes the service and its names out of the registry. 1 if there was one.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_handle_retire(handle: u32) -> c_int {
    guard(0, || c_int::from(node::retire(handle)))
}

/// A reference of the service, which `skynet_context_release` gives back; null
/// if there is none.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_handle_grab(handle: u32) -> *mut skynet_context {
    guard(ptr::null_mut(), || {
        let service = registry::get().ok().and_then(|r| r.grab(handle));
        service.map_or(ptr::null_mut(), |s| s.into_raw().as_ptr().cast())
    })
}

/// Retires every service, as the command ABORT does.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_handle_retireall() {
    guard((), node::abort);
}

/// The handle behind a local name, given without its dot; 0 if there is none.
///
/// # Safety
/// `name` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_handle_findname(name: *const c_char) -> u32 {
    // SAFETY: as the caller says.
    let name = unsafe { optional(name) };
    guard(0, || {
        let registry = registry::get().ok();
        name.and_then(|name| registry?.find_name(name)).unwrap_or(0)
    })
}

/// Gives a handle a local name, without its dot. Returns the registry's copy,
/// which lives as long as the name; null when the name is taken.
///
/// # Safety
/// `name` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_handle_namehandle(
    handle: u32,
    name: *const c_char,
) -> *const c_char {
    // SAFETY: as the caller says.
    let name = unsafe { optional(name) };
    guard(ptr::null(), || {
        let registry = registry::get().ok();
        let copy = name.and_then(|name| registry?.set_name(handle, name).ok());
        copy.map_or(ptr::null(), |text| text.as_ptr())
    })
}

/// Makes the registry. `harbor` is this node's number, 0 to 255; the number of
/// threads does not matter here.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_handle_init(harbor: c_int, _thread: c_int) {
    if let Err(error) = registry::init(harbor as u32) {
        eprintln!("skynet_handle_init: {error}");
    }
}

/// Lookups are the same for every thread, so there is nothing to register.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn skynet_handle_register_thread() {}
