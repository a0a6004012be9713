//! Model checks of parking: no wake-up is lost. `ci/loom` runs them.

use super::idle::Idle;
use super::park::Parker;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

/// The run queues, as weak as they may be: a counter without any ordering.
/// Whatever ordering a worker needs, `Idle` and `Parker` have to bring.
struct Node {
    queued: AtomicUsize,
    handled: AtomicUsize,
    jobs: usize,
    quit: AtomicBool,
    idle: Idle,
    parkers: Vec<Parker>,
}

impl Node {
    fn new(workers: usize, jobs: usize) -> Arc<Self> {
        Arc::new(Self {
            queued: AtomicUsize::new(0),
            handled: AtomicUsize::new(0),
            jobs,
            quit: AtomicBool::new(false),
            idle: Idle::new(workers),
            parkers: (0..workers).map(|_| Parker::new()).collect(),
        })
    }

    /// What a thread does that makes a service runnable.
    fn make_runnable(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
        self.notify();
    }

    fn notify(&self) {
        if let Some(index) = self.idle.worker_to_notify() {
            self.parkers[index].unpark();
        }
    }

    fn is_work_left(&self) -> bool {
        self.queued.load(Ordering::Relaxed) > 0
    }

    fn take(&self) -> bool {
        self.is_work_left()
            && self
                .queued
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
    }

    fn is_quitting(&self) -> bool {
        self.quit.load(Ordering::Relaxed)
    }

    fn handle_one(&self) {
        if self.handled.fetch_add(1, Ordering::Relaxed) + 1 == self.jobs {
            self.quit.store(true, Ordering::SeqCst);
            for parker in &self.parkers {
                parker.unpark();
            }
        }
    }

    /// A worker's life, in the order of steps that `Worker::run` keeps.
    fn work(&self, index: usize) {
        let mut searching = false;
        while !self.is_quitting() {
            searching = searching || self.idle.start_searching();
            if self.take() {
                if std::mem::take(&mut searching) && self.idle.stop_searching() {
                    self.notify();
                }
                self.handle_one();
                continue;
            }
            self.idle.sleep(index, searching);
            if self.is_work_left() {
                self.notify();
            }
            while !self.is_quitting() && self.idle.is_asleep(index) {
                self.parkers[index].park();
            }
            searching = true;
        }
    }
}

/// Explores the interleavings with at most so many preemptions, where all of
/// them would take too long. Bugs hide behind few, rarely behind many.
fn bounded(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(check);
}

/// Runs `workers` against one thread that makes `jobs` services runnable. Loom
/// reports a deadlock when somebody sleeps for good.
fn every_job_is_done(workers: usize, jobs: usize, preemptions: usize) {
    bounded(preemptions, move || {
        let node = Node::new(workers, jobs);
        let threads: Vec<_> = (0..workers)
            .map(|index| {
                let node = Arc::clone(&node);
                thread::spawn(move || node.work(index))
            })
            .collect();
        for _ in 0..jobs {
            node.make_runnable();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(node.handled.load(Ordering::Relaxed), jobs);
    });
}

#[test]
fn one_worker() {
    every_job_is_done(1, 2, 4);
}

#[test]
fn two_workers() {
    every_job_is_done(2, 2, 2);
}

/// The last worker to leave the sentinel's post and the first to get up: one of
/// them sees the other, so that no callback runs without a sentinel.
#[test]
fn the_post_is_not_forgotten() {
    loom::model(|| {
        let node = Node::new(2, 0);
        // The last to fall asleep is the first to be woken.
        node.idle.sleep(1, false);
        node.idle.sleep(0, false);
        assert!(node.idle.take_post(1));

        let sentinel = {
            let node = Arc::clone(&node);
            thread::spawn(move || {
                let idle = &node.idle;
                if idle.all_asleep() {
                    idle.leave_post(1);
                }
                while !idle.is_sentinel(1) && (idle.all_asleep() || !idle.take_post(1)) {
                    node.parkers[1].park();
                }
            })
        };
        let worker = {
            let node = Arc::clone(&node);
            thread::spawn(move || {
                while node.idle.is_asleep(0) {
                    node.parkers[0].park();
                }
                node.idle.rise();
                // A callback sends into its worker's slot.
                if node.idle.lacks_sentinel()
                    && let Some(posted) = node.idle.sentinel_to_post()
                {
                    node.parkers[posted].unpark();
                }
            })
        };
        assert_eq!(node.idle.worker_to_notify(), Some(0));
        node.parkers[0].unpark();
        worker.join().unwrap();
        sentinel.join().unwrap();
        assert!(node.idle.is_sentinel(1));
    });
}

#[test]
fn park_sees_what_came_before_unpark() {
    bounded(3, || {
        let parker = Arc::new(Parker::new());
        let flag = Arc::new(AtomicBool::new(false));
        let early = {
            let parker = Arc::clone(&parker);
            thread::spawn(move || parker.unpark())
        };
        let late = {
            let (parker, flag) = (Arc::clone(&parker), Arc::clone(&flag));
            thread::spawn(move || {
                flag.store(true, Ordering::Relaxed);
                parker.unpark();
            })
        };
        while !flag.load(Ordering::Relaxed) {
            parker.park();
        }
        early.join().unwrap();
        late.join().unwrap();
    });
}
