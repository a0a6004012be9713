//! Clocks and timeouts.
//!
//! What lives here: the clock, read anew by everyone who asks; the intake, a
//! list to which any thread appends the timers it arms; and the [`Wheel`], into
//! which they are moved, many at a time, before it is asked what is due. One
//! thread, in [`Timer::run`], sleeps until the next expiry. It is woken by a
//! timer that is due before that, and by nothing else.

#![forbid(unsafe_code)]

mod wheel;

use super::clock::Clock;
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, lock};
use crossbeam_utils::CachePadded;
use once_cell::sync::OnceCell;
use std::mem;
use std::sync::PoisonError;
use wheel::{Bucket, Wheel};

static TIMER: OnceCell<Timer> = OnceCell::new();

/// Creates the node's timer; its time starts now.
///
/// # Errors
/// [`Error::AlreadyInitialised`] if there is one; it runs on.
pub fn init() -> Result<()> {
    TIMER
        .set(Timer::new())
        .map_err(|_| Error::AlreadyInitialised("timer"))
}

/// The node's timer.
///
/// # Errors
/// [`Error::NotInitialised`] before [`init`].
pub fn timer() -> Result<&'static Timer> {
    TIMER.get().ok_or(Error::NotInitialised("timer"))
}

/// An intake this full is emptied into the wheel by the thread that filled it,
/// so that a burst is not all left to the moment of the next expiry.
const INTAKE_LIMIT: usize = 512;

/// [`Timer::wake_at`] while the timer's thread is awake: it will look at the
/// intake before it sleeps.
const AWAKE: u64 = 0;
/// [`Timer::wake_at`] while it sleeps with nothing to wait for.
const NEVER: u64 = u64::MAX;

#[derive(Clone, Copy)]
struct Timeout {
    handle: u32,
    session: i32,
}

/// A timer that is not in the wheel yet.
struct Arrival {
    tick: u64,
    timeout: Timeout,
}

/// The wheel, and what is on its way from the intake; empty between two moves.
struct Schedule {
    wheel: Wheel<Timeout>,
    arrivals: Vec<Arrival>,
}

#[derive(Default)]
struct Park {
    notified: bool,
    stopped: bool,
}

/// The node's clock and timeouts. Times are in centiseconds.
pub struct Timer {
    clock: Clock,
    /// In the order of arming. Locked for a few instructions only: on a cache
    /// line apart from what other threads read meanwhile.
    intake: CachePadded<Mutex<Vec<Arrival>>>,
    schedule: Mutex<Schedule>,
    /// What is being delivered. Held during delivery, which keeps the order
    /// when two threads update; arming a timer does not need it.
    due: Mutex<Bucket<Timeout>>,
    /// The tick until which the timer's thread sleeps, or [`AWAKE`].
    wake_at: AtomicU64,
    park: Mutex<Park>,
    unpark: Condvar,
}

impl Timer {
    /// A timer whose time starts now.
    pub fn new() -> Self {
        Timer::with_clock(Clock::start())
    }

    fn with_clock(clock: Clock) -> Self {
        let tick = clock.now();
        Timer {
            clock,
            intake: CachePadded::new(Mutex::new(Vec::new())),
            schedule: Mutex::new(Schedule {
                wheel: Wheel::new(tick),
                arrivals: Vec::new(),
            }),
            due: Mutex::new(Bucket::new()),
            wake_at: AtomicU64::new(AWAKE),
            park: Mutex::new(Park::default()),
            unpark: Condvar::new(),
        }
    }

    /// The wall clock's second in which the node started, since 1970.
    pub fn starttime(&self) -> u32 {
        self.clock.second()
    }

    /// Centiseconds since [`starttime`](Self::starttime): the first reading is
    /// the fraction of the second in which the node started.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Arms a timer that is due `centiseconds` after the current one. It cannot
    /// be disarmed. Any thread may call this.
    pub fn add(&self, handle: u32, session: i32, centiseconds: u32) {
        let tick = self.now() + u64::from(centiseconds);
        let timeout = Timeout { handle, session };
        let waiting = {
            let mut intake = lock(&self.intake);
            intake.push(Arrival { tick, timeout });
            intake.len()
        };
        // The intake's lock pairs with the one in `prepare_sleep`: either that
        // finds this timer, or the tick it has published is seen here.
        if tick < self.wake_at.load(Ordering::Relaxed) {
            self.wake();
        }
        if waiting >= INTAKE_LIMIT
            && let Ok(mut schedule) = self.schedule.try_lock()
        {
            self.gather(&mut schedule);
        }
    }

    /// Delivers everything that is due, in the order of expiry, and for one
    /// expiry in the order of arming. No lock is held meanwhile that
    /// [`add`](Self::add) needs; `deliver` must not call `update`.
    pub fn update(&self, deliver: &mut dyn FnMut(u32, i32)) {
        let mut due = lock(&self.due);
        let now = self.now();
        self.gather(&mut lock(&self.schedule));
        while self.pop_due(now, &mut due) {
            due.drain(|timeout| deliver(timeout.handle, timeout.session));
        }
    }

