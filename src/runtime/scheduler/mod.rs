//! The scheduler: which service runs next, on which worker, and who wakes whom.
//!
//! A mailbox that becomes runnable is handed to [`schedule`] in the shape of its
//! [`Runnable`]. On a worker it goes into the worker's *slot*: the worker runs it
//! next, while its data is in the cache. What was in the slot before goes to the
//! worker's queue, which other workers steal from, and one parked worker is woken
//! for it. Threads that are no workers push to the *injector*, which every
//! worker looks at now and then.
//!
//! A message in the sender's own slot wakes nobody. So that it does not wait for
//! a long callback, one parked worker stands *sentinel* while callbacks run: see
//! [`worker`].
//!
//! What lives and dies in which order: the scheduler itself lives as long as the
//! process. [`start`](Scheduler::start) makes the workers' shared halves, which
//! stay; the workers' threads end with [`quit`](Scheduler::quit).

mod duty;
mod idle;
#[cfg(all(test, loom))]
mod model;
mod park;
mod queue;
mod slice;
mod watch;
mod worker;

pub(crate) use slice::{Outcome, run_slice};
pub(crate) use worker::Worker;

use super::mailbox::Runnable;
use super::monitor::Monitor;
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, Ordering};
use crossbeam_deque::{Injector, Steal};
use duty::Duty;
use idle::Idle;
use once_cell::sync::OnceCell;
use park::Parker;
use queue::{Slot, Stealer};
use watch::Watch;

static SCHEDULER: OnceCell<Scheduler> = OnceCell::new();

/// The run queues of the node.
#[derive(Debug)]
pub struct Scheduler {
    injector: Injector<Runnable>,
    workers: OnceCell<Workers>,
}

/// What there is once the number of workers is known.
#[derive(Debug)]
struct Workers {
    shared: Box<[Shared]>,
    idle: Idle,
    duty: Duty,
    watch: Watch,
    quit: AtomicBool,
}

/// One worker, as the other threads see it.
#[derive(Debug)]
#[repr(align(128))]
struct Shared {
    slot: Slot,
    stealer: Stealer,
    parker: Parker,
    monitor: Monitor,
}

/// Sets the scheduler up, without workers: a driver loop may take services out.
///
/// # Errors
/// It was set up before.
pub fn init() -> Result<()> {
    let scheduler = Scheduler {
        injector: Injector::new(),
        workers: OnceCell::new(),
    };
    SCHEDULER
        .set(scheduler)
        .map_err(|_| Error::AlreadyInitialised("message queue"))
}

/// The node's scheduler.
///
/// # Errors
/// It is not set up.
pub fn get() -> Result<&'static Scheduler> {
    SCHEDULER
        .get()
        .ok_or(Error::NotInitialised("message queue"))
}

/// Makes a runnable mailbox run, soon. From any thread.
#[inline]
pub(crate) fn schedule(runnable: Runnable) {
    if let Some(runnable) = worker::schedule_local(runnable) {
        inject(runnable);
    }
}

/// As [`schedule`], for what is in no hurry: it wakes nobody. It waits behind what
/// this worker has to run, unless its callback turns out to be long.
pub(crate) fn schedule_later(runnable: Runnable) {
    if let Some(runnable) = worker::queue_local(runnable) {
        inject(runnable);
    }
}

/// Puts a runnable mailbox behind all others, from any thread. Without a
/// scheduler it is never run.
pub(crate) fn inject(runnable: Runnable) {
    if let Ok(scheduler) = get() {
        scheduler.injector.push(runnable);
        scheduler.notify();
    }
}

/// To be called by who has asked something of the node's sockets: sees to it that
/// somebody polls them.
pub(crate) fn sockets_wanted() {
    if let Ok(scheduler) = get()
        && let Some(workers) = scheduler.workers.get()
    {
        if worker::is_current() {
            workers.back_up();
        } else if workers.duty.is_free() {
            workers.duty.hand_over();
        }
    }
}

impl Scheduler {
    /// Makes `count` workers; each is then to be run on a thread of its own.
    ///
    /// # Errors
    /// They were made before.
    pub(crate) fn start(&'static self, count: usize) -> Result<Vec<Worker>> {
        let (queues, shared): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| {
                let (queue, stealer) = queue::new();
                let shared = Shared {
                    slot: Slot::new(),
                    stealer,
                    parker: Parker::new(),
                    monitor: Monitor::default(),
                };
                (queue, shared)
            })
            .unzip();
        let workers = Workers {
            shared: shared.into(),
            idle: Idle::new(count),
            duty: Duty::new(),
            watch: Watch::new(),
            quit: AtomicBool::new(false),
        };
        self.workers
            .set(workers)
            .map_err(|_| Error::AlreadyInitialised("workers"))?;
        let workers = self.workers.get().ok_or(Error::NotInitialised("workers"))?;
        Ok(queues
            .into_iter()
            .enumerate()
            .map(|(index, queue)| Worker::new(self, workers, index, queue))
            .collect())
    }

    /// Wakes one parked worker, unless one is looking for work already.
    #[inline]
    fn notify(&self) {
        if let Some(workers) = self.workers.get() {
            workers.notify();
        }
    }

    /// Ends the workers' threads, each after the slice it is in.
    pub(crate) fn quit(&self) {
        if let Some(workers) = self.workers.get() {
            workers.quit.store(true, Ordering::SeqCst);
            for index in 0..workers.shared.len() {
                workers.wake(index);
            }
            workers.duty.quit();
            workers.watch.quit();
        }
    }

    /// Sees to the node's sockets where workers cannot, until the scheduler quits,
    /// on a thread of its own.
    pub(crate) fn stand_in(&self) {
        if let Some(workers) = self.workers.get() {
            workers.stand_in();
        }
    }

    /// Looks at the workers' monitors until the scheduler quits, on a thread of
    /// its own.
    pub(crate) fn watch(&self) {
        if let Some(workers) = self.workers.get() {
            workers.watch.run(workers);
        }
    }

    /// The watches over the workers.
    pub(crate) fn monitors(&self) -> impl Iterator<Item = &Monitor> {
        self.workers
            .get()
            .into_iter()
            .flat_map(|workers| workers.shared.iter().map(|shared| &shared.monitor))
    }

    /// Takes any runnable mailbox, for a thread that is no worker.
    pub(crate) fn take_any(&self) -> Option<Runnable> {
        if let Some(found) = steal(|| self.injector.steal()) {
            return Some(found);
        }
        let workers = self.workers.get()?;
        workers
            .shared
            .iter()
            .find_map(|worker| worker.stealer.steal().or_else(|| worker.slot.take()))
    }
}

impl Workers {
    #[inline]
    fn notify(&self) {
        if let Some(index) = self.idle.worker_to_notify() {
            self.wake(index);
        }
    }

    /// Has a worker come back from its park, or from polling.
    fn wake(&self, index: usize) {
        self.shared[index].parker.unpark();
        if self.duty.is_on(index) {
            duty::interrupt();
        }
    }

    /// Wakes a parked worker so that it stands sentinel.
    #[cold]
    fn post_sentinel(&self) {
        if let Some(index) = self.idle.sentinel_to_post() {
            self.wake(index);
        }
    }

    fn is_quitting(&self) -> bool {
        self.quit.load(Ordering::Relaxed)
    }
}

/// Steals until it is clear that there is something or nothing.
fn steal<T>(mut attempt: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match attempt() {
            Steal::Success(found) => return Some(found),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
