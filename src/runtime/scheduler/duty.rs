//! Who polls the sockets.
//!
//! One thread at a time is *on duty*: it waits in the operating system's poller,
//! and puts what sockets bring into mailboxes. A worker with nothing to run takes
//! the duty instead of parking, when nobody has it. So an event and the callback
//! it is for run on one thread, without a wake-up between them.
//!
//! A worker that runs services does not poll, but for a glance now and then. So
//! that sockets do not wait behind a long callback, whoever leaves the duty makes
//! sure that somebody watches: the sentinel, or, when no worker sleeps, the
//! *stand-in*, the socket thread. A watcher that finds the duty free and nobody
//! having polled for a while has the stand-in take it. The stand-in gives
//! it up when what it delivered has woken a worker.
//!
//! Nobody on duty and nobody watching happens only while there are no sockets and
//! no requests: whoever makes one while the duty is free sees to a watcher as well.

use super::Workers;
use super::idle::Idle;
use super::park::Parker;
use crate::runtime::node;
use crate::socket::Driven;
use crate::socket::node as sockets;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

/// Nobody is on duty.
const NOBODY: usize = usize::MAX;
/// The stand-in is.
const STAND_IN: usize = usize::MAX - 1;
/// Nobody will be any more.
const OVER: usize = usize::MAX - 2;
/// From when on a watcher has the stand-in poll. A callback that ends before that is
/// better followed by its own worker, which wakes nobody.
const NEGLECTED: Duration = Duration::from_micros(200);
/// The stand-in's looks while it watches: the first, and the longest.
const LOOK: Duration = NEGLECTED;
const LONGEST_LOOK: Duration = Duration::from_millis(1);
/// How many looks in a row it is not needed before it rests.
const PATIENCE: u32 = 16;

/// The duty, and the stand-in's sleep.
#[derive(Debug)]
pub(super) struct Duty {
    /// A worker's number, or one of the three above.
    holder: AtomicUsize,
    /// Counts how often somebody polled. Written by whoever is on duty.
    polls: AtomicU32,
    /// The stand-in sleeps without a limit.
    rests: AtomicBool,
    /// The stand-in is to take the duty without a look first.
    urgent: AtomicBool,
    parker: Parker,
}

/// What a watcher has seen.
#[derive(Debug)]
pub(super) struct Seen {
    polls: u32,
    since: Instant,
}

impl Seen {
    pub(super) fn new(polls: u32) -> Self {
        Self {
            polls,
            since: Instant::now(),
        }
    }
}

/// What polling once came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polled {
    /// At least one message went out.
    Delivered,
    Nothing,
    /// Nobody polls any more; the duty is not to be left.
    Over,
}

impl Duty {
    pub(super) fn new() -> Self {
        Self {
            holder: AtomicUsize::new(NOBODY),
            polls: AtomicU32::new(0),
            rests: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            parker: Parker::new(),
        }
    }

    /// Goes on duty, if nobody is and there is something to poll for.
    pub(super) fn take(&self, index: usize) -> bool {
        self.is_free() && sockets::is_needed() && self.claim(index)
    }

