//! Short frames that go out together: a call of the system for each would cost more
//! than everything else that is done for it.

use std::ffi::{CStr, c_int};

use mlua_sys::*;
use skynet_abi::socket::skynet_socket_sendbuffer;
use skynet_abi::socket_buffer::{SOCKET_BUFFER_RAWPOINTER, socket_sendbuffer};
use skynet_abi::{skynet_command, skynet_context};

use crate::library::Entry;
use crate::object::{self, Object};

/// What goes out at once. Bytes.
const FULL: usize = 16 * 1024;

/// After a burst, room is given back beyond this. Bytes.
const KEPT: usize = 2 * FULL;

/// A socket to send to, for a service.
#[derive(Clone, Copy)]
pub(super) struct Socket {
    pub(super) service: *mut skynet_context,
    pub(super) id: c_int,
}

/// A service's frames for one socket.
#[derive(Default)]
pub(super) struct Outbox {
    /// Frames may wait: the service closes this after each message.
    pub(super) waits: bool,
    /// Where the frames go; there is one if there are frames.
    to: Option<Socket>,
    frames: Vec<u8>,
}

impl Object for Outbox {
    const NAME: &'static CStr = c"skynet.cluster.outbox";
    const METAMETHODS: &'static [Entry] = &[(c"__close", close)];
}

impl Outbox {
    /// Adds a frame, and sends all unless they may wait for more. Whether the socket
    /// takes them, as far as that is known.
    ///
    /// # Safety
    /// The service of the socket is live, now and when this value is flushed or dropped.
    pub(super) unsafe fn add(&mut self, to: Socket, head: &[u8], payload: &[u8]) -> bool {
        if self.to.is_some_and(|known| known.id != to.id) {
            self.flush();
        }
        self.frames.extend_from_slice(head);
        self.frames.extend_from_slice(payload);
        self.to = Some(to);
        // SAFETY: the caller's promise.
        if self.waits && self.frames.len() < FULL && unsafe { !is_idle(to.service) } {
            return true;
        }
        self.flush()
    }

    /// Sends what waits. Whether the socket takes it.
    pub(super) fn flush(&mut self) -> bool {
        let Some(to) = self.to.take() else {
            return true;
        };
        let mut data = socket_sendbuffer {
            id: to.id,
            type_: SOCKET_BUFFER_RAWPOINTER,
            buffer: self.frames.as_ptr().cast(),
            sz: self.frames.len(),
        };
        // SAFETY: who added frames has promised that the service lives; the core copies
        // what it cannot send at once.
        let failed = unsafe { skynet_socket_sendbuffer(to.service, &mut data) };
        self.frames.clear();
        self.frames.shrink_to(KEPT);
        failed == 0
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Whether no message waits for a service. To the service itself, one that is said to
/// wait will come.
///
/// # Safety
/// `service` is live.
unsafe fn is_idle(service: *mut skynet_context) -> bool {
    // SAFETY: the caller's promise; an answer is a C string that lives until the next
    // command.
    unsafe {
        let waiting = skynet_command(service, c"STAT".as_ptr(), c"mqlen".as_ptr());
        waiting.is_null() || CStr::from_ptr(waiting) == c"0"
    }
}

/// After a message: sends what waits, unless more messages do, with which it can go.
unsafe extern "C-unwind" fn close(L: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing here raises an error.
    unsafe {
        if let Some(outbox) = object::test::<Outbox>(L, 1)
            && let Some(to) = outbox.to
            && is_idle(to.service)
        {
            outbox.flush();
        }
    }
    0
}
