//! The gate: listens, and passes what clients send, frame by frame, to services.
//!
//! A connection is announced to the watchdog (`ID open ID ADDRESS:0`, a
//! PTYPE_TEXT message) and read once a `start` command says so. Its frames go to
//! the broker if there is one, else to the agent that `forward` named, else to
//! the watchdog as `ID data ` and the content; the session is the connection's
//! id. `ID close` is the last that is heard of it. A PTYPE_CLIENT message whose
//! last four bytes are an id, little-endian, is sent to that connection.
//!
//! Connections are closed at the latest when the gate is released.

mod frames;
mod words;

use crate::block::Block;
use crate::context::Context;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::slice;
use frames::{Broken, Frames, Header};
use skynet_abi::socket::{
    SKYNET_SOCKET_TYPE_ACCEPT, SKYNET_SOCKET_TYPE_CLOSE, SKYNET_SOCKET_TYPE_CONNECT,
    SKYNET_SOCKET_TYPE_DATA, SKYNET_SOCKET_TYPE_ERROR, SKYNET_SOCKET_TYPE_WARNING,
    skynet_socket_close, skynet_socket_listen, skynet_socket_message, skynet_socket_sendbuffer,
    skynet_socket_start,
};
use skynet_abi::socket_buffer::{SOCKET_BUFFER_MEMORY, socket_sendbuffer};
use skynet_abi::{
    PTYPE_CLIENT, PTYPE_SOCKET, PTYPE_TEXT, skynet_callback, skynet_context, skynet_queryname,
    skynet_send,
};
use std::collections::HashMap;
use std::ffi::CString;
use std::panic::{self, AssertUnwindSafe};
use words::{Command, Parameters, Wrong};

/// Connections that the system keeps until they are accepted.
const BACKLOG: c_int = 128;

/// How much of a client's address the watchdog is told. Bytes.
const LONGEST_NAME: usize = 31;

/// The bytes at the end of a client message that say where it goes.
const ID_SIZE: usize = 4;

/// A client.
#[derive(Default)]
struct Connection {
    /// Who gets its frames, and in whose name; 0 is nobody.
    agent: u32,
    client: u32,
    frames: Frames,
    /// Its frames made no sense: it is being closed, and is not listened to.
    broken: bool,
}

/// The instance.
#[derive(Default)]
struct Gate {
    /// Nothing before `init`.
    post: Option<Post>,
    connections: HashMap<c_int, Connection>,
}

/// The part that speaks to others.
struct Post {
    node: Context,
    header: Header,
    /// 0 is nobody, in each of these.
    watchdog: u32,
    broker: u32,
    tag: c_int,
    maximum: usize,
    listener: Option<c_int>,
}

impl Post {
    fn close(&self, id: c_int) {
        // SAFETY: the context lives, and any number may be asked to be closed.
        unsafe { skynet_socket_close(self.node.as_ptr(), id) }
    }

    fn start(&self, id: c_int) {
        // SAFETY: the context lives, and any number may be asked to be started.
        unsafe { skynet_socket_start(self.node.as_ptr(), id) }
    }

    /// Starts to listen. False, after a log line, if that is not possible.
    fn listen(&mut self, address: &str) -> bool {
        let parts = words::host_and_port(address);
        let parts = parts.and_then(|(host, port)| Some((CString::new(host).ok()?, port)));
        let Some((host, port)) = parts else {
            self.node
                .log(format_args!("Invalid gate address {address}"));
            return false;
        };
        // SAFETY: the context lives, and the host is a C string.
        let id = unsafe { skynet_socket_listen(self.node.as_ptr(), host.as_ptr(), port, BACKLOG) };
        if id < 0 {
            self.node
                .log(format_args!("gate: cannot listen on {address}"));
            return false;
        }
        self.listener = Some(id);
        self.start(id);
        true
    }

    fn find(&self, name: &[u8]) -> u32 {
        CString::new(name).map_or(0, |name| {
            // SAFETY: the context lives, and the name is a C string.
            unsafe { skynet_queryname(self.node.as_ptr(), name.as_ptr()) }
        })
    }

    fn report(&self, text: &str) {
        if self.watchdog != 0 {
            self.node
                .send(self.watchdog, PTYPE_TEXT, 0, text.as_bytes());
        }
    }

    /// Passes a frame on. The core copies it.
    fn pass(&self, id: c_int, agent: u32, client: u32, frame: &[u8]) {
        if self.broker != 0 {
            self.node.send(self.broker, self.tag, id, frame);
        } else if agent != 0 {
            // SAFETY: the context lives, and the core only reads the frame,
            // because the type has no DONTCOPY.
            unsafe {
                skynet_send(
                    self.node.as_ptr(),
                    client,
                    agent,
                    self.tag,
                    id,
                    frame.as_ptr().cast_mut().cast::<c_void>(),
                    frame.len(),
                );
            }
        } else if self.watchdog != 0 {
            let mut message = format!("{id} data ").into_bytes();
            message.extend_from_slice(frame);
            self.node.send(self.watchdog, PTYPE_TEXT, id, &message);
        }
    }
}

