//! The polling thread's side of a server: what a socket does when the poller has
//! news about it.

use super::address::{Packed, with_port};
use super::block::Block;
use super::connection::{Connection, Read, Role};
use super::event::{Event, Id, Text, What, text};
use super::poll::Poller;
use super::socket::{After, Stage};
use super::source::Source;
use crate::runtime::node;
use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

/// The largest datagram. Bytes.
const MAX_DATAGRAM: usize = 65535;

/// What the owner of a socket hears when it is not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    Close,
    /// It is gone itself.
    Nothing,
}

impl Poller {
    /// Does what is due on a socket.
    pub(super) fn serve(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        #[cfg(test)]
        assert!(!connection.fails, "a test wants this");
        match connection.role {
            Role::Opening => {}
            Role::Connecting { .. } => self.finish_connecting(id),
            Role::Listener => self.accept(id),
            Role::Stream | Role::Foreign | Role::Datagram => self.transfer(id),
        }
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if connection.is_due() && !self.is_stalled(id) {
            self.enqueue(id);
        }
    }

    /// Reads once, if its owner wants data, and sends what waits.
    fn transfer(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_due() {
            match connection.role {
                Role::Datagram => self.receive(id),
                _ => self.read(id),
            }
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut connection.writable) && connection.socket.is_pending() {
            let after = connection.socket.flush(&self.shared.clock);
            self.after(id, after);
        }
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if connection.hung_up && !connection.is_due() && matches!(connection.role, Role::Stream) {
            self.hang_up(id);
        }
    }

    fn read(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match connection.read() {
            Read::Empty => {}
            Read::Data(block) => {
                let socket = &connection.socket;
                socket.count_read(block.len(), &self.shared.clock);
                self.out.push_back(connection.event(What::Data(block)));
            }
            Read::End => self.end_of_data(id),
            Read::Failed(error) => self.read_failed(id, &error),
        }
    }

