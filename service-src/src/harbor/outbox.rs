//! Short frames for other nodes that go out together: a call of the system for each
//! would cost more than everything else that is done for it.
//!
//! Frames stay here only while more messages wait for the harbor, which is called
//! again for them, so that none depends on what comes later.
#![forbid(unsafe_code)]

use core::ffi::c_int;

/// What goes out at once. Bytes.
const FULL: usize = 16 * 1024;

/// After a burst, room is given back beyond this. Bytes.
const KEPT: usize = 2 * FULL;

/// The frames for one socket.
struct Pending {
    socket: c_int,
    bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Outbox {
    /// Sockets with something to send are at the front; those behind keep their room.
    sockets: Vec<Pending>,
    waiting: usize,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Adds a frame that comes in parts. What is full goes to `write`.
    pub fn add(&mut self, socket: c_int, frame: &[&[u8]], write: impl FnOnce(c_int, &[u8])) {
        let at = self.place(socket);
        let pending = &mut self.sockets[at];
        for part in frame {
            pending.bytes.extend_from_slice(part);
        }
        if pending.bytes.len() >= FULL {
            self.send(at, write);
        }
    }

    /// Where the frames of a socket are.
    fn place(&mut self, socket: c_int) -> usize {
        let known = &self.sockets[..self.waiting];
        if let Some(at) = known.iter().position(|pending| pending.socket == socket) {
            return at;
        }
        let at = self.waiting;
        match self.sockets.get_mut(at) {
            Some(free) => free.socket = socket,
            None => self.sockets.push(Pending {
                socket,
                bytes: Vec::new(),
            }),
        }
        self.waiting += 1;
        at
    }

    fn send(&mut self, at: usize, write: impl FnOnce(c_int, &[u8])) {
        let pending = &mut self.sockets[at];
        write(pending.socket, &pending.bytes);
        pending.bytes.clear();
        pending.bytes.shrink_to(KEPT);
        self.waiting -= 1;
        self.sockets.swap(at, self.waiting);
    }

    /// Sends what is for a socket.
    pub fn flush_one(&mut self, socket: c_int, write: impl FnOnce(c_int, &[u8])) {
        let mut known = self.sockets[..self.waiting].iter();
        if let Some(at) = known.position(|pending| pending.socket == socket) {
            self.send(at, write);
        }
    }

    /// Sends everything.
    pub fn flush(&mut self, write: impl Fn(c_int, &[u8])) {
        while let Some(last) = self.waiting.checked_sub(1) {
            self.send(last, &write);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What was written, in order.
    #[derive(Default)]
    struct Written(RefCell<Vec<(c_int, Vec<u8>)>>);

    impl Written {
        fn write(&self, socket: c_int, bytes: &[u8]) {
            self.0.borrow_mut().push((socket, bytes.to_vec()));
        }

        fn take(&self) -> Vec<(c_int, Vec<u8>)> {
            self.0.take()
        }
    }

    #[test]
    fn frames_go_out_together_and_in_order() {
        let (mut outbox, written) = (Outbox::default(), Written::default());
        let write = |socket, bytes: &[u8]| written.write(socket, bytes);
        outbox.add(3, &[b"one", b"two"], write);
        outbox.add(4, &[b"x"], write);
        outbox.add(3, &[b"three"], write);
        assert!(written.take().is_empty() && !outbox.is_empty());
        outbox.flush(write);
        let mut all = written.take();
        all.sort();
        assert_eq!(
            all,
            [(3, b"onetwothree".to_vec()), (4, b"x".to_vec())],
            "one write for each socket"
        );
        assert!(outbox.is_empty());
        outbox.flush(write);
        assert!(written.take().is_empty(), "nothing is sent twice");
    }

    #[test]
    fn one_socket_is_flushed_alone() {
        let (mut outbox, written) = (Outbox::default(), Written::default());
        let write = |socket, bytes: &[u8]| written.write(socket, bytes);
        for socket in [3, 4, 5] {
            outbox.add(socket, &[&[socket as u8]], write);
        }
        outbox.flush_one(3, write);
        outbox.flush_one(9, write);
        assert_eq!(written.take(), [(3, vec![3])]);
        outbox.add(3, &[b"!"], write);
        outbox.flush(write);
        let mut all = written.take();
        all.sort();
        assert_eq!(all, [(3, b"!".to_vec()), (4, vec![4]), (5, vec![5])]);
    }

    #[test]
    fn what_is_full_does_not_wait() {
        let (mut outbox, written) = (Outbox::default(), Written::default());
        let write = |socket, bytes: &[u8]| written.write(socket, bytes);
        outbox.add(3, &[&[0; FULL - 1]], write);
        assert!(written.take().is_empty());
        outbox.add(3, &[&[0; 1]], write);
        assert_eq!(written.take(), [(3, vec![0; FULL])]);
        assert!(outbox.is_empty());
    }
}
