//! The polling thread's side of a server: the loop.
//!
//! The operating system's poller reports a change once (it is edge triggered),
//! so a socket that was reported stands in `ready` until a read finds nothing.
//! The sockets in it take turns, one read each; after a round the poller is
//! asked for newcomers, without sleeping. The thread sleeps when `ready` and
//! the requests are both empty.

use super::clock::Clock;
use super::connection::Connection;
use super::event::{Driven, Event, Id, Polled};
use super::request::{Request, Requests};
use super::table::{ById, Table};
use crate::error::{Error, Result};
use crate::runtime::node;
use mio::{Events, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Not an id's.
const WAKER: Token = Token(usize::MAX);
/// Changes to be taken from the operating system at a time.
const BATCH: usize = 256;
/// Events after which [`Poller::drive`] returns although more is due.
const MAX_EVENTS: usize = 256;
/// How long a listening socket waits for descriptors before it tries again.
const RETRY: Duration = Duration::from_millis(100);

/// What both sides of a server use.
#[derive(Debug)]
pub struct Shared {
    pub table: Table,
    pub requests: Requests,
    pub clock: Clock,
}

/// The connections, and whose turn it is.
#[derive(Debug)]
pub struct Poller {
    pub(super) shared: Arc<Shared>,
    pub(super) poll: Poll,
    events: Events,
    pub(super) connections: ById<Connection>,
    pub(super) ready: VecDeque<Id>,
    /// How many of `ready` are left in this round.
    turns: usize,
    /// Requests that have been taken from the queue.
    requests: VecDeque<Request>,
    /// Events that nobody has taken yet.
    pub(super) out: VecDeque<Event>,
    /// Listening sockets that could not accept for want of descriptors or memory.
    stalled: Vec<Id>,
    retry_at: Option<Instant>,
    /// Connections whose peers have to show signs of life, and some that are gone.
    pub(super) watched: Vec<Id>,
    pub(super) look_at: Option<Instant>,
    /// Room for the largest datagram, once there was one.
    pub(super) datagram: Vec<u8>,
}

impl Poller {
    pub fn new(clock: Clock) -> Result<Poller> {
        let failed = |source| Error::Io {
            what: String::from("creating the socket server's poller"),
            source,
        };
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(failed)?;
        Ok(Poller {
            shared: Arc::new(Shared {
                table: Table::new(),
                requests: Requests::new(waker),
                clock,
            }),
            poll,
            events: Events::with_capacity(BATCH),
            connections: ById::default(),
            ready: VecDeque::new(),
            turns: 0,
            requests: VecDeque::new(),
            out: VecDeque::new(),
            stalled: Vec::new(),
            retry_at: None,
            watched: Vec::new(),
            look_at: None,
            datagram: Vec::new(),
        })
    }

    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// The operating system's poller failed.
    pub fn poll(&mut self) -> Result<Polled> {
        let mut slept = false;
        loop {
            if let Some(event) = self.out.pop_front() {
                return Ok(Polled::Event { event, slept });
            }
            if let Some(request) = self.next_request() {
                if matches!(request, Request::Exit) {
                    return Ok(Polled::Exit);
                }
                self.carry_out_guarded(request);
            } else if self.turns > 0 {
                self.serve_next();
            } else {
                if !self.wait(None)? || self.shared.requests.take_interrupt() {
                    return Ok(Polled::Interrupted);
                }
                slept = true;
            }
        }
    }

    /// Carries out what was asked for, and serves what is due. If that brings
    /// nothing, waits once, for at most `timeout`.
    ///
    /// # Errors
    /// The operating system's poller failed.
    pub fn drive(
        &mut self,
        timeout: Option<Duration>,
        deliver: &mut dyn FnMut(Event),
    ) -> Result<Driven> {
        let mut count = 0;
        let mut waited = false;
        loop {
            while let Some(event) = self.out.pop_front() {
                deliver(event);
                count += 1;
            }
            if let Some(request) = self.next_request() {
                if matches!(request, Request::Exit) {
                    return Ok(Driven::Exit);
                }
                self.carry_out_guarded(request);
            } else if self.turns > 0 && count < MAX_EVENTS {
                self.serve_next();
            } else if waited || count >= MAX_EVENTS {
                return Ok(Driven::Done {
                    delivered: count > 0,
                    more: self.turns > 0 || !self.ready.is_empty(),
                });
            } else {
                waited = true;
                let timeout = if count > 0 {
                    Some(Duration::ZERO)
                } else {
                    timeout
                };
                self.wait(timeout)?;
                self.shared.requests.take_interrupt();
            }
        }
    }

    fn next_request(&mut self) -> Option<Request> {
        if self.requests.is_empty() {
            self.shared.requests.take(&mut self.requests);
        }
        self.requests.pop_front()
    }

    /// Fetches what has changed; sleeps for it if there is nothing else to do.
    /// Then a new round begins. `false`: a signal handler ran.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        let next = [self.retry_at, self.look_at].into_iter().flatten().min();
        let until_next = next.map(|at| at.saturating_duration_since(Instant::now()));
        let may_sleep = self.ready.is_empty() && timeout != Some(Duration::ZERO);
        let result = if may_sleep && self.shared.requests.fall_asleep() {
            let timeout = [timeout, until_next].into_iter().flatten().min();
            let result = self.poll.poll(&mut self.events, timeout);
            self.shared.requests.wake_up();
            result
        } else {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))
        };
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            Err(source) => {
                return Err(Error::Io {
                    what: String::from("waiting for sockets"),
                    source,
                });
            }
        }
        for event in &self.events {
            // The waker's token is no id.
            let Ok(id) = Id::try_from(event.token().0) else {
                continue;
            };
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            let (ending, closed) = (event.is_read_closed(), event.is_write_closed());
            let hung_up = ending && closed;
            connection.readable |= event.is_readable() || ending || event.is_error();
            connection.writable |= event.is_writable() || closed;
            connection.ending |= ending || event.is_error();
            connection.hung_up |= hung_up;
            if connection.has_news() {
                enqueue(&mut self.ready, connection);
            }
        }
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.retry_stalled();
        }
        self.look_for_silence();
        self.turns = self.ready.len();
        Ok(true)
    }

    /// Serves the socket whose turn it is.
    fn serve_next(&mut self) {
        self.turns -= 1;
        let Some(id) = self.ready.pop_front() else {
            self.turns = 0;
            return;
        };
        // It may have been closed since it was put here.
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.queued = false;
            self.guarded(Some(id), |poller| poller.serve(id));
        }
    }

    fn carry_out_guarded(&mut self, request: Request) {
        self.guarded(request.id(), |poller| poller.carry_out(request));
    }

    /// Runs `f`; a panic in it ends the socket that it was about, and no other.
    fn guarded(&mut self, id: Option<Id>, f: impl FnOnce(&mut Poller)) {
        if catch_unwind(AssertUnwindSafe(|| f(self))).is_ok() {
            return;
        }
        let which = id.map_or(String::new(), |id| format!(", which closes socket {id}"));
        let text = format!("error: a panic in the socket server{which}");
        node::log(0, text.as_bytes());
        if let Some(id) = id {
            self.fail(id, "internal error".into());
        }
    }

    /// Puts a socket into the list of those to be served.
    pub(super) fn enqueue(&mut self, id: Id) {
        if let Some(connection) = self.connections.get_mut(&id) {
            enqueue(&mut self.ready, connection);
        }
    }

    /// Notes a listening socket that cannot accept now.
    pub(super) fn stall(&mut self, id: Id) {
        if !self.stalled.contains(&id) {
            self.stalled.push(id);
        }
        self.retry_at = Some(Instant::now() + RETRY);
    }

    /// Whether the listening socket is noted as one that cannot accept.
    pub(super) fn is_stalled(&self, id: Id) -> bool {
        self.stalled.contains(&id)
    }

    /// A listening socket has accepted again.
    pub(super) fn recovered(&mut self, id: Id) {
        self.stalled.retain(|stalled| *stalled != id);
    }

    /// Has the listening sockets try again that could not accept.
    pub(super) fn retry_stalled(&mut self) {
        self.retry_at = None;
        for index in 0..self.stalled.len() {
            self.enqueue(self.stalled[index]);
        }
    }

    /// Closes everything, without events. Requests that are on their way are
    /// dropped, with the descriptors that they bring.
    pub fn clear(&mut self) {
        self.requests.clear();
        self.shared.requests.take(&mut self.requests);
        self.requests.clear();
        for (id, mut connection) in self.connections.drain() {
            // Descriptors that are not ours outlive the poller.
            connection.unwatch(self.poll.registry());
            self.shared.table.release(id);
            drop(connection.socket.end());
        }
        // Whoever sends from now on hears that the socket is gone. Those that were
        // not taken in yet are in the table alone.
        for socket in self.shared.table.all() {
            self.shared.table.release(socket.id());
            drop(socket.end());
        }
    }
}

#[cfg(test)]
impl Poller {
    /// Has the next service of a socket panic.
    pub fn break_socket(&mut self, id: Id) {
        self.connections.get_mut(&id).unwrap().fails = true;
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.clear();
    }
}

fn enqueue(ready: &mut VecDeque<Id>, connection: &mut Connection) {
    if !connection.queued {
        connection.queued = true;
        ready.push_back(connection.id());
    }
}
