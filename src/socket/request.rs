//! What other threads ask of the polling thread, and how they wake it.

use super::event::{Id, Owner};
use crate::sync::{Mutex, MutexGuard, lock};
use mio::Waker;
use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;

/// One wish. An id that no connection has is answered as the request defines.
#[derive(Debug)]
pub enum Request {
    /// Take a foreign descriptor in, under the reserved id, and read from it.
    Bind { id: Id, owner: Owner, fd: RawFd },
    /// Read from the socket, again or for the first time.
    Start { id: Id, owner: Owner },
    /// Stop reading.
    Pause { id: Id },
    /// End the socket.
    Close { id: Id, manner: Manner },
    /// End the socket at once and without an event, if it is still this owner's:
    /// nobody is there to hear of it.
    Abandon { id: Id, owner: Owner },
    /// Let the polling thread end.
    Exit,
}

/// The ways to end a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// What was written is still delivered.
    Orderly,
    /// What was not delivered yet is dropped.
    AtOnce,
}

/// Requests on their way, first in, first out.
#[derive(Debug)]
pub struct Requests {
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Request>,
    /// The polling thread is in the operating system's hands, or about to be,
    /// and has to be woken for a request.
    asleep: bool,
}

impl Requests {
    pub fn new(waker: Waker) -> Requests {
        Requests {
            state: Mutex::default(),
            waker,
        }
    }

    /// Adds a request. Only the one that finds the polling thread asleep makes
    /// a system call.
    ///
    /// # Errors
    /// The thread could not be woken; the request stays in the queue.
    pub fn push(&self, request: Request) -> io::Result<()> {
        let mut state = self.lock();
        state.queue.push_back(request);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep { self.waker.wake() } else { Ok(()) }
    }

    /// Moves everything queued into `into`, which is empty.
    pub fn take(&self, into: &mut VecDeque<Request>) {
        debug_assert!(into.is_empty());
        std::mem::swap(&mut self.lock().queue, into);
    }

    /// The polling thread is about to sleep: `false` forbids it, since there
    /// is a request.
    pub fn fall_asleep(&self) -> bool {
        let mut state = self.lock();
        state.asleep = state.queue.is_empty();
        state.asleep
    }

    /// The polling thread is back.
    pub fn wake_up(&self) {
        self.lock().asleep = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves the queue half changed.
        lock(&self.state)
    }
}