impl Gate {
    fn on_command(&mut self, text: &[u8]) {
        let Some(post) = &mut self.post else { return };
        if text.is_empty() {
            return;
        }
        match Command::parse(text) {
            Command::Kick(id) => {
                if self.connections.contains_key(&id) {
                    post.close(id);
                }
            }
            Command::Forward { id, agent, client } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.agent = agent;
                    connection.client = client;
                }
            }
            Command::Broker(name) => post.broker = post.find(name),
            Command::Start(id) => {
                if self.connections.contains_key(&id) {
                    post.start(id);
                }
            }
            Command::Close => {
                if let Some(id) = post.listener.take() {
                    post.close(id);
                }
            }
            Command::Incomplete => {}
            Command::Unknown => post.node.log(format_args!(
                "[gate] Unknown command : {}",
                String::from_utf8_lossy(text)
            )),
        }
    }

    /// The connection that a message for a client is for; nothing, after a log
    /// line, if there is none.
    fn addressee(&self, message: &[u8], source: u32) -> Option<c_int> {
        let post = self.post.as_ref()?;
        let id = match message.split_last_chunk::<ID_SIZE>() {
            Some((content, id)) if !content.is_empty() => c_int::from_le_bytes(*id),
            _ => {
                post.node
                    .log(format_args!("Invalid client message from {source:x}"));
                return None;
            }
        };
        if !self.connections.contains_key(&id) {
            post.node
                .log(format_args!("Invalid client id {id} from {source:x}"));
            return None;
        }
        Some(id)
    }

    fn on_data(&mut self, id: c_int, block: &Block) {
        let Some(post) = &self.post else { return };
        let Some(connection) = self.connections.get_mut(&id) else {
            post.node
                .log(format_args!("Drop unknown connection {id} message"));
            post.close(id);
            return;
        };
        if connection.broken {
            return;
        }
        let (agent, client) = (connection.agent, connection.client);
        let outcome = connection.frames.read(post.header, block.bytes(), |frame| {
            post.pass(id, agent, client, frame);
        });
        let Err(broken) = outcome else { return };
        connection.broken = true;
        connection.frames = Frames::default();
        post.close(id);
        match broken {
            Broken::TooLarge => post.node.log("Recv socket message > 16M"),
            Broken::OutOfMemory => post
                .node
                .log(format_args!("gate: no memory for a frame of {id}")),
        }
    }

    fn on_accept(&mut self, listener: c_int, id: c_int, name: &[u8]) {
        let Some(post) = &self.post else { return };
        // It may come after the listener was told to close.
        if post.listener != Some(listener) || self.connections.len() >= post.maximum {
            post.close(id);
            return;
        }
        self.connections.insert(id, Connection::default());
        let name = String::from_utf8_lossy(&name[..name.len().min(LONGEST_NAME)]);
        post.report(&format!("{id} open {id} {name}:0"));
        post.node.log(format_args!("socket open: {id:x}"));
    }

    fn on_socket(&mut self, message: &skynet_socket_message, text: &[u8]) {
        let size = usize::try_from(message.ud).unwrap_or(0);
        // SAFETY: the core gives the block away with the message, and `ud` is
        // its size where there is one.
        let block = unsafe { Block::from_raw(message.buffer.cast(), size) };
        let id = message.id;
        if message.type_ == SKYNET_SOCKET_TYPE_DATA {
            return self.on_data(id, &block);
        }
        if message.type_ == SKYNET_SOCKET_TYPE_ACCEPT {
            return self.on_accept(id, message.ud, text);
        }
        let Some(post) = &self.post else { return };
        let known = self.connections.contains_key(&id);
        match message.type_ {
            SKYNET_SOCKET_TYPE_CONNECT if !known && post.listener != Some(id) => {
                post.node.log(format_args!("Close unknown connection {id}"));
                post.close(id);
            }
            SKYNET_SOCKET_TYPE_CLOSE | SKYNET_SOCKET_TYPE_ERROR if known => {
                post.report(&format!("{id} close"));
                post.close(id);
                self.connections.remove(&id);
            }
            SKYNET_SOCKET_TYPE_WARNING => post
                .node
                .log(format_args!("fd ({id}) send buffer ({})K", message.ud)),
            _ => {}
        }
    }

    /// Ends what is open.
    fn end(&mut self) {
        let Some(post) = &mut self.post else { return };
        for (id, _) in self.connections.drain() {
            post.close(id);
        }
        if let Some(id) = post.listener.take() {
            post.close(id);
        }
    }
}

