//! Events in the layout that services receive: a `skynet_socket_message`, with
//! a text behind it where there is no data.

use super::block::Block;
use super::event::{Event, Id, What};
use core::ffi::{c_char, c_int, c_void};
use skynet_abi::PTYPE_SOCKET;
use skynet_abi::mq::MESSAGE_TYPE_SHIFT;
use skynet_abi::socket::{
    SKYNET_SOCKET_TYPE_ACCEPT, SKYNET_SOCKET_TYPE_CLOSE, SKYNET_SOCKET_TYPE_CONNECT,
    SKYNET_SOCKET_TYPE_DATA, SKYNET_SOCKET_TYPE_ERROR, SKYNET_SOCKET_TYPE_UDP,
    SKYNET_SOCKET_TYPE_WARNING, skynet_socket_message,
};
use std::ptr::{NonNull, null_mut};

/// As much of a text as a message carries. Bytes.
const MAX_TEXT: usize = 128;

/// A message of type PTYPE_SOCKET, with what its `buffer` points to. Dropping
/// it frees both; [`Packed::into_raw`] hands both to a mailbox.
#[derive(Debug)]
pub struct Packed {
    message: NonNull<skynet_socket_message>,
    /// Without the zero that follows the text. Bytes.
    size: usize,
}

// SAFETY: both blocks are plain memory that nothing else points to.
unsafe impl Send for Packed {}

impl Packed {
    /// Packs an event; `None` when memory is out, and then its data is freed.
    pub fn new(event: Event) -> Option<Packed> {
        let id = event.id;
        match event.what {
            What::Open { text, port } => {
                Packed::with_text(SKYNET_SOCKET_TYPE_CONNECT, id, port.into(), &text)
            }
            What::Accept { new, text } => {
                Packed::with_text(SKYNET_SOCKET_TYPE_ACCEPT, id, new, &text)
            }
            What::Error(text) => Packed::with_text(SKYNET_SOCKET_TYPE_ERROR, id, 0, &text),
            What::Close => Packed::with_buffer(SKYNET_SOCKET_TYPE_CLOSE, id, 0, None),
            What::Data(block) => {
                let len = block.len();
                Packed::with_buffer(SKYNET_SOCKET_TYPE_DATA, id, len, Some(block))
            }
            What::Datagram { block, len } => {
                Packed::with_buffer(SKYNET_SOCKET_TYPE_UDP, id, len, Some(block))
            }
            What::Warning(kib) => Packed::with_buffer(SKYNET_SOCKET_TYPE_WARNING, id, kib, None),
        }
    }

    fn with_text(type_: c_int, id: Id, ud: c_int, text: &str) -> Option<Packed> {
        let text = &text.as_bytes()[..text.len().min(MAX_TEXT)];
        // The size tells where the text ends; the zero is for those who read it
        // as a C string.
        let mut block = Block::new(size_of::<skynet_socket_message>() + text.len() + 1)?;
        block.extend(&[0; size_of::<skynet_socket_message>()]);
        block.extend(text);
        block.extend(&[0]);
        let size = block.len() - 1;
        Some(Packed::fill(block, size, type_, id, ud, null_mut()))
    }

    fn with_buffer(type_: c_int, id: Id, ud: usize, data: Option<Block>) -> Option<Packed> {
        let mut block = Block::new(size_of::<skynet_socket_message>())?;
        block.extend(&[0; size_of::<skynet_socket_message>()]);
        let size = block.len();
        // Only a warning about 2 TiB could be cut off here.
        let ud = c_int::try_from(ud).unwrap_or(c_int::MAX);
        let buffer = data.map_or(null_mut(), |data| data.into_raw().as_ptr().cast());
        Some(Packed::fill(block, size, type_, id, ud, buffer))
    }

    fn fill(
        block: Block,
        size: usize,
        type_: c_int,
        id: c_int,
        ud: c_int,
        buffer: *mut c_char,
    ) -> Packed {
        let message = block.into_raw().cast();
        // SAFETY: the callers made the block at least as large as the struct,
        // and malloc aligns it for every type.
        unsafe {
            message.write(skynet_socket_message {
                type_,
                id,
                ud,
                buffer,
            });
        }
        Packed { message, size }
    }

