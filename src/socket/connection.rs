//! One socket, as the polling thread sees it: its descriptor, what the poller has
//! said about it, and its reading side.

use super::block::Block;
use super::event::{Event, Id, Owner, What};
use super::silence::Limit;
use super::socket::Socket;
use super::source::Source;
use crate::sync::atomic::Ordering;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// The smallest buffer to read into.
const MIN_READ: u32 = 64;
/// The largest: a file that is always readable must not make it grow forever.
const MAX_READ: u32 = 1 << 20;

/// What kind of socket it is, for the polling thread.
#[derive(Debug)]
pub enum Role {
    /// Its address is looked up, or it was just asked for.
    Opening,
    /// One address is tried; the others come after it. The error is the latest
    /// failure's.
    Connecting {
        addresses: VecDeque<SocketAddr>,
        error: Option<io::Error>,
    },
    Listener,
    Stream,
    Datagram,
    Foreign,
}

/// A socket and its descriptor.
#[derive(Debug)]
pub struct Connection {
    pub socket: Arc<Socket>,
    pub role: Role,
    pub source: Option<Arc<Source>>,
    /// Its owner wants data, or connections.
    pub reading: bool,
    /// The poller said, and no read has found otherwise, that there is data.
    pub readable: bool,
    /// The poller said that there is room.
    pub writable: bool,
    /// Both directions are closed: nothing comes after what can be read.
    pub hung_up: bool,
    /// The peer sends no more: a read that found little may be followed by the end.
    pub ending: bool,
    /// Somebody has to start it before its owner hears anything of it.
    pub unstarted: bool,
    /// Its owner has been told that no more data comes.
    pub told: bool,
    /// An error was reported.
    pub failed: bool,
    /// Small segments are to be sent at once, as soon as there is a descriptor.
    pub nodelay: bool,
    /// How long its peer may be silent, if somebody cares.
    pub limit: Option<Limit>,
    /// It stands in the poller's list of sockets to be served.
    pub queued: bool,
    /// Serving it is to panic.
    #[cfg(test)]
    pub fails: bool,
    watched: Watched,
    size: ReadSize,
}

/// What the poller watches a descriptor for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    No,
    /// For room only.
    Room,
    /// For data as well.
    Data,
    /// The poller refuses it because it is ready at any time.
    AlwaysReady,
}

/// What an attempt to read came to.
#[derive(Debug)]
pub enum Read {
    Data(Block),
    /// Nothing there now; the poller will say when.
    Empty,
    End,
    Failed(io::Error),
}

impl Connection {
    pub fn new(socket: Arc<Socket>) -> Connection {
        Connection {
            socket,
            role: Role::Opening,
            source: None,
            reading: true,
            readable: false,
            writable: false,
            hung_up: false,
            ending: false,
            unstarted: false,
            told: false,
            failed: false,
            nodelay: false,
            limit: None,
            queued: false,
            #[cfg(test)]
            fails: false,
            watched: Watched::No,
            size: ReadSize::default(),
        }
    }

    pub fn id(&self) -> Id {
        self.socket.id()
    }

    pub fn owner(&self) -> Owner {
        self.socket.owner()
    }

    pub fn event(&self, what: What) -> Event {
        Event {
            id: self.id(),
            owner: self.owner(),
            what,
        }
    }

    /// Whether serving it may bring something.
    pub fn is_due(&self) -> bool {
        self.readable && self.reading
    }

