//! `skynet_module.h`: shared objects that services are made from.

use crate::skynet::skynet_context;
use core::ffi::{c_char, c_int, c_void};

pub type skynet_dl_create = Option<unsafe extern "C-unwind" fn() -> *mut c_void>;
pub type skynet_dl_init = Option<
    unsafe extern "C-unwind" fn(
        inst: *mut c_void,
        context: *mut skynet_context,
        parm: *const c_char,
    ) -> c_int,
>;
pub type skynet_dl_release = Option<unsafe extern "C-unwind" fn(inst: *mut c_void)>;
pub type skynet_dl_signal = Option<unsafe extern "C-unwind" fn(inst: *mut c_void, signal: c_int)>;

/// A loaded module and its four entry points.
#[repr(C)]
#[derive(Debug)]
pub struct skynet_module {
    pub name: *const c_char,
    pub module: *mut c_void,
    pub create: skynet_dl_create,
    pub init: skynet_dl_init,
    pub release: skynet_dl_release,
    pub signal: skynet_dl_signal,
}

/// cbindgen:ignore
unsafe extern "C-unwind" {
    pub fn skynet_module_query(name: *const c_char) -> *mut skynet_module;
    pub fn skynet_module_instance_create(module: *mut skynet_module) -> *mut c_void;
    pub fn skynet_module_instance_init(
        module: *mut skynet_module,
        inst: *mut c_void,
        context: *mut skynet_context,
        parm: *const c_char,
    ) -> c_int;
    pub fn skynet_module_instance_release(module: *mut skynet_module, inst: *mut c_void);
    pub fn skynet_module_instance_signal(
        module: *mut skynet_module,
        inst: *mut c_void,
        signal: c_int,
    );
    pub fn skynet_module_init(path: *const c_char);
}
