//! Model checks of the duty. `ci/loom` runs them.

use super::*;
use loom::sync::Arc;
use loom::thread;

/// One worker, whose poller is a parker: nothing but an interrupt comes of it.
struct Node {
    idle: Idle,
    duty: Duty,
    parker: Parker,
    poller: Parker,
    quit: AtomicBool,
}

impl Node {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            idle: Idle::new(1),
            duty: Duty::new(),
            parker: Parker::new(),
            poller: Parker::new(),
            quit: AtomicBool::new(false),
        })
    }

    fn wake(&self) {
        self.parker.unpark();
        if self.duty.is_on(0) {
            self.poller.unpark();
        }
    }

    /// The steps of `Worker::park`, until somebody wakes it.
    fn park(&self) {
        self.idle.sleep(0, false);
        while !self.quit.load(Ordering::Relaxed) && self.idle.is_asleep(0) {
            if !self.duty.claim(0) {
                self.parker.park();
                continue;
            }
            if !self.quit.load(Ordering::Relaxed) && self.idle.is_asleep(0) {
                self.poller.park();
            }
            self.duty.leave();
        }
    }
}

#[test]
fn who_polls_is_woken() {
    loom::model(|| {
        let node = Node::new();
        let worker = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.park())
        };
        // Before it sleeps nobody has to be woken.
        if node.idle.worker_to_notify() == Some(0) {
            node.wake();
        } else {
            node.quit.store(true, Ordering::SeqCst);
            node.wake();
        }
        worker.join().unwrap();
    });
}

#[test]
fn quitting_ends_polling() {
    loom::model(|| {
        let node = Node::new();
        let worker = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.park())
        };
        node.quit.store(true, Ordering::SeqCst);
        node.wake();
        worker.join().unwrap();
    });
}

/// The only worker leaves the duty for a callback while the stand-in goes to rest:
/// one of them sees the other, so that the sockets are not forgotten.
#[test]
fn the_stand_in_is_roused() {
    loom::model(|| {
        let node = Node::new();
        node.idle.sleep(0, false);
        assert!(node.duty.claim(0));
        let stand_in = {
            let node = Arc::clone(&node);
            thread::spawn(move || {
                while !node.duty.is_unattended(&node.idle) {
                    node.duty.rest(|| node.duty.is_unattended(&node.idle));
                }
            })
        };
        assert!(node.idle.get_up(0));
        node.duty.leave();
        node.idle.rise();
        assert!(node.duty.is_free() && node.idle.none_asleep());
        node.duty.rouse();
        stand_in.join().unwrap();
    });
}
