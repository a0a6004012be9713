//! `skynet_module.h`. A `struct skynet_module` stays in place for as long as
//! the process lives; an instance belongs to whoever created it.

use super::{guard, optional};
use crate::runtime::module::{self, Instance, Module};
use crate::runtime::node;
use skynet_abi::module::skynet_module;
use skynet_abi::skynet_context;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// The module of that name, loaded if need be; null if there is none, and
/// standard error and the log say why. From any thread.
///
/// # Safety
/// `name` must be null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_module_query(name: *const c_char) -> *mut skynet_module {
    // SAFETY: as the caller says.
    let Some(name) = (unsafe { optional(name) }) else {
        return ptr::null_mut();
    };
    guard(ptr::null_mut(), || {
        let found = module::modules().and_then(|modules| modules.query(name));
        found.map_or_else(
            |error| {
                node::log(0, format!("error: {error}").as_bytes());
                ptr::null_mut()
            },
            Module::as_ptr,
        )
    })
}

/// Calls the module's `_create` and returns its result, which
/// `skynet_module_instance_release` gives back; ~0 if the module has none.
///
/// # Safety
/// `module` must be null or come from `skynet_module_query`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_module_instance_create(
    module: *mut skynet_module,
) -> *mut c_void {
    // SAFETY: as the caller says.
    let instance = unsafe { Module::from_ptr(module) }.and_then(Module::create);
    instance.map_or(ptr::null_mut(), Instance::into_raw)
}

/// Calls the module's `_init` and returns its result: 0 for success.
///
/// # Safety
/// `module` must be null or come from `skynet_module_query`, `inst` from its
/// `_create`; `context` and `parm` must be what the module asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_module_instance_init(
    module: *mut skynet_module,
    inst: *mut c_void,
    context: *mut skynet_context,
    parm: *const c_char,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe { instance(module, inst) }.map_or(-1, |instance| {
        // SAFETY: as the caller says.
        unsafe { instance.init(context, parm) }
    })
}

/// Calls the module's `_release`, if it has one. The instance is gone.
///
/// # Safety
/// `module` must be null or come from `skynet_module_query`, `inst` from its
/// `_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_module_instance_release(
    module: *mut skynet_module,
    inst: *mut c_void,
) {
    // SAFETY: as the caller says.
    if let Some(instance) = unsafe { instance(module, inst) } {
        instance.release();
    }
}

/// Calls the module's `_signal`, if it has one. From any thread.
///
/// # Safety
/// `module` must be null or come from `skynet_module_query`, `inst` from its
/// `_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_module_instance_signal(
    module: *mut skynet_module,
    inst: *mut c_void,
    signal: c_int,
) {
    // SAFETY: as the caller says.
    if let Some(instance) = unsafe { instance(module, inst) } {
        instance.signal(signal);
    }
}

/// Sets where modules are found: patterns divided by `;`, in each of which `?`
/// stands for the name. The string is copied. A second call changes nothing.
///
/// # Safety
/// `path` must be null, for no pattern, or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn skynet_module_init(path: *const c_char) {
    // SAFETY: as the caller says.
    let path = unsafe { optional(path) };
    guard((), || {
        module::init(path.unwrap_or_default()).unwrap_or_default()
    });
}

/// # Safety
/// As for the functions above.
unsafe fn instance(module: *mut skynet_module, inst: *mut c_void) -> Option<Instance> {
    // SAFETY: as the caller says.
    let module = unsafe { Module::from_ptr(module) }?;
    // SAFETY: as the caller says.
    Some(unsafe { Instance::from_raw(module, inst) })
}
