//! The core.

pub mod error;
mod ffi;
#[allow(dead_code)]
mod runtime;
mod socket;
mod sync;
