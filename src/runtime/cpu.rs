//! CPU time of services, without a system call for every message.
//!
//! A thread that runs services reads the monotonic clock once between two
//! messages and charges the difference. That would charge a service for time
//! it spent blocked or preempted, so every 100 µs the charges are compared with
//! the thread's CPU clock, and the message that has just ended is charged that
//! much less. A message that takes longer than that is therefore exact. What the
//! thread does while it has nothing to run is left out, or it would be taken for
//! the work of messages that only waited.

use crate::sync::atomic::{AtomicU64, Ordering};
use std::cell::Cell;

/// How much wall time may be charged between two readings of the CPU clock. ns.
const RECONCILE_NS: u64 = 100_000;

/// The CPU time a service has used.
#[derive(Debug)]
pub(crate) struct CpuTime {
    /// Nanoseconds. Written only by the thread that runs the service.
    cost: AtomicU64,
}

impl CpuTime {
    pub(crate) fn new() -> Self {
        Self {
            cost: AtomicU64::new(0),
        }
    }

    /// CPU time of all messages handled so far. Nanoseconds.
    pub(crate) fn cost(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }

    fn add(&self, nanoseconds: u64) {
        let cost = self.cost.load(Ordering::Relaxed);
        self.cost.store(cost + nanoseconds, Ordering::Relaxed);
    }
}

/// One thread's clocks. Times in nanoseconds.
#[derive(Debug)]
struct Meter {
    /// When the message being handled began; wall time.
    last: Cell<u64>,
    /// Wall time charged since the CPU clock was read.
    charged: Cell<u64>,
    /// The CPU clock when it was read, moved on by what was nobody's time since.
    cpu: Cell<u64>,
    /// The CPU clock at the last [`pause`]; 0 when none is under way.
    paused: Cell<u64>,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            last: Cell::new(0),
            charged: Cell::new(0),
            cpu: Cell::new(0),
            paused: Cell::new(0),
        }
    };
}

/// What this thread does from here to the next [`begin`] is nobody's time. Again
/// before that, it changes nothing.
pub(crate) fn pause() {
    METER.with(|meter| {
        if meter.paused.get() == 0 {
            meter.paused.set(thread_ns());
        }
    });
}

/// Begins to measure on this thread, or goes on after a [`pause`].
pub(crate) fn begin() {
    METER.with(|meter| {
        match (meter.cpu.get(), meter.paused.take()) {
            (0, _) => meter.cpu.set(thread_ns()),
            (_, 0) => {}
            (cpu, paused) => meter.cpu.set(cpu + thread_ns().saturating_sub(paused)),
        }
        meter.last.set(wall_ns());
    });
}

/// When this thread charged last, or began to measure. Nanoseconds.
pub(crate) fn last() -> u64 {
    METER.with(|meter| meter.last.get())
}

/// Does something between two messages that is nobody's time, and does not block.
pub(crate) fn uncharged(f: impl FnOnce()) {
    let began = wall_ns();
    f();
    let spent = wall_ns().saturating_sub(began);
    METER.with(|meter| {
        meter.last.set(meter.last.get() + spent);
        meter.cpu.set(meter.cpu.get() + spent);
    });
}

/// Charges a service with the time since [`begin`] or the charge before.
#[inline]
pub(crate) fn charge(service: &CpuTime) {
    METER.with(|meter| {
        let now = wall_ns();
        let spent = now.saturating_sub(meter.last.replace(now));
        let charged = meter.charged.get() + spent;
        if charged < RECONCILE_NS {
            meter.charged.set(charged);
            service.add(spent);
            return;
        }
        let cpu = thread_ns();
        let real = cpu.saturating_sub(meter.cpu.replace(cpu));
        meter.charged.set(0);
        service.add(spent.saturating_sub(charged.saturating_sub(real)));
    });
}

/// CPU time of the message that this thread is handling. Nanoseconds.
pub(crate) fn current() -> u64 {
    METER.with(|meter| {
        thread_ns()
            .saturating_sub(meter.cpu.get())
            .saturating_sub(meter.charged.get())
    })
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a timespec to write to. Both clocks used here exist on
    // every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub(crate) fn wall_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

pub(crate) fn thread_ns() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    const WORK: u64 = 20_000_000;
    const LITTLE: u64 = WORK / 4;

    fn work() {
        let end = thread_ns() + WORK;
        while thread_ns() < end {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn work_is_charged() {
        let service = CpuTime::new();
        begin();
        work();
        assert!(current() >= WORK);
        charge(&service);
        assert!((WORK..WORK + LITTLE).contains(&service.cost()));
    }

    /// The thread's own work before the message is no part of it, nor is waiting.
    #[test]
    fn a_message_that_waits_is_not_charged() {
        let service = CpuTime::new();
        begin();
        pause();
        work();
        begin();
        assert!(current() < LITTLE, "{} ns", current());
        thread::sleep(Duration::from_nanos(2 * WORK));
        charge(&service);
        assert!(service.cost() < LITTLE, "{} ns", service.cost());
    }

    #[test]
    fn work_between_messages_is_left_out() {
        let service = CpuTime::new();
        begin();
        uncharged(work);
        assert!(current() < LITTLE, "{} ns", current());
        charge(&service);
        assert!(service.cost() < LITTLE, "{} ns", service.cost());
    }
}
