//! The part of the harbor that sends: to this node's services, and on sockets.

use super::frame::{Cookie, HEAD, LIMIT};
use super::names::GlobalName;
use super::outbox::Outbox;
use super::parcel::Parcel;
use crate::block::Filling;
use crate::context::Context;
use core::ffi::{CStr, c_int, c_void};
use skynet_abi::handle::{HANDLE_MASK, HANDLE_REMOTE_SHIFT, skynet_handle_grab};
use skynet_abi::server::skynet_context_release;
use skynet_abi::socket::{skynet_socket_close, skynet_socket_sendbuffer, skynet_socket_start};
use skynet_abi::socket_buffer::{
    SOCKET_BUFFER_MEMORY, SOCKET_BUFFER_RAWPOINTER, socket_sendbuffer,
};
use skynet_abi::{PTYPE_ERROR, PTYPE_HARBOR, PTYPE_TEXT};

/// A frame that is not larger goes out with others. Bytes.
const SMALL: usize = 2048;

#[derive(Clone, Copy)]
pub struct Post {
    pub node: Context,
    /// This node's number.
    pub id: u32,
    pub slave: u32,
    /// The harbor's handle.
    pub own: u32,
}

impl Post {
    /// Whether a handle is of this node.
    pub fn is_own(&self, handle: u32) -> bool {
        handle >> HANDLE_REMOTE_SHIFT == self.id
    }

    /// Whether a service of this node has not exited.
    pub fn is_alive(handle: u32) -> bool {
        // SAFETY: any number may be asked for.
        let service = unsafe { skynet_handle_grab(handle) };
        if !service.is_null() {
            // SAFETY: the reference that was grabbed is given back.
            unsafe { skynet_context_release(service) };
        }
        !service.is_null()
    }

    /// Delivers to a service of this node, or tells the sender that there is none.
    pub fn deliver(&self, destination: u32, parcel: Parcel) {
        let wants_error = parcel.wants_error();
        let Parcel {
            source,
            kind,
            session,
            payload,
        } = parcel;
        let (block, size) = payload.into_raw();
        // SAFETY: the payload owned the block, and gives it to the core.
        let sent = unsafe {
            self.node
                .forward(source, destination, kind, session, block, size)
        };
        if !sent {
            if wants_error {
                self.node.send_error(destination, source, session);
            }
            self.node.log(format_args!(
                "Unknown destination :{destination:x} from :{source:x} type({kind})"
            ));
        }
    }

    /// Tells the sender that its message does not reach another node. An error
    /// that nobody is left to hear of is no loss.
    pub fn refuse(&self, destination: u32, parcel: &Parcel) {
        if parcel.kind == PTYPE_ERROR {
            return;
        }
        if parcel.wants_error() {
            self.node
                .send_error(destination, parcel.source, parcel.session);
        }
        self.node.log(format_args!(
            "Drop message to harbor {} from {:x} to {destination:x} (session = {}, msgsz = {})",
            destination >> HANDLE_REMOTE_SHIFT,
            parcel.source,
            parcel.session,
            parcel.payload.len()
        ));
    }

    /// Tells the sender that nobody has a name.
    pub fn refuse_name(&self, name: &GlobalName, parcel: &Parcel) {
        if parcel.wants_error() {
            self.node.send_error(0, parcel.source, parcel.session);
        }
        self.node.log(format_args!(
            "Drop message to {} from {:x} (session = {}, msgsz = {})",
            String::from_utf8_lossy(name.text()),
            parcel.source,
            parcel.session,
            parcel.payload.len()
        ));
    }

    pub fn ask_slave(&self, name: &GlobalName) {
        let mut question = b"Q ".to_vec();
        question.extend_from_slice(name.text());
        self.node.send(self.slave, PTYPE_TEXT, 0, &question);
    }

    pub fn report_down(&self, harbor: u8) {
        let report = format!("D {harbor}");
        self.node.send(self.slave, PTYPE_TEXT, 0, report.as_bytes());
    }

    pub fn start(&self, socket: c_int) {
        // SAFETY: the context lives, and any number may be asked to be started.
        unsafe { skynet_socket_start(self.node.as_ptr(), socket) }
    }

    pub fn close(&self, socket: c_int) {
        // SAFETY: the context lives, and any number may be asked to be closed.
        unsafe { skynet_socket_close(self.node.as_ptr(), socket) }
    }

    /// Sends bytes, of which the socket server takes a copy if it needs one. If
    /// the socket has closed, its end is on its way to the harbor.
    pub fn write(&self, socket: c_int, bytes: &[u8]) {
        self.write_buffer(
            socket,
            SOCKET_BUFFER_RAWPOINTER,
            bytes.as_ptr().cast(),
            bytes.len(),
        );
    }

    fn write_buffer(&self, id: c_int, type_: c_int, buffer: *const c_void, sz: usize) {
        let mut buffer = socket_sendbuffer {
            id,
            type_,
            buffer,
            sz,
        };
        // SAFETY: the context lives; the bytes do for the call, and if they are
        // a block, it is given away.
        unsafe { skynet_socket_sendbuffer(self.node.as_ptr(), &raw mut buffer) };
    }

    /// Whether no message waits for the harbor. One that is said to wait will come.
    pub fn is_idle(&self) -> bool {
        let waiting = self.node.command(c"STAT", Some(c"mqlen"));
        // SAFETY: an answer is a C string that lives until the next command.
        waiting.is_null() || unsafe { CStr::from_ptr(waiting) } == c"0"
    }

    /// Has the harbor called once more, after the services that can run now.
    pub fn call_again(&self) {
        self.node.send(self.own, PTYPE_HARBOR, 0, &[]);
    }

    /// Sends a message to another node, with others if more wait. If it is too large
    /// for a frame, gives it back.
    pub fn send(
        &self,
        outbox: &mut Outbox,
        socket: c_int,
        destination: u32,
        parcel: Parcel,
    ) -> Result<(), Parcel> {
        let cookie = Cookie {
            source: parcel.source,
            destination: destination & HANDLE_MASK
                | parcel.kind.cast_unsigned() << HANDLE_REMOTE_SHIFT,
            session: parcel.session.cast_unsigned(),
        };
        let content = parcel.payload.bytes();
        let size = content.len() + Cookie::SIZE;
        let Some(head) = u32::try_from(size).ok().filter(|_| size < LIMIT) else {
            return Err(parcel);
        };
        let parts = [&head.to_be_bytes()[..], content, &cookie.to_bytes()];
        let whole = HEAD + size;
        let write = |socket, bytes: &[u8]| self.write(socket, bytes);
        if whole <= SMALL {
            outbox.add(socket, &parts, write);
            return Ok(());
        }
        let Some(mut frame) = Filling::with_room(whole) else {
            return Err(parcel);
        };
        for part in parts {
            frame.add(part);
        }
        outbox.flush_one(socket, write);
        let (block, size) = frame.finish(0).into_raw();
        self.write_buffer(socket, SOCKET_BUFFER_MEMORY, block, size);
        Ok(())
    }
}
