//! One socket, as every thread sees it: where it is in its life, and its writing
//! side. The reading side is the polling thread's alone ([`connection`]).
//!
//! A send writes to the descriptor itself while nothing waits, under the
//! socket's lock, and queues what the descriptor does not take. From then on the
//! poller's word that there is room has it flushed. That word comes once, so
//! [`Socket::pending`] is set before the attempt whose failure makes the system
//! give it: the polling thread, which looks at the flag without the lock, cannot
//! miss it.
//!
//! What has to be told, or has to be done by the polling thread, comes back as an
//! [`After`]; what is to be freed comes with it, so that freeing a user object
//! runs its code under no lock.
//!
//! [`connection`]: super::connection

use super::clock::Clock;
use super::event::{Id, Owner};
use super::outgoing::{Buffer, Flushed, Priority, Queue};
use super::request::Request;
use super::source::Source;
use crate::runtime::node;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

/// The first warning comes at so much that waits; the next at twice that, and
/// so on. Bytes.
const WARNING: usize = 1 << 20;

/// Where a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// On its way: what is sent waits.
    Opening,
    /// Made by a peer, and not started yet.
    Accepted,
    /// Listens, and is not started yet.
    Bound,
    Listening,
    Connected,
    /// A foreign descriptor.
    Foreign,
    /// Writing has failed, which was reported: what is sent is dropped.
    WriteFailed,
    /// Not there any more.
    Gone,
}

/// See the module's text.
#[derive(Debug)]
pub struct Socket {
    id: Id,
    owner: AtomicUsize,
    /// For statistics; only the polling thread writes them.
    pub reading: AtomicBool,
    read_bytes: AtomicU64,
    read_time: AtomicU64,
    /// Something waits to be sent.
    pending: AtomicBool,
    writer: Mutex<Writer>,
}

/// The writing side.
#[derive(Debug)]
pub struct Writer {
    pub stage: Stage,
    /// Its owner has closed it: it goes when everything is sent.
    pub closing: bool,
    /// No more is read, and its owner was told.
    pub read_closed: bool,
    pub source: Option<Arc<Source>>,
    /// Where datagrams go that are sent without an address.
    pub default: Option<SocketAddr>,
    /// So many default addresses are being looked up.
    pub resolving: u32,
    queue: Queue,
    /// What waits is above a warning's mark; the next mark. Bytes.
    warn_at: usize,
    /// So much of what waits is the rest of a buffer that went straight to the
    /// descriptor. As in the reference, warnings leave it out until the poller
    /// has said for the first time that there is room. Bytes.
    rest: usize,
    written: u64,
    write_time: u64,
}

/// What a change of the writing side leaves to be done, in this order.
#[derive(Debug, Default)]
pub struct After {
    /// Tell that so many bytes wait.
    pub warning: Option<usize>,
    /// Tell that all is sent, since there was a warning.
    pub drained: bool,
    /// Tell that writing failed, or let the socket go if nobody need know.
    pub failed: Option<io::Error>,
    /// All is sent, and the owner wanted the socket closed then.
    pub finished: bool,
    /// Flush again, without waiting for the poller.
    pub again: bool,
    /// To be dropped where no lock is held.
    pub freed: Vec<Buffer>,
}

/// Nothing was sent, and the buffer is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// What `socket_info` says about the writing side, and more.
#[derive(Debug)]
pub struct Statistics {
    pub owner: Owner,
    pub read: u64,
    pub written: u64,
    pub read_time: u64,
    pub write_time: u64,
    pub waiting: usize,
    pub reading: bool,
}

impl Socket {
    pub fn new(id: Id, owner: Owner) -> Socket {
        Socket {
            id,
            owner: AtomicUsize::new(owner),
            reading: AtomicBool::new(false),
            read_bytes: AtomicU64::new(0),
            read_time: AtomicU64::new(0),
            pending: AtomicBool::new(false),
            writer: Mutex::new(Writer {
                stage: Stage::Opening,
                closing: false,
                read_closed: false,
                source: None,
                default: None,
                resolving: 0,
                queue: Queue::default(),
                warn_at: 0,
                rest: 0,
                written: 0,
                write_time: 0,
            }),
        }
    }

    pub fn id(&self) -> Id {
        self.id
    }