    pub(super) fn read_failed(&mut self, id: Id, error: &io::Error) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let is_foreign = matches!(connection.role, Role::Foreign);
        if !is_foreign && connection.failed {
            // Its owner knows that something is wrong; this is the end.
            return self.end_of_data(id);
        }
        connection.failed = true;
        let event = connection.event(What::Error(text(error)));
        self.out.push_back(event);
        if is_foreign {
            // Reading on would report it again and again. A socket's error comes
            // once; the next read finds the end.
            connection.pause(self.poll.registry());
        }
    }

    /// Nothing more can be read: tells its owner, and stops reading. The socket
    /// stays until its owner closes it, since its peer may still listen, unless
    /// it is known that nobody does.
    pub(super) fn end_of_data(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.readable = false;
        if connection.told {
            return;
        }
        let is_foreign = matches!(connection.role, Role::Foreign);
        if !is_foreign && (connection.failed || connection.hung_up) {
            let close = connection.event(What::Close);
            self.out.push_back(close);
            self.remove(id);
            return;
        }
        self.stop_reading(id, Hears::Close);
    }

    /// Stops reading for good, and tells the owner, if it was not told before.
    pub(super) fn stop_reading(&mut self, id: Id, hears: Hears) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.told {
            return;
        }
        connection.told = true;
        connection.pause(self.poll.registry());
        connection.socket.lock().read_closed = true;
        // This would end the attempt to connect, and what was written would be lost:
        // it is done when there is a connection.
        if !matches!(connection.role, Role::Connecting { .. })
            && let Some(source) = &connection.source
        {
            source.shutdown(Shutdown::Read);
        }
        if hears == Hears::Close {
            self.out.push_back(connection.event(What::Close));
        }
    }

    /// Both directions of a stream are closed, and its owner does not read: it
    /// hears of the end now, since there will be no other sign.
    fn hang_up(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if !connection.socket.lock().closing {
            let error = connection.source.as_ref().and_then(|s| s.take_error());
            if let Some(error) = error.filter(|_| !connection.failed) {
                let event = connection.event(What::Error(text(&error)));
                self.out.push_back(event);
            }
            if !connection.told {
                let event = connection.event(What::Close);
                self.out.push_back(event);
            }
        }
        self.remove(id);
    }

    fn receive(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(source) = &connection.source else {
            return;
        };
        if self.datagram.capacity() < MAX_DATAGRAM {
            self.datagram.reserve_exact(MAX_DATAGRAM);
        }
        let room: &mut [MaybeUninit<u8>] = &mut self.datagram.spare_capacity_mut()[..MAX_DATAGRAM];
        let received = loop {
            match source.receive(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match received {
            Ok((len, from)) => {
                // SAFETY: receive has initialised so much of the spare room; the
                // vector itself stays empty.
                let bytes = unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<u8>(), len) };
                let address = Packed::new(from);
                connection.socket.count_read(len, &self.shared.clock);
                match Block::new(len + address.as_bytes().len()) {
                    Some(mut block) => {
                        block.extend(bytes);
                        block.extend(address.as_bytes());
                        let event = connection.event(What::Datagram { block, len });
                        self.out.push_back(event);
                    }
                    // A datagram may be lost at any place; this is one.
                    None => node::log(0, b"error: no memory for a datagram, which is lost"),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => connection.readable = false,
            Err(error) => {
                let text = text(&error);
                self.fail(id, text);
            }
        }
    }

    /// Takes one new connection, which waits to be started.
    fn accept(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if !connection.is_due() {
            return;
        }
        let Some(source) = &connection.source else {
            return;
        };
        match source.accept() {
            Ok((accepted, address)) => {
                connection.socket.count_read(1, &self.shared.clock);
                let (owner, listener) = (connection.owner(), id);
                self.recovered(listener);
                if let Some(new) = self.take_in(accepted, owner) {
                    let text = with_port(address).into();
                    let what = What::Accept { new, text };
                    self.out.push_back(Event {
                        id: listener,
                        owner,
                        what,
                    });
                }
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => connection.readable = false,
                _ if !source.has_waiting() => connection.readable = false,
                // These are about the connection, which is gone, or about the
                // call: there may be others.
                Some(
                    libc::EINTR
                    | libc::ECONNABORTED
                    | libc::ECONNRESET
                    | libc::EPROTO
                    | libc::EPERM
                    | libc::ENETDOWN
                    | libc::ENOPROTOOPT
                    | libc::EHOSTDOWN
                    | libc::EHOSTUNREACH
                    | libc::ENETUNREACH
                    | libc::ETIMEDOUT,
                ) => {}
                _ => self.cannot_accept(id, &error),
            },
        }
    }

    /// Out of descriptors or memory: connections wait in the system's queue. The
    /// owner hears of it once, until one was accepted again.
    fn cannot_accept(&mut self, id: Id, error: &io::Error) {
        if !self.is_stalled(id)
            && let Some(connection) = self.connections.get(&id)
        {
            let cause = text(error);
            node::log(
                connection.owner() as u32,
                format!(
                    "error: socket {id} cannot accept connections: {cause}; \
                     it goes on when that is over"
                )
                .as_bytes(),
            );
            self.out.push_back(connection.event(What::Error(cause)));
        }
        self.stall(id);
    }

    /// A socket for a connection that a peer has made.
    fn take_in(&mut self, source: Source, owner: usize) -> Option<Id> {
        let refused = |why: &dyn std::fmt::Display| {
            let text = format!("error: an accepted connection is closed: {why}");
            node::log(owner as u32, text.as_bytes());
        };
        let Some(socket) = self.shared.table.reserve(owner) else {
            refused(&"every id is in use");
            return None;
        };
        let id = socket.id();
        let source = Arc::new(source);
        let mut connection = Connection::new(Arc::clone(&socket));
        if let Err(error) = connection.watch(self.poll.registry(), Arc::clone(&source)) {
            self.shared.table.release(id);
            drop(socket.end());
            refused(&error);
            return None;
        }
        connection.role = Role::Stream;
        connection.unstarted = true;
        connection.begin_reading(false);
        {
            let mut writer = socket.lock();
            writer.source = Some(source);
            writer.stage = Stage::Accepted;
        }
        self.connections.insert(id, connection);
        Some(id)
    }

    /// Tries the addresses that are left, until one can be waited for.
    pub(super) fn connect(&mut self, id: Id) {
        loop {
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            // The last attempt's descriptor leaves the poller with this.
            connection.source = None;
            let Role::Connecting { addresses, error } = &mut connection.role else {
                return;
            };
            let Some(address) = addresses.pop_front() else {
                let cause = error
                    .take()
                    .unwrap_or_else(|| io::ErrorKind::NotFound.into());
                let text = text(&cause);
                return self.fail(id, text);
            };
            match Source::connect(address, connection.nodelay) {
                Ok(attempt) => {
                    let source = Arc::new(attempt.source);
                    if connection.limit.is_some() {
                        source.probe();
                    }
                    connection.readable = false;
                    connection.writable = false;
                    connection.hung_up = false;
                    connection.ending = false;
                    match connection.watch(self.poll.registry(), source) {
                        Ok(()) if attempt.connected => return self.connected(id, Some(address)),
                        Ok(()) => return,
                        Err(failure) => connection.connecting_failed(failure),
                    }
                }
                Err(failure) => connection.connecting_failed(failure),
            }
        }
    }

    /// The poller has news about an attempt to connect.
    fn finish_connecting(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(source) = connection.source.clone() else {
            return;
        };
        if let Some(error) = source.take_error() {
            connection.connecting_failed(error);
            drop(source);
            return self.connect(id);
        }
        match source.peer() {
            Ok(peer) => self.connected(id, Some(peer)),
            Err(error) if error.kind() == io::ErrorKind::NotConnected && !connection.hung_up => {
                // Too early; the poller will say more.
            }
            // It was connected, and the peer has left at once: reading will show.
            Err(_) => self.connected(id, None),
        }
    }

    fn connected(&mut self, id: Id, peer: Option<SocketAddr>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.role = Role::Stream;
        if connection.told {
            if let Some(source) = &connection.source {
                source.shutdown(Shutdown::Read);
            }
        } else {
            let text = peer.map_or(Text::Borrowed(""), |peer| peer.ip().to_string().into());
            let event = connection.event(What::Open { text, port: 0 });
            self.out.push_back(event);
        }
        let mut after = After::default();
        let reading = connection.reading;
        connection.begin_reading(reading && !connection.told);
        {
            let mut writer = connection.socket.lock();
            writer.source.clone_from(&connection.source);
            writer.stage = Stage::Connected;
            writer.flush(&connection.socket, &self.shared.clock, &mut after);
        }
        self.after(id, after);
        self.enqueue_if_due(id);
    }

    pub(super) fn enqueue_if_due(&mut self, id: Id) {
        if self.connections.get(&id).is_some_and(Connection::has_news) {
            self.enqueue(id);
        }
    }

    /// Does what a change of the writing side has left to be done.
    pub(super) fn after(&mut self, id: Id, after: After) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some(bytes) = after.warning {
            let event = connection.event(What::Warning(bytes.div_ceil(1024)));
            self.out.push_back(event);
        }
        if after.drained && !after.finished {
            let event = connection.event(What::Warning(0));
            self.out.push_back(event);
        }
        if after.again {
            connection.writable = true;
            self.enqueue(id);
        }
        if let Some(error) = after.failed {
            self.write_failed(id, &error);
        } else if after.finished {
            self.remove(id);
        }
    }

    fn write_failed(&mut self, id: Id, error: &io::Error) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let closing = connection.socket.lock().closing;
        // Whoever has been told of the end, or closed the socket, need not know.
        if closing || connection.told {
            self.remove(id);
        } else if !connection.failed {
            connection.failed = true;
            let event = connection.event(What::Error(text(error)));
            self.out.push_back(event);
        }
    }

    /// Lets a socket go whose owner hears why, unless it has closed it.
    pub(super) fn fail(&mut self, id: Id, text: Text) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if !connection.told {
            let event = connection.event(What::Error(text));
            self.out.push_back(event);
        }
        self.remove(id);
    }

    /// Takes a socket out, with its descriptor and all that waits.
    pub(super) fn remove(&mut self, id: Id) {
        let Some(mut connection) = self.connections.remove(&id) else {
            return;
        };
        connection.unwatch(self.poll.registry());
        self.shared.table.release(id);
        let ended = connection.socket.end();
        drop(connection);
        drop(ended);
        // There is a descriptor more now.
        self.recovered(id);
        self.retry_stalled();
    }
}

impl Connection {
    /// Whether serving it may bring something.
    pub fn has_news(&self) -> bool {
        match self.role {
            Role::Opening => false,
            Role::Connecting { .. } => self.writable || self.hung_up || self.ending,
            Role::Listener => self.is_due(),
            Role::Stream | Role::Foreign | Role::Datagram => {
                self.is_due() || self.hung_up || (self.writable && self.socket.is_pending())
            }
        }
    }

    pub fn connecting_failed(&mut self, failure: io::Error) {
        if let Role::Connecting { error, .. } = &mut self.role {
            *error = Some(failure);
        }
    }

    /// Begins with the first of these addresses.
    pub fn set_addresses(&mut self, addresses: Vec<SocketAddr>) {
        self.role = Role::Connecting {
            addresses: VecDeque::from(addresses),
            error: None,
        };
    }
}
