//! A socket server, for any thread.

use super::event::{Id, Owner, Polled};
use super::poll::{Poller, Shared};
use super::request::{Manner, Request};
use crate::error::{Error, Result};
use crate::sync::{Arc, Mutex, lock};
use std::os::fd::RawFd;

/// Sockets and the thread that polls them. Everything but [`Server::poll`] may
/// be called from any thread and returns without waiting for that one.
///
/// # Errors
/// The requests fail if the polling thread cannot be woken.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    /// Locked while a thread polls; a second one would wait for the first.
    poller: Mutex<Poller>,
}

impl Server {
    /// A server without sockets.
    ///
    /// # Errors
    /// The process is out of descriptors or memory.
    pub fn new() -> Result<Server> {
        let poller = Poller::new()?;
        Ok(Server {
            shared: poller.shared(),
            poller: Mutex::new(poller),
        })
    }

    /// Waits for the next event, on the polling thread.
    ///
    /// # Errors
    /// The operating system's poller failed.
    pub fn poll(&self) -> Result<Polled> {
        // A connection that was being read when a panic struck is still whole.
        let mut poller = lock(&self.poller);
        poller.poll()
    }

    /// Takes a descriptor in that somebody else opened, and reads from it. It
    /// stays the caller's, who keeps it open until the socket is closed and
    /// closes it then. An Open event follows, or an Error.
    pub fn bind(&self, owner: Owner, fd: RawFd) -> Result<Id> {
        let id = self
            .shared
            .ids
            .reserve()
            .ok_or_else(|| Error::bad_argument("socket", "every id is in use"))?;
        self.request(Request::Bind { id, owner, fd })?;
        Ok(id)
    }

    /// Reads from a socket, for the first time or after a pause. An Error event
    /// goes to `owner` if it cannot be read any more.
    pub fn start(&self, owner: Owner, id: Id) -> Result<()> {
        self.request(Request::Start { id, owner })
    }

    /// Stops reading from a socket until it is started. Data that has been read
    /// already may still arrive.
    pub fn pause(&self, id: Id) -> Result<()> {
        self.request(Request::Pause { id })
    }

    /// Closes a socket once everything written to it is sent. A Close event
    /// follows, unless there was one.
    pub fn close(&self, id: Id) -> Result<()> {
        let manner = Manner::Orderly;
        self.request(Request::Close { id, manner })
    }

    /// Closes a socket at once.
    pub fn shutdown(&self, id: Id) -> Result<()> {
        let manner = Manner::AtOnce;
        self.request(Request::Close { id, manner })
    }

    /// Closes a socket if its owner is the one that is gone; no event follows.
    pub fn abandon(&self, owner: Owner, id: Id) -> Result<()> {
        self.request(Request::Abandon { id, owner })
    }

    /// Lets one call of [`Server::poll`] return [`Polled::Exit`], after the
    /// requests made before.
    pub fn exit(&self) -> Result<()> {
        self.request(Request::Exit)
    }

    fn request(&self, request: Request) -> Result<()> {
        self.shared
            .requests
            .push(request)
            .map_err(|source| Error::Io {
                what: String::from("waking the socket thread"),
                source,
            })
    }
}
