//! One socket, as the polling thread sees it.

use super::block::Block;
use super::event::{Event, Id, Owner, What};
use super::foreign::Foreign;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::AsRawFd;

/// The smallest buffer to read into.
const MIN_READ: usize = 64;
/// The largest: a file that is always readable must not make it grow forever.
const MAX_READ: usize = 1 << 20;

/// Where a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A foreign descriptor.
    Bound,
    /// Nothing more can be read, and its owner has been told.
    ReadClosed,
}

/// A socket and its descriptor.
#[derive(Debug)]
pub struct Connection {
    id: Id,
    pub owner: Owner,
    pub state: State,
    source: Foreign,
    /// Its owner wants data.
    reading: bool,
    /// The poller watches the descriptor.
    watched: bool,
    /// The poller refuses the descriptor because it is readable at any time.
    always_ready: bool,
    /// It stands in the poller's list of sockets to be read.
    pub queued: bool,
    size: ReadSize,
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
    /// A connection for a foreign descriptor, which is not read yet.
    pub fn bound(id: Id, owner: Owner, source: Foreign) -> Connection {
        Connection {
            id,
            owner,
            state: State::Bound,
            source,
            reading: false,
            watched: false,
            always_ready: false,
            queued: false,
            size: ReadSize::default(),
        }
    }

    pub fn event(&self, what: What) -> Event {
        Event {
            id: self.id,
            owner: self.owner,
            what,
        }
    }

    pub fn is_reading(&self) -> bool {
        self.reading
    }

    /// Begins to read. `Ok(true)` says that the socket is to be tried now,
    /// without waiting for the poller.
    ///
    /// # Errors
    /// The poller refuses the descriptor, and not because it is always ready.
    pub fn resume(&mut self, registry: &Registry) -> io::Result<bool> {
        if !self.watched && !self.always_ready {
            let token = Token(self.id as usize);
            let fd = self.source.as_raw_fd();
            match registry.register(&mut SourceFd(&fd), token, Interest::READABLE) {
                Ok(()) => self.watched = true,
                // What epoll says to files and to devices that cannot be waited for.
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                    self.always_ready = true;
                }
                Err(error) => return Err(error),
            }
        }
        self.reading = true;
        Ok(self.always_ready || self.source.look_at_once())
    }

    /// Stops reading. Not watching the descriptor at all keeps a busy peer
    /// from waking the polling thread for nothing.
    pub fn pause(&mut self, registry: &Registry) {
        self.reading = false;
        self.unwatch(registry);
    }

    /// Takes the descriptor away from the poller, for the time being or before
    /// the connection is dropped.
    pub fn unwatch(&mut self, registry: &Registry) {
        if self.watched {
            self.watched = false;
            let fd = self.source.as_raw_fd();
            // It fails only if its opener has closed the descriptor, which has
            // taken it out of the poller as well.
            let _ = registry.deregister(&mut SourceFd(&fd));
        }
    }

    /// Reads once. The poller reports each change once, so after
    /// [`Read::Data`] the socket has to be read again.
    pub fn read(&mut self) -> Read {
        let Some(mut block) = Block::new(self.size.get()) else {
            return Read::Failed(io::ErrorKind::OutOfMemory.into());
        };
        let count = loop {
            match self.source.read(block.spare()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match count {
            Ok(0) => Read::End,
            Ok(count) => {
                // SAFETY: read has just initialised the first count bytes.
                unsafe { block.advance(count) };
                self.size.took(count);
                Read::Data(block)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Empty,
            Err(error) => Read::Failed(error),
        }
    }
}

/// How much memory to read into: doubled when it was filled, halved when less
/// than half was used.
#[derive(Debug)]
struct ReadSize(usize);

impl Default for ReadSize {
    fn default() -> Self {
        ReadSize(MIN_READ)
    }
}

impl ReadSize {
    fn get(&self) -> usize {
        self.0
    }

    fn took(&mut self, count: usize) {
        if count == self.0 {
            self.0 = (self.0 * 2).min(MAX_READ);
        } else if count * 2 < self.0 {
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
        assert_eq!(size.get(), MAX_READ);
    }
}
