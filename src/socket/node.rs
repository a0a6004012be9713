//! The node's own server, whose sockets belong to services.

use super::event::{Event, Id, Owner, Polled};
use super::message::Packed;
use super::server::Server;
use crate::error::{Error, Result};
use crate::sync::Arc;
use once_cell::sync::OnceCell;
use std::os::fd::RawFd;
use std::sync::RwLock;

/// The node's server while there is one: between [`init`] and [`free`].
static SERVER: OnceCell<RwLock<Option<Arc<Server>>>> = OnceCell::new();

fn cell() -> &'static RwLock<Option<Arc<Server>>> {
    SERVER.get_or_init(RwLock::default)
}

fn server() -> Result<Arc<Server>> {
    let cell = cell().read().unwrap_or_else(|e| e.into_inner());
    cell.clone().ok_or(Error::NotInitialised("socket server"))
}

/// What polling once came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The polling thread is to end.
    Exit,
    /// Poll again at once.
    More,
    /// A message went out, after a look at the operating system's poller.
    Delivered,
}

/// Makes the server.
///
/// # Errors
/// There is one already, or the process is out of descriptors or memory.
pub fn init() -> Result<()> {
    let mut cell = cell().write().unwrap_or_else(|e| e.into_inner());
    if cell.is_some() {
        return Err(Error::AlreadyInitialised("socket server"));
    }
    *cell = Some(Arc::new(Server::new()?));
    Ok(())
}

/// Asks the polling thread to end.
pub fn exit() -> Result<()> {
    server()?.exit()
}

/// Closes every socket and lets the server go, without a word to the services.
/// A thread that polls keeps it until it comes back.
pub fn free() {
    let server = cell().write().unwrap_or_else(|e| e.into_inner()).take();
    drop(server);
}

/// Waits for one event and gives it to `deliver`, which puts the message into
/// the mailbox of the service with the handle, or returns it if there is none;
/// then the socket is closed, as nobody else would do it.
///
/// # Errors
/// There is no server, its poller failed, or memory is out.
pub fn poll(deliver: impl FnOnce(u32, Packed) -> Result<(), Packed>) -> Result<Progress> {
    let server = server()?;
    let (event, slept) = match server.poll()? {
        Polled::Exit => return Ok(Progress::Exit),
        Polled::Interrupted => return Ok(Progress::More),
        Polled::Event { event, slept } => (event, slept),
    };
    let Event { id, owner, .. } = event;
    let packed = Packed::new(event).ok_or_else(|| Error::Io {
        what: format!("a message about socket {id}"),
        source: std::io::ErrorKind::OutOfMemory.into(),
    })?;
    if let Err(unheard) = deliver(owner as u32, packed) {
        drop(unheard);
        server.abandon(owner, id)?;
    }
    Ok(if slept {
        Progress::Delivered
    } else {
        Progress::More
    })
}

/// Takes a foreign descriptor in for a service; see [`Server::bind`].
pub fn bind(handle: u32, fd: RawFd) -> Result<Id> {
    server()?.bind(handle as Owner, fd)
}

/// Reads from a socket on behalf of a service; see [`Server::start`].
pub fn start(handle: u32, id: Id) -> Result<()> {
    server()?.start(handle as Owner, id)
}

/// Stops reading; see [`Server::pause`].
pub fn pause(id: Id) -> Result<()> {
    server()?.pause(id)
}

/// Closes a socket when it has sent everything; see [`Server::close`].
pub fn close(id: Id) -> Result<()> {
    server()?.close(id)
}

/// Closes a socket at once; see [`Server::shutdown`].
pub fn shutdown(id: Id) -> Result<()> {
    server()?.shutdown(id)
}