    pub fn owner(&self) -> Owner {
        self.owner.load(Ordering::Relaxed)
    }

    pub fn set_owner(&self, owner: Owner) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// Counts what was read; for the polling thread.
    pub fn count_read(&self, bytes: usize, clock: &Clock) {
        let sum = self.read_bytes.load(Ordering::Relaxed) + bytes as u64;
        self.read_bytes.store(sum, Ordering::Relaxed);
        self.read_time.store(clock.now(), Ordering::Relaxed);
    }

    /// Whether something may wait to be sent; a look without the lock.
    #[inline]
    pub fn is_pending(&self) -> bool {
        // Pairs with the store in enqueue: the system call in between, which
        // found no room, and the poller's word about room order the two.
        self.pending.load(Ordering::SeqCst)
    }

    pub fn lock(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }

    /// Sends on a stream; on a socket for datagrams, to the default address.
    ///
    /// # Errors
    /// The socket is gone or closed.
    pub fn send(
        &self,
        mut buffer: Buffer,
        priority: Priority,
        clock: &Clock,
    ) -> Result<After, Refused> {
        // What is dropped in here goes after the lock: a parameter outlives it.
        let mut after = After::default();
        let mut guard = self.lock();
        let writer = &mut *guard;
        if let Some(Source::Datagram { .. }) = writer.source.as_deref() {
            drop(guard);
            return self.send_datagram(buffer, None, priority, clock);
        }
        if writer.stage == Stage::Gone || (writer.closing && priority == Priority::High) {
            return Err(Refused);
        }
        if writer.closing {
            return Ok(after);
        }
        match writer.stage {
            Stage::Opening | Stage::Connected | Stage::Foreign => {}
            Stage::Bound | Stage::Listening => {
                drop(guard);
                complain(&format!(
                    "socket-server error: write to listen fd {}.",
                    self.id
                ));
                return Ok(after);
            }
            Stage::Accepted | Stage::WriteFailed | Stage::Gone => return Ok(after),
        }
        if priority == Priority::High
            && writer.stage == Stage::Connected
            && writer.queue.is_empty()
            && let Some(source) = &writer.source
        {
            let sent = write_now(source, &mut buffer);
            writer.count(sent.as_ref().ok().copied().unwrap_or(0) as u64, clock);
            match sent {
                Ok(_) if buffer.is_empty() => {
                    drop(guard);
                    return Ok(after);
                }
                Ok(_) => {}
                Err(error) => {
                    writer.fail(self, error, &mut after);
                    drop(guard);
                    return Ok(after);
                }
            }
            // A rest of a buffer gives no warning; what is queued behind it does.
            writer.rest = buffer.len();
            if self.enqueue(writer, buffer, None, priority, &mut after) {
                writer.flush(self, clock, &mut after);
            }
            drop(guard);
            return Ok(after);
        }
        let was_empty = writer.queue.is_empty();
        if self.enqueue(writer, buffer, None, priority, &mut after) {
            writer.check_warning(&mut after);
            if was_empty && writer.stage != Stage::Opening {
                writer.flush(self, clock, &mut after);
            }
        }
        drop(guard);
        Ok(after)
    }

