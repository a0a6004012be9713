//! The harbor service: everything that leaves the node goes through it.
//!
//! The core hands it each message for another node as a PTYPE_SYSTEM message
//! ([`remote_message`]), addressed by handle or by global name. Names come from
//! the slave, the Lua service whose handle is the second parameter: it sends
//! `N name` (PTYPE_HARBOR) in the name of the service that is registered. A name
//! that is not known yet is asked of the slave, `Q name` (PTYPE_TEXT), and what
//! was sent to it waits for the answer.
//!
//! This is the service's single-node role: names work, and messages to them; no
//! other harbor is ever reached, so a message to one goes back as an error.

mod names;

use crate::context::Context;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::slice;
use names::{GlobalName, Names, Route};
use skynet_abi::harbor::{remote_message, skynet_harbor_start};
use skynet_abi::malloc::skynet_free;
use skynet_abi::{
    PTYPE_ERROR, PTYPE_HARBOR, PTYPE_SYSTEM, PTYPE_TEXT, skynet_callback, skynet_context,
};
use std::panic::{self, AssertUnwindSafe};

/// A handle's highest byte is its harbor.
const HARBOR_SHIFT: u32 = 24;

/// The content of a message: a block of the malloc family, which it owns.
struct Payload {
    block: *mut c_void,
    size: usize,
}

impl Drop for Payload {
    fn drop(&mut self) {
        // SAFETY: the core handed the block over, and nobody else has it.
        unsafe { skynet_free(self.block) }
    }
}

/// A message on its way, without its destination.
struct Parcel {
    source: u32,
    kind: c_int,
    session: c_int,
    payload: Payload,
}

/// The instance.
struct Harbor {
    /// Nothing before `init`.
    post: Option<Post>,
    names: Names<Parcel>,
}

/// The part that sends.
struct Post {
    node: Context,
    /// This node's number.
    id: u32,
    slave: u32,
}

impl Post {
    /// Delivers to a handle whose harbor is known.
    fn deliver(&self, destination: u32, parcel: Parcel) {
        let harbor = destination >> HARBOR_SHIFT;
        if harbor == self.id {
            self.deliver_here(destination, parcel);
        } else {
            self.refuse(harbor, destination, &parcel);
        }
    }

    fn deliver_here(&self, destination: u32, parcel: Parcel) {
        let Parcel {
            source,
            kind,
            session,
            payload,
        } = parcel;
        let payload = core::mem::ManuallyDrop::new(payload);
        // SAFETY: the payload owned the block, and gives it to the core.
        let sent = unsafe {
            self.node.forward(
                source,
                destination,
                kind,
                session,
                payload.block,
                payload.size,
            )
        };
        if !sent {
            self.fail(destination, source, kind, session);
            self.node.log(format_args!(
                "Unknown destination :{destination:x} from :{source:x} type({kind})"
            ));
        }
    }

    fn refuse(&self, harbor: u32, destination: u32, parcel: &Parcel) {
        self.fail(destination, parcel.source, parcel.kind, parcel.session);
        self.node.log(format_args!(
            "Drop message to harbor {harbor} from {:x} to {destination:x} (session = {}, msgsz = {})",
            parcel.source, parcel.session, parcel.payload.size
        ));
    }

    /// Whoever waits for an answer gets an error; an error is not answered.
    fn fail(&self, destination: u32, source: u32, kind: c_int, session: c_int) {
        if kind != PTYPE_ERROR {
            self.node.send_error(destination, source, session);
        }
    }

    fn ask_slave(&self, name: &GlobalName) {
        let mut question = b"Q ".to_vec();
        question.extend_from_slice(name.text());
        self.node.send(self.slave, PTYPE_TEXT, 0, &question);
    }
}

impl Harbor {
    fn new() -> Self {
        Self {
            post: None,
            names: Names::new(),
        }
    }

    /// A message to another node, by handle or, if that is 0, by name.
    fn on_remote(&mut self, message: &remote_message, source: u32, session: c_int) {
        let parcel = Parcel {
            source,
            kind: message.type_,
            session,
            payload: Payload {
                block: message.message.cast_mut(),
                size: message.sz,
            },
        };
        let Some(post) = &self.post else { return };
        let destination = message.destination.handle;
        if destination != 0 {
            post.deliver(destination, parcel);
            return;
        }
        let name = GlobalName::from_field(message.destination.name.map(|c| c as u8));
        match self.names.route(&name, parcel) {
            Route::Known(handle, parcel) => post.deliver(handle, parcel),
            Route::Waiting => post.ask_slave(&name),
        }
    }

    /// A command of the slave's.
    fn on_command(&mut self, command: &[u8], source: u32) {
        let Some(post) = &self.post else { return };
        match command {
            [b'N', b' ', name @ ..] => {
                let Some(name) = GlobalName::new(name) else {
                    post.node.log(format_args!(
                        "Invalid global name {}",
                        String::from_utf8_lossy(name)
                    ));
                    return;
                };
                for parcel in self.names.register(name, source) {
                    post.deliver(source, parcel);
                }
            }
            [b'S' | b'A', b' ', ..] => post.node.log(format_args!(
                "harbor {} runs alone, it cannot connect: {}",
                post.id,
                String::from_utf8_lossy(command)
            )),
            _ => post.node.log(format_args!(
                "Unknown command {}",
                String::from_utf8_lossy(command)
            )),
        }
    }

    fn on_other(&self, kind: c_int, source: u32, session: c_int) {
        let Some(post) = &self.post else { return };
        post.node.log(format_args!(
            "recv invalid message from {source:x},  type = {kind}"
        ));
        if session != 0 && kind != PTYPE_ERROR {
            post.node.send_error(0, source, session);
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
    harbor.post = Some(Post { node, id, slave });
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

/// Frees what still waits. Sends nothing.
///
/// # Safety
///
/// `inst` comes from [`harbor_create`] and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn harbor_release(inst: *mut c_void) {
    // SAFETY: `create` made it with Box, and the core releases it once.
    drop(unsafe { Box::from_raw(inst.cast::<Harbor>()) });
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
        PTYPE_HARBOR if size > 0 => {
            // SAFETY: the core keeps the message for the callback's duration.
            let command = unsafe { slice::from_raw_parts(msg.cast::<u8>(), size) };
            harbor.on_command(command, source);
        }
        _ => harbor.on_other(kind, source, session),
    }));
    if outcome.is_err()
        && let Some(post) = &harbor.post
    {
        post.node.log(format_args!(
            "harbor: a message from :{source:08x} (type {kind}) was lost"
        ));
    }
    0
}
