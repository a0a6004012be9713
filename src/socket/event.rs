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
    /// The socket can be used from now on. The text says how it came to that.
    Open(Cow<'static, str>),
    /// Bytes were read, at least one; they are the receiver's.
    Data(Block),
    /// No more data comes. At most once for each socket.
    Close,
    /// A request or the descriptor failed; the text is the cause.
    Error(Cow<'static, str>),
}

/// How one call of `poll` ended.
#[derive(Debug)]
pub enum Polled {
    /// Something happened. `slept` says that the thread had nothing to do and
    /// went to the operating system on the way.
    Event { event: Event, slept: bool },
    /// A signal handler ran; there may be nothing to do.
    Interrupted,
    /// Somebody asked the polling thread to end.
    Exit,
}

/// The system's words for an error, without Rust's error number behind them.
pub(super) fn text(error: &io::Error) -> Cow<'static, str> {
    let full = error.to_string();
    match error.raw_os_error() {
        Some(number) => match full.strip_suffix(&format!(" (os error {number})")) {
            Some(words) => words.to_owned().into(),
            None => full.into(),
        },
        None => full.into(),
    }
}
