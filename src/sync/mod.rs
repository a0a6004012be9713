//! Atomics, locks and shared pointers: the one place to switch them for a
//! model checker. Code whose interleavings matter imports them from here.

#![allow(unused_imports)]

#[cfg(loom)]
pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub use std::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};

use std::sync::PoisonError;

/// Takes a lock, a poisoned one too: a panic somewhere must not take the node's
/// other services with it. What such a lock guards has to be whole at every
/// point where its holder can panic.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
