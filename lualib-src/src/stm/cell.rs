//! A value that one side replaces as a whole while others read it, on any thread.
//!
//! The writer and every reader share the cell. The cell and each reader hold the
//! version they know; a version is dropped when the last of them has let go of it,
//! and never under the lock.

#![forbid(unsafe_code)]

use super::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

/// Number of the first version. Who has seen nothing has seen version 0.
const FIRST: u64 = 1;

pub(crate) struct Cell<T> {
    /// Which version is current. Written under the lock, so that who reads it there
    /// has number and value of the same version.
    number: AtomicU64,
    /// Nothing is left when the writer is gone.
    current: Mutex<Option<Arc<T>>>,
}

impl<T> Cell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            number: AtomicU64::new(FIRST),
            current: Mutex::new(Some(Arc::new(value))),
        }
    }

    /// Makes another value current, or none for good.
    pub(crate) fn replace(&self, value: Option<T>) {
        let next = value.map(Arc::new);
        let mut current = lock(&self.current);
        let before = std::mem::replace(&mut *current, next);
        // Pairs with the load in `newer`: whoever has been told of this version by
        // other means sees that there is one.
        self.number.fetch_add(1, Ordering::Release);
        drop(current);
        drop(before);
    }

    /// The current version and its number, unless that was seen before.
    fn newer(&self, seen: u64) -> Option<(u64, Option<Arc<T>>)> {
        if self.number.load(Ordering::Acquire) == seen {
            return None;
        }
        let current = lock(&self.current);
        Some((self.number.load(Ordering::Relaxed), current.clone()))
    }
}

/// One reader, and the version that it read last.
pub(crate) struct Reader<T> {
    cell: Arc<Cell<T>>,
    seen: u64,
    held: Option<Arc<T>>,
    /// How many calls look at versions that `held` was or is.
    visits: usize,
    /// Versions that a visit inside another one has replaced.
    replaced: Vec<Arc<T>>,
}

impl<T> Reader<T> {
    pub(crate) fn new(cell: Arc<Cell<T>>) -> Self {
        Self {
            cell,
            seen: 0,
            held: None,
            visits: 0,
            replaced: Vec::new(),
        }
    }

    /// The current value, if it has not been read yet. It stays until the next call,
    /// and as long as a visit lasts that has begun meanwhile.
    pub(crate) fn advance(&mut self) -> Option<&T> {
        let (seen, value) = self.cell.newer(self.seen)?;
        self.seen = seen;
        let before = std::mem::replace(&mut self.held, value);
        if self.visits > 0 {
            self.replaced.extend(before);
        }
        self.held.as_deref()
    }

    /// Begins a visit.
    pub(crate) fn enter(&mut self) {
        self.visits += 1;
    }

    /// Ends a visit, if there is one.
    pub(crate) fn leave(&mut self) {
        self.visits = self.visits.saturating_sub(1);
        if self.visits == 0 {
            self.replaced.clear();
        }
    }
}
