//! jemalloc's settings with the feature `system-malloc`: there is none to ask.
//! The functions are those of `control.rs`.

use core::ffi::{CStr, c_int};

/// What a setting may hold here.
pub trait Value: Copy + Default {}
impl Value for u8 {}
impl Value for c_int {}
impl Value for usize {}

/// Nothing.
pub fn exchange<T: Value>(_name: &CStr, _new: Option<T>) -> Option<(T, c_int)> {
    None
}

/// Nothing.
pub fn run(_name: &CStr) -> Option<c_int> {
    None
}

/// Nothing.
pub fn print_statistics(_options: Option<&CStr>) -> Option<()> {
    None
}

/// Nothing to keep.
pub fn keep() {}
