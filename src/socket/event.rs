//! What polling a server brings.

use super::block::Block;
use std::borrow::Cow;
use std::io;

/// Names a socket within its server: positive, and not given out again while
/// the socket lives.
pub type Id = i32;

/// Who hears about a socket; the server passes it through. The node's own
/// server puts a service's handle here.
pub type Owner = usize;

/// A text for people: an address, or the cause of an error.
pub type Text = Cow<'static, str>;

/// Something that happened to a socket.
#[derive(Debug)]
pub struct Event {
    pub id: Id,
    pub owner: Owner,
    pub what: What,
}

/// The kinds of events.
#[derive(Debug)]
pub enum What {
    /// The socket can be used from now on. The text says how it came to that, or
    /// is the address of the peer, or the own one of a listening socket, whose
    /// port comes with it (else 0).
    Open { text: Text, port: u16 },
    /// A listening socket has a new connection, which waits to be started; the
    /// text is the peer's address and port.
    Accept { new: Id, text: Text },
    /// Bytes were read, at least one; they are the receiver's.
    Data(Block),
    /// A datagram of `len` bytes; the sender's packed address follows it.
    Datagram { block: Block, len: usize },
    /// No more data comes. At most once for each socket.
    Close,
    /// A request or the descriptor failed; the text is the cause.
    Error(Text),
    /// So many KiB wait to be sent, rounded up; 0 when all of it is sent.
    Warning(usize),
}

/// How one call of `poll` ended.
#[derive(Debug)]
pub enum Polled {
    /// Something happened. `slept` says that the thread had nothing to do and
    /// went to the operating system on the way.
    Event { event: Event, slept: bool },
    /// A signal handler ran or somebody interrupted; there may be nothing to do.
    Interrupted,
    /// Somebody asked the polling thread to end.
    Exit,
}

/// How one call of `drive` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// Another thread is at it; nothing was done.
    Busy,
    /// Everything that was due is done, or so much of it that it is time for
    /// other things.
    Done {
        /// At least one event went out.
        delivered: bool,
        /// More is due: call again soon.
        more: bool,
    },
    /// Somebody asked the polling thread to end.
    Exit,
}

/// The system's words for an error, without Rust's error number behind them.
pub(super) fn text(error: &io::Error) -> Text {
    let full = error.to_string();
    match error.raw_os_error() {
        Some(number) => match full.strip_suffix(&format!(" (os error {number})")) {
            Some(words) => words.to_owned().into(),
            None => full.into(),
        },
        None => full.into(),
    }
}
