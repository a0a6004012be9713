//! The polling thread's side of a server: what other threads ask for.

use super::connection::{Connection, Role};
use super::event::{Event, Id, Owner, What, text};
use super::foreign::Foreign;
use super::poll::Poller;
use super::request::{Manner, Request};
use super::serve::Hears;
use super::socket::{After, Stage};
use super::source::Source;
use std::os::fd::RawFd;
use std::sync::Arc;

impl Poller {
    /// Does what was asked for; events go to `out`.
    pub(super) fn carry_out(&mut self, request: Request) {
        match request {
            Request::Open(socket) => {
                let id = socket.id();
                self.connections.insert(id, Connection::new(socket));
            }
            Request::Bind { id, fd } => self.bind(id, fd),
            Request::Connect { id, addresses } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.set_addresses(addresses);
                    self.connect(id);
                }
            }
            Request::Listen { id, source } => self.listen(id, source),
            Request::Datagram { id, source } => self.open_datagram(id, source),
            Request::Fail { id, text } => self.fail(id, text),
            Request::Start { id, owner } => self.start(id, owner),
            Request::Pause { id } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.pause(self.poll.registry());
                }
            }
            Request::Nodelay { id } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.nodelay = true;
                    if let Some(source) = &connection.source {
                        source.set_nodelay();
                    }
                }
            }
            Request::Keepalive { id, duration } => self.watch_silence(id, duration),
            Request::Close { id, manner } => self.close(id, manner),
            Request::Abandon { id, owner } => {
                let connection = self.connections.get(&id);
                if connection.is_some_and(|connection| connection.owner() == owner) {
                    self.stop_reading(id, Hears::Nothing);
                    self.close(id, Manner::Orderly);
                }
            }
            Request::After { id, after } => self.after(id, after),
            Request::Report { id, text } => {
                if let Some(connection) = self.connections.get(&id) {
                    self.out.push_back(connection.event(What::Error(text)));
                }
            }
            Request::Exit => {}
        }
    }

    fn bind(&mut self, id: Id, fd: RawFd) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.role = Role::Foreign;
        let taken = Foreign::new(fd).and_then(|foreign| {
            let source = Arc::new(Source::Foreign(foreign));
            connection.watch(self.poll.registry(), Arc::clone(&source))?;
            Ok(source)
        });
        let source = match taken {
            Ok(source) => source,
            Err(error) => return self.fail(id, text(&error)),
        };
        let (text, port) = ("binding".into(), 0);
        self.out
            .push_back(connection.event(What::Open { text, port }));
        self.opened(id, source, Stage::Foreign);
    }

    fn open_datagram(&mut self, id: Id, source: Arc<Source>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.role = Role::Datagram;
        if let Err(error) = connection.watch(self.poll.registry(), Arc::clone(&source)) {
            return self.fail(id, text(&error));
        }
        self.opened(id, source, Stage::Connected);
    }

    /// The descriptor is there: what waits can be sent, and data be read.
    fn opened(&mut self, id: Id, source: Arc<Source>, stage: Stage) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let reading = connection.reading && !connection.told;
        connection.begin_reading(reading);
        let mut after = After::default();
        {
            let socket = &connection.socket;
            let mut writer = socket.lock();
            writer.source = Some(source);
            if writer.stage == Stage::Opening {
                writer.stage = stage;
            }
            writer.flush(socket, &self.shared.clock, &mut after);
        }
        self.after(id, after);
        self.enqueue_if_due(id);
    }

    fn listen(&mut self, id: Id, source: Source) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.role = Role::Listener;
        connection.unstarted = true;
        connection.begin_reading(false);
        let source = Arc::new(source);
        let local = connection
            .watch(self.poll.registry(), Arc::clone(&source))
            .and_then(|()| source.local());
        let local = match local {
            Ok(local) => local,
            Err(error) => return self.fail(id, text(&error)),
        };
        {
            let mut writer = connection.socket.lock();
            writer.source = Some(source);
            writer.stage = Stage::Bound;
        }
        let what = What::Open {
            text: local.ip().to_string().into(),
            port: local.port(),
        };
        self.out.push_back(connection.event(what));
    }

    /// A socket that waited to be started, or is connected, is the asking owner's
    /// from now on. A bound descriptor stays with its owner, who is told nothing:
    /// data just goes on. Whoever asks for a socket that is gone hears of it.
    fn start(&mut self, id: Id, owner: Owner) {
        let failed = |text| Event {
            id,
            owner,
            what: What::Error(text),
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return self.out.push_back(failed("invalid socket".into()));
        };
        if connection.told {
            // The event that says so may still be on its way.
            return self.out.push_back(failed("socket closed".into()));
        }
        if let Err(error) = connection.resume(self.poll.registry()) {
            return self.out.push_back(failed(text(&error)));
        }
        let started = std::mem::take(&mut connection.unstarted);
        let mut writer = connection.socket.lock();
        let says = match (&connection.role, writer.stage) {
            (Role::Listener, _) if started => {
                writer.stage = Stage::Listening;
                Some("start")
            }
            (Role::Stream, _) if started => Some("start"),
            (Role::Stream | Role::Datagram, Stage::Connected) => Some("transfer"),
            _ => None,
        };
        drop(writer);
        if let Some(says) = says {
            connection.socket.set_owner(owner);
            let (text, port) = (says.into(), 0);
            self.out
                .push_back(connection.event(What::Open { text, port }));
        }
        self.enqueue_if_due(id);
    }

    fn close(&mut self, id: Id, manner: Manner) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let at_once = {
            let mut writer = connection.socket.lock();
            let at_once = manner == Manner::AtOnce || writer.is_done();
            writer.closing |= !at_once;
            at_once
        };
        if at_once {
            if !connection.told {
                self.out.push_back(connection.event(What::Close));
            }
            self.remove(id);
        } else {
            self.stop_reading(id, Hears::Close);
        }
    }
}
