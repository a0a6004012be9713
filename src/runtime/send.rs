//! Sending: the first two steps of a message's journey, checks and routing.

use super::message::{Message, Payload};
use super::service::Service;
use super::{harbor, node, registry, timer};
use crate::error::{Error, Result};
use crate::socket;
use skynet_abi::mq::MESSAGE_TYPE_MASK;
use skynet_abi::{PTYPE_TAG_ALLOCSESSION, PTYPE_TAG_DONTCOPY};
use std::ffi::{CStr, c_void};

/// What a sender says of a message, before it is one.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing {
    /// The sender's handle; 0 for the service that sends.
    pub source: u32,
    /// A PTYPE constant with PTYPE_TAG_DONTCOPY and PTYPE_TAG_ALLOCSESSION.
    pub kind: i32,
    /// 0, or the session of an answer; must be 0 for PTYPE_TAG_ALLOCSESSION.
    pub session: i32,
    /// Null or the message; a block of the malloc family that is handed over
    /// with PTYPE_TAG_DONTCOPY.
    pub data: *mut c_void,
    /// Bytes.
    pub size: usize,
}

impl Outgoing {
    fn is_too_large(&self) -> bool {
        self.size & MESSAGE_TYPE_MASK != self.size
    }

    /// Frees what was handed over.
    ///
    /// # Safety
    /// `data` is as the field says, and not used after this.
    unsafe fn discard(&self) {
        if self.kind & PTYPE_TAG_DONTCOPY != 0 {
            // SAFETY: as the caller says.
            drop(unsafe { Payload::from_raw(self.data, self.size) });
        }
    }

    /// Makes the message: allots the session, copies. Returns the session too.
    ///
    /// # Safety
    /// `data` is as the field says; it is used up.
    unsafe fn into_message(self, from: Option<&Service>) -> Result<(Message, i32)> {
        let mut session = self.session;
        if self.kind & PTYPE_TAG_ALLOCSESSION != 0 {
            let problem = match from {
                None => Some("a session is to be allotted, and there is no service to do it"),
                Some(_) if session != 0 => Some("a session is to be allotted, and one was given"),
                Some(service) => {
                    session = service.new_session();
                    None
                }
            };
            if let Some(problem) = problem {
                // SAFETY: as the caller says.
                unsafe { self.discard() };
                return Err(Error::bad_argument("skynet_send", problem));
            }
        }
        let payload = if self.kind & PTYPE_TAG_DONTCOPY != 0 || self.data.is_null() {
            // SAFETY: the block was handed over, or there is none.
            unsafe { Payload::from_raw(self.data, self.size) }
        } else {
            // SAFETY: the caller vouches for `size` bytes at `data`.
            unsafe { Payload::copy_of(self.data, self.size) }.ok_or_else(|| {
                Error::bad_argument("skynet_send", format!("no memory for {} bytes", self.size))
            })?
        };
        let source = match (self.source, from) {
            (0, Some(service)) => service.handle(),
            (source, _) => source,
        };
        let message = Message::new(source, session, self.kind as u8, payload);
        Ok((message, session))
    }
}

/// Sends a message to a handle. The result is its session.
///
/// # Safety
/// `out.data` is as the field says; with PTYPE_TAG_DONTCOPY it is used up,
/// whatever the result.
///
/// # Errors
/// The message is too large, the destination does not exist, is 0 while there is
/// something to send, or is on another node and there is no harbor service.
/// What the sender would not find out by the result alone is logged.
pub unsafe fn send(from: Option<&Service>, destination: u32, out: Outgoing) -> Result<i32> {
    let result = {
        if out.is_too_large() {
            // SAFETY: as the caller says.
            unsafe { out.discard() };
            Err(Error::MessageTooLarge {
                size: out.size,
                destination,
            })
        } else {
            // SAFETY: as the caller says.
            unsafe { out.into_message(from) }
                .and_then(|(message, session)| pass_on(destination, message, session))
        }
    };
    result.inspect_err(|error| complain(from, destination, error))
}

fn pass_on(destination: u32, message: Message, session: i32) -> Result<i32> {
    if destination != 0 {
        return node::route(destination, message).map(|()| session);
    }
    // A message to nobody is a way to have a session allotted.
    if message.is_empty() {
        Ok(session)
    } else {
        Err(Error::DestinationZero)
    }
}