    /// The timer thread's loop: delivers what is due and sleeps until there is
    /// more, until [`stop`](Self::stop). For one thread at a time.
    pub fn run(&self, deliver: &mut dyn FnMut(u32, i32)) {
        while !lock(&self.park).stopped {
            self.update(deliver);
            let next = self.prepare_sleep();
            self.sleep(next);
        }
        lock(&self.park).stopped = false;
    }

    /// Ends [`run`](Self::run), now or as soon as it is called.
    pub fn stop(&self) {
        lock(&self.park).stopped = true;
        self.unpark.notify_all();
    }

    fn pop_due(&self, now: u64, due: &mut Bucket<Timeout>) -> bool {
        lock(&self.schedule).wheel.pop_due(now, due)
    }

    /// Moves what was armed into the wheel. The schedule's lock keeps what one
    /// thread takes from the intake ahead of what the next takes.
    fn gather(&self, schedule: &mut Schedule) {
        let Schedule { wheel, arrivals } = schedule;
        mem::swap(&mut *lock(&self.intake), arrivals);
        for Arrival { tick, timeout } in arrivals.drain(..) {
            wheel.insert(tick, timeout);
        }
        if arrivals.capacity() > INTAKE_LIMIT {
            *arrivals = Vec::new();
        }
    }

    /// Publishes until when the thread will sleep, and returns it.
    fn prepare_sleep(&self) -> u64 {
        let mut schedule = lock(&self.schedule);
        let next = schedule.wheel.next().unwrap_or(NEVER);
        // Before the intake's lock is taken, see `add`.
        self.wake_at.store(next, Ordering::Relaxed);
        self.gather(&mut schedule);
        let sooner = schedule.wheel.next().unwrap_or(NEVER);
        if sooner != next {
            self.wake_at.store(sooner, Ordering::Relaxed);
        }
        sooner
    }

