//! Workers: threads that run slices, and what they do when there are none.
//!
//! A worker with nothing of its own looks through the injector and the others'
//! queues, and then parks. While some worker is awake, one of the parked ones
//! stands *sentinel*: it sleeps for [`LOOK`] at a time, and if it finds that a
//! worker is in the same callback as at its last look, with the same mailbox in
//! its slot, takes that out and runs it. What a callback makes runnable after it
//! was seen for [`LONG`] wakes a worker at once. The sentinel sleeps longer and
//! longer while it finds nothing, up to [`LONGEST_LOOK`], and when all workers are
//! parked it parks as well. (Go's sysmon thread does the same for its processors.)

use super::duty::{Polled, Seen};
use super::queue::Queue;
use super::{Outcome, Scheduler, Shared, Workers, run_slice};
use crate::runtime::cpu;
use crate::runtime::mailbox::{Mailbox, Runnable};
use std::cell::Cell;
use std::ptr;
use std::time::{Duration, Instant};

/// Slices between two looks at the injector; after a long one comes another.
const INJECTOR_PERIOD: u32 = 8;
/// Slices between two looks at the sockets.
const SOCKETS_PERIOD: u32 = 32;
/// How often in a row the slot goes before the queue.
const SLOT_RUNS: u32 = 3;
/// The sentinel's first sleep, and its usual one.
const FIRST_LOOK: Duration = Duration::from_micros(25);
const LOOK: Duration = Duration::from_micros(50);
/// Looks in vain before the sleep doubles.
const PATIENCE: u32 = 16;
const LONGEST_LOOK: Duration = Duration::from_millis(1);
/// From when on a callback counts as long. One that makes a service runnable
/// just before it ends had better keep it: to move it costs what its memory has
/// in the cache.
const LONG: Duration = Duration::from_micros(200);
/// What the kernel may add to a sleep; its default of 50 µs would double it.
const TIMER_SLACK_NS: libc::c_ulong = 1_000;

