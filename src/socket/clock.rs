//! The time that a socket's statistics show.

use crate::runtime::timer;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Where a server has its time from. Centiseconds.
#[derive(Debug)]
pub enum Clock {
    /// The node's.
    Node,
    /// What it was told last.
    Told(AtomicU64),
}

impl Clock {
    pub fn now(&self) -> u64 {
        match self {
            Clock::Node => timer::timer().map_or(0, |timer| timer.now()),
            Clock::Told(time) => time.load(Ordering::Relaxed),
        }
    }

    pub fn tell(&self, now: u64) {
        if let Clock::Told(time) = self {
            time.store(now, Ordering::Relaxed);
        }
    }
}