    /// The part of [`take`](Self::take) that excludes others. Whoever has it looks
    /// once more for a reason not to poll: one who gives such a reason and then
    /// reads `holder` is seen, or sees.
    fn claim(&self, index: usize) -> bool {
        let claimed = self
            .holder
            .compare_exchange(NOBODY, index, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok();
        fence(Ordering::SeqCst);
        claimed
    }

    /// Goes off duty.
    pub(super) fn leave(&self) {
        self.holder.store(NOBODY, Ordering::Release);
    }

    pub(super) fn is_free(&self) -> bool {
        self.holder.load(Ordering::Relaxed) == NOBODY
    }

    /// Whether this worker is on duty, asked by who has just given it a reason to
    /// come back.
    pub(super) fn is_on(&self, index: usize) -> bool {
        fence(Ordering::SeqCst);
        self.holder.load(Ordering::Relaxed) == index
    }

    pub(super) fn polls(&self) -> u32 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Polls once, on duty; no longer than `timeout`, without a limit if there is
    /// none. `woken` is called before the first message goes out.
    pub(super) fn poll(&self, timeout: Option<Duration>, woken: &mut dyn FnMut()) -> Polled {
        let driven = sockets::drive(timeout, woken);
        let polls = self.polls().wrapping_add(1);
        self.polls.store(polls, Ordering::Relaxed);
        match driven {
            Ok(Driven::Done {
                delivered: true, ..
            }) => Polled::Delivered,
            Ok(Driven::Done { .. } | Driven::Busy) => Polled::Nothing,
            Ok(Driven::Exit) => {
                self.holder.store(OVER, Ordering::Relaxed);
                Polled::Over
            }
            Err(error) => {
                let text = format!("error: sockets are not polled any more: {error}");
                node::log(0, text.as_bytes());
                self.holder.store(OVER, Ordering::Relaxed);
                Polled::Over
            }
        }
    }

    /// Has the stand-in take the duty now, if it is free.
    pub(super) fn hand_over(&self) {
        self.urgent.store(true, Ordering::Relaxed);
        self.rests.store(false, Ordering::Relaxed);
        self.parker.unpark();
    }

    /// A watcher's look: hands over if nobody has polled for [`NEGLECTED`].
    pub(super) fn look_after(&self, last: &mut Seen) {
        let polls = self.polls();
        if polls != last.polls {
            *last = Seen::new(polls);
        } else if last.since.elapsed() >= NEGLECTED && self.is_free() && sockets::is_needed() {
            self.hand_over();
        }
    }

    /// Has the stand-in watch, unless it does.
    fn rouse(&self) {
        // Pairs with the fence in `rest`: either this thread sees that it rests,
        // or it sees what this thread has changed before.
        fence(Ordering::SeqCst);
        if self.rests.load(Ordering::Relaxed) && self.rests.swap(false, Ordering::Relaxed) {
            self.parker.unpark();
        }
    }

    /// Whether nobody is on duty, and no sentinel is there to notice.
    fn is_unattended(&self, idle: &Idle) -> bool {
        self.is_free() && (idle.none_asleep() || idle.all_asleep())
    }

    /// The stand-in sleeps until it is roused, or there is a reason not to.
    fn rest(&self, is_needed: impl Fn() -> bool) {
        self.rests.store(true, Ordering::Relaxed);
        // Pairs with the fence in `rouse`.
        fence(Ordering::SeqCst);
        while self.rests.load(Ordering::Relaxed)
            && !self.urgent.load(Ordering::Relaxed)
            && !is_needed()
        {
            self.parker.park();
        }
        self.rests.store(false, Ordering::Relaxed);
    }

    /// To be called by who ends the node, after it said so.
    pub(super) fn quit(&self) {
        self.parker.unpark();
        if self.is_on(STAND_IN) {
            interrupt();
        }
    }
}

/// Has whoever polls come back.
pub(super) fn interrupt() {
    if let Err(error) = sockets::interrupt() {
        node::log(0, format!("error: waking the poller: {error}").as_bytes());
    }
}

impl Workers {
    /// To be called by a worker before it runs services, if it was on duty, or may
    /// have opened the first socket or made the first request: sees to it that
    /// somebody watches.
    pub(super) fn back_up(&self) {
        if !self.duty.is_free() || !sockets::is_needed() {
            return;
        }
        if self.idle.lacks_sentinel() {
            self.post_sentinel();
        } else if self.idle.none_asleep() {
            self.duty.rouse();
        }
    }

    /// The socket thread's life.
    pub(super) fn stand_in(&self) {
        let duty = &self.duty;
        let mut pause = LOOK;
        let mut quiet = 0;
        while !self.is_quitting() {
            let polls = duty.polls();
            if !duty.urgent.load(Ordering::Relaxed) {
                duty.parker.park_timeout(pause);
            }
            pause = (pause * 2).min(LONGEST_LOOK);
            let urgent = duty.urgent.swap(false, Ordering::Relaxed);
            let needed = self.needs_stand_in();
            if (urgent || needed && duty.polls() == polls) && duty.take(STAND_IN) {
                self.poll_as_stand_in();
                (pause, quiet) = (LOOK, 0);
            } else if needed {
                quiet = 0;
            } else {
                quiet += 1;
                if quiet == PATIENCE {
                    duty.rest(|| self.needs_stand_in() || self.is_quitting());
                    (pause, quiet) = (LOOK, 0);
                }
            }
        }
    }

    /// Whether sockets wait, and neither a worker nor a sentinel will see to them.
    fn needs_stand_in(&self) -> bool {
        sockets::is_needed() && self.duty.is_unattended(&self.idle)
    }

    /// Polls until a worker can do it.
    fn poll_as_stand_in(&self) {
        let mut goes_on = true;
        while goes_on && !self.is_quitting() {
            // Asked before anything goes out: the only worker does not sleep any more
            // when it has been woken.
            let mut all_run = false;
            let woken = &mut || all_run = self.idle.none_asleep();
            goes_on = match self.duty.poll(None, woken) {
                // Whoever was woken takes the duty when it has nothing to run.
                Polled::Delivered => all_run,
                Polled::Nothing => true,
                Polled::Over => return,
            };
        }
        self.duty.leave();
    }
}

#[cfg(all(test, loom))]
mod model;