thread_local! {
    static CURRENT: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// A worker's own half, for the thread that runs it.
#[derive(Debug)]
pub(crate) struct Worker {
    scheduler: &'static Scheduler,
    workers: &'static Workers,
    index: usize,
    queue: Queue,
    slices: Cell<u32>,
    slot_runs: Cell<u32>,
    /// The last slice was [`LONG`]: who waits in the injector has waited enough.
    was_long: Cell<bool>,
}

/// Gives a runnable mailbox to the worker that this thread is; it comes back on
/// a thread that is none.
#[inline]
pub(super) fn schedule_local(runnable: Runnable) -> Option<Runnable> {
    let worker = CURRENT.with(Cell::get);
    // SAFETY: the pointer is set for as long as `run` borrows the worker.
    match unsafe { worker.as_ref() } {
        Some(worker) => {
            worker.offer(runnable);
            None
        }
        None => Some(runnable),
    }
}

/// As [`schedule_local`], but it waits in the queue, and nobody is woken.
pub(super) fn queue_local(runnable: Runnable) -> Option<Runnable> {
    let worker = CURRENT.with(Cell::get);
    // SAFETY: as above.
    match unsafe { worker.as_ref() } {
        Some(worker) => {
            worker.queue.push(runnable);
            worker.see_to_sentinel();
            None
        }
        None => Some(runnable),
    }
}

/// Whether this thread is a worker.
pub(super) fn is_current() -> bool {
    !CURRENT.with(Cell::get).is_null()
}

impl Worker {
    pub(super) fn new(
        scheduler: &'static Scheduler,
        workers: &'static Workers,
        index: usize,
        queue: Queue,
    ) -> Self {
        Self {
            scheduler,
            workers,
            index,
            queue,
            slices: Cell::new(0),
            slot_runs: Cell::new(0),
            was_long: Cell::new(false),
        }
    }

    /// The worker's number, from 0.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Runs services until the scheduler quits. `weight` is as in
    /// [`run_slice`].
    pub(crate) fn run(self, weight: i32) {
        // SAFETY: this option takes one number, and concerns this thread only.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK_NS) };
        CURRENT.with(|current| current.set(&raw const self));
        cpu::begin();
        let mut searching = false;
        while !self.workers.is_quitting() {
            let mut next = self.next();
            if next.is_none() {
                searching = searching || self.workers.idle.start_searching();
                next = searching.then(|| self.search()).flatten();
            }
            if next.is_none() {
                (next, searching) = self.park(searching);
                cpu::begin();
            }
            if let Some(runnable) = next {
                if std::mem::take(&mut searching) && self.workers.idle.stop_searching() {
                    self.workers.notify();
                }
                self.execute(runnable, weight);
            }
        }
        CURRENT.with(|current| current.set(ptr::null()));
        while let Some(left) = self.shared().slot.take().or_else(|| self.queue.pop()) {
            self.scheduler.injector.push(left);
        }
    }

    fn shared(&self) -> &Shared {
        &self.workers.shared[self.index]
    }

    fn others(&self) -> impl Iterator<Item = &Shared> {
        let (before, rest) = self.workers.shared.split_at(self.index);
        rest.iter().skip(1).chain(before)
    }

    /// Takes a mailbox that became runnable during a slice.
    #[inline]
    fn offer(&self, runnable: Runnable) {
        if self.shared().monitor.is_long() {
            self.queue.push(runnable);
            self.workers.notify();
            return;
        }
        if let Some(displaced) = self.shared().slot.replace(runnable) {
            self.queue.push(displaced);
            self.workers.notify();
        }
        self.see_to_sentinel();
    }

    /// To be called when something waits here and nobody was woken for it.
    #[inline]
    fn see_to_sentinel(&self) {
        if self.workers.idle.lacks_sentinel() {
            self.workers.post_sentinel();
        }
    }

    #[inline]
    fn execute(&self, runnable: Runnable, weight: i32) {
        let began = cpu::last();
        let outcome = run_slice(runnable, weight, &self.shared().monitor);
        // Without a profile nobody reads the clock, and no slice is long.
        let took = Duration::from_nanos(cpu::last().saturating_sub(began));
        self.was_long.set(took >= LONG);
        if let Outcome::More(runnable) = outcome {
            let alone = self.queue.is_empty() && self.shared().slot.is_empty();
            self.queue.push(runnable);
            if !alone {
                self.workers.notify();
            }
        }
    }

    /// What runs next of what is near.
    #[inline]
    fn next(&self) -> Option<Runnable> {
        let slices = self.slices.get().wrapping_add(1);
        self.slices.set(slices);
        if slices.is_multiple_of(SOCKETS_PERIOD) {
            self.glance_at_sockets();
        }
        if (self.was_long.take() || slices.is_multiple_of(INJECTOR_PERIOD))
            && let Some(runnable) = self.queue.take_from(&self.scheduler.injector)
        {
            return Some(runnable);
        }
        let slot = &self.shared().slot;
        if self.slot_runs.get() < SLOT_RUNS
            && let Some(runnable) = slot.take()
        {
            self.slot_runs.set(self.slot_runs.get() + 1);
            return Some(runnable);
        }
        // What is in the slot stays there: it runs next, and nobody need be woken.
        self.slot_runs.set(0);
        self.queue
            .pop()
            .or_else(|| slot.take())
            .or_else(|| self.queue.take_from(&self.scheduler.injector))
    }

    /// Looks for work of others.
    fn search(&self) -> Option<Runnable> {
        self.others()
            .find_map(|other| other.stealer.steal_into(&self.queue))
            .or_else(|| self.queue.take_from(&self.scheduler.injector))
    }

    fn is_work_left(&self) -> bool {
        !self.scheduler.injector.is_empty() || self.others().any(|other| !other.stealer.is_empty())
    }

    /// Sleeps until there is work. Returns what the worker found as sentinel, and
    /// whether it counts as looking for work.
    fn park(&self, searching: bool) -> (Option<Runnable>, bool) {
        let idle = &self.workers.idle;
        idle.sleep(self.index, searching);
        if self.is_work_left() {
            self.workers.notify();
        }
        let mut found = None;
        let mut searching = true;
        while !self.workers.is_quitting() && idle.is_asleep(self.index) {
            let stands =
                idle.is_sentinel(self.index) || (!idle.all_asleep() && idle.take_post(self.index));
            if !stands && self.workers.duty.take(self.index) {
                if let Some(by_itself) = self.poll_sockets() {
                    searching = !by_itself;
                    break;
                }
                continue;
            }
            if !stands {
                self.shared().parker.park();
                continue;
            }
            // Looking around adds up; to fall asleep and get up is too little to be
            // worth reading a clock for.
            cpu::pause();
            found = self.stand_sentinel();
            if found.is_some() {
                searching = !idle.get_up(self.index);
                break;
            }
        }
        if idle.is_sentinel(self.index) {
            idle.leave_post(self.index);
            self.workers.post_sentinel();
        }
        idle.rise();
        self.workers.watch.rise();
        self.workers.back_up();
        (found, searching)
    }

    /// Polls the sockets, on duty, in place of being parked. Nothing if nobody was
    /// sent anything; else the worker is up, and it says whether by itself.
    fn poll_sockets(&self) -> Option<bool> {
        let (duty, idle) = (&self.workers.duty, &self.workers.idle);
        let mut up = None;
        let wanted_elsewhere = !idle.is_asleep(self.index)
            || idle.is_sentinel(self.index)
            || self.workers.is_quitting();
        let over = !wanted_elsewhere
            && duty.poll(None, &mut || up = Some(idle.get_up(self.index))) == Polled::Over;
        if !over {
            duty.leave();
        }
        up
    }

    /// Looks at the sockets without waiting, if nobody else does.
    fn glance_at_sockets(&self) {
        let duty = &self.workers.duty;
        if !duty.take(self.index) {
            return;
        }
        let mut polled = Polled::Nothing;
        cpu::uncharged(|| polled = duty.poll(Some(Duration::ZERO), &mut || {}));
        if polled != Polled::Over {
            duty.leave();
            // The stand-in may have found the duty taken, and gone to rest.
            self.workers.back_up();
        }
    }

    /// The sentinel's watch. Ends with a mailbox that waited behind a long
    /// callback, or with nothing when the worker is woken or all are parked.
    fn stand_sentinel(&self) -> Option<Runnable> {
        let idle = &self.workers.idle;
        let mut seen: Vec<Sight> = self.others().map(Sight::of).collect();
        let duty = &self.workers.duty;
        let mut polls = Seen::new(duty.polls());
        let mut pause = FIRST_LOOK;
        let mut usual = LOOK;
        let mut in_vain = 0;
        loop {
            if self.shared().parker.park_timeout(pause) || self.workers.is_quitting() {
                return None;
            }
            duty.look_after(&mut polls);
            let mut suspects = false;
            for (other, seen) in self.others().zip(&mut seen) {
                let now = Sight::of(other);
                if now.version != seen.version {
                    *seen = now;
                } else if other.monitor.destination().is_some() {
                    if now.since.duration_since(seen.since) >= LONG {
                        // What it sends from here on does not go to its slot.
                        other.monitor.mark_long(now.version);
                    }
                    // What has just been put there may be about to run.
                    let waits = !now.in_slot.is_null() && now.in_slot == seen.in_slot;
                    if let Some(runnable) = waits.then(|| other.slot.take()).flatten() {
                        return Some(runnable);
                    }
                    if let Some(runnable) = other.stealer.steal() {
                        return Some(runnable);
                    }
                    seen.in_slot = now.in_slot;
                }
                suspects |= !now.in_slot.is_null();
            }
            in_vain += 1;
            if in_vain >= PATIENCE {
                in_vain = 0;
                usual = (usual * 2).min(LONGEST_LOOK);
            }
            if idle.all_asleep() && usual > LOOK {
                idle.leave_post(self.index);
                if idle.all_asleep() || !idle.take_post(self.index) {
                    return None;
                }
            }
            // A message in a slot may be about to wait.
            pause = if suspects { LOOK } else { usual };
        }
    }
}

/// What the sentinel has seen of another worker.
#[derive(Clone, Copy)]
struct Sight {
    /// The monitor's count: another one, another callback.
    version: u32,
    /// When it was first seen.
    since: Instant,
    /// What waited in the slot; an address to compare.
    in_slot: *const Mailbox,
}

impl Sight {
    fn of(worker: &Shared) -> Self {
        Self {
            version: worker.monitor.version(),
            since: Instant::now(),
            in_slot: worker.slot.peek(),
        }
    }
}
