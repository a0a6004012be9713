//! Model checks of what a mailbox promises to senders, to the thread that runs
//! it, and to the one that closes it. `ci/loom` runs them.

use super::{Mailbox, Runnable};
use crate::runtime::message::{Message, Payload};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::ptr::{self, NonNull};

/// A mailbox, and what became of its messages. The records are cells without a
/// lock: loom reports two threads in them, which is two holders of the right.
struct Scene {
    mailbox: Mailbox,
    handled: UnsafeCell<Vec<(u32, i32)>>,
    drained: UnsafeCell<Vec<(u32, i32)>>,
    drains: UnsafeCell<usize>,
}

impl Scene {
    /// A mailbox whose first right is already given back: it is idle.
    fn idle() -> Arc<Self> {
        let scene = Self::fresh();
        scene.run(scene.first_right());
        scene
    }

    fn fresh() -> Arc<Self> {
        Arc::new(Self {
            mailbox: Mailbox::new(1, ptr::null()),
            handled: UnsafeCell::new(Vec::new()),
            drained: UnsafeCell::new(Vec::new()),
            drains: UnsafeCell::new(0),
        })
    }

    fn first_right(&self) -> Runnable {
        // SAFETY: the mailbox is new, and this is called once for it.
        unsafe { Runnable::from_raw(NonNull::from(&self.mailbox)) }
    }

    /// Sends, and does what the scheduler would if the mailbox was idle. False
    /// when the mailbox is closed.
    fn send(&self, source: u32, session: i32) -> bool {
        match self.mailbox.push(message(source, session)) {
            Ok(Some(right)) => self.run(right),
            Ok(None) => {}
            Err(_refused) => return false,
        }
        true
    }

    /// Handles messages until the mailbox is idle, or closed and then drained.
    fn run(&self, mut right: Runnable) {
        loop {
            let Some(message) = right.take() else {
                match right.settle() {
                    None => return,
                    Some(kept) => right = kept,
                }
                if self.mailbox.is_marked() {
                    if let Some(right) = right.into_drain() {
                        self.drain(right);
                    }
                    return;
                }
                continue;
            };
            record(&self.handled, &message);
        }
    }

    fn close(&self) {
        if let Some(right) = self.mailbox.close() {
            self.drain(right);
        }
    }

    fn drain(&self, mut right: Runnable) {
        // SAFETY: loom checks that no other thread is here.
        self.drains.with_mut(|drains| unsafe { *drains += 1 });
        while let Some(message) = right.take() {
            record(&self.drained, &message);
        }
        // The right ends here, as it does when the mailbox is freed.
        let _ = right.into_raw();
    }

    fn handled(&self) -> Vec<(u32, i32)> {
        // SAFETY: loom checks that no other thread is here.
        self.handled.with(|list| unsafe { (*list).clone() })
    }

    fn drained(&self) -> Vec<(u32, i32)> {
        // SAFETY: as above.
        self.drained.with(|list| unsafe { (*list).clone() })
    }

    fn drains(&self) -> usize {
        // SAFETY: as above.
        self.drains.with(|drains| unsafe { *drains })
    }
}

fn message(source: u32, session: i32) -> Message {
    Message::new(source, session, 0, Payload::empty())
}

fn record(list: &UnsafeCell<Vec<(u32, i32)>>, message: &Message) {
    // SAFETY: loom checks that no other thread is here.
    list.with_mut(|list| unsafe { (*list).push((message.source(), message.session())) });
}

fn sessions_of(list: &[(u32, i32)], source: u32) -> Vec<i32> {
    let of_source = list.iter().filter(|(from, _)| *from == source);
    of_source.map(|(_, session)| *session).collect()
}

#[test]
fn order() {
    loom::model(|| {
        let scene = Scene::idle();
        let sender = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                assert!(scene.send(7, 1));
                assert!(scene.send(7, 2));
            })
        };
        assert!(scene.send(8, 1));
        assert!(scene.send(8, 2));
        sender.join().unwrap();

        let handled = scene.handled();
        assert_eq!(
            handled.len(),
            4,
            "each message is handled once: {handled:?}"
        );
        assert_eq!(sessions_of(&handled, 7), [1, 2]);
        assert_eq!(sessions_of(&handled, 8), [1, 2]);
        assert_eq!(scene.mailbox.len(), 0);
    });
}

#[test]
fn one_right() {
    loom::model(|| {
        let scene = Scene::idle();
        let senders: Vec<_> = (1..=2)
            .map(|source| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || {
                    let Ok(right) = scene.mailbox.push(message(source, 1)) else {
                        panic!("the mailbox is open");
                    };
                    let made_runnable = right.is_some();
                    // Kept back: what a worker has not got round to yet.
                    right.map(Runnable::into_raw);
                    made_runnable
                })
            })
            .collect();
        let made_runnable = senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .filter(|made| *made)
            .count();
        assert_eq!(made_runnable, 1);
    });
}

#[test]
fn messages_before_the_service_is_ready() {
    loom::model(|| {
        let scene = Scene::fresh();
        let sender = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || assert!(scene.send(7, 1)))
        };
        scene.run(scene.first_right());
        sender.join().unwrap();
        assert_eq!(scene.handled(), [(7, 1)]);
    });
}

#[test]
fn nothing_lands_after_the_drain() {
    loom::model(|| {
        let scene = Scene::idle();
        let sender = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                (1..=3)
                    .filter(|session| scene.send(7, *session))
                    .collect::<Vec<i32>>()
            })
        };
        scene.close();
        let accepted = sender.join().unwrap();

        let mut seen = sessions_of(&scene.handled(), 7);
        seen.extend(sessions_of(&scene.drained(), 7));
        assert_eq!(seen, accepted, "what got in comes out, in order");
        assert_eq!(scene.drains(), 1, "exactly one thread drains");
        assert!(!scene.send(8, 1), "a closed mailbox takes nothing");
        assert_eq!(scene.mailbox.len(), 0);
    });
}

#[test]
fn two_senders_and_a_close() {
    loom::model(|| {
        let scene = Scene::idle();
        let senders: Vec<_> = (7..=8)
            .map(|source| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || usize::from(scene.send(source, 1)))
            })
            .collect();
        scene.close();
        let accepted: usize = senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .sum();
        assert_eq!(scene.handled().len() + scene.drained().len(), accepted);
        assert_eq!(scene.drains(), 1);
    });
}
