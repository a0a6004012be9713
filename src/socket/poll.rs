//! The polling thread's side of a server.
//!
//! The operating system's poller reports a change once (it is edge triggered),
//! so a socket that was reported stands in `ready` until a read finds nothing.
//! The sockets in it take turns, one read each; after a round the poller is
//! asked for newcomers, without sleeping. The thread sleeps when `ready` and
//! the requests are both empty.

use super::connection::{Connection, Read, State};
use super::event::{Event, Id, Owner, Polled, What, text};
use super::foreign::Foreign;
use super::ids::Ids;
use super::request::{Manner, Request, Requests};
use crate::error::{Error, Result};
use crate::sync::Arc;
use mio::{Events, Poll, Token, Waker};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// Not an id's.
const WAKER: Token = Token(usize::MAX);
/// Changes to be taken from the operating system at a time.
const BATCH: usize = 256;

/// What both sides of a server use.
#[derive(Debug)]
pub struct Shared {
    pub ids: Ids,
    pub requests: Requests,
}

/// The connections, and whose turn it is.
#[derive(Debug)]
pub struct Poller {
    shared: Arc<Shared>,
    poll: Poll,
    events: Events,
    connections: HashMap<Id, Connection>,
    ready: VecDeque<Id>,
    /// How many of `ready` are left in this round.
    turns: usize,
    /// Requests that have been taken from the queue.
    requests: VecDeque<Request>,
}

impl Poller {
    pub fn new() -> Result<Poller> {
        let failed = |source| Error::Io {
            what: String::from("creating the socket server's poller"),
            source,
        };
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(failed)?;
        Ok(Poller {
            shared: Arc::new(Shared {
                ids: Ids::default(),
                requests: Requests::new(waker),
            }),
            poll,
            events: Events::with_capacity(BATCH),
            connections: HashMap::new(),
            ready: VecDeque::new(),
            turns: 0,
            requests: VecDeque::new(),
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
            if self.requests.is_empty() {
                self.shared.requests.take(&mut self.requests);
            }
            while let Some(request) = self.requests.pop_front() {
                if matches!(request, Request::Exit) {
                    return Ok(Polled::Exit);
                }
                if let Some(event) = self.carry_out(request) {
                    return Ok(Polled::Event { event, slept });
                }
            }
            if let Some(event) = self.read_next() {
                return Ok(Polled::Event { event, slept });
            }
            if self.turns == 0 {
                match self.wait() {
                    Ok(()) => slept = true,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        return Ok(Polled::Interrupted);
                    }
                    Err(source) => {
                        return Err(Error::Io {
                            what: String::from("waiting for sockets"),
                            source,
                        });
                    }
                }
            }
        }
    }

    /// Fetches what has changed; sleeps for it if there is nothing else to do.
    /// Then a new round begins.
    fn wait(&mut self) -> io::Result<()> {
        if self.ready.is_empty() && self.shared.requests.fall_asleep() {
            let result = self.poll.poll(&mut self.events, None);
            self.shared.requests.wake_up();
            result?;
        } else {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        }
        for event in &self.events {
            // Every kind of change, an error or a hang-up as well, shows when
            // the socket is read. The waker's token is no id.
            let Ok(id) = Id::try_from(event.token().0) else {
                continue;
            };
            if let Some(connection) = self.connections.get_mut(&id) {
                enqueue(&mut self.ready, id, connection);
            }
        }
        self.turns = self.ready.len();
        Ok(())
    }

    /// Reads from the sockets whose turn it is, until one has news.
    fn read_next(&mut self) -> Option<Event> {
        while self.turns > 0 {
            self.turns -= 1;
            let id = self.ready.pop_front()?;
            // It may have been closed or paused since it was put here.
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            connection.queued = false;
            if !connection.is_reading() {
                continue;
            }
            match connection.read() {
                Read::Empty => {}
                Read::Data(block) => {
                    enqueue(&mut self.ready, id, connection);
                    return Some(connection.event(What::Data(block)));
                }
                Read::End => {
                    connection.pause(self.poll.registry());
                    connection.state = State::ReadClosed;
                    return Some(connection.event(What::Close));
                }
                Read::Failed(error) => {
                    // Reading on would report it again and again.
                    connection.pause(self.poll.registry());
                    return Some(connection.event(What::Error(text(&error))));
                }
            }
        }
        None
    }

    fn carry_out(&mut self, request: Request) -> Option<Event> {
        match request {
            Request::Bind { id, owner, fd } => Some(self.bind(id, owner, fd)),
            Request::Start { id, owner } => self.start(id, owner),
            Request::Pause { id } => {
                let connection = self.connections.get_mut(&id)?;
                connection.pause(self.poll.registry());
                None
            }
            // Nothing waits to be written, so that both manners are one.
            Request::Close {
                id,
                manner: Manner::Orderly | Manner::AtOnce,
            } => {
                let connection = self.remove(id)?;
                let told = connection.state == State::ReadClosed;
                (!told).then(|| connection.event(What::Close))
            }
            Request::Abandon { id, owner } => {
                if self.connections.get(&id)?.owner == owner {
                    self.remove(id);
                }
                None
            }
            Request::Exit => None,
        }
    }

    fn bind(&mut self, id: Id, owner: Owner, fd: RawFd) -> Event {
        let bound = Foreign::new(fd).and_then(|source| {
            let mut connection = Connection::bound(id, owner, source);
            let try_now = connection.resume(self.poll.registry())?;
            Ok((connection, try_now))
        });
        let what = match bound {
            Ok((mut connection, try_now)) => {
                if try_now {
                    enqueue(&mut self.ready, id, &mut connection);
                }
                self.connections.insert(id, connection);
                What::Open("binding".into())
            }
            Err(error) => {
                self.shared.ids.release(id);
                What::Error(text(&error))
            }
        };
        Event { id, owner, what }
    }

    /// A bound descriptor stays with its owner, who is told nothing: data just
    /// goes on. Whoever asks for a socket that is gone hears of it.
    fn start(&mut self, id: Id, owner: Owner) -> Option<Event> {
        let failed = |why| {
            Some(Event {
                id,
                owner,
                what: What::Error(why),
            })
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return failed("invalid socket".into());
        };
        if connection.state == State::ReadClosed {
            // The event that says so may still be on its way.
            return failed("socket closed".into());
        }
        match connection.resume(self.poll.registry()) {
            Ok(true) => enqueue(&mut self.ready, id, connection),
            Ok(false) => {}
            Err(error) => return failed(text(&error)),
        }
        None
    }

    fn remove(&mut self, id: Id) -> Option<Connection> {
        let mut connection = self.connections.remove(&id)?;
        connection.unwatch(self.poll.registry());
        self.shared.ids.release(id);
        Some(connection)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        // Descriptors that are not ours outlive the poller.
        for connection in self.connections.values_mut() {
            connection.unwatch(self.poll.registry());
        }
    }
}

fn enqueue(ready: &mut VecDeque<Id>, id: Id, connection: &mut Connection) {
    if !connection.queued {
        connection.queued = true;
        ready.push_back(id);
    }
}