    /// Has the poller watch a new descriptor, for everything.
    ///
    /// # Errors
    /// The poller refuses the descriptor, and not because it is always ready.
    pub fn watch(&mut self, registry: &Registry, source: Arc<Source>) -> io::Result<()> {
        let interest = match *source {
            Source::Listener(_) => Interest::READABLE,
            _ => Interest::READABLE | Interest::WRITABLE,
        };
        let token = Token(self.id() as usize);
        match registry.register(&mut SourceFd(&source.as_raw_fd()), token, interest) {
            Ok(()) => self.watched = Watched::Data,
            // What epoll says to files and to devices that cannot be waited for.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.watched = Watched::AlwaysReady;
                self.readable = true;
            }
            Err(error) => return Err(error),
        }
        if let Source::Foreign(foreign) = &*source {
            // The poller may not speak of what is there already.
            self.readable |= foreign.look_at_once();
        }
        self.source = Some(source);
        Ok(())
    }

    /// Begins to read.
    ///
    /// # Errors
    /// The poller refuses the descriptor.
    pub fn resume(&mut self, registry: &Registry) -> io::Result<()> {
        if self.watched == Watched::Room
            && let Some(source) = &self.source
        {
            let token = Token(self.id() as usize);
            let interest = Interest::READABLE | Interest::WRITABLE;
            // It says at once what is there.
            registry.reregister(&mut SourceFd(&source.as_raw_fd()), token, interest)?;
            self.watched = Watched::Data;
        }
        if let Some(Source::Foreign(foreign)) = self.source.as_deref() {
            self.readable |= foreign.look_at_once();
        }
        self.set_reading(true);
        Ok(())
    }

    /// Stops reading. Not watching for data at all keeps a busy peer from waking
    /// the polling thread for nothing.
    pub fn pause(&mut self, registry: &Registry) {
        if !self.reading {
            return;
        }
        self.set_reading(false);
        if self.watched == Watched::Data
            && let Some(source) = &self.source
            && !matches!(**source, Source::Listener(_))
        {
            let token = Token(self.id() as usize);
            let fd = source.as_raw_fd();
            let changed = registry.reregister(&mut SourceFd(&fd), token, Interest::WRITABLE);
            // It fails only if a foreign descriptor was closed by its opener,
            // which has taken it out of the poller as well.
            if changed.is_ok() {
                self.watched = Watched::Room;
            }
        }
    }

    fn set_reading(&mut self, reading: bool) {
        self.reading = reading;
        self.socket.reading.store(reading, Ordering::Relaxed);
    }

    /// Whether it reads at all, once it is open.
    pub fn begin_reading(&mut self, reading: bool) {
        self.set_reading(reading);
    }

    /// Takes a descriptor away from the poller that somebody else may still have
    /// open. One that is ours leaves the poller when it is closed.
    pub fn unwatch(&mut self, registry: &Registry) {
        if matches!(self.watched, Watched::Data | Watched::Room)
            && let Some(source) = &self.source
            && let Source::Foreign(_) = **source
        {
            let _ = registry.deregister(&mut SourceFd(&source.as_raw_fd()));
        }
        self.watched = Watched::No;
    }

    /// Reads once. Afterwards `readable` says whether there may be more.
    pub fn read(&mut self) -> Read {
        let Some(source) = &self.source else {
            return Read::Empty;
        };
        let Some(mut block) = Block::new(self.size.get()) else {
            return Read::Failed(io::ErrorKind::OutOfMemory.into());
        };
        let count = loop {
            match source.read(block.spare()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match count {
            Ok(0) => Read::End,
            Ok(count) => {
                if count < self.size.get() && source.short_read_means_empty() && !self.ending {
                    self.readable = false;
                }
                // SAFETY: read has just initialised the first count bytes.
                unsafe { block.advance(count) };
                self.size.took(count);
                Read::Data(block)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                Read::Empty
            }
            Err(error) => Read::Failed(error),
        }
    }
}

/// How much memory to read into: doubled when it was filled, halved when less
/// than half was used.
#[derive(Debug)]
struct ReadSize(u32);

impl Default for ReadSize {
    fn default() -> Self {
        ReadSize(MIN_READ)
    }
}

impl ReadSize {
    fn get(&self) -> usize {
        self.0 as usize
    }

    fn took(&mut self, count: usize) {
        if count == self.get() {
            self.0 = (self.0 * 2).min(MAX_READ);
        } else if count * 2 < self.get() {
            self.0 = (self.0 / 2).max(MIN_READ);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_size_follows_the_traffic() {
        let mut size = ReadSize::default();
        let mut after = |count| {
            size.took(count);
            size.get()
        };
        assert_eq!(after(63), 64);
        assert_eq!(after(64), 128);
        assert_eq!(after(128), 256);
        assert_eq!(after(128), 256);
        assert_eq!(after(127), 128);
        assert_eq!(after(1), 64);
        assert_eq!(after(1), 64);
    }

    #[test]
    fn read_size_has_a_limit() {
        let mut size = ReadSize::default();
        for _ in 0..100 {
            size.took(size.get());
        }
        assert_eq!(size.get(), MAX_READ as usize);
    }
}
