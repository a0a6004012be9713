//! The harbor service: everything that leaves the node goes through it.
//!
//! The core hands it each message for another node as a PTYPE_SYSTEM message
//! ([`remote_message`]), addressed by handle or by global name. What it needs to
//! know comes from the slave, the Lua service whose handle is the second
//! parameter, in PTYPE_HARBOR messages:
//!
//! | command | |
//! |---|---|
//! | `N NAME` | the service in whose name this is sent has this global name |
//! | `S FD ID` | a socket on which this node has connected to another one |
//! | `A FD ID` | a socket on which another node has connected, and has said its number |
//! | `D ID` | this node will not come |
//! | `F NAME` | nobody can find out who has this name |
//!
//! and goes to it in PTYPE_TEXT messages: `Q NAME` asks for a name that is not
//! known yet, `D ID` tells that a link has ended.
//!
//! A message to a node that is not linked yet, or to a name that is not known
//! yet, waits. One to a node that is down goes back as an error, and so do those
//! that wait for it and the requests to it whose answers have not come. A number
//! whose node was linked once is never linked again.
//!
//! The links end at the latest when the harbor is released, the last of the
//! node's services.

mod command;
mod frame;
mod names;
mod network;
mod outbox;
mod parcel;
mod post;
mod requests;

use crate::block::Block;
use crate::context::Context;
use command::Command;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::slice;
use names::{GlobalName, Names, Route};
use network::Network;
use parcel::Parcel;
use post::Post;
use skynet_abi::handle::HANDLE_REMOTE_SHIFT;
use skynet_abi::harbor::{remote_message, skynet_harbor_start};
use skynet_abi::socket::{
    SKYNET_SOCKET_TYPE_CLOSE, SKYNET_SOCKET_TYPE_CONNECT, SKYNET_SOCKET_TYPE_DATA,
    SKYNET_SOCKET_TYPE_ERROR, SKYNET_SOCKET_TYPE_WARNING, skynet_socket_message,
};
use skynet_abi::{
    PTYPE_ERROR, PTYPE_HARBOR, PTYPE_SOCKET, PTYPE_SYSTEM, skynet_callback, skynet_context,
};
use std::panic::{self, AssertUnwindSafe};

/// The instance.
struct Harbor {
    /// Nothing before `init`.
    network: Option<Network>,
    names: Names<Parcel>,
}

impl Harbor {
    fn new() -> Self {
        Self {
            network: None,
            names: Names::new(),
        }
    }

    /// A message to another node, by handle or, if that is 0, by name.
    fn on_remote(&mut self, message: &remote_message, source: u32, session: c_int) {
        let parcel = Parcel {
            source,
            kind: message.type_,
            session,
            // SAFETY: the core gives the block away with the message.
            payload: unsafe { Block::from_raw(message.message.cast_mut(), message.sz) },
        };
        let Some(network) = &mut self.network else {
            return;
        };
        let destination = message.destination.handle;
        if destination != 0 {
            return network.send(destination, parcel);
        }
        let name = GlobalName::from_field(message.destination.name.map(|c| c as u8));
        match self.names.route(&name, parcel) {
            Route::Known(handle, parcel) => network.send(handle, parcel),
            Route::Waiting => network.post.ask_slave(&name),
        }
    }

    /// A command of the slave's.
    fn on_command(&mut self, text: &[u8], source: u32) {
        let Some(network) = &mut self.network else {
            return;
        };
        let node = network.post.node;
        match Command::parse(text) {
            Command::Name(name) => {
                let waiting = self.names.register(name, source);
                if !waiting.is_empty() && network.is_down(source) {
                    node.log(format_args!(
                        "Drop message to {} (in harbor {})",
                        String::from_utf8_lossy(name.text()),
                        source >> HANDLE_REMOTE_SHIFT
                    ));
                }
                for parcel in waiting {
                    network.send(source, parcel);
                }
            }
            Command::NoName(name) => {
                for parcel in self.names.forget(&name) {
                    network.post.refuse_name(&name, &parcel);
                }
            }
            Command::Link {
                side,
                socket,
                harbor,
            } => network.connect(side, socket, harbor),
            Command::Gone(harbor) => network.on_gone(harbor),
            Command::InvalidName(name) => node.log(format_args!(
                "Invalid global name {}",
                String::from_utf8_lossy(name)
            )),
            Command::Invalid(letter, rest) => node.log(format_args!(
                "Invalid command {} {}",
                char::from(letter),
                String::from_utf8_lossy(rest)
            )),
            Command::Unknown => node.log(format_args!(
                "Unknown command {}",
                String::from_utf8_lossy(text)
            )),
        }
    }

