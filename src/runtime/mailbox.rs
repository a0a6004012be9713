//! Mailboxes: first in, first out, from any thread to the one that runs the
//! service.
//!
//! A mailbox is *idle*, *runnable* or *running*. The push that finds it idle
//! gets a [`Runnable`], the one right to take messages out, and must hand it to
//! the scheduler; whoever holds it gives it back with [`Runnable::settle`] when
//! there is nothing left. There is never a second one, so one thread at a time
//! is in a service, and nothing but the inbox needs a lock.
//!
//! *Closed* is part of the same locked step as a push: after
//! [`Mailbox::close`] nothing gets in any more, and exactly one thread (the one
//! that closed it, or the holder of the `Runnable`) drains what is left and then
//! frees the mailbox.

use super::message::Message;
use super::service::Service;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::sync::{Mutex, UnsafeCell, lock};
use std::collections::VecDeque;
use std::ptr::NonNull;

/// Length from which a mailbox counts as overloaded; doubles at every warning.
const OVERLOAD: usize = 1024;
/// Messages that an empty queue may keep room for. More is given back.
const KEEP_CAPACITY: usize = 64;

/// A queue of messages and its place in the scheduler's states.
#[derive(Debug)]
pub struct Mailbox {
    inbox: Mutex<Inbox>,
    /// Messages ever pushed. Written under the inbox's lock only.
    pushed: AtomicUsize,
    handle: AtomicU32,
    outbox: Outbox,
    /// The service this is part of; null for one that a C program made.
    owner: *const Service,
}

/// What senders fill.
#[derive(Debug)]
struct Inbox {
    waiting: VecDeque<Message>,
    /// A `Runnable` of this mailbox exists.
    runnable: bool,
    closed: bool,
    /// `skynet_mq_mark_release` was called: a C program's way to close.
    marked: bool,
}

/// What the holder of the `Runnable` empties, on a cache line that senders do
/// not write to.
#[derive(Debug)]
#[repr(align(64))]
struct Outbox {
    taken: UnsafeCell<Taken>,
    /// Messages ever popped. Written by the holder of the `Runnable` only.
    popped: AtomicUsize,
}

#[derive(Debug)]
struct Taken {
    batch: VecDeque<Message>,
    threshold: usize,
    /// The length that the next warning will tell; 0 for none.
    overload: usize,
}

// SAFETY: the inbox is behind its lock, `taken` is touched only through the one
// `Runnable`, and `owner` is a plain address here.
unsafe impl Send for Mailbox {}
// SAFETY: as above.
unsafe impl Sync for Mailbox {}

impl Mailbox {
    /// A new mailbox, and the right to run it: it is not idle until that is
    /// given back, so that messages may come in before the service is ready.
    pub(crate) fn new(handle: u32, owner: *const Service) -> Self {
        Self {
            inbox: Mutex::new(Inbox {
                waiting: VecDeque::new(),
                runnable: true,
                closed: false,
                marked: false,
            }),
            pushed: AtomicUsize::new(0),
            handle: AtomicU32::new(handle),
            outbox: Outbox {
                taken: UnsafeCell::new(Taken {
                    batch: VecDeque::new(),
                    threshold: OVERLOAD,
                    overload: 0,
                }),
                popped: AtomicUsize::new(0),
            },
            owner,
        }
    }

    pub(crate) fn handle(&self) -> u32 {
        self.handle.load(Ordering::Relaxed)
    }

    pub(crate) fn set_handle(&self, handle: u32) {
        self.handle.store(handle, Ordering::Relaxed);
    }

    /// Makes the mailbox a part of `owner`, before anybody else knows it.
    pub(super) fn set_owner(&mut self, owner: *const Service) {
        self.owner = owner;
    }

    pub(crate) fn owner(&self) -> *const Service {
        self.owner
    }

    /// Messages that wait; exact for the thread that runs the mailbox when
    /// nobody is pushing.
    pub(crate) fn len(&self) -> usize {
        let popped = self.outbox.popped.load(Ordering::Relaxed);
        let pushed = self.pushed.load(Ordering::Relaxed);
        pushed.wrapping_sub(popped).min(isize::MAX as usize)
    }

