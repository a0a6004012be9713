//! Putting a worker's thread to sleep and waking it: one token, as with
//! `std::thread::park`, and no lost wake-up.

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Condvar, Mutex, lock};
use std::sync::PoisonError;
use std::time::Duration;

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

/// One thread parks, any thread unparks.
#[derive(Debug)]
pub(super) struct Parker {
    state: AtomicU32,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Parker {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Sleeps until unparked; at once if that has happened already.
    pub(super) fn park(&self) {
        let mut guard = lock(&self.lock);
        if !self.enter() {
            return;
        }
        while !self.take_token() {
            guard = self
                .wake
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// As [`park`](Self::park), for `time` at most. True when unparked.
    pub(super) fn park_timeout(&self, time: Duration) -> bool {
        let guard = lock(&self.lock);
        if !self.enter() {
            return true;
        }
        drop(
            self.wake
                .wait_timeout(guard, time)
                .unwrap_or_else(PoisonError::into_inner),
        );
        // A wake-up without a reason counts as the time's end.
        self.state.swap(EMPTY, Ordering::AcqRel) == NOTIFIED
    }

    pub(super) fn unpark(&self) {
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == PARKED {
            // Between `enter` and its wait the thread holds the lock: after
            // this it waits, or has seen the token.
            drop(lock(&self.lock));
            self.wake.notify_one();
        }
    }

    fn take_token(&self) -> bool {
        self.state
            .compare_exchange(NOTIFIED, EMPTY, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// False when a token was there, which is then taken.
    fn enter(&self) -> bool {
        let free = self
            .state
            .compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !free {
            // Not a store: a second `unpark` may have come since the first, and
            // what its thread did before it has to be seen from here on.
            self.state.swap(EMPTY, Ordering::Acquire);
        }
        free
    }
}
