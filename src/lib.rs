//! The core of skynet: the runtime under its services, behind skynet's C ABI.
//!
//! Three layers, dependencies pointing down only:
//!
//! - `ffi`: the exported functions, one file for each C header; they convert,
//!   call one safe function, convert back.
//! - [`runtime`], [`socket`], [`memory`]: the node.
//! - `sync`: atomics and locks, in one place so that a model checker can replace
//!   them.

pub mod error;
mod exports;
mod ffi;
pub mod memory;
pub mod runtime;
pub mod socket;
mod sync;

pub use runtime::module::{Builtin, set_builtins};
