//! The core.

pub mod error;
mod ffi;
mod runtime;
mod socket;
mod sync;