    fn on_socket(&mut self, message: &skynet_socket_message) {
        let size = usize::try_from(message.ud).unwrap_or(0);
        // SAFETY: the core gives the block away with the message, and `ud` is
        // its size where there is one.
        let data = unsafe { Block::from_raw(message.buffer.cast(), size) };
        let Some(network) = &mut self.network else {
            return;
        };
        let socket = message.id;
        match message.type_ {
            SKYNET_SOCKET_TYPE_DATA => network.on_data(socket, data.bytes()),
            SKYNET_SOCKET_TYPE_CLOSE | SKYNET_SOCKET_TYPE_ERROR => network.on_closed(socket),
            SKYNET_SOCKET_TYPE_WARNING => network.on_warning(socket, message.ud),
            // It has become the harbor's.
            SKYNET_SOCKET_TYPE_CONNECT => {}
            other => network
                .post
                .node
                .log(format_args!("recv invalid socket message type {other}")),
        }
    }

    fn is_own(&self, source: u32) -> bool {
        let network = self.network.as_ref();
        network.is_some_and(|network| network.post.own == source)
    }

    fn on_called_again(&mut self) {
        if let Some(network) = &mut self.network {
            network.on_called_again();
        }
    }

    fn on_other(&self, kind: c_int, source: u32, session: c_int) {
        let Some(network) = &self.network else { return };
        let node = network.post.node;
        node.log(format_args!(
            "recv invalid message from {source:x},  type = {kind}"
        ));
        if session != 0 && kind != PTYPE_ERROR {
            node.send_error(0, source, session);
        }
    }
}

/// Makes a harbor that knows nobody.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn harbor_create() -> *mut c_void {
    Box::into_raw(Box::new(Harbor::new())).cast()
}

/// Makes the service the node's harbor. `args` is the node's number and the
/// slave's handle, both decimal. Returns 1, after a log line, if they are not.
///
/// # Safety
///
/// `inst` comes from [`harbor_create`], `context` from the core, and `args` is
/// null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn harbor_init(
    inst: *mut c_void,
    context: *mut skynet_context,
    args: *const c_char,
) -> c_int {
    // SAFETY: the core passes what `create` made, and nobody else has it yet.
    let harbor = unsafe { &mut *inst.cast::<Harbor>() };
    // SAFETY: the core's promise about `context`.
    let node = unsafe { Context::new(context) };
    let text = if args.is_null() {
        ""
    } else {
        // SAFETY: not null, so a C string that lives as long as the call.
        unsafe { CStr::from_ptr(args) }.to_str().unwrap_or("")
    };
    let Some((id, slave)) = parameters(text) else {
        node.log(format_args!(
            "harbor: parameters must be a harbor number and the slave's handle, not '{text}'"
        ));
        return 1;
    };
    harbor.network = Some(Network::new(Post {
        node,
        id,
        slave,
        own: node.handle(),
    }));
    // SAFETY: the instance outlives the callback, the core keeps the context.
    unsafe {
        skynet_callback(context, inst, Some(on_message));
        skynet_harbor_start(context.cast());
    }
    0
}

/// The node's number and the slave's handle.
fn parameters(text: &str) -> Option<(u32, u32)> {
    let mut words = text.split_whitespace();
    let id: u8 = words.next()?.parse().ok()?;
    let slave: u32 = words.next()?.parse().ok()?;
    (slave != 0).then_some((id.into(), slave))
}

/// Closes the links and frees what still waits. Sends no message.
///
/// # Safety
///
/// `inst` comes from [`harbor_create`] and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn harbor_release(inst: *mut c_void) {
    // SAFETY: `create` made it with Box, and the core releases it once.
    let mut harbor = unsafe { Box::from_raw(inst.cast::<Harbor>()) };
    if let Some(network) = &mut harbor.network {
        network.end();
    }
}

unsafe extern "C-unwind" fn on_message(
    _context: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: `ud` is the instance, and the core runs one callback at a time.
    let harbor = unsafe { &mut *ud.cast::<Harbor>() };
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| match kind {
        PTYPE_SYSTEM if size == size_of::<remote_message>() => {
            // SAFETY: only the core sends PTYPE_SYSTEM to the harbor, always a
            // whole remote_message; it may lie anywhere, so it is copied.
            let message = unsafe { msg.cast::<remote_message>().read_unaligned() };
            harbor.on_remote(&message, source, session);
        }
        PTYPE_HARBOR if size == 0 && harbor.is_own(source) => harbor.on_called_again(),
        PTYPE_HARBOR if size > 0 => {
            // SAFETY: the core keeps the message for the callback's duration.
            let command = unsafe { slice::from_raw_parts(msg.cast::<u8>(), size) };
            harbor.on_command(command, source);
        }
        PTYPE_SOCKET if size >= size_of::<skynet_socket_message>() => {
            // SAFETY: as large as the struct, which may lie anywhere, so it is
            // copied; only the core sends PTYPE_SYSTEM and PTYPE_SOCKET.
            let message = unsafe { msg.cast::<skynet_socket_message>().read_unaligned() };
            harbor.on_socket(&message);
        }
        _ => harbor.on_other(kind, source, session),
    }));
    if let Some(network) = &mut harbor.network {
        if outcome.is_err() {
            network.post.node.log(format_args!(
                "harbor: a message from :{source:08x} (type {kind}) was lost"
            ));
        }
        network.after_message();
    }
    0
}
