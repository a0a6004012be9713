//! What other threads ask of the polling thread, and how they wake it.

use super::event::{Id, Owner, Text};
use super::socket::{After, Socket};
use super::source::Source;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::sync::{Mutex, lock};
use mio::Waker;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

/// One wish. An id that no connection has is answered as the request defines.
#[derive(Debug)]
pub enum Request {
    /// Take in what any of the next four will complete.
    Open(Arc<Socket>),
    /// Take a foreign descriptor in, and read from it.
    Bind { id: Id, fd: RawFd },
    /// Connect to the first of these addresses that answers.
    Connect { id: Id, addresses: Vec<SocketAddr> },
    /// Take a listening socket in, which waits to be started.
    Listen { id: Id, source: Source },
    /// Take a socket for datagrams in, and read from it.
    Datagram { id: Id, source: Arc<Source> },
    /// It cannot be opened: tell why, and let it go.
    Fail { id: Id, text: Text },
    /// Read from the socket, again or for the first time.
    Start { id: Id, owner: Owner },
    /// Stop reading.
    Pause { id: Id },
    /// Send small segments at once.
    Nodelay { id: Id },
    /// End the connection when its peer is silent for so long.
    Keepalive { id: Id, duration: Duration },
    /// End the socket.
    Close { id: Id, manner: Manner },
    /// End the socket when everything is sent, and without an event, if it is still
    /// this owner's: nobody is there to hear of it.
    Abandon { id: Id, owner: Owner },
    /// What a send has left to be done.
    After { id: Id, after: After },
    /// Tell of an error that changes nothing.
    Report { id: Id, text: Text },
    /// Let the polling thread end.
    Exit,
}

impl Request {
    /// The socket that it is about.
    pub fn id(&self) -> Option<Id> {
        match self {
            Request::Open(socket) => Some(socket.id()),
            Request::Bind { id, .. }
            | Request::Connect { id, .. }
            | Request::Listen { id, .. }
            | Request::Datagram { id, .. }
            | Request::Fail { id, .. }
            | Request::Start { id, .. }
            | Request::Pause { id }
            | Request::Nodelay { id }
            | Request::Keepalive { id, .. }
            | Request::Close { id, .. }
            | Request::Abandon { id, .. }
            | Request::After { id, .. }
            | Request::Report { id, .. } => Some(*id),
            Request::Exit => None,
        }
    }
}

/// The ways to end a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// What was written is still delivered.
    Orderly,
    /// What was not delivered yet is dropped.
    AtOnce,
}

/// Requests that an empty queue may keep room for. More is given back.
const KEEP: usize = 256;

/// The polling thread runs, and will look for requests before it sleeps.
const AWAKE: u8 = 0;
/// It is in the operating system's hands, or about to be, and has to be woken.
const ASLEEP: u8 = 1;
/// It has something to look at: it must not fall asleep, or was woken.
const NOTIFIED: u8 = 2;

/// Requests on their way, first in, first out.
#[derive(Debug)]
pub struct Requests {
    queue: Mutex<VecDeque<Request>>,
    /// There is something in the queue; a look without the lock.
    waiting: AtomicBool,
    sleep: AtomicU8,
    /// Whoever polls is to return; stays until somebody did.
    interrupted: AtomicBool,
    waker: Waker,
}

impl Requests {
    pub fn new(waker: Waker) -> Requests {
        Requests {
            queue: Mutex::default(),
            waiting: AtomicBool::new(false),
            sleep: AtomicU8::new(AWAKE),
            interrupted: AtomicBool::new(false),
            waker,
        }
    }

    /// Adds requests, which stay together. Only who finds the polling thread
    /// asleep makes a system call.
    ///
    /// # Errors
    /// The thread could not be woken; the requests stay in the queue.
    pub fn push<const N: usize>(&self, requests: [Request; N]) -> io::Result<()> {
        let mut queue = lock(&self.queue);
        queue.extend(requests);
        self.waiting.store(true, Ordering::Relaxed);
        drop(queue);
        self.notify()
    }

    /// Has a thread that polls, or the next one that does, return soon.
    ///
    /// # Errors
    /// The thread could not be woken.
    pub fn interrupt(&self) -> io::Result<()> {
        if self.interrupted.swap(true, Ordering::SeqCst) {
            // Whoever set it has woken the thread.
            return Ok(());
        }
        self.notify()
    }

    fn notify(&self) -> io::Result<()> {
        // SeqCst, as in fall_asleep: either this finds ASLEEP, or the thread that
        // goes to sleep finds NOTIFIED.
        if self.sleep.swap(NOTIFIED, Ordering::SeqCst) == ASLEEP {
            return self.waker.wake();
        }
        Ok(())
    }

    /// Whether there are any that nobody has looked at. One relaxed load.
    #[inline]
    pub fn are_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Moves everything queued into `into`, which is empty.
    #[inline]
    pub fn take(&self, into: &mut VecDeque<Request>) {
        debug_assert!(into.is_empty());
        // A request that this look misses has notified, or will: there is
        // another look before the thread sleeps.
        if self.are_waiting() {
            if into.capacity() > KEEP {
                *into = VecDeque::new();
            }
            let mut queue = lock(&self.queue);
            self.waiting.store(false, Ordering::Relaxed);
            std::mem::swap(&mut *queue, into);
        }
    }

    /// The polling thread is about to sleep: `false` forbids it, since there is
    /// something to look at.
    pub fn fall_asleep(&self) -> bool {
        let asleep = self
            .sleep
            .compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst);
        if asleep.is_err() {
            // Acquire, by SeqCst: what was pushed before the notice is seen by
            // the next look.
            self.sleep.store(AWAKE, Ordering::SeqCst);
            return false;
        }
        // An interrupt whose notice an earlier round took.
        if self.interrupted.load(Ordering::SeqCst) {
            self.sleep.store(AWAKE, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// The polling thread is back.
    pub fn wake_up(&self) {
        self.sleep.swap(AWAKE, Ordering::SeqCst);
    }

    /// Whether somebody wants whoever polls to return; once for each time.
    pub fn take_interrupt(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) && self.interrupted.swap(false, Ordering::SeqCst)
    }
}
