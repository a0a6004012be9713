//! The thread that looks at the workers' monitors. It rests while every worker
//! is parked, so that a node with nothing to do makes no system calls.

use super::Workers;
use crate::runtime::monitor::{Monitor, PERIOD};
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Condvar, Mutex, lock};
use std::sync::PoisonError;

/// What the thread shares with the workers, and with whoever ends it.
#[derive(Debug)]
pub(super) struct Watch {
    /// The thread sleeps without a limit.
    rests: AtomicBool,
    quit: Mutex<bool>,
    wake: Condvar,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            rests: AtomicBool::new(false),
            quit: Mutex::new(false),
            wake: Condvar::new(),
        }
    }

    /// To be called by a worker that got up, after its fence.
    #[inline]
    pub(super) fn rise(&self) {
        if self.rests.load(Ordering::Relaxed) && self.rests.swap(false, Ordering::Relaxed) {
            drop(lock(&self.quit));
            self.wake.notify_one();
        }
    }

    /// Looks at the monitors until [`quit`](Self::quit).
    pub(super) fn run(&self, workers: &Workers) {
        let mut quit = lock(&self.quit);
        while !*quit {
            self.rests.store(true, Ordering::Relaxed);
            // Pairs with the fence of a worker that gets up: either this thread
            // sees that it did, or the worker sees that this thread rests.
            fence(Ordering::SeqCst);
            if workers.idle.all_asleep() && self.rests.load(Ordering::Relaxed) {
                quit = self.wake.wait(quit).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            self.rests.store(false, Ordering::Relaxed);
            quit = match self.wake.wait_timeout(quit, PERIOD) {
                Ok((quit, _)) => quit,
                Err(poison) => poison.into_inner().0,
            };
            if !*quit {
                let monitors = workers.shared.iter().map(|worker| &worker.monitor);
                monitors.for_each(Monitor::check);
            }
        }
    }

    pub(super) fn quit(&self) {
        *lock(&self.quit) = true;
        self.wake.notify_all();
    }
}
