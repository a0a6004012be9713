//! Atomics, locks and shared pointers: the one place to switch them for a
//! model checker. Code whose interleavings matter imports them from here.

#![allow(unused_imports)]

#[cfg(loom)]
pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub use std::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