/// Makes a gate that does not listen yet.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn gate_create() -> *mut c_void {
    Box::into_raw(Box::new(Gate::default())).cast()
}

/// Starts to listen. `parm` is `HEADER WATCHDOG ADDRESS TAG MAXIMUM`: `S` or `L`
/// for headers of two or four bytes, a service's name or `!`, a port that may
/// have a host and a colon in front, the type of messages with frames (0:
/// PTYPE_CLIENT), the number of connections at most. Returns 1, after a log line,
/// if that is not possible.
///
/// # Safety
///
/// `inst` comes from [`gate_create`], `context` from the core, and `parm` is
/// null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gate_init(
    inst: *mut c_void,
    context: *mut skynet_context,
    parm: *const c_char,
) -> c_int {
    // SAFETY: the core passes what `create` made, and nobody else has it yet.
    let gate = unsafe { &mut *inst.cast::<Gate>() };
    // SAFETY: the core's promise about `context`.
    let node = unsafe { Context::new(context) };
    let text = if parm.is_null() {
        ""
    } else {
        // SAFETY: not null, so a C string that lives as long as the call.
        unsafe { CStr::from_ptr(parm) }.to_str().unwrap_or("")
    };
    let parameters = match Parameters::parse(text) {
        Ok(parameters) => parameters,
        Err(wrong) => {
            match wrong {
                Wrong::Words => node.log(format_args!("Invalid gate parm {text}")),
                Wrong::Maximum => node.log("Need max connection"),
                Wrong::Header => node.log("Invalid data header style"),
            }
            return 1;
        }
    };
    let mut post = Post {
        node,
        header: parameters.header,
        watchdog: 0,
        broker: 0,
        tag: match parameters.tag {
            0 => PTYPE_CLIENT,
            // No tags besides the type: they would say that frames are given away.
            tag => tag & 0xff,
        },
        maximum: parameters.maximum,
        listener: None,
    };
    if let Some(name) = parameters.watchdog {
        post.watchdog = post.find(name.as_bytes());
        if post.watchdog == 0 {
            node.log(format_args!("Invalid watchdog {name}"));
            return 1;
        }
    }
    // SAFETY: the instance outlives the callback.
    unsafe { skynet_callback(context, inst, Some(on_message)) };
    let listens = post.listen(parameters.address);
    gate.post = Some(post);
    c_int::from(!listens)
}

/// Closes all sockets.
///
/// # Safety
///
/// `inst` comes from [`gate_create`] and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gate_release(inst: *mut c_void) {
    // SAFETY: `create` made it with Box, and the core releases it once, while
    // the context that `init` got is still there.
    let mut gate = unsafe { Box::from_raw(inst.cast::<Gate>()) };
    gate.end();
}

unsafe extern "C-unwind" fn on_message(
    context: *mut skynet_context,
    ud: *mut c_void,
    kind: c_int,
    _session: c_int,
    source: u32,
    msg: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: `ud` is the instance, and the core runs one callback at a time.
    let gate = unsafe { &mut *ud.cast::<Gate>() };
    let bytes = if msg.is_null() {
        &[]
    } else {
        // SAFETY: the core keeps the message for the callback's duration.
        unsafe { slice::from_raw_parts(msg.cast::<u8>(), size) }
    };
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| match kind {
        PTYPE_TEXT => {
            gate.on_command(bytes);
            None
        }
        PTYPE_CLIENT => gate.addressee(bytes, source),
        PTYPE_SOCKET if size >= size_of::<skynet_socket_message>() => {
            // SAFETY: as large as the struct, which may lie anywhere: copied.
            let message = unsafe { msg.cast::<skynet_socket_message>().read_unaligned() };
            gate.on_socket(&message, &bytes[size_of::<skynet_socket_message>()..]);
            None
        }
        _ => None,
    }));
    match outcome {
        Ok(None) => 0,
        Ok(Some(id)) => {
            let mut buffer = socket_sendbuffer {
                id,
                type_: SOCKET_BUFFER_MEMORY,
                buffer: msg,
                sz: size - ID_SIZE,
            };
            // SAFETY: the message becomes the socket server's, which frees it;
            // the 1 tells the core not to.
            unsafe { skynet_socket_sendbuffer(context, &raw mut buffer) };
            1
        }
        Err(_) => {
            // SAFETY: the callback's own context.
            unsafe { Context::new(context) }.log(format_args!(
                "gate: a message from :{source:08x} (type {kind}) was lost"
            ));
            0
        }
    }
}
