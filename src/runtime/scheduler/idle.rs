//! Who sleeps, who looks for work, and who is to be woken.
//!
//! No wake-up is lost: a thread that made something runnable stores it, passes
//! a full fence and reads `state`; a worker that goes to sleep writes `state`,
//! passes a full fence and looks through all queues once more. One of the two
//! sees the other. (The scheme is that of tokio's and Go's schedulers.)

use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::{Mutex, lock};

/// In `state`: workers that look for work.
const SEARCHING_MASK: usize = 0xffff;
/// In `state`: workers that do not sleep.
const AWAKE_SHIFT: u32 = 16;
const AWAKE_ONE: usize = 1 << AWAKE_SHIFT;
/// No worker stands sentinel.
const NOBODY: usize = usize::MAX;

/// The workers' common knowledge.
#[derive(Debug)]
pub(super) struct Idle {
    state: AtomicUsize,
    /// The worker that stands sentinel. It is one of the sleepers.
    sentinel: AtomicUsize,
    sleepers: Mutex<Vec<usize>>,
    count: usize,
}

impl Idle {
    pub(super) fn new(count: usize) -> Self {
        Self {
            state: AtomicUsize::new(count << AWAKE_SHIFT),
            sentinel: AtomicUsize::new(NOBODY),
            sleepers: Mutex::new(Vec::with_capacity(count)),
            count,
        }
    }

    fn wants_no_more(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state & SEARCHING_MASK != 0 || state >> AWAKE_SHIFT >= self.count
    }

    /// A sleeper to unpark, if there is one and nobody is looking for work.
    /// It counts as awake and searching from here on.
    #[inline]
    pub(super) fn worker_to_notify(&self) -> Option<usize> {
        // Pairs with the fence in `sleep`.
        fence(Ordering::SeqCst);
        if self.wants_no_more() {
            return None;
        }
        let mut sleepers = lock(&self.sleepers);
        if self.wants_no_more() {
            return None;
        }
        // The sentinel last: somebody would have to take its post.
        let sentinel = self.sentinel.load(Ordering::Relaxed);
        let at = sleepers
            .iter()
            .rposition(|&sleeper| sleeper != sentinel)
            .or_else(|| sleepers.len().checked_sub(1))?;
        let index = sleepers.swap_remove(at);
        self.state.fetch_add(AWAKE_ONE | 1, Ordering::Relaxed);
        Some(index)
    }

    /// Whether the worker may look for work: at most half of them do, lest they
    /// stand in each other's way.
    pub(super) fn start_searching(&self) -> bool {
        let searching = self.state.load(Ordering::Relaxed) & SEARCHING_MASK;
        if searching * 2 >= self.count {
            return false;
        }
        self.state.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The worker found work. True when it was the last one looking: then it
    /// wakes another, for where there is work there may be more.
    pub(super) fn stop_searching(&self) -> bool {
        self.state.fetch_sub(1, Ordering::SeqCst) & SEARCHING_MASK == 1
    }

    /// The worker goes to sleep. After this it looks through all queues once
    /// more, and wakes somebody if there is anything.
    pub(super) fn sleep(&self, index: usize, searching: bool) {
        let mut sleepers = lock(&self.sleepers);
        self.state
            .fetch_sub(AWAKE_ONE | usize::from(searching), Ordering::Relaxed);
        sleepers.push(index);
        drop(sleepers);
        // Pairs with the fence in `worker_to_notify`.
        fence(Ordering::SeqCst);
    }

    /// The worker gets up by itself, since it has found work. True when it was
    /// still asleep; else somebody woke it before, and it counts as searching.
    pub(super) fn get_up(&self, index: usize) -> bool {
        let mut sleepers = lock(&self.sleepers);
        let Some(at) = sleepers.iter().position(|&sleeper| sleeper == index) else {
            return false;
        };
        sleepers.swap_remove(at);
        self.state.fetch_add(AWAKE_ONE, Ordering::Relaxed);
        true
    }

    pub(super) fn is_asleep(&self, index: usize) -> bool {
        lock(&self.sleepers).contains(&index)
    }

    /// Whether every worker sleeps.
    pub(super) fn all_asleep(&self) -> bool {
        self.state.load(Ordering::Relaxed) >> AWAKE_SHIFT == 0
    }

    /// Whether no worker sleeps.
    pub(super) fn none_asleep(&self) -> bool {
        self.state.load(Ordering::Relaxed) >> AWAKE_SHIFT >= self.count
    }

    /// Whether a sentinel should be posted: some worker sleeps, none stands.
    #[inline]
    pub(super) fn lacks_sentinel(&self) -> bool {
        self.sentinel.load(Ordering::Relaxed) == NOBODY
            && self.state.load(Ordering::Relaxed) >> AWAKE_SHIFT < self.count
    }

    /// Makes a sleeper the sentinel; the caller unparks it.
    pub(super) fn sentinel_to_post(&self) -> Option<usize> {
        let sleepers = lock(&self.sleepers);
        let index = *sleepers.last()?;
        self.sentinel
            .compare_exchange(NOBODY, index, Ordering::AcqRel, Ordering::Relaxed)
            .ok()
            .map(|_| index)
    }

    /// Takes the post for the worker itself, if nobody has it. True when the
    /// worker stands sentinel after this.
    pub(super) fn take_post(&self, index: usize) -> bool {
        match self
            .sentinel
            .compare_exchange(NOBODY, index, Ordering::SeqCst, Ordering::SeqCst)
        {
            Ok(_) => true,
            Err(other) => other == index,
        }
    }

    pub(super) fn is_sentinel(&self, index: usize) -> bool {
        self.sentinel.load(Ordering::Acquire) == index
    }

    /// The sentinel leaves its post, if `index` is it.
    pub(super) fn leave_post(&self, index: usize) {
        // Fails when somebody else stands, which is fine.
        let _ = self
            .sentinel
            .compare_exchange(index, NOBODY, Ordering::AcqRel, Ordering::Relaxed);
        // Pairs with the fence in `rise`: either this thread sees that a worker
        // got up, or that worker sees that the post is free.
        fence(Ordering::SeqCst);
    }

    /// To be called by a worker that got up, before it runs anything.
    pub(super) fn rise(&self) {
        fence(Ordering::SeqCst);
    }
}
