//! A message, and who owns it.

use crate::socket::Id;
use crate::socket::message::Packed;
use skynet_abi::PTYPE_SOCKET;
use skynet_abi::mq::{MESSAGE_TYPE_MASK, MESSAGE_TYPE_SHIFT, skynet_message};
use skynet_abi::socket::skynet_socket_message;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

/// A block of the malloc family that holds a message's bytes, or nothing.
/// Whoever owns the value owns the block; dropping it frees the block.
#[derive(Debug)]
pub struct Payload {
    data: *mut c_void,
    len: usize,
}

// SAFETY: the block belongs to the value alone, and the malloc family lets any
// thread free what another one allocated.
unsafe impl Send for Payload {}

impl Payload {
    /// No bytes.
    pub const fn empty() -> Self {
        Self {
            data: ptr::null_mut(),
            len: 0,
        }
    }

    /// Takes a block over.
    ///
    /// # Safety
    /// `data` must be null or a block of the malloc family that nobody else
    /// will free. `len` is what the sender says of it; a null block may have one.
    pub const unsafe fn from_raw(data: *mut c_void, len: usize) -> Self {
        Self { data, len }
    }

    /// Copies `len` bytes and puts a zero behind them, so that a receiver may
    /// read text as a C string. `None` when there is no memory.
    ///
    /// # Safety
    /// `data` must be valid for reads of `len` bytes.
    pub unsafe fn copy_of(data: *const c_void, len: usize) -> Option<Self> {
        let block = crate::memory::malloc(len.checked_add(1)?).cast::<u8>();
        if block.is_null() {
            return None;
        }
        // SAFETY: the caller vouches for `data`; the block is new, so the two do
        // not overlap, and it has room for `len` bytes and the zero.
        unsafe {
            ptr::copy_nonoverlapping(data.cast::<u8>(), block, len);
            block.add(len).write(0);
        }
        Some(Self {
            data: block.cast(),
            len,
        })
    }

    /// Gives the block to the caller, who frees it.
    pub fn into_raw(self) -> (*mut c_void, usize) {
        let parts = (self.data, self.len);
        std::mem::forget(self);
        parts
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if !self.data.is_null() {
            // SAFETY: the block is of the malloc family and this value owned it.
            unsafe { crate::memory::free(self.data) };
        }
    }
}

/// A message in a mailbox or on its way there; owns its payload.
#[derive(Debug)]
pub struct Message(skynet_message);

// SAFETY: as for `Payload`, which it is made of.
unsafe impl Send for Message {}

impl Message {
    /// Puts a message together. `kind` is one of the PTYPE constants, 0 to 255.
    pub fn new(source: u32, session: i32, kind: u8, payload: Payload) -> Self {
        let (data, len) = payload.into_raw();
        Self(skynet_message {
            source,
            session,
            data,
            sz: (len & MESSAGE_TYPE_MASK) | (usize::from(kind) << MESSAGE_TYPE_SHIFT),
        })
    }

    /// Takes over a message in C's form.
    ///
    /// # Safety
    /// `raw.data` must be null or a block of the malloc family that nobody else
    /// will free.
    pub const unsafe fn from_raw(raw: skynet_message) -> Self {
        Self(raw)
    }

    /// The message in C's form; the caller owns its block.
    pub fn into_raw(self) -> skynet_message {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// Whether there is no block.
    pub fn is_empty(&self) -> bool {
        self.0.data.is_null()
    }

    /// The handle of the sender; 0 for the node itself.
    pub fn source(&self) -> u32 {
        self.0.source
    }

    /// Whether it is an event of a socket, which may own what was read as well.
    fn is_from_socket(&self) -> bool {
        self.0.sz >> MESSAGE_TYPE_SHIFT == PTYPE_SOCKET as usize
            && self.0.sz & MESSAGE_TYPE_MASK >= size_of::<skynet_socket_message>()
            && self.0.source == 0
    }

    /// The socket that an event is about, and one that was accepted; `None` if this
    /// is no event of a socket.
    pub fn sockets(&self) -> Option<(Id, Option<Id>)> {
        let data = NonNull::new(self.0.data).filter(|_| self.is_from_socket())?;
        // SAFETY: as in drop, which is not anticipated: the message keeps what it
        // owns.
        let packed = ManuallyDrop::new(unsafe { Packed::from_raw(data, self.0.sz) });
        Some(packed.sockets())
    }

    /// The session; 0 where none was asked for.
    pub fn session(&self) -> i32 {
        self.0.session
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if let Some(data) = NonNull::new(self.0.data)
            && self.is_from_socket()
        {
            // SAFETY: only the socket server sends messages of this type in
            // nobody's name, and no callback has seen this one.
            drop(unsafe { Packed::from_raw(data, self.0.sz) });
        } else {
            // SAFETY: the message owned its block.
            drop(unsafe { Payload::from_raw(self.0.data, 0) });
        }
    }
}
