//! The watch against endless loops: one for each worker, looked at every five
//! seconds. A worker whose message did not change between two looks is named.

use super::{node, registry};
use crate::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Time between two looks.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);

/// What one worker is doing. Written by it alone, read by any thread; a reader
/// may see halves of two messages, which at worst names the wrong sender.
#[derive(Debug, Default)]
pub struct Monitor {
    version: AtomicU32,
    checked: AtomicU32,
    source: AtomicU32,
    destination: AtomicU32,
    /// The version of a message that was found to take long.
    long: AtomicU32,
}

impl Monitor {
    /// Notes that a message from `source` to `destination` begins; with zeros,
    /// that none does.
    #[inline]
    pub fn trigger(&self, source: u32, destination: u32) {
        self.source.store(source, Ordering::Relaxed);
        self.destination.store(destination, Ordering::Relaxed);
        let version = self.version.load(Ordering::Relaxed);
        // Release: who sees the version that a message began with also sees
        // the message.
        self.version
            .store(version.wrapping_add(1), Ordering::Release);
    }

    /// Notes that the message of `version` takes long.
    pub(crate) fn mark_long(&self, version: u32) {
        self.long.store(version, Ordering::Relaxed);
    }

    /// Whether the message being handled was found to take long.
    #[inline]
    pub(crate) fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed) == self.version.load(Ordering::Relaxed)
    }

    /// Changes with every message.
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// The service that is handling a message.
    pub(crate) fn destination(&self) -> Option<u32> {
        match self.destination.load(Ordering::Relaxed) {
            0 => None,
            handle => Some(handle),
        }
    }

    /// Compares with the last look; a message that is still the same is logged,
    /// and its service marked as endless.
    pub fn check(&self) {
        let version = self.version();
        if self.checked.swap(version, Ordering::Relaxed) != version {
            return;
        }
        let Some(destination) = self.destination() else {
            return;
        };
        if let Some(service) = registry::get().ok().and_then(|r| r.grab(destination)) {
            service.mark_endless();
        }
        let source = self.source.load(Ordering::Relaxed);
        node::log(
            0,
            format!(
                "error: A message from [ :{source:08x} ] to [ :{destination:08x} ] \
                 maybe in an endless loop (version = {version})"
            )
            .as_bytes(),
        );
    }
}