/// Sends to `:handle`, to `.name` on this node, or to a global name.
///
/// # Safety
/// As [`send`].
///
/// # Errors
/// As [`send`], and no service has the name.
pub unsafe fn send_name(from: Option<&Service>, name: &CStr, out: Outgoing) -> Result<i32> {
    let handle = match name.to_bytes() {
        [b':', hex @ ..] => parse_hex(hex),
        [b'.', ..] => match local(&name[1..]) {
            Some(handle) => handle,
            None => {
                // SAFETY: as the caller says.
                unsafe { out.discard() };
                return Err(Error::NoSuchName(name.to_string_lossy().into_owned()));
            }
        },
        // SAFETY: as the caller says.
        global => return unsafe { send_global(from, global, out) },
    };
    // SAFETY: as the caller says.
    unsafe { send(from, handle, out) }
}

/// # Safety
/// As [`send`].
unsafe fn send_global(from: Option<&Service>, name: &[u8], out: Outgoing) -> Result<i32> {
    let text = || String::from_utf8_lossy(name).into_owned();
    if out.is_too_large() {
        // SAFETY: as the caller says.
        unsafe { out.discard() };
        log_for(
            from,
            &format!("error: The message to {} is too large", text()),
        );
        return Err(Error::MessageTooLarge {
            size: out.size,
            destination: 0,
        });
    }
    // SAFETY: as the caller says.
    unsafe { out.into_message(from) }
        .and_then(|(message, session)| {
            harbor::send(harbor::Remote::Name(name), message).map(|()| session)
        })
        .inspect_err(|error| log_for(from, &format!("error: message to {}: {error}", text())))
}

/// Logs what went wrong, unless the result tells it all: a service that is gone
/// is an everyday event.
fn complain(from: Option<&Service>, destination: u32, error: &Error) {
    let text = match error {
        Error::NoSuchService(_) => return,
        Error::MessageTooLarge { .. } => {
            format!("error: The message to {destination:x} is too large")
        }
        Error::DestinationZero => String::from("error: Destination address can't be 0"),
        other => format!("error: message to :{destination:08x}: {other}"),
    };
    log_for(from, &text);
}

fn log_for(from: Option<&Service>, text: &str) {
    node::log(from.map_or(0, Service::handle), text.as_bytes());
}

/// The handle behind a local name, given without its dot.
pub fn local(name: &CStr) -> Option<u32> {
    registry::get().ok()?.find_name(name)
}

/// The number in the hexadecimal digits that `text` begins with, behind `0x` or
/// without; 0 if none.
pub fn parse_hex(text: &[u8]) -> u32 {
    let digits = match text {
        [b'0', b'x' | b'X', digits @ ..] => digits,
        digits => digits,
    };
    digits
        .iter()
        .map_while(|&byte| char::from(byte).to_digit(16))
        .fold(0, |number: u32, digit| number << 4 | digit)
}

/// The handle that `:handle` or `.name` stands for; a line in the log for any
/// other form, and for a global name.
///
/// # Errors
/// No service has the local name, or the text is neither.
pub fn query_name(by: &Service, name: &CStr) -> Result<u32> {
    match name.to_bytes() {
        [b':', hex @ ..] => Ok(parse_hex(hex)),
        [b'.', ..] => {
            local(&name[1..]).ok_or_else(|| Error::NoSuchName(name.to_string_lossy().into_owned()))
        }
        global => {
            let text = String::from_utf8_lossy(global);
            log_for(
                Some(by),
                &format!("error: Don't support query global name {text}"),
            );
            Err(Error::NoSuchName(text.into_owned()))
        }
    }
}

/// A timeout came due: the service gets an answer with its session. Those of handle 0
/// are the node's own.
///
/// # Errors
/// The service is gone.
pub fn deliver_timeout(handle: u32, session: i32) -> Result<()> {
    if handle == 0 {
        socket::node::sweep();
        return Ok(());
    }
    let kind = skynet_abi::PTYPE_RESPONSE as u8;
    node::push(handle, Message::new(0, session, kind, Payload::empty()))
}

/// Arms a timeout of `time` centiseconds; none or less comes due at once.
///
/// # Errors
/// The service is gone, or there is no timer.
pub fn start_timeout(handle: u32, time: i32, session: i32) -> Result<()> {
    if handle == 0 {
        // Nobody's, and never taken for one of the node's own: at once that is known,
        // later nobody would be told.
        return if time > 0 {
            Ok(())
        } else {
            Err(Error::NoSuchService(0))
        };
    }
    match u32::try_from(time) {
        Ok(time) if time > 0 => {
            timer::timer()?.add(handle, session, time);
            Ok(())
        }
        _ => deliver_timeout(handle, session),
    }
}
