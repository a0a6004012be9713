//! A worker's run queue and its slot. The end that the worker owns and the end
//! that others steal from are different types.

use super::steal;
use crate::runtime::mailbox::{Mailbox, Runnable};
use crate::sync::atomic::{AtomicPtr, Ordering};
use crossbeam_deque as deque;
use std::ptr::{self, NonNull};

/// A new queue: the worker's end and the others'.
pub(super) fn new() -> (Queue, Stealer) {
    let queue = deque::Worker::new_fifo();
    let stealer = Stealer(queue.stealer());
    (Queue(queue), stealer)
}

/// The end that one worker owns. First in, first out.
#[derive(Debug)]
pub(super) struct Queue(deque::Worker<Runnable>);

impl Queue {
    pub(super) fn push(&self, runnable: Runnable) {
        self.0.push(runnable);
    }

    pub(super) fn pop(&self) -> Option<Runnable> {
        self.0.pop()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves some of what the injector has here, and takes the first.
    pub(super) fn take_from(&self, injector: &deque::Injector<Runnable>) -> Option<Runnable> {
        steal(|| injector.steal_batch_and_pop(&self.0))
    }
}

/// The end that others steal from.
#[derive(Debug)]
pub(super) struct Stealer(deque::Stealer<Runnable>);

impl Stealer {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one.
    pub(super) fn steal(&self) -> Option<Runnable> {
        steal(|| self.0.steal())
    }

    /// Moves about half of the queue into `to`, and takes the first.
    pub(super) fn steal_into(&self, to: &Queue) -> Option<Runnable> {
        steal(|| self.0.steal_batch_and_pop(&to.0))
    }
}

/// What a worker runs next, unless somebody takes it away.
#[derive(Debug)]
pub(super) struct Slot(AtomicPtr<Mailbox>);

impl Slot {
    pub(super) fn new() -> Self {
        Self(AtomicPtr::default())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// The address of what is in it, to be compared; null if nothing is.
    pub(super) fn peek(&self) -> *const Mailbox {
        self.0.load(Ordering::Relaxed)
    }

    /// Puts a mailbox in; what was there comes out.
    pub(super) fn replace(&self, runnable: Runnable) -> Option<Runnable> {
        Self::right(self.0.swap(runnable.into_raw().as_ptr(), Ordering::AcqRel))
    }

    pub(super) fn take(&self) -> Option<Runnable> {
        if self.is_empty() {
            return None;
        }
        Self::right(self.0.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    fn right(mailbox: *mut Mailbox) -> Option<Runnable> {
        // SAFETY: what is in the slot was put there by `replace`, and the swap
        // that took it out did so for one thread only.
        NonNull::new(mailbox).map(|mailbox| unsafe { Runnable::from_raw(mailbox) })
    }
}