    /// Puts a message in. A `Runnable` comes back when the mailbox was idle: the
    /// caller schedules it. The message comes back when the mailbox is closed.
    #[inline]
    pub(crate) fn push(&self, message: Message) -> Result<Option<Runnable>, Message> {
        let mut inbox = lock(&self.inbox);
        if inbox.closed {
            return Err(message);
        }
        inbox.waiting.push_back(message);
        // Only ever written here, under the lock.
        self.pushed.store(
            self.pushed.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
        Ok(self.claim(&mut inbox))
    }

    /// Lets nothing in from now on. A `Runnable` comes back when the mailbox was
    /// idle: then the caller drains it, else whoever runs it does.
    pub(crate) fn close(&self) -> Option<Runnable> {
        let mut inbox = lock(&self.inbox);
        inbox.closed = true;
        self.claim(&mut inbox)
    }

    /// C's way to announce the end: the mailbox takes messages still, and is
    /// freed by `skynet_mq_release`.
    pub(crate) fn mark(&self) -> Option<Runnable> {
        let mut inbox = lock(&self.inbox);
        inbox.marked = true;
        self.claim(&mut inbox)
    }

    pub(crate) fn is_marked(&self) -> bool {
        let inbox = lock(&self.inbox);
        inbox.marked || inbox.closed
    }

    fn claim(&self, inbox: &mut Inbox) -> Option<Runnable> {
        if inbox.runnable {
            return None;
        }
        inbox.runnable = true;
        Some(Runnable(NonNull::from(self)))
    }
}

/// The right to take messages out of one mailbox. There is at most one for each
/// mailbox, and while it exists the mailbox is not freed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Runnable(NonNull<Mailbox>);

// SAFETY: it is a unique right; moving it to another thread through the
// scheduler's queues orders what both do with the mailbox.
unsafe impl Send for Runnable {}

impl Runnable {
    /// Takes up a right that was put aside as an address.
    ///
    /// # Safety
    /// `mailbox` must come from [`into_raw`](Self::into_raw), or be a new mailbox
    /// whose right was not taken up yet; each counts once.
    pub(crate) unsafe fn from_raw(mailbox: NonNull<Mailbox>) -> Self {
        Self(mailbox)
    }

    pub(crate) fn into_raw(self) -> NonNull<Mailbox> {
        self.0
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        // SAFETY: a mailbox is not freed while its `Runnable` exists.
        unsafe { self.0.as_ref() }
    }

    fn with_taken<R>(&mut self, f: impl FnOnce(&Mailbox, &mut Taken) -> R) -> R {
        let mailbox = self.mailbox();
        mailbox.outbox.taken.with_mut(|taken| {
            // SAFETY: only the holder of the one `Runnable` gets here, and it is
            // borrowed mutably.
            f(mailbox, unsafe { &mut *taken })
        })
    }

    /// The oldest message. `None` when there is none; the right is kept.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Message> {
        self.with_taken(|mailbox, taken| {
            if taken.batch.is_empty() {
                let mut inbox = lock(&mailbox.inbox);
                if inbox.waiting.is_empty() {
                    return None;
                }
                taken.refill(&mut inbox);
            }
            let message = taken.batch.pop_front();
            let popped = mailbox.outbox.popped.load(Ordering::Relaxed);
            mailbox
                .outbox
                .popped
                .store(popped.wrapping_add(1), Ordering::Relaxed);
            message
        })
    }

    /// Notes how long the mailbox is, for the warning about overload.
    pub(crate) fn note_length(&mut self, len: usize) {
        if len > OVERLOAD {
            self.with_taken(|_, taken| {
                while len > taken.threshold {
                    taken.overload = len;
                    taken.threshold *= 2;
                }
            });
        }
    }

    /// Notes the length, and tells it if this is the time to warn.
    #[inline]
    pub(crate) fn warning(&mut self, len: usize) -> Option<usize> {
        if len <= OVERLOAD {
            return None;
        }
        self.note_length(len);
        self.overload()
    }

    /// The length to warn of, once for every doubling.
    pub(crate) fn overload(&mut self) -> Option<usize> {
        self.with_taken(|_, taken| match std::mem::take(&mut taken.overload) {
            0 => None,
            len => Some(len),
        })
    }

    /// Gives the right back when there are no messages, which makes the mailbox
    /// idle; else, or when the mailbox is closed, it stays with the caller.
    #[inline]
    pub(crate) fn settle(mut self) -> Option<Self> {
        let more = self.with_taken(|mailbox, taken| {
            if !taken.batch.is_empty() {
                return true;
            }
            let mut inbox = lock(&mailbox.inbox);
            if !inbox.waiting.is_empty() {
                taken.refill(&mut inbox);
                return true;
            }
            if inbox.closed {
                // Whoever closed it left the draining to us.
                return true;
            }
            taken.threshold = OVERLOAD;
            give_back(&mut taken.batch);
            give_back(&mut inbox.waiting);
            inbox.runnable = false;
            // After this lock is released another thread may own the right, or
            // free the mailbox: nothing of `taken` is touched any more.
            false
        });
        more.then_some(self)
    }

    /// For a mailbox whose service is gone: the right stays with the caller if
    /// the mailbox is closed, or marked and now closed for that, who then drains it;
    /// else it is given back, and whoever closes the mailbox drains it.
    pub(crate) fn into_drain(self) -> Option<Self> {
        let closed = {
            let mut inbox = lock(&self.mailbox().inbox);
            inbox.closed |= inbox.marked;
            if !inbox.closed {
                inbox.runnable = false;
            }
            inbox.closed
        };
        closed.then_some(self)
    }
}

impl Taken {
    fn refill(&mut self, inbox: &mut Inbox) {
        if self.batch.capacity() > KEEP_CAPACITY && inbox.waiting.len() < self.batch.capacity() / 4
        {
            self.batch = VecDeque::new();
        }
        std::mem::swap(&mut self.batch, &mut inbox.waiting);
    }
}

/// Frees the memory of an empty queue after a burst.
fn give_back(queue: &mut VecDeque<Message>) {
    if queue.capacity() > KEEP_CAPACITY {
        *queue = VecDeque::new();
    }
}

#[cfg(all(test, loom))]
mod model;
