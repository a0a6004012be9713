//! The node's clock: the wall clock at the start, carried on by the monotonic
//! one, in centiseconds.
//!
//! Games ask for the time, and arm timers, far more often than a centisecond
//! passes. Where the kernel itself keeps time by the processor's cycle counter, a
//! reading therefore tells until which count its centisecond lasts at least, and
//! up to then a look at the counter answers. A reading vouches for half of what
//! is left of the centisecond by the counter's measured pace, so that the pace may
//! be wrong by a factor of two; then the clock is read again. It is too when the
//! counter is behind the reading: a machine that was suspended, or went on from a
//! snapshot, may have set it back.

use super::{cpu, cycles};
use crate::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) const NANOS_PER_TICK: u64 = 10_000_000;
/// The pace of the counter is not trusted before it was measured for so long.
const MIN_BASE: u64 = 1_000_000;

/// A clock that began to count when it was made. Any thread may read it.
pub(super) struct Clock {
    /// Wall clock, whole seconds since 1970.
    second: u32,
    /// The rest of it. Nanoseconds.
    fraction: u64,
    /// The monotonic clock at that moment. Nanoseconds.
    origin: u64,
    /// The counter at that moment; `None` where there is none to be trusted.
    first_count: Option<u64>,
    /// The latest reading, and the counts from and up to which it holds.
    tick: AtomicU64,
    holds_from: AtomicU64,
    holds_until: AtomicU64,
}

impl Clock {
    /// A clock that starts at the wall clock.
    pub(super) fn start() -> Self {
        let origin = cpu::wall_ns();
        // A wall clock before 1970 counts as 1970.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // The interface has 32 bits for the second, enough until 2106.
        Clock::at(wall.as_secs() as u32, wall.subsec_nanos().into(), origin)
    }

    /// A clock that started at `second` and `fraction` nanoseconds when the
    /// monotonic clock showed `origin`.
    pub(super) fn at(second: u32, fraction: u64, origin: u64) -> Self {
        Clock {
            second,
            fraction,
            origin,
            first_count: cycles::are_reliable().then(cycles::count),
            tick: AtomicU64::new(0),
            holds_from: AtomicU64::new(0),
            holds_until: AtomicU64::new(0),
        }
    }

    /// The wall clock's second at the start, since 1970.
    pub(super) fn second(&self) -> u32 {
        self.second
    }

    /// Centiseconds since the start of [`second`](Self::second).
    #[inline]
    pub(super) fn now(&self) -> u64 {
        let Some(first) = self.first_count else {
            return self.nanos() / NANOS_PER_TICK;
        };
        let count = cycles::count();
        // Acquire: pairs with the release in `read`, which stores the others first.
        let until = self.holds_until.load(Ordering::Acquire);
        if (self.holds_from.load(Ordering::Relaxed)..until).contains(&count) {
            return self.tick.load(Ordering::Relaxed);
        }
        self.read(first, count)
    }

    /// Reads the clock and notes how long the result holds. `count` was read
    /// before.
    #[cold]
    fn read(&self, first: u64, count: u64) -> u64 {
        let nanos = self.nanos();
        let tick = nanos / NANOS_PER_TICK;
        let passed = nanos.saturating_sub(self.fraction);
        if passed >= MIN_BASE {
            let left = NANOS_PER_TICK - nanos % NANOS_PER_TICK;
            let counts = u128::from(count.saturating_sub(first));
            let left_counts = counts * u128::from(left / 2) / u128::from(passed);
            // Another thread's reading may be a later one: no step back.
            self.tick.fetch_max(tick, Ordering::Relaxed);
            self.holds_from.store(count, Ordering::Relaxed);
            let until = count.saturating_add(left_counts as u64);
            self.holds_until.store(until, Ordering::Release);
        }
        tick
    }

    /// Nanoseconds since the start of [`second`](Self::second). The system's
    /// coarse clock would be faster to read, but can be behind by more than a
    /// tick on a busy virtual machine.
    pub(super) fn nanos(&self) -> u64 {
        // For loom time stands still: a model takes its turns again and again, and
        // they must not depend on when.
        let now = if cfg!(loom) {
            self.origin
        } else {
            cpu::wall_ns()
        };
        now - self.origin + self.fraction
    }

    /// How long it is until `tick` begins.
    pub(super) fn until(&self, tick: u64) -> Duration {
        let begin = tick.saturating_mul(NANOS_PER_TICK);
        Duration::from_nanos(begin.saturating_sub(self.nanos()))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::Instant;

    /// The latest reading is then none: its counts will not come again for long.
    #[test]
    fn a_counter_that_was_set_back_does_not_stop_it() {
        let clock = Clock::start();
        for _ in 0..2 {
            clock.tick.store(0, Ordering::Relaxed);
            clock.holds_from.store(u64::MAX - 1, Ordering::Relaxed);
            clock.holds_until.store(u64::MAX, Ordering::Relaxed);
            let before = clock.nanos() / NANOS_PER_TICK;
            let now = clock.now();
            let after = clock.nanos() / NANOS_PER_TICK;
            assert!((before..=after).contains(&now), "{before} {now} {after}");
            // The second time when there is a base to judge the pace by.
            while clock.nanos() - clock.fraction < MIN_BASE {}
        }
    }

    /// For as long as two threads may look in turn at both.
    #[test]
    fn agrees_with_the_monotonic_clock() {
        let clock = Clock::start();
        let end = Instant::now() + Duration::from_millis(300);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while Instant::now() < end {
                        let before = clock.nanos() / NANOS_PER_TICK;
                        let now = clock.now();
                        let after = clock.nanos() / NANOS_PER_TICK;
                        assert!((before..=after).contains(&now), "{before} {now} {after}");
                    }
                });
            }
        });
    }
}