    /// Sends one datagram, to `to` or the default address.
    ///
    /// # Errors
    /// The socket is gone or closed, is none for datagrams, or the address is
    /// not of its family; for low priority, a bad address is only logged.
    pub fn send_datagram(
        &self,
        buffer: Buffer,
        to: Option<SocketAddr>,
        priority: Priority,
        clock: &Clock,
    ) -> Result<After, Refused> {
        let mut after = After::default();
        let mut guard = self.lock();
        let writer = &mut *guard;
        if writer.stage == Stage::Gone {
            return Err(Refused);
        }
        if writer.closing {
            let refused = to.is_none() && priority == Priority::High;
            return if refused { Err(Refused) } else { Ok(after) };
        }
        let Some(source) = writer.source.clone() else {
            // Its address is being looked up.
            if writer.stage == Stage::Opening
                && self.enqueue(writer, buffer, to, priority, &mut after)
            {
                writer.check_warning(&mut after);
            }
            drop(guard);
            return Ok(after);
        };
        if !matches!(*source, Source::Datagram { .. }) {
            let stage = writer.stage;
            drop(guard);
            return match stage {
                Stage::Connected | Stage::Foreign | Stage::Gone => Err(Refused),
                Stage::Bound | Stage::Listening => {
                    complain(&format!(
                        "socket-server error: write to listen fd {}.",
                        self.id
                    ));
                    Ok(after)
                }
                Stage::Opening | Stage::Accepted | Stage::WriteFailed => Ok(after),
            };
        }
        let wait_for_default = to.is_none() && writer.resolving > 0;
        if !wait_for_default {
            let target = to.or(writer.default);
            let Some(target) = target.filter(|&target| source.can_send_to(target)) else {
                drop(guard);
                return match (to, priority) {
                    (Some(_), _) => Err(Refused),
                    (None, Priority::High) => {
                        let id = self.id;
                        complain(&format!(
                            "socket-server : set udp ({id}) error: address first."
                        ));
                        Err(Refused)
                    }
                    (None, Priority::Low) => {
                        let id = self.id;
                        complain(&format!(
                            "socket-server: udp socket ({id}) error: type mismatch."
                        ));
                        Ok(after)
                    }
                };
            };
            if writer.queue.is_empty() {
                let sent = loop {
                    match source.send_to(buffer.rest(), target) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        result => break result,
                    }
                };
                match sent {
                    Ok(sent) => {
                        writer.count(sent as u64, clock);
                        drop(guard);
                        return Ok(after);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => {
                        drop(guard);
                        let (id, why) = (self.id, super::event::text(&error));
                        complain(&format!("socket-server : udp ({id}) sendto error {why}."));
                        return Ok(after);
                    }
                }
            }
        }
        let was_empty = writer.queue.is_empty();
        if self.enqueue(writer, buffer, to, priority, &mut after) {
            writer.check_warning(&mut after);
            if was_empty && !wait_for_default {
                writer.flush(self, clock, &mut after);
            }
        }
        drop(guard);
        Ok(after)
    }

    /// Gives a socket that is being opened its descriptor for datagrams; `false`
    /// if it was closed before.
    pub fn attach(&self, source: Arc<Source>, default: Option<SocketAddr>) -> bool {
        let mut writer = self.lock();
        if writer.stage != Stage::Opening {
            return false;
        }
        writer.source = Some(source);
        // An address that was asked for since then is a later one.
        writer.default = writer.default.or(default);
        writer.stage = Stage::Connected;
        true
    }

    /// Where datagrams go by default from now on.
    ///
    /// # Errors
    /// The address is not of the socket's family.
    pub fn set_default(&self, address: SocketAddr, clock: &Clock) -> Result<After, Refused> {
        let mut after = After::default();
        let mut writer = self.lock();
        let fits = |source: &Arc<Source>| source.can_send_to(address);
        let fits = writer.source.as_ref().is_none_or(fits);
        if fits {
            writer.default = Some(address);
        }
        writer.flush(self, clock, &mut after);
        drop(writer);
        if fits { Ok(after) } else { Err(Refused) }
    }

    /// One look-up of a default address is over; it found one or did not.
    ///
    /// # Errors
    /// As [`Socket::set_default`].
    pub fn resolved(&self, found: Option<SocketAddr>, clock: &Clock) -> Result<After, Refused> {
        let mut writer = self.lock();
        writer.resolving = writer.resolving.saturating_sub(1);
        if let Some(address) = found {
            drop(writer);
            return self.set_default(address, clock);
        }
        let mut after = After::default();
        writer.flush(self, clock, &mut after);
        drop(writer);
        Ok(after)
    }

    /// Puts a buffer into the queue; `false` if there is no memory for it, which
    /// is an error of the socket, since bytes are missing now.
    fn enqueue(
        &self,
        writer: &mut Writer,
        buffer: Buffer,
        to: Option<SocketAddr>,
        priority: Priority,
        after: &mut After,
    ) -> bool {
        let Some(buffer) = buffer.keep() else {
            writer.fail(self, io::ErrorKind::OutOfMemory.into(), after);
            return false;
        };
        writer.queue.push(buffer, to, priority);
        self.pending.store(true, Ordering::SeqCst);
        true
    }

    /// Sends what waits, as far as it goes, since the poller says that there is
    /// room.
    pub fn flush(&self, clock: &Clock) -> After {
        let mut after = After::default();
        let mut writer = self.lock();
        writer.rest = 0;
        writer.flush(self, clock, &mut after);
        drop(writer);
        after
    }

