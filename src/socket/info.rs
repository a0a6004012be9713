//! What a server's sockets are doing, for people who look.

use super::address::with_port;
use super::event::Id;
use super::socket::{Socket, Stage, Statistics, Writer};
use super::source::Source;

/// The kinds that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Listener,
    Stream,
    Datagram,
    Foreign,
    /// A stream one of whose directions is closed.
    Closing,
}

/// One socket at the moment of asking.
#[derive(Debug)]
pub struct Info {
    pub id: Id,
    pub kind: Kind,
    pub statistics: Statistics,
    /// The peer's address and port, or a listening socket's own; for datagrams,
    /// where they go by default. May be empty.
    pub name: String,
}

/// `None` for a socket that is not started, or not open yet.
pub fn describe(socket: &Socket) -> Option<Info> {
    let writer = socket.lock();
    let source = writer.source.as_deref()?;
    let (kind, name) = match (writer.stage, source) {
        (Stage::Listening, _) => (Kind::Listener, source.local().ok()),
        (Stage::Foreign, _) | (Stage::WriteFailed, Source::Foreign(_)) => (Kind::Foreign, None),
        (Stage::Connected | Stage::WriteFailed, Source::Datagram { .. }) => {
            (Kind::Datagram, writer.default)
        }
        (Stage::Connected | Stage::WriteFailed, _) => (kind_of_stream(&writer), source.peer().ok()),
        (Stage::Opening | Stage::Accepted | Stage::Bound | Stage::Gone, _) => return None,
    };
    Some(Info {
        id: socket.id(),
        kind,
        statistics: socket.statistics(&writer),
        name: name.map_or(String::new(), with_port),
    })
}

fn kind_of_stream(writer: &Writer) -> Kind {
    if writer.read_closed || writer.stage == Stage::WriteFailed {
        Kind::Closing
    } else {
        Kind::Stream
    }
}
