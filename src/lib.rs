//! The core.

pub mod error;
mod ffi;
#[allow(dead_code)]
mod runtime;
mod socket;
mod sync;

pub use runtime::module::{Builtin, set_builtins};