    /// Takes everything out of a socket that goes: nothing is sent any more.
    /// The descriptor closes when the results are dropped, if nobody else has it.
    pub fn end(&self) -> (Option<Arc<Source>>, Vec<Buffer>) {
        let mut freed = Vec::new();
        let mut writer = self.lock();
        writer.stage = Stage::Gone;
        writer.queue.take(&mut freed);
        self.pending.store(false, Ordering::SeqCst);
        (writer.source.take(), freed)
    }

    /// What was read and written.
    pub fn statistics(&self, writer: &Writer) -> Statistics {
        Statistics {
            owner: self.owner(),
            read: self.read_bytes.load(Ordering::Relaxed),
            written: writer.written,
            read_time: self.read_time.load(Ordering::Relaxed),
            write_time: writer.write_time,
            waiting: writer.queue.bytes(),
            reading: self.reading.load(Ordering::Relaxed),
        }
    }
}

impl After {
    /// What the polling thread has to do, if it has to do anything. What is to be
    /// freed goes here.
    #[inline]
    pub fn into_request(mut self, id: Id) -> Option<Request> {
        self.freed = Vec::new();
        let nothing = self.warning.is_none()
            && self.failed.is_none()
            && !(self.drained || self.finished || self.again);
        (!nothing).then_some(Request::After { id, after: self })
    }
}

impl Writer {
    /// Nothing more can or need be sent.
    pub fn is_done(&self) -> bool {
        self.queue.is_empty() || self.stage == Stage::WriteFailed
    }

    /// Sends what waits, as far as it goes.
    pub fn flush(&mut self, socket: &Socket, clock: &Clock, after: &mut After) {
        if self.stage == Stage::WriteFailed || self.queue.is_empty() {
            return;
        }
        let Some(source) = self.source.clone() else {
            return;
        };
        let mut written = 0;
        let freed = &mut after.freed;
        let flushed = if let Source::Datagram { .. } = &*source {
            if self.resolving > 0 {
                return;
            }
            let mut say =
                |why: &str| complain(&format!("socket-server : udp ({}) {why}", socket.id));
            let default = self.default;
            self.queue
                .flush_datagrams(&source, default, &mut written, freed, &mut say)
        } else {
            self.queue.flush_stream(&source, &mut written, freed)
        };
        self.count(written, clock);
        match flushed {
            Flushed::All => {
                socket.pending.store(false, Ordering::SeqCst);
                self.rest = 0;
                if std::mem::take(&mut self.warn_at) > 0 {
                    after.drained = true;
                }
                after.finished = self.closing;
            }
            Flushed::Blocked => {}
            Flushed::Enough => after.again = true,
            Flushed::Failed(error) => self.fail(socket, error, after),
        }
    }

    /// Writing has failed: drops what waits and tells the peer that no more comes.
    fn fail(&mut self, socket: &Socket, error: io::Error, after: &mut After) {
        self.queue.take(&mut after.freed);
        socket.pending.store(false, Ordering::SeqCst);
        self.stage = Stage::WriteFailed;
        if let Some(source) = &self.source {
            source.shutdown(Shutdown::Write);
        }
        after.failed = Some(error);
    }

    fn check_warning(&mut self, after: &mut After) {
        let waiting = self.queue.bytes().saturating_sub(self.rest);
        if waiting >= WARNING && waiting >= self.warn_at {
            self.warn_at = match self.warn_at {
                0 => 2 * WARNING,
                mark => mark.saturating_mul(2),
            };
            after.warning = Some(waiting);
        }
    }

    fn count(&mut self, written: u64, clock: &Clock) {
        if written > 0 {
            self.written += written;
            self.write_time = clock.now();
        }
    }
}

/// Writes once; what is left in `buffer` was not taken.
fn write_now(source: &Source, buffer: &mut Buffer) -> io::Result<usize> {
    loop {
        let rest = buffer.rest();
        match source.write(&[IoSlice::new(rest)], rest.len()) {
            Ok(sent) => {
                buffer.advance(sent);
                return Ok(sent);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return Ok(0),
                _ => return Err(error),
            },
        }
    }
}

/// A line in the log, in the reference's words, which people search their logs for.
fn complain(text: &str) {
    node::log(0, text.as_bytes());
}