    fn sleep(&self, next: u64) {
        let mut park = lock(&self.park);
        while !park.notified && !park.stopped {
            park = if next == NEVER {
                let woken = self.unpark.wait(park);
                woken.unwrap_or_else(PoisonError::into_inner)
            } else {
                let left = self.clock.until(next);
                if left.is_zero() {
                    break;
                }
                let woken = self.unpark.wait_timeout(park, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            };
        }
        park.notified = false;
        drop(park);
        self.wake_at.store(AWAKE, Ordering::Relaxed);
    }

    /// Ends the current sleep. Of several threads that want this, one does it.
    fn wake(&self) {
        if self.wake_at.swap(AWAKE, Ordering::Relaxed) != AWAKE {
            lock(&self.park).notified = true;
            self.unpark.notify_one();
        }
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::clock::NANOS_PER_TICK;
    use super::super::cpu;
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    const DEADLINE: Duration = Duration::from_secs(20);

    /// Stops the timer when a test ends, also by a failed assertion.
    struct Stop<'a>(&'a Timer);

    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.stop();
        }
    }

    /// Calls `test` beside a running timer, whose deliveries the receiver gets
    /// as (handle, session, the tick at delivery).
    fn beside<R>(
        timer: &Timer,
        test: impl FnOnce(&Timer, mpsc::Receiver<(u32, i32, u64)>) -> R,
    ) -> R {
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            let _stop = Stop(timer);
            scope.spawn(move || {
                timer.run(&mut |handle, session| {
                    // The test may have seen enough.
                    let _ = sender.send((handle, session, timer.now()));
                });
            });
            test(timer, receiver)
        })
    }

    /// Waits until the timer's thread sleeps until `tick`.
    fn asleep(timer: &Timer, tick: impl Fn(u64) -> bool) {
        let start = Instant::now();
        while !tick(timer.wake_at.load(Ordering::SeqCst)) {
            assert!(start.elapsed() < DEADLINE, "the timer thread did not sleep");
            thread::yield_now();
        }
    }

    #[test]
    fn smoke() {
        beside(&Timer::new(), |timer, delivered| {
            let before = timer.now();
            timer.add(7, 70, 3);
            let after = timer.now();
            let (handle, session, tick) = delivered.recv_timeout(DEADLINE).unwrap();
            assert_eq!((handle, session), (7, 70));
            assert!(tick >= before + 3, "{tick} is before {}", after + 3);
        });
    }

    #[test]
    fn order() {
        beside(&Timer::new(), |timer, delivered| {
            let mut armed = Vec::new();
            for session in 0..5_000 {
                let before = timer.now();
                let wait = 1 + (session * 7) % 20;
                timer.add(1, session as i32, wait);
                // Where the tick changed meanwhile, the expiry is not known.
                if timer.now() == before {
                    armed.push((before + u64::from(wait), session as i32));
                }
            }
            armed.sort_by_key(|&(tick, _)| tick);
            let mut known = vec![None; 5_000];
            for &(tick, session) in &armed {
                known[session as usize] = Some(tick);
            }
            let mut got = Vec::new();
            for _ in 0..5_000 {
                let (_, session, at) = delivered.recv_timeout(DEADLINE).unwrap();
                if let Some(tick) = known[session as usize] {
                    assert!(at >= tick, "session {session} came early");
                    got.push((tick, session));
                }
            }
            assert_eq!(got, armed);
        });
    }

    #[test]
    fn order_across_threads() {
        let timer = Timer::new();
        let turn = Mutex::new(0);
        let count = 400;
        thread::scope(|scope| {
            for number in 0..4 {
                let (timer, turn) = (&timer, &turn);
                scope.spawn(move || {
                    loop {
                        let mut turn = lock(turn);
                        if *turn == count {
                            break;
                        }
                        if *turn % 4 == number {
                            timer.add(0, *turn, 0);
                            *turn += 1;
                        }
                        drop(turn);
                        thread::yield_now();
                    }
                });
            }
        });
        let mut sessions = Vec::new();
        timer.update(&mut |_, session| sessions.push(session));
        // The ticks may differ, but they rise with the order of arming.
        assert_eq!(sessions, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn a_later_timer_wakes_nobody() {
        beside(&Timer::new(), |timer, _delivered| {
            asleep(timer, |tick| tick == NEVER);
            let before = timer.now();
            timer.add(1, 1, 360_000);
            let hour = before + 360_000;
            asleep(timer, |tick| tick != NEVER && tick >= hour);
            let until = timer.wake_at.load(Ordering::SeqCst);
            for session in 0..(3 * INTAKE_LIMIT) {
                timer.add(1, session as i32, 360_001 + session as u32);
            }
            assert_eq!(timer.wake_at.load(Ordering::SeqCst), until);
            assert!(!lock(&timer.park).notified);
        });
    }

    #[test]
    fn an_earlier_timer_wakes() {
        beside(&Timer::new(), |timer, delivered| {
            timer.add(1, 1, 360_000);
            asleep(timer, |tick| tick != NEVER && tick != AWAKE);
            timer.add(2, 2, 1);
            let (handle, session, _) = delivered.recv_timeout(DEADLINE).unwrap();
            assert_eq!((handle, session), (2, 2));
            asleep(timer, |tick| tick > timer.now() + 300_000);
        });
    }

    #[test]
    fn crosses_the_32_bit_boundary() {
        let clock = Clock::at(0, ((1 << 32) - 3) * NANOS_PER_TICK, cpu::wall_ns());
        beside(&Timer::with_clock(clock), |timer, delivered| {
            for session in (1..=6).rev() {
                timer.add(0, session, session as u32);
            }
            for expected in 1..=6 {
                let (_, session, tick) = delivered.recv_timeout(DEADLINE).unwrap();
                assert_eq!(session, expected);
                assert!(tick >= (1 << 32) - 3 + expected as u64);
            }
        });
    }

    #[test]
    fn overload() {
        let timer = Timer::new();
        let threads = 8;
        let each = if cfg!(miri) { 100 } else { 20_000 };
        thread::scope(|scope| {
            for handle in 0..threads {
                let timer = &timer;
                scope.spawn(move || (0..each).for_each(|session| timer.add(handle, session, 0)));
            }
        });
        let mut next = vec![0; threads as usize];
        // Ticks that pass between readings leave nothing behind.
        timer.update(&mut |handle, session| {
            assert_eq!(session, next[handle as usize]);
            next[handle as usize] += 1;
        });
        assert_eq!(next, vec![each; threads as usize]);
    }

    #[test]
    fn shutdown() {
        let timer = Timer::new();
        timer.stop();
        timer.run(&mut |_, _| ());
        beside(&timer, |timer, _| asleep(timer, |tick| tick == NEVER));
    }

    #[test]
    fn start_time_and_now_are_the_wall_clock() {
        let timer = Timer::new();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let wall = wall.as_millis() as i64 / 10;
        let ours = i64::from(timer.starttime()) * 100 + timer.now() as i64;
        assert!((wall - ours).abs() <= 100, "{wall} and {ours}");
        assert!(timer.now() < 100);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::sync::Arc;

    /// A timer that is due at once ends the sleep, wherever the thread is on
    /// its way there. Were it missed, the model would end in a deadlock.
    #[test]
    fn no_wake_is_lost() {
        loom::model(|| {
            let timer = Arc::new(Timer::with_clock(Clock::at(0, 0, 0)));
            let runner = {
                let timer = timer.clone();
                loom::thread::spawn(move || {
                    let mut seen = Vec::new();
                    timer.run(&mut |handle, session| {
                        seen.push((handle, session));
                        timer.stop();
                    });
                    seen
                })
            };
            timer.add(3, 9, 0);
            assert_eq!(runner.join().unwrap(), [(3, 9)]);
        });
    }
}
