//! One side of a connection, without a socket: bytes of the network go in and come
//! out, and so do those of the program.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;

use rustls::pki_types::{IpAddr, Ipv4Addr, ServerName};
use rustls::{ClientConnection, Connection, ServerConnection};

use super::settings::{Settings, guarded};

/// Which side, and for a client the name of the server.
pub(crate) enum Role {
    Client(Option<ServerName<'static>>),
    Server,
}

impl Role {
    /// A client of a server with this name or address.
    pub(crate) fn client(name: &[u8]) -> Result<Self, String> {
        Ok(Role::Client(Some(server_name(name)?)))
    }
}

fn server_name(name: &[u8]) -> Result<ServerName<'static>, String> {
    let text = String::from_utf8_lossy(name);
    match ServerName::try_from(&*text) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(format!("'{text}' is not the name of a host")),
    }
}

/// A connection. Its memory is bounded by what one call gives it, 64 KiB of handshake
/// or a record that is not whole yet, and what the handshake answers.
pub(crate) struct Session {
    role: Role,
    settings: Rc<RefCell<Settings>>,
    /// Begins with the handshake.
    connection: Option<Box<Connection>>,
    /// Why it cannot go on.
    fault: Option<String>,
    /// The peer has said that it sends no more.
    ended: bool,
    /// For the peer.
    output: Vec<u8>,
    /// For the program.
    plain: Vec<u8>,
}

impl Session {
    pub(crate) fn new(role: Role, settings: Rc<RefCell<Settings>>) -> Self {
        Self {
            role,
            settings,
            connection: None,
            fault: None,
            ended: false,
            output: Vec::new(),
            plain: Vec::new(),
        }
    }

    /// Names the server. An error if this is one, or if the handshake has begun.
    pub(crate) fn set_name(&mut self, name: &[u8]) -> Result<(), String> {
        if matches!(self.role, Role::Server) || self.connection.is_some() {
            return Err("only a client has a host name, before its handshake".to_owned());
        }
        self.role = Role::client(name)?;
        Ok(())
    }

    /// Whether the handshake is done.
    pub(crate) fn finished(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| !connection.is_handshaking())
    }

    /// Whether the peer has closed its side, so that nothing more comes.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Takes bytes of the peer, and goes on with the handshake. What comes behind it
    /// is kept for [`read`](Self::read).
    pub(crate) fn handshake(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.finished() {
            return Err("handshake is finished".to_owned());
        }
        self.work(|session| session.feed(bytes))
    }

    /// Takes bytes of the peer. What they say is in [`plain`](Self::plain), which also
    /// has what came before an error; the error is the next call's then.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self.work(|session| session.feed(bytes)) {
            Err(fault) if self.plain.is_empty() => Err(fault),
            _ => Ok(()),
        }
    }

    /// Sends bytes to the peer. None at all are welcome at any time: the output then
    /// is what was still to be sent, an alert after an error, for example.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        if bytes.is_empty() && (self.fault.is_some() || self.connection.is_none()) {
            return Ok(());
        }
        if !bytes.is_empty() && self.fault.is_none() && !self.finished() {
            return Err("the handshake is not finished".to_owned());
        }
        self.work(|session| session.send(bytes))
    }

    /// Says to the peer that nothing more comes, unless the handshake is not done.
    pub(crate) fn close(&mut self) {
        if self.finished() && self.fault.is_none() {
            // The connection ends here, whether that works or not.
            let _ = self.work(|session| {
                session.connection()?.send_close_notify();
                session.flush();
                Ok(())
            });
        }
    }

    /// What is to be sent; the owner empties it.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What was received; the owner empties it.
    pub(crate) fn plain(&mut self) -> &mut Vec<u8> {
        &mut self.plain
    }

    /// Runs a step; after one that failed there are no others.
    fn work(&mut self, step: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<(), String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        // The connection is not used after an error, of whatever kind.
        guarded(|| step(self)).map_err(|fault| self.fail(fault))
    }

    fn fail(&mut self, fault: String) -> String {
        self.fault = Some(fault.clone());
        fault
    }

    fn connection(&mut self) -> Result<&mut Connection, String> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Box::new(self.connect()?),
        };
        Ok(self.connection.insert(connection))
    }

    fn connect(&self) -> Result<Connection, String> {
        let mut settings = self.settings.borrow_mut();
        match &self.role {
            Role::Server => {
                let connection = ServerConnection::new(settings.server()?);
                Ok(connection.map_err(|error| error.to_string())?.into())
            }
            Role::Client(name) => {
                if name.is_none() && settings.verifies() {
                    return Err("the server's host name is needed to verify it".to_owned());
                }
                // An address is not sent to the server, and this one is nobody's.
                let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0; 4])));
                let name = name.clone().unwrap_or(nobody);
                let connection = ClientConnection::new(settings.client()?, name);
                Ok(connection.map_err(|error| error.to_string())?.into())
            }
        }
    }

    /// Puts bytes of the peer in, and takes out what comes of them, piece by piece, so
    /// that the connection's own buffers stay small.
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        self.connection()?;
        while !bytes.is_empty() && !self.ended {
            let connection = self.connection()?;
            let taken = connection.read_tls(&mut bytes);
            taken.map_err(|error| error.to_string())?;
            let state = match connection.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // There may be an alert that tells the peer.
                    self.drain()?;
                    self.flush();
                    return Err(error.to_string());
                }
            };
            self.ended = state.peer_has_closed();
            self.drain()?;
        }
        self.flush();
        Ok(())
    }

    /// Moves what was received to `plain`.
    fn drain(&mut self) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        match connection.reader().read_to_end(&mut self.plain) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let written = self.connection()?.writer().write(bytes);
            let written = written.map_err(|error| error.to_string())?;
            if written == 0 {
                return Err("the connection takes nothing more".to_owned());
            }
            bytes = &bytes[written..];
            self.flush();
        }
        self.flush();
        Ok(())
    }

    /// Moves what is to be sent to `output`.
    fn flush(&mut self) {
        if let Some(connection) = &mut self.connection {
            while connection.wants_write() {
                // A vector takes everything.
                if connection.write_tls(&mut self.output).is_err() {
                    return;
                }
            }
        }
    }
}