    /// The text, or what was read.
    #[cfg(test)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: message was filled by fill: ud counts the bytes at buffer;
        // without a buffer, the rest of the message's size is text.
        unsafe {
            let message = self.message.as_ref();
            if message.buffer.is_null() {
                let text = self.message.as_ptr().add(1).cast();
                let size = self.size - size_of::<skynet_socket_message>();
                std::slice::from_raw_parts(text, size)
            } else {
                std::slice::from_raw_parts(message.buffer.cast(), message.ud as usize)
            }
        }
    }

    /// The socket that it is about, and the one that was accepted.
    pub fn sockets(&self) -> (Id, Option<Id>) {
        // SAFETY: message was filled by fill.
        let message = unsafe { self.message.as_ref() };
        let accepted = message.type_ == SKYNET_SOCKET_TYPE_ACCEPT;
        (message.id, accepted.then_some(message.ud))
    }

    /// The message as a mailbox takes it: its data, and the size with the type
    /// in the high byte. The receiver frees `buffer`, and the runtime the data.
    pub fn into_raw(self) -> (NonNull<c_void>, usize) {
        let raw = (
            self.message.cast(),
            self.size | (PTYPE_SOCKET as usize) << MESSAGE_TYPE_SHIFT,
        );
        std::mem::forget(self);
        raw
    }

    /// Takes a message back that nobody received; dropping it frees `buffer` too.
    ///
    /// # Safety
    /// `data` and `size` (with the type or without) come from
    /// [`Packed::into_raw`], and no callback has seen them.
    pub unsafe fn from_raw(data: NonNull<c_void>, size: usize) -> Packed {
        Packed {
            message: data.cast(),
            size: size & skynet_abi::mq::MESSAGE_TYPE_MASK,
        }
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        // SAFETY: message was filled by fill and is still ours, so buffer is
        // null or a block that into_raw gave us; free takes both.
        unsafe {
            libc::free(self.message.as_ref().buffer.cast());
            libc::free(self.message.as_ptr().cast());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let open = |text: &'static str, port| What::Open {
            text: text.into(),
            port,
        };
        let accept = What::Accept {
            new: 9,
            text: "1.2.3.4:5".into(),
        };
        let long = What::Error("x".repeat(1000).into());
        let cases = [
            (What::Close, SKYNET_SOCKET_TYPE_CLOSE, 0, 0),
            (open("binding", 0), SKYNET_SOCKET_TYPE_CONNECT, 0, 7),
            (open("0.0.0.0", 80), SKYNET_SOCKET_TYPE_CONNECT, 80, 7),
            (accept, SKYNET_SOCKET_TYPE_ACCEPT, 9, 9),
            (long, SKYNET_SOCKET_TYPE_ERROR, 0, MAX_TEXT),
            (What::Warning(1024), SKYNET_SOCKET_TYPE_WARNING, 1024, 0),
        ];
        for (what, type_, ud, length) in cases {
            let event = Event {
                id: 5,
                owner: 1,
                what,
            };
            let (data, size) = Packed::new(event).unwrap().into_raw();
            assert_eq!(size >> MESSAGE_TYPE_SHIFT, PTYPE_SOCKET as usize);
            // SAFETY: into_raw has just given it.
            let packed = unsafe { Packed::from_raw(data, size) };
            assert_eq!(packed.bytes().len(), length);
            assert_eq!(packed.size, size_of::<skynet_socket_message>() + length);
            // SAFETY: packed is whole.
            let message = unsafe { *packed.message.as_ref() };
            assert_eq!((message.type_, message.id, message.ud), (type_, 5, ud));
            assert!(message.buffer.is_null());
        }
    }

    #[test]
    fn data_is_not_copied() {
        let mut block = Block::new(64).unwrap();
        block.extend(b"abc");
        let start = block.as_slice().as_ptr();
        let event = Event {
            id: 5,
            owner: 1,
            what: What::Data(block),
        };
        let packed = Packed::new(event).unwrap();
        assert_eq!(packed.bytes(), b"abc");
        assert_eq!(packed.bytes().as_ptr(), start);
    }
    #[test]
    fn datagrams_count_without_their_address() {
        let mut block = Block::new(64).unwrap();
        block.extend(b"abc\x01\x00\x50\x7f\x00\x00\x01");
        let packed = Packed::new(Event {
            id: 5,
            owner: 1,
            what: What::Datagram { block, len: 3 },
        })
        .unwrap();
        assert_eq!(packed.bytes(), b"abc");
        // SAFETY: packed is whole.
        let message = unsafe { *packed.message.as_ref() };
        assert_eq!((message.type_, message.ud), (SKYNET_SOCKET_TYPE_UDP, 3));
    }
}
